//! What a media thread counts.

use strowger_media::RelayStats;

/// Plain numbers of one thread; it publishes a copy ten times a second, so counting costs no atomic operation.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Counters {
    pub(crate) calls: u64,
    pub(crate) legs: u64,
    pub(crate) packets_in: u64,
    pub(crate) packets_out: u64,
    pub(crate) lost: u64,
    pub(crate) late: u64,
    pub(crate) strangers: u64,
    pub(crate) malformed: u64,
    pub(crate) send_failures: u64,
    pub(crate) dead_media: u64,
    pub(crate) orphans: u64,
    pub(crate) events_dropped: u64,
    pub(crate) frames_skipped: u64,
    pub(crate) cpu_ns: u64,
}

impl Counters {
    pub(crate) fn add_to(&self, sum: &mut RelayStats) {
        sum.calls += self.calls;
        sum.legs += self.legs;
        sum.packets_in += self.packets_in;
        sum.packets_out += self.packets_out;
        sum.lost += self.lost;
        sum.late += self.late;
        sum.strangers += self.strangers;
        sum.malformed += self.malformed;
        sum.send_failures += self.send_failures;
        sum.dead_media += self.dead_media;
        sum.orphans += self.orphans;
        sum.events_dropped += self.events_dropped;
        sum.frames_skipped += self.frames_skipped;
        sum.cpu_ns += self.cpu_ns;
    }
}
