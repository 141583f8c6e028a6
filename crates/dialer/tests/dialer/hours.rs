//! Calling hours by the lead's clock, over real changes of real clocks.

use jiff::Timestamp;
use strowger_dialer::{NoSuchZone, open_until};
use strowger_model::Wall;
use strowger_model::config::Hours;

const ALL: u8 = 0b111_1111;
const WORKDAYS: u8 = 0b001_1111;
const SATURDAY: u8 = 0b010_0000;

const fn hours(days: u8, from_min: u16, to_min: u16) -> Hours {
    Hours { days, from_min, to_min }
}

const EIGHT_TO_NINE: [Hours; 1] = [hours(ALL, 8 * 60, 21 * 60)];

fn wall(text: &str) -> Wall {
    Wall(text.parse::<Timestamp>().unwrap().as_millisecond() as u64)
}

/// Until when, in UTC.
fn until(zone: &str, hours: &[Hours], at: &str) -> Option<String> {
    let open = open_until(zone, hours, wall(at)).unwrap();
    open.map(|until| Timestamp::from_millisecond(until.0 as i64).unwrap().to_string())
}

#[track_caller]
fn check(zone: &str, hours: &[Hours], cases: &[(&str, Option<&str>)]) {
    for (at, expected) in cases {
        assert_eq!(until(zone, hours, at).as_deref(), *expected, "{zone} at {at}");
    }
}

#[test]
fn from_the_first_minute_up_to_the_last() {
    check(
        "America/New_York",
        &EIGHT_TO_NINE,
        &[
            ("2026-01-15T12:59:59.999Z", None),
            ("2026-01-15T13:00:00Z", Some("2026-01-16T02:00:00Z")),
            ("2026-01-16T01:59:59.999Z", Some("2026-01-16T02:00:00Z")),
            ("2026-01-16T02:00:00Z", None),
            // In summer everything is an hour earlier for us, not for them.
            ("2026-07-15T12:00:00Z", Some("2026-07-16T01:00:00Z")),
        ],
    );
    check(
        "Asia/Kathmandu",
        &EIGHT_TO_NINE,
        &[("2026-01-15T02:14:59Z", None), ("2026-01-15T02:15:00Z", Some("2026-01-15T15:15:00Z"))],
    );
}

#[test]
fn days_are_the_leads_days() {
    let hours = [hours(WORKDAYS, 8 * 60, 21 * 60), hours(SATURDAY, 9 * 60, 17 * 60)];
    // It is Friday evening in Auckland while it is Friday morning in London.
    check("Pacific/Auckland", &hours, &[("2026-01-16T07:30:00Z", Some("2026-01-16T08:00:00Z"))]);
    check(
        "Europe/London",
        &hours,
        &[
            ("2026-01-16T08:00:00Z", Some("2026-01-16T21:00:00Z")),
            ("2026-01-17T08:30:00Z", None),
            ("2026-01-17T09:00:00Z", Some("2026-01-17T17:00:00Z")),
            ("2026-01-18T12:00:00Z", None),
        ],
    );
}

#[test]
fn hours_that_touch_or_overlap_are_one() {
    let day = [hours(ALL, 8 * 60, 12 * 60), hours(ALL, 12 * 60, 15 * 60), hours(ALL, 14 * 60, 18 * 60)];
    check("Etc/UTC", &day, &[("2026-01-15T09:00:00Z", Some("2026-01-15T18:00:00Z"))]);
    let lunch = [hours(ALL, 8 * 60, 12 * 60), hours(ALL, 12 * 60 + 1, 15 * 60)];
    check("Etc/UTC", &lunch, &[("2026-01-15T09:00:00Z", Some("2026-01-15T12:00:00Z")), ("2026-01-15T12:00:30Z", None)]);
    let night = [hours(ALL, 22 * 60, 24 * 60), hours(ALL, 0, 6 * 60)];
    check(
        "Etc/UTC",
        &night,
        &[
            ("2026-01-15T23:00:00Z", Some("2026-01-16T06:00:00Z")),
            ("2026-01-15T05:00:00Z", Some("2026-01-15T06:00:00Z")),
        ],
    );
    // Only if the next day has it too: 15 January 2026 is a Thursday.
    let to_midnight = [hours(0b000_1000, 20 * 60, 24 * 60), hours(0b010_0000, 0, 60)];
    check("Etc/UTC", &to_midnight, &[("2026-01-15T23:00:00Z", Some("2026-01-16T00:00:00Z"))]);
    check("Etc/UTC", &[hours(ALL, 0, 24 * 60)], &[("2026-01-15T09:00:00Z", Some("2026-01-22T09:00:00Z"))]);
    check("Etc/UTC", &[], &[("2026-01-15T09:00:00Z", None)]);
    // What the configuration would refuse opens nothing and breaks nothing.
    check("Etc/UTC", &[hours(ALL, 600, 600), hours(0, 0, 1440)], &[("2026-01-15T10:00:00Z", None)]);
    check("Etc/UTC", &[hours(ALL, 600, 2000)], &[("2026-01-15T23:00:00Z", Some("2026-01-16T00:00:00Z"))]);
}

