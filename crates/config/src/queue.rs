//! A tenant's `[[queue]]`.

use strowger_model::config::{Queue, Strategy};
use strowger_model::{Digest, QueueId};

use crate::limits::{MAX_MISSES, MAX_WAIT, MAX_WAITING, MISS_PAUSE, RING_TIMEOUT, SERVICE_LEVEL, WRAP_UP};
use crate::page::Written;
use crate::prompts::Prompts;
use crate::section::Section;

/// Our name first, then what Asterisk and FreeSWITCH call the same: people bring their configuration along.
const STRATEGIES: [(Strategy, &[&str]); 1] =
    [(Strategy::LongestIdle, &["longest-idle", "leastrecent", "longest-idle-agent"])];

pub(crate) fn read_queue(section: &Section<'_>, position: usize, prompts: &Prompts<'_>) -> Queue {
    let name = section.optional_text("name", "name = \"sales\"").map(|name| name.value).unwrap_or_default();
    let strategy = section.optional_text("strategy", "strategy = \"longest-idle\"");
    let music = section.text("music", "music = \"music/hold.wav\"");
    let queue = Queue {
        id: QueueId(position as u32),
        name,
        strategy: strategy.map_or(Strategy::LongestIdle, |strategy| read_strategy(section, &strategy)),
        music: music.map_or(Digest::default(), |music| prompts.find(&music)),
        ring_timeout_ms: section.limit(&RING_TIMEOUT),
        wrap_up_ms: section.limit(&WRAP_UP),
        max_misses: section.limit(&MAX_MISSES) as u16,
        miss_pause_ms: section.limit(&MISS_PAUSE),
        max_waiting: section.limit(&MAX_WAITING),
        max_wait_ms: section.limit(&MAX_WAIT),
        service_level_ms: section.limit(&SERVICE_LEVEL),
    };
    section.finish();
    queue
}

fn read_strategy(section: &Section<'_>, written: &Written<String>) -> Strategy {
    let known = STRATEGIES.iter().find(|(_, names)| names.contains(&written.value.as_str()));
    known.map(|(strategy, _)| *strategy).unwrap_or_else(|| {
        let names: Vec<_> = STRATEGIES.iter().map(|(_, names)| describe(names)).collect();
        let fix = format!("known are {}", names.join(", "));
        section.fault_at(&written.at, format!("there is no strategy `{}`", written.value), fix);
        Strategy::LongestIdle
    })
}

fn describe(names: &[&str]) -> String {
    match names {
        [name] => (*name).to_owned(),
        [name, aliases @ ..] => format!("{name} (also written {})", aliases.join(" or ")),
        [] => String::new(),
    }
}
