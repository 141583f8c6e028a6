//! What Prometheus reads. Names and labels are here and nowhere else; labels are bounded: no call, agent or number.

use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use strowger_model::Outcome;
use strowger_table::Call;

/// Waiting times, in seconds: a service level of 20 s lies on a bound.
const WAIT_BUCKETS: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0];
const TALK_BUCKETS: &[f64] = &[1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 180.0, 300.0, 600.0, 1200.0, 3600.0];

pub struct Figures {
    registry: Registry,
    calls_ended: IntCounterVec,
    wait: HistogramVec,
    talk: Histogram,
    adopted: IntCounter,
    forwarded: IntCounter,
    turned_away: IntCounter,
    unwanted: IntCounter,
    strangers: IntCounter,
    leader_changes: IntCounter,
    offers: IntCounterVec,
    dials: IntCounterVec,
    /// Set at each scrape from the table.
    pub calls: IntGaugeVec,
    pub agents: IntGaugeVec,
    pub stuck: IntGaugeVec,
    pub groups: IntGaugeVec,
    pub relays: IntGaugeVec,
    pub sip: IntGaugeVec,
    pub sip_connections: IntGaugeVec,
    pub node: IntGaugeVec,
}

impl Figures {
    pub(crate) fn new() -> Self {
        let registry = Registry::new();
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help).expect("a valid name");
            registry.register(Box::new(counter.clone())).expect("named once");
            counter
        };
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels).expect("a valid name");
            registry.register(Box::new(counters.clone())).expect("named once");
            counters
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let gauges = IntGaugeVec::new(Opts::new(name, help), labels).expect("a valid name");
            registry.register(Box::new(gauges.clone())).expect("named once");
            gauges
        };
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            let histogram = HistogramVec::new(options, &["outcome"]).expect("a valid name");
            registry.register(Box::new(histogram.clone())).expect("named once");
            histogram
        };
        let talk = HistogramOpts::new("strowger_talk_seconds", "Conversations, from the agent's answer to the end.");
        let talk = Histogram::with_opts(talk.buckets(TALK_BUCKETS.to_vec())).expect("a valid name");
        registry.register(Box::new(talk.clone())).expect("named once");
        Self {
            calls_ended: counters(
                "strowger_calls_ended_total",
                "Calls this node owned that ended, by outcome.",
                &["outcome"],
            ),
            wait: histogram(
                "strowger_queue_wait_seconds",
                "From the queue to an agent's answer (outcome answered) or to leaving without one.",
                WAIT_BUCKETS,
            ),
            talk,
            adopted: counter(
                "strowger_calls_adopted_total",
                "Calls taken over from a node that is gone, or an earlier start of this one.",
            ),
            forwarded: counter(
                "strowger_sip_forwarded_total",
                "SIP messages passed on to the node that owns their call.",
            ),
            turned_away: counter("strowger_calls_turned_away_total", "INVITEs answered 503 at the door."),
            unwanted: counter("strowger_calls_unwanted_total", "INVITEs from barred callers, answered 603."),
            strangers: counter(
                "strowger_sip_strangers_total",
                "INVITEs from addresses of no trunk, left without an answer.",
            ),
            leader_changes: counter("strowger_leader_changes_total", "Changes of leader seen, over all groups."),
            offers: counters(
                "strowger_offers_total",
                "Offers planned by this node as leader, by what the log said.",
                &["result"],
            ),
            dials: counters(
                "strowger_dials_total",
                "Outbound calls begun by this node as leader, by what the log said.",
                &["result"],
            ),
            calls: gauges(
                "strowger_calls",
                "Live calls in the table, by shard and stage. Every voter has the same.",
                &["shard", "stage"],
            ),
            agents: gauges(
                "strowger_agents",
                "Agents in the table, by shard and state. Every voter has the same.",
                &["shard", "state"],
            ),
            stuck: gauges(
                "strowger_stuck_leases",
                "Leases past their deadline by more than a second, by kind. Must be 0.",
                &["shard", "kind"],
            ),
            groups: gauges("strowger_group", "Raft groups as this node sees them.", &["group", "what"]),
            relays: gauges("strowger_relay_connected", "1 while this node reaches the relay.", &["relay"]),
            sip: gauges("strowger_sip_messages", "SIP messages since the start, by what became of them.", &["what"]),
            sip_connections: gauges(
                "strowger_sip_connections",
                "SIP over TCP: connections open now, and since the start those closed for garbage, those closed because \
                 the far end did not read, and those refused because there were too many.",
                &["what"],
            ),
            node: gauges("strowger_node", "This node: active, actors, records projected.", &["what"]),
            registry,
        }
    }

    pub(crate) fn ended(&self, outcome: Outcome, call: &Call) {
        let name = outcome.as_str();
        self.calls_ended.with_label_values(&[name]).inc();
        let times = &call.times;
        let end = times.ended.unwrap_or_default();
        if let Some(enqueued) = times.enqueued {
            let waited = times.connected.unwrap_or(end).since(enqueued);
            self.wait.with_label_values(&[name]).observe(waited.as_secs_f64());
        }
        if let Some(connected) = times.connected {
            self.talk.observe(end.since(connected).as_secs_f64());
        }
    }

    pub(crate) fn planned(&self, offers: usize, granted: usize) {
        self.offers.with_label_values(&["granted"]).inc_by(granted as u64);
        self.offers.with_label_values(&["refused"]).inc_by((offers - granted) as u64);
    }

    pub(crate) fn dialled(&self, granted: bool) {
        self.dials.with_label_values(&[if granted { "granted" } else { "refused" }]).inc();
    }

    pub(crate) fn adopted(&self) {
        self.adopted.inc();
    }

    pub(crate) fn forwarded(&self) {
        self.forwarded.inc();
    }

    pub(crate) fn turned_away(&self) {
        self.turned_away.inc();
    }

    pub(crate) fn unwanted(&self) {
        self.unwanted.inc();
    }

    pub(crate) fn stranger(&self) {
        self.strangers.inc();
    }

    pub(crate) fn leader_changed(&self) {
        self.leader_changes.inc();
    }

    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The text format that Prometheus scrapes.
    pub fn text(&self) -> String {
        let mut bytes = Vec::new();
        // Writing to memory fails only on metrics without names, which registration refuses.
        let _encoded = TextEncoder::new().encode(&self.registry.gather(), &mut bytes);
        String::from_utf8(bytes).unwrap_or_default()
    }
}
