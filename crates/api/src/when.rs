//! Moments as people and programs write them in a query.

/// Milliseconds since the Unix epoch, from just that number or from RFC 3339 in UTC, as records have it:
/// `2026-05-01T12:00:00Z`, `2026-05-01T12:00:00.250Z`.
pub fn parse_ms(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let (date, time) = text.strip_suffix(['Z', 'z'])?.split_once(['T', 't', ' '])?;
    let [year, month, day] = numbers(date, '-')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(time, ':')?;
    // 60 is a leap second.
    let is_time = hour < 24 && minute < 60 && second <= 60;
    let is_date =
        (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    if !is_time || !is_date {
        return None;
    }
    let seconds = ((days_before(year, month) + day - 1) * 24 + hour) * 3600 + minute * 60 + second;
    Some(seconds * 1000 + thousandths(fraction)?)
}

fn numbers(text: &str, between: char) -> Option<[u64; 3]> {
    let mut parts = text.split(between).map(|part| {
        let is_number = !part.is_empty() && part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| part.parse().ok()).flatten()
    });
    let three = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(three)
}

fn thousandths(fraction: &str) -> Option<u64> {
    let is_number = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| format!("{fraction:0<3}")[..3].parse().ok()).flatten()
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// From the epoch to the first of the month.
fn days_before(year: u64, month: u64) -> u64 {
    let leap_years_to = |year: u64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leap_years_to(year - 1) - leap_years_to(1969);
    years + (1..month).map(|month| days_of(year, month)).sum::<u64>()
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
