//! Hours of the week: `mon-fri 08:00-21:00`.

use strowger_model::config::Hours;

use crate::page::Written;
use crate::section::Section;

const EXAMPLE: &str = "hours = [\"mon-fri 08:00-21:00\", \"sat 09:00-17:00\"]";
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const HOUR_MIN: u16 = 60;
const DAY_MIN: u16 = 24 * HOUR_MIN;
/// 16 CFR 310.4(c): nobody is called before 8 or after 21 by their own clock. Other countries allow less, none more.
const DEFAULT: Hours = Hours { days: 0b111_1111, from_min: 8 * HOUR_MIN, to_min: 21 * HOUR_MIN };

/// The `hours` of a campaign, sorted; the default when there are none.
pub(crate) fn read_hours(section: &Section<'_>) -> Vec<Hours> {
    let Some(written) = section.texts("hours", EXAMPLE) else { return vec![DEFAULT] };
    if written.is_empty() {
        section.fault("without hours nobody is ever called", format!("write {EXAMPLE}, or leave `hours` out"));
    }
    let mut hours: Vec<Hours> = written.iter().filter_map(|written| read(section, written)).collect();
    hours.sort_by_key(|hours| (hours.from_min, hours.to_min, hours.days));
    hours
}

fn read(section: &Section<'_>, written: &Written<String>) -> Option<Hours> {
    let hours = parse(&written.value);
    let fault = |fix: &str| section.fault_at(&written.at, format!("`{}` are no hours", written.value), fix);
    match &hours {
        None => fault(&format!("write days and times, like {EXAMPLE}")),
        Some(hours) if hours.from_min >= hours.to_min => {
            fault("end later than you begin; for a night write two: up to 24:00, and from 00:00 on the next day");
        }
        Some(_) => {}
    }
    hours
}

fn parse(text: &str) -> Option<Hours> {
    let (days, times) = text.split_once(' ')?;
    let (from, to) = times.split_once('-')?;
    let days = days.split(',').try_fold(0, |days, part| Some(days | parse_days(part)?))?;
    Some(Hours { days, from_min: parse_time(from)?, to_min: parse_time(to)? })
}

/// `mon` or `mon-fri`; `sat-mon` goes over the end of the week.
fn parse_days(text: &str) -> Option<u8> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |name: &str| DAYS.iter().position(|day| *day == name);
    let (first, last) = (number(first)?, number(last)?);
    let length = (last + DAYS.len() - first) % DAYS.len();
    Some((0..=length).map(|day| 1 << ((first + day) % DAYS.len())).sum())
}

/// Minutes since midnight.
fn parse_time(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !two_digits(hour) || !two_digits(minute) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let at = hour * HOUR_MIN + minute;
    (minute < HOUR_MIN && at <= DAY_MIN).then_some(at)
}

/// As it may be written: days one by one.
pub(crate) fn written(hours: &Hours) -> String {
    let days: Vec<_> =
        DAYS.iter().enumerate().filter(|(day, _)| hours.days >> day & 1 == 1).map(|(_, name)| *name).collect();
    let time = |at: u16| format!("{:02}:{:02}", at / HOUR_MIN, at % HOUR_MIN);
    format!("{} {}-{}", days.join(","), time(hours.from_min), time(hours.to_min))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(days: u8, from_min: u16, to_min: u16) -> Option<Hours> {
        Some(Hours { days, from_min, to_min })
    }

    #[test]
    fn days_and_times() {
        assert_eq!(parse("mon-fri 08:00-21:00"), hours(0b001_1111, 480, 1260));
        assert_eq!(parse("sat 09:00-17:30"), hours(0b010_0000, 540, 1050));
        assert_eq!(parse("mon-sun 00:00-24:00"), hours(0b111_1111, 0, 1440));
        assert_eq!(parse("mon,wed,fri-sat 10:00-11:00"), hours(0b011_0101, 600, 660));
        assert_eq!(parse("sat-mon 10:00-11:00"), hours(0b110_0001, 600, 660));
        assert_eq!(parse("mon-mon 10:00-11:00"), hours(0b000_0001, 600, 660));
    }

    #[test]
    fn what_is_shown_can_be_written() {
        for text in ["mon 08:00-21:00", "mon,tue,sun 00:00-24:00"] {
            assert_eq!(parse(text).map(|hours| written(&hours)), Some(text.to_owned()));
        }
    }

    #[test]
    fn what_is_neither() {
        for text in [
            "",
            "mon",
            "08:00-21:00",
            "Mon 08:00-21:00",
            "mon 8-21",
            "mon 8:00-21:00",
            "mon 08:00-24:01",
            "mon 08:60-21:00",
            "mon- 08:00-21:00",
            "mon,, 08:00-21:00",
            "mon 08:00",
            "mon  08:00-21:00",
            "mon 08:00-21:00 ",
            "mon +8:00-21:00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
