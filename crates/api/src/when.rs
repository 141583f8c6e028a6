//! Moments as people and programs write them in a query.

use jiff::Timestamp;

use crate::error::Problem;

/// A parameter that is a moment, in milliseconds since the Unix epoch.
pub fn moment(name: &str, text: Option<String>) -> Result<Option<u64>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let ms = parse_ms(&text).ok_or_else(|| {
        let advice =
            "give RFC 3339, as 2026-05-01T12:00:00Z or 2026-05-01T14:00:00+02:00, or milliseconds since the Unix epoch";
        Problem::bad_request(format!("`{name}` is `{text}`, which is no moment"), advice)
    })?;
    Ok(Some(ms))
}

/// Milliseconds since the Unix epoch, from just that number or from RFC 3339: `2026-05-01T12:00:00Z`, as records have
/// it, or with the offset of another zone, `2026-05-01T14:00:00.250+02:00`. None before 1970.
fn parse_ms(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    // The + of an offset that was not escaped comes as a blank.
    let text = if text.contains(['T', 't']) { text.replace(' ', "+") } else { text.to_owned() };
    u64::try_from(text.parse::<Timestamp>().ok()?.as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read() {
        for (text, ms) in [
            ("0", Some(0)),
            ("1777636800000", Some(1_777_636_800_000)),
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T23:59:59.5Z", Some(951_868_799_500)),
            ("2026-05-01T12:00:00.250Z", Some(1_777_636_800_250)),
            ("2026-05-01 12:00:00z", Some(1_777_636_800_000)),
            ("2026-05-01T14:00:00+02:00", Some(1_777_636_800_000)),
            ("2026-05-01T14:00:00 02:00", Some(1_777_636_800_000)),
            ("2026-05-01T06:30:00-05:30", Some(1_777_636_800_000)),
            ("2025-02-29T00:00:00Z", None),
            ("2026-05-01T24:00:00Z", None),
            ("2026-05-01T12:00:00", None),
            ("2026-05-01T12:00:00.Z", None),
            ("2026-05-01T12:00:00.äZ", None),
            ("1969-05-01T12:00:00Z", None),
            ("99999999999999999999", None),
            ("-1", None),
            ("yesterday", None),
        ] {
            assert_eq!(parse_ms(text), ms, "{text}");
        }
    }
}
