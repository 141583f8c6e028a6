//! Every number an operator may set: its unit, its range and what it is unless set. The range keeps out slips of the
//! keyboard and what the cluster could not do; it is no recommendation.

use crate::fault::Faults;
use crate::page::Place;

/// A whole number in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// How files write it; several sections may have the same.
    pub key: &'static str,
    /// For faults and documentation: `ms`, `calls/s`; empty for an id.
    pub unit: &'static str,
    /// The smallest that is taken; 0 is taken below it where `zero` says what it means.
    pub min: u32,
    /// The largest that is taken.
    pub max: u32,
    /// What it is where the file says nothing.
    pub default: u32,
    /// What 0 means, where it is allowed below `min`.
    pub zero: Option<&'static str>,
}

impl Limit {
    const fn new(key: &'static str, unit: &'static str, min: u32, max: u32, default: u32) -> Self {
        Self { key, unit, min, max, default, zero: None }
    }

    const fn or_zero(self, meaning: &'static str) -> Self {
        Self { zero: Some(meaning), ..self }
    }

    pub(crate) fn allows(&self, value: u32) -> bool {
        (self.min..=self.max).contains(&value) || (value == 0 && self.zero.is_some())
    }

    /// `1000 to 120000 ms`, for faults.
    pub(crate) fn range(&self) -> String {
        let zero = self.zero.map(|meaning| format!(", or 0 for {meaning}")).unwrap_or_default();
        format!("{} to {} {}{zero}", self.min, self.max, self.unit)
    }
}

const MINUTE_MS: u32 = 60_000;
const HOUR_MS: u32 = 60 * MINUTE_MS;

// Menus. People need seconds to find a key.
pub(crate) const MENU_TIMEOUT: Limit = Limit::new("timeout_ms", "ms", 500, MINUTE_MS, 5000);
pub(crate) const MENU_TRIES: Limit = Limit::new("tries", "times", 1, 10, 3);

// Queues.
pub(crate) const RING_TIMEOUT: Limit = Limit::new("ring_timeout_ms", "ms", 1000, 2 * MINUTE_MS, 15_000);
pub(crate) const WRAP_UP: Limit = Limit::new("wrap_up_ms", "ms", 1, HOUR_MS, 0).or_zero("none");
pub(crate) const MAX_MISSES: Limit = Limit::new("max_misses", "calls", 1, 1000, 3).or_zero("never");
pub(crate) const MISS_PAUSE: Limit = Limit::new("miss_pause_ms", "ms", 1, HOUR_MS, 5000).or_zero("none");
pub(crate) const MAX_WAITING: Limit = Limit::new("max_waiting", "calls", 1, 100_000, 1000);
pub(crate) const MAX_WAIT: Limit = Limit::new("max_wait_ms", "ms", 1000, 24 * HOUR_MS, 30 * MINUTE_MS);
pub(crate) const SERVICE_LEVEL: Limit = Limit::new("service_level_ms", "ms", 1000, HOUR_MS, 20_000);

// Campaigns. Whose phone rang for less than 15 s or four times was not called (16 CFR 310.4(b)(4)(ii)).
pub(crate) const DIAL_RING_TIMEOUT: Limit = Limit::new("ring_timeout_ms", "ms", 15_000, 2 * MINUTE_MS, 20_000);
pub(crate) const KEEP_IDLE: Limit = Limit::new("keep_idle", "agents", 0, MAX_AGENTS as u32, 0);
pub(crate) const MAX_ATTEMPTS: Limit = Limit::new("max_attempts", "calls", 1, 20, 3);
/// It has no default: a result that is not named is not tried again.
pub(crate) const RETRY_AFTER: Limit = Limit::new("retry_after_s", "s", 60, 30 * 24 * 3600, 60);

// Trunks.
pub(crate) const TRUNK_RATE: Limit = Limit::new("max_calls_per_second", "calls/s", 1, 10_000, 50);
pub(crate) const TRUNK_CALLS: Limit = Limit::new("max_calls", "calls", 1, 100_000, 1000);
pub(crate) const TRUNK_DIALS: Limit = Limit::new("max_dials_per_second", "calls/s", 1, 10_000, 10);

