//! What Prometheus reads of a node: its counters, and what is gathered at each scrape.

use std::sync::atomic::Ordering::Relaxed;

use strowger_figures::ShardSums;
use strowger_figures::metrics::{Distribution, Families};
use strowger_raft::{BOUNDS_US, Samples};

use crate::context::Context;

impl Context {
    /// The text that Prometheus reads.
    pub fn metrics(&self) -> String {
        let shards: Vec<ShardSums> = self.sums().collect();
        let mut families = self.figures.families();
        families.shards(&shards);
        families.queues(shards.iter().flat_map(|sums| &sums.queues));
        families.campaigns(&self.campaigns());
        families.groups(self.me, &self.group_status());
        let relays: Vec<(String, bool)> = self.relays.all().map(|(relay, there)| (relay.to_string(), there)).collect();
        families.relays(relays.iter().map(|(relay, there)| (relay.as_str(), *there)));
        self.add_parts(&mut families);
        let stats = self.groups.stats();
        families.log(&distribution(&stats.commit), &distribution(&stats.fsync));
        families.archive(&self.archive());
        families.text()
    }

    fn add_parts(&self, families: &mut Families) {
        let counters = self.edge.counters();
        let messages = [
            ("received", counters.received.load(Relaxed)),
            ("sent", counters.sent.load(Relaxed)),
            ("answered_here", counters.answered_here.load(Relaxed)),
            ("dropped", counters.dropped.load(Relaxed)),
            ("withheld", counters.withheld.load(Relaxed)),
        ];
        let connections = [
            ("open", self.edge.connections() as u64),
            ("garbage", counters.garbage.load(Relaxed)),
            ("slow", counters.slow.load(Relaxed)),
            ("crowded", counters.crowded.load(Relaxed)),
        ];
        let node = [("active", u64::from(!self.edge.is_passive())), ("call_actors", self.actors().calls as u64)];
        families.parts(&messages, &connections, &node);
        families.strangers(counters.strangers.load(Relaxed));
    }
}

fn distribution(samples: &Samples) -> Distribution<'_> {
    Distribution { bounds_us: &BOUNDS_US, counts: &samples.buckets, sum_us: samples.sum_us }
}