/// New York, 8 March 2026: at 2:00 it becomes 3:00, at 07:00 UTC.
#[test]
fn an_hour_that_is_skipped_is_not_there() {
    let zone = "America/New_York";
    let into_gap = [hours(ALL, 60, 2 * 60 + 30)];
    check(zone, &into_gap, &[("2026-03-08T06:59:00Z", Some("2026-03-08T07:00:00Z")), ("2026-03-08T07:00:00Z", None)]);
    let out_of_gap = [hours(ALL, 2 * 60 + 30, 4 * 60)];
    check(zone, &out_of_gap, &[("2026-03-08T06:59:59Z", None), ("2026-03-08T07:00:00Z", Some("2026-03-08T08:00:00Z"))]);
    check(zone, &[hours(ALL, 2 * 60, 3 * 60)], &[("2026-03-08T06:59:59Z", None), ("2026-03-08T07:00:00Z", None)]);
    check(zone, &[hours(ALL, 60, 5 * 60)], &[("2026-03-08T06:30:00Z", Some("2026-03-08T09:00:00Z"))]);
}

/// London, 25 October 2026: at 2:00 it becomes 1:00 again, at 01:00 UTC.
#[test]
fn an_hour_that_is_repeated_is_there_twice() {
    let zone = "Europe/London";
    let half_past = [hours(ALL, 0, 90)];
    check(
        zone,
        &half_past,
        &[
            ("2026-10-25T00:15:00Z", Some("2026-10-25T00:30:00Z")),
            ("2026-10-25T00:45:00Z", None),
            ("2026-10-25T01:00:00Z", Some("2026-10-25T01:30:00Z")),
            ("2026-10-25T01:30:00Z", None),
        ],
    );
    check(zone, &[hours(ALL, 0, 3 * 60)], &[("2026-10-24T23:30:00Z", Some("2026-10-25T03:00:00Z"))]);
    // The evening is as long as ever.
    check(zone, &EIGHT_TO_NINE, &[("2026-10-25T20:30:00Z", Some("2026-10-25T21:00:00Z"))]);
}

/// Lord Howe Island turns its clocks by half an hour: 4 October 2026, 2:00 becomes 2:30, at 15:30 UTC the day before;
/// 5 April 2026, 2:00 becomes 1:30, at 15:00 UTC the day before.
#[test]
fn half_an_hour_may_be_skipped_or_repeated() {
    let zone = "Australia/Lord_Howe";
    let early = [hours(ALL, 60, 2 * 60 + 15)];
    check(zone, &early, &[("2026-10-03T15:15:00Z", Some("2026-10-03T15:30:00Z")), ("2026-10-03T15:30:00Z", None)]);
    let repeated = [hours(ALL, 60, 105)];
    check(
        zone,
        &repeated,
        &[
            ("2026-04-04T14:40:00Z", Some("2026-04-04T14:45:00Z")),
            ("2026-04-04T14:50:00Z", None),
            ("2026-04-04T15:00:00Z", Some("2026-04-04T15:15:00Z")),
        ],
    );
}

/// Samoa had no 30 December 2011: Thursday was followed by Saturday.
#[test]
fn a_day_that_is_skipped_is_not_there() {
    let thursday_and_friday = [hours(0b001_1000, 0, 24 * 60)];
    check("Pacific/Apia", &thursday_and_friday, &[("2011-12-30T09:00:00Z", Some("2011-12-30T10:00:00Z"))]);
    check("Pacific/Apia", &thursday_and_friday, &[("2011-12-30T10:00:00Z", None)]);
}

/// Over a year, against what the clock on the wall shows.
#[test]
fn it_says_what_the_clock_says_and_never_shortens_or_stretches_it() {
    /// Minutes; all hours here begin at a multiple of it. Every minute of open hours is looked at.
    const STEP: u64 = 10;
    let hours = [hours(WORKDAYS, 90, 8 * 60), hours(ALL, 23 * 60, 24 * 60), hours(0b101_0101, 0, 60)];
    for zone in ["America/New_York", "Europe/London", "Australia/Lord_Howe", "America/St_Johns"] {
        let tz = jiff::tz::TimeZone::get(zone).unwrap();
        let is_open = |minute: u64| {
            let clock = tz.to_datetime(Timestamp::from_millisecond((minute * 60_000) as i64).unwrap());
            let at = clock.hour() as u16 * 60 + clock.minute() as u16;
            let today = |hours: &Hours| hours.days >> clock.weekday().to_monday_zero_offset() & 1 == 1;
            hours.iter().any(|hours| today(hours) && (hours.from_min..hours.to_min).contains(&at))
        };
        let start = wall("2026-01-01T00:00:00Z").0 / 60_000;
        let mut minute = start;
        while minute < start + 366 * 24 * 60 {
            match open_until(zone, &hours, Wall(minute * 60_000)).unwrap() {
                None => assert!(!is_open(minute), "{zone} {minute}"),
                Some(end) => {
                    let end = end.0 / 60_000;
                    assert!((minute..end).all(is_open) && !is_open(end), "{zone} {minute} to {end}");
                    minute = end - STEP;
                }
            }
            minute += STEP;
        }
    }
}

#[test]
fn who_has_no_clock_is_never_called() {
    let nowhere = open_until("Mars/Olympus_Mons", &EIGHT_TO_NINE, Wall(0));
    assert_eq!(nowhere, Err(NoSuchZone("Mars/Olympus_Mons".to_owned())));
    assert_eq!(open_until("Etc/UTC", &EIGHT_TO_NINE, Wall(u64::MAX)), Ok(None));
    assert_eq!(open_until("Etc/UTC", &EIGHT_TO_NINE, Wall(i64::MAX as u64)), Ok(None));
}
