//! When a lead may be called, by the clock on the lead's own wall (in the United States 16 CFR 310.4(c): from 8 to 21,
//! called party's time).

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use strowger_model::Wall;
use strowger_model::config::Hours;

use crate::zone::{NoSuchZone, find};

/// Who may be called round the clock may be called for so long. It is asked again long before.
const HORIZON: Duration = Duration::from_secs(7 * 24 * 60 * 60);
pub(crate) const MS_PER_MINUTE: u64 = 60_000;
const MINUTES_PER_DAY: u16 = 24 * 60;
/// The same day next week: its hours may have begun already today.
const DAYS_AHEAD: i64 = 7;

/// If a lead in that zone may be called at `wall`, until when, that moment not included; else none. Hours that touch,
/// also at midnight, are one. What a clock shows is what counts: an hour that daylight saving time skips is not
/// there, and one that it repeats is there twice.
pub fn open_until(zone: &str, hours: &[Hours], wall: Wall) -> Result<Option<Wall>, NoSuchZone> {
    let zone = find(zone)?;
    let horizon = Wall(wall.0.saturating_add(HORIZON.as_millis() as u64));
    let Some(mut open) = next_check(&zone, hours, wall) else { return Ok(None) };
    while open < horizon {
        match next_check(&zone, hours, open) {
            Some(next) => open = next,
            None => return Ok(Some(open)),
        }
    }
    Ok(Some(horizon))
}

/// When leads in that zone may be called next, if not at `wall`: within eight days, for hours are weekly. None: never, or
/// the zone is not known.
pub(crate) fn next_open(zone: &str, hours: &[Hours], wall: Wall) -> Option<Wall> {
    let tz = find(zone).ok()?;
    let now = i64::try_from(wall.0).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok())?;
    let today = tz.to_datetime(now).date();
    let days = (0..=DAYS_AHEAD).filter_map(|ahead| today.checked_add(jiff::Span::new().days(ahead)).ok());
    let begins = days.flat_map(|date| hours.iter().map(move |hours| (date, hours.from_min)));
    let walls = begins.filter_map(|(date, minute)| {
        let clock = date.at((minute / 60) as i8, (minute % 60) as i8, 0, 0);
        // An hour that the clock skips begins when it goes on.
        let begins = tz.to_zoned(clock).ok()?.timestamp().as_millisecond();
        u64::try_from(begins).ok().map(Wall)
    });
    let opens = |at: &Wall| *at > wall && next_check(&tz, hours, *at).is_some();
    walls.filter(opens).min()
}

/// When it must be looked again, if it is open now: at the end of the hours that it is in, or when the clock is
/// turned before that. Always later than `wall`.
fn next_check(zone: &TimeZone, hours: &[Hours], wall: Wall) -> Option<Wall> {
    let now = i64::try_from(wall.0).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok())?;
    let clock = zone.to_datetime(now);
    let left = hours.iter().filter_map(|hours| left(hours, clock)).max()?;
    let end = Wall(wall.0.saturating_add(left));
    let turned = zone.following(now).next().and_then(|turn| u64::try_from(turn.timestamp().as_millisecond()).ok());
    Some(turned.map(Wall).filter(|turned| *turned > wall).map_or(end, |turned| turned.min(end)))
}

/// Milliseconds until the end of these hours, if the clock stands within them.
fn left(hours: &Hours, clock: DateTime) -> Option<u64> {
    let minute = clock.hour() as u16 * 60 + clock.minute() as u16;
    let today = hours.days >> clock.weekday().to_monday_zero_offset() & 1 == 1;
    let until = hours.to_min.min(MINUTES_PER_DAY);
    let into_minute = clock.second() as u64 * 1000 + clock.millisecond() as u64;
    (today && (hours.from_min..until).contains(&minute))
        .then(|| u64::from(until - minute) * MS_PER_MINUTE - into_minute)
}
