//! Time zones by name, from the database that is compiled in: all nodes know the same zones by the same rules,
//! whatever their machines have installed.

use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// A cache of what is compiled in; nothing is read from the machine.
static BUNDLED: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// With the name as it was written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("there is no time zone `{0}`: write an IANA name, for example Europe/Berlin")]
pub struct NoSuchZone(pub String);

/// The name as IANA spells it: letters' case is not told apart when it is read.
pub fn zone_name(written: &str) -> Result<String, NoSuchZone> {
    let zone = find(written)?;
    Ok(zone.iana_name().unwrap_or(written).to_owned())
}

pub(crate) fn find(name: &str) -> Result<TimeZone, NoSuchZone> {
    // `Etc/Unknown` is a name for not knowing, which is what a zone is to prevent.
    BUNDLED.get(name).ok().filter(|zone| !zone.is_unknown()).ok_or_else(|| NoSuchZone(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_one_spelling() {
        assert_eq!(zone_name("Europe/London"), Ok("Europe/London".to_owned()));
        assert_eq!(zone_name("america/new_york"), Ok("America/New_York".to_owned()));
        for name in ["", "Etc/Unknown", "London", "Europe/Londres", "+01:00", "Europe/London\n", "../../etc/passwd"] {
            assert_eq!(zone_name(name), Err(NoSuchZone(name.to_owned())));
        }
    }
}
