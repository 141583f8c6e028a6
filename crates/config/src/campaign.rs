//! A tenant's `[[campaign]]`: whom to call for which agents, when and how often.

use std::sync::LazyLock;

use jiff::tz::TimeZoneDatabase;
use strowger_model::config::{Campaign, DialMode, LeadColumns, Retry, Trunk};
use strowger_model::{CampaignId, DialResult, E164, QueueId, TrunkId};

use crate::hours::read_hours;
use crate::limits::{DIAL_RING_TIMEOUT, KEEP_IDLE, MAX_ATTEMPTS, RETRY_AFTER};
use crate::names::{Names, known};
use crate::page::Written;
use crate::section::Section;

const MODES: [DialMode; 2] = [DialMode::Progressive, DialMode::Manual];
/// What others have: said to be missing, so that nobody looks for another spelling.
const NOT_BUILT: [&str; 3] = ["preview", "power", "predictive"];
/// Compiled in, so that a configuration is good or bad on every machine alike.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// What campaigns point to.
pub(crate) struct Around<'a> {
    pub(crate) queues: &'a Names<'a>,
    /// None: they cannot be read, which is a fault already.
    pub(crate) trunks: Option<&'a [Trunk]>,
}

pub(crate) fn read_campaign(section: &Section<'_>, position: usize, around: &Around<'_>) -> Option<Campaign> {
    let name = section.optional_text("name", "name = \"spring\"").map(|name| name.value).unwrap_or_default();
    let mode = section.text("mode", "mode = \"progressive\"").and_then(|mode| read_mode(section, &mode));
    let queue = section.text("queue", "queue = \"sales\"").and_then(|queue| around.queues.find(&queue));
    let trunk = section.text("trunk", "trunk = \"carrier\"").and_then(|trunk| find_trunk(section, &trunk, around));
    let caller_id = section.parsed::<E164>("caller_id", "caller_id = \"+4930123456\"");
    let ring_timeout_ms = section.limit(&DIAL_RING_TIMEOUT);
    let keep_idle = section.limit(&KEEP_IDLE);
    let start = section.flag("start", false);
    let max_attempts = section.limit(&MAX_ATTEMPTS) as u8;
    let retries = read_retries(section);
    let zone = section.optional_text("zone", "zone = \"Europe/Berlin\"").and_then(|zone| read_zone(section, &zone));
    let hours = read_hours(section);
    let columns = read_columns(section);
    section.finish();
    Some(Campaign {
        id: CampaignId(position as u32),
        name,
        mode: mode?,
        queue: QueueId(queue? as u32),
        trunk: trunk?,
        caller_id: caller_id?.value,
        ring_timeout_ms,
        keep_idle,
        start,
        max_attempts,
        retries,
        zone,
        hours,
        columns,
    })
}

fn read_mode(section: &Section<'_>, written: &Written<String>) -> Option<DialMode> {
    let mode = MODES.into_iter().find(|mode| mode.as_str() == written.value);
    if mode.is_none() {
        let what = match NOT_BUILT.contains(&written.value.as_str()) {
            true => format!("mode `{}` is not built yet", written.value),
            false => format!("there is no mode `{}`", written.value),
        };
        section.fault_at(&written.at, what, format!("known are {}", MODES.map(DialMode::as_str).join(", ")));
    }
    mode
}

fn find_trunk(section: &Section<'_>, written: &Written<String>, around: &Around<'_>) -> Option<TrunkId> {
    let trunks = around.trunks?;
    let Some(position) = trunks.iter().position(|trunk| trunk.name == written.value) else {
        let fix = format!("{}, or add it to trunks.toml", known(trunks.iter().map(|trunk| &trunk.name)));
        section.fault_at(&written.at, format!("there is no trunk `{}`", written.value), fix);
        return None;
    };
    if trunks[position].destination.is_none() {
        let what = format!("trunk `{}` takes no outbound calls", written.value);
        section.fault_at(&written.at, what, "give it a destination in trunks.toml, or name another");
        return None;
    }
    Some(TrunkId(position as u32))
}

/// Who talked to an agent is done, whatever came of it: all other results may be tried again.
fn read_retries(section: &Section<'_>) -> Vec<Retry> {
    let results = DialResult::ALL.into_iter().filter(|result| *result != DialResult::Connected);
    let results: Vec<DialResult> = results.collect();
    let written = section.numbers(&RETRY_AFTER, "retry_after_s = { busy = 900 }").unwrap_or_default();
    let retry = |(name, after_s): (Written<String>, u32)| {
        let result = results.iter().find(|result| result.as_str() == name.value);
        if result.is_none() {
            let names: Vec<_> = results.iter().map(|result| result.as_str()).collect();
            let what = format!("`{}` is no result that a call is tried again after", name.value);
            section.fault_at(&name.at, what, format!("known are {}", names.join(", ")));
        }
        Some(Retry { result: *result?, after_s })
    };
    written.into_iter().filter_map(retry).collect()
}

/// As IANA spells it.
fn read_zone(section: &Section<'_>, written: &Written<String>) -> Option<String> {
    let zone = ZONES.get(&written.value).ok().filter(|zone| !zone.is_unknown());
    if zone.is_none() {
        let what = format!("there is no time zone `{}`", written.value);
        section.fault_at(&written.at, what, "write an IANA name, like zone = \"Europe/Berlin\"");
    }
    Some(zone?.iana_name().unwrap_or(&written.value).to_owned())
}

fn read_columns(section: &Section<'_>) -> LeadColumns {
    let mut columns = LeadColumns { number: "number".to_owned(), zone: Some("zone".to_owned()) };
    let Some(section) = section.sub("columns", "columns = { number = \"number\", zone = \"zone\" }") else {
        return columns;
    };
    if let Some(number) = section.optional_text("number", "number = \"phone\"") {
        columns.number = number.value;
    }
    if let Some(zone) = section.optional_text("zone", "zone = \"time_zone\"") {
        columns.zone = Some(zone.value);
    }
    section.finish();
    columns
}