// Processes. Shards are fixed when the cluster is founded; each costs every node a Raft group.
pub(crate) const ID: Limit = Limit::new("id", "", 1, u16::MAX as u32, 1);
pub(crate) const SHARDS: Limit = Limit::new("shards", "shards", 1, 64, 3);
pub(crate) const NODE_RATE: Limit = Limit::new("max_calls_per_second", "calls/s", 1, 10_000, 500);
pub(crate) const NODE_CALLS: Limit = Limit::new("max_calls", "calls", 1, 100_000, 20_000);
pub(crate) const ARCHIVE_DAYS: Limit = Limit::new("days", "days", 1, 3650, 30).or_zero("nothing is kept");
pub(crate) const ARCHIVE_GIB: Limit = Limit::new("max_gib", "GiB", 1, 100_000, 20);
pub(crate) const MEDIA_THREADS: Limit = Limit::new("threads", "threads", 1, 64, 1);
pub(crate) const DEAD_MEDIA: Limit = Limit::new("dead_media_ms", "ms", 1000, HOUR_MS, 10_000).or_zero("never");

// Caps on outbound calls.
pub(crate) const OUTBOUND_CALLS: Limit = Limit::new("max_calls_at_once", "calls", 1, 100_000, 0).or_zero("no cap");
pub(crate) const OUTBOUND_NUMBERS: Limit =
    Limit::new("max_numbers_per_hour", "numbers", 1, 10_000_000, 0).or_zero("no cap");
pub(crate) const OUTBOUND_MINUTES: Limit =
    Limit::new("max_minutes_per_hour", "minutes", 1, 10_000_000, 0).or_zero("no cap");

/// All of them, for documentation and for the test that the example names each.
pub const LIMITS: [Limit; 26] = [
    MENU_TIMEOUT,
    MENU_TRIES,
    RING_TIMEOUT,
    WRAP_UP,
    MAX_MISSES,
    MISS_PAUSE,
    MAX_WAITING,
    MAX_WAIT,
    SERVICE_LEVEL,
    TRUNK_RATE,
    TRUNK_CALLS,
    TRUNK_DIALS,
    DIAL_RING_TIMEOUT,
    KEEP_IDLE,
    MAX_ATTEMPTS,
    ID,
    SHARDS,
    NODE_RATE,
    NODE_CALLS,
    ARCHIVE_DAYS,
    ARCHIVE_GIB,
    MEDIA_THREADS,
    DEAD_MEDIA,
    OUTBOUND_CALLS,
    OUTBOUND_NUMBERS,
    OUTBOUND_MINUTES,
];

/// What is counted against a limit. The fault stands where the first one beyond it is written, and says how many there
/// are in all.
pub(crate) struct Count {
    /// `numbers`
    things: &'static str,
    most: usize,
    have: usize,
    beyond: Option<Place>,
}

impl Count {
    pub(crate) fn new(things: &'static str, most: usize) -> Self {
        Self { things, most, have: 0, beyond: None }
    }

    pub(crate) fn one(&mut self, at: impl FnOnce() -> Place) {
        self.have += 1;
        if self.have == self.most + 1 {
            self.beyond = Some(at());
        }
    }

    /// To be called once all are counted. `whose` is what has the limit: `a cluster`.
    pub(crate) fn check(&self, whose: &str, fix: &str, faults: &Faults) {
        let Some(at) = &self.beyond else { return };
        let Self { things, most, have, .. } = self;
        let what = format!("there are {have} {things}, and {whose} takes {most}: this is the first one beyond");
        faults.add(at, what, fix);
    }
}

/// Steps of one flow; the stepper numbers them in 16 bits.
pub(crate) const MAX_STEPS: usize = 1000;
/// One tenant lives on one shard, and a shard plans for all its agents at once.
pub(crate) const MAX_AGENTS: usize = 50_000;
/// Numbers of all tenants: every node has them all in memory, to know whose a call is.
pub(crate) const MAX_NUMBERS: usize = 1_000_000;
/// Tenants and trunks are named in one entry of the control group's log, which takes 1 MiB: 40 bytes a tenant, some
/// hundreds a trunk.
pub(crate) const MAX_TENANTS: usize = 5000;
pub(crate) const MAX_TRUNKS: usize = 1000;
/// Addresses of one trunk.
pub(crate) const MAX_SOURCES: usize = 256;
/// Addresses of all trunks.
pub(crate) const MAX_ALL_SOURCES: usize = 5000;

// What the narrower fields of the model can hold.
const _: () = assert!(MENU_TRIES.max <= u8::MAX as u32);
const _: () = assert!(MAX_ATTEMPTS.max <= u8::MAX as u32);
const _: () = assert!(MAX_MISSES.max <= u16::MAX as u32);
const _: () = assert!(SHARDS.max <= u16::MAX as u32);
const _: () = assert!(MAX_STEPS <= u16::MAX as usize);
