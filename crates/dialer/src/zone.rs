//! Time zones by name, from the database that is compiled in: all nodes know the same zones by the same rules,
//! whatever their machines have installed.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use strowger_model::Wall;

/// A cache of what is compiled in; nothing is read from the machine.
static BUNDLED: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// With the name as it was written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("there is no time zone `{0}`: write an IANA name, for example Europe/Berlin")]
pub struct NoSuchZone(pub String);

/// Whose clock says when a day begins.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// For who names none.
    pub const UTC: Zone = Zone(TimeZone::UTC);

    /// By its IANA name.
    pub fn named(name: &str) -> Result<Self, NoSuchZone> {
        find(name).map(Zone)
    }

    /// When the day began that `wall` lies in. Where the clock skips midnight, it began at the first moment after it.
    pub fn midnight(&self, wall: Wall) -> Wall {
        let began = |ms| {
            let now = Timestamp::from_millisecond(ms).ok()?.to_zoned(self.0.clone());
            u64::try_from(now.start_of_day().ok()?.timestamp().as_millisecond()).ok()
        };
        // Only before 1970, and thousands of years from now, there is none.
        i64::try_from(wall.0).ok().and_then(began).map_or(wall, Wall)
    }
}

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
    fn a_day_begins_at_midnight_of_its_zone() {
        let wall = |text: &str| Wall(text.parse::<Timestamp>().expect("a moment").as_millisecond() as u64);
        for (zone, now, began) in [
            ("UTC", "2026-11-29T23:59:59.999Z", "2026-11-29T00:00:00Z"),
            ("UTC", "2026-11-30T00:00:00Z", "2026-11-30T00:00:00Z"),
            ("America/Los_Angeles", "2026-11-30T00:00:00Z", "2026-11-29T08:00:00Z"),
            ("Asia/Kathmandu", "2026-11-29T18:15:00Z", "2026-11-29T18:15:00Z"),
            ("Asia/Kathmandu", "2026-11-29T18:14:59Z", "2026-11-28T18:15:00Z"),
            // The day has 25 hours, and the one with 23 begins where the clock goes on.
            ("Europe/Berlin", "2026-10-25T22:59:59Z", "2026-10-24T22:00:00Z"),
            ("Africa/Cairo", "2026-04-24T12:00:00Z", "2026-04-23T22:00:00Z"),
        ] {
            assert_eq!(Zone::named(zone).expect("known").midnight(wall(now)), wall(began), "{zone} {now}");
        }
        assert_eq!(Zone::UTC.midnight(Wall(1)), Wall(0));
        assert!(Zone::named("Europe/Londres").is_err());
    }

    #[test]
    fn names_are_known_in_one_spelling() {
        assert_eq!(zone_name("Europe/London"), Ok("Europe/London".to_owned()));
        assert_eq!(zone_name("america/new_york"), Ok("America/New_York".to_owned()));
        for name in ["", "Etc/Unknown", "London", "Europe/Londres", "+01:00", "Europe/London\n", "../../etc/passwd"] {
            assert_eq!(zone_name(name), Err(NoSuchZone(name.to_owned())));
        }
    }
}
