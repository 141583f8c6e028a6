//! What a node counts as it happens.

use prometheus::core::Collector;
use prometheus::{HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};
use strowger_model::Outcome;
use strowger_table::Call;

use super::families::Families;

/// Waiting times, in seconds: a service level of 20 s lies on a bound.
const WAIT_BUCKETS: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0];
const TALK_BUCKETS: &[f64] = &[1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 180.0, 300.0, 600.0, 1200.0, 3600.0];

/// Counters since the process started.
pub struct Counters {
    registry: Registry,
    calls_ended: IntCounterVec,
    wait: HistogramVec,
    talk: HistogramVec,
    adopted: IntCounter,
    forwarded: IntCounter,
    turned_away: IntCounter,
    unwanted: IntCounter,
    wrong_passwords: IntCounter,
    silenced: IntCounter,
    http_refused: IntCounterVec,
    leader_changes: IntCounter,
    offers: IntCounterVec,
    dials: IntCounterVec,
    forbidden: IntCounter,
    capped: IntCounterVec,
}

/// Adds metrics to a registry. Names are literals here, so a bad or double one fails in every test.
struct Maker<'a>(&'a Registry);

impl Maker<'_> {
    fn keep<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let metric = made.expect("a valid name");
        self.0.register(Box::new(metric.clone())).expect("named once");
        metric
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.keep(IntCounter::new(name, help))
    }

    /// These values are there from the start, so that the first of each is seen as an increase.
    fn zeroed(&self, name: &str, help: &str, label: &str, values: &[&str]) -> IntCounterVec {
        let counters = self.counters(name, help, &[label]);
        values.iter().for_each(|value| drop(counters.with_label_values(&[*value])));
        counters
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.keep(IntCounterVec::new(Opts::new(name, help), labels))
    }
}

impl Default for Counters {
    fn default() -> Self {
        let registry = Registry::new();
        let make = Maker(&registry);
        let wait = HistogramOpts::new(
            "strowger_queue_wait_seconds",
            "From the queue, or a called party's answer, to an agent's answer (outcome answered) or to leaving without one.",
        );
        let talk = HistogramOpts::new("strowger_talk_seconds", "Conversations, from the agent's answer to the end.");
        let counters = Self {
            calls_ended: make.counters(
                "strowger_calls_ended_total",
                "Calls this node owned that ended, by direction and outcome.",
                &["direction", "outcome"],
            ),
            wait: make.keep(HistogramVec::new(wait.buckets(WAIT_BUCKETS.to_vec()), &["direction", "outcome"])),
            talk: make.keep(HistogramVec::new(talk.buckets(TALK_BUCKETS.to_vec()), &["direction"])),
            adopted: make.counter(
                "strowger_calls_adopted_total",
                "Calls taken over from a node that is gone, or an earlier start of this one.",
            ),
            forwarded: make
                .counter("strowger_sip_forwarded_total", "SIP messages passed on to the node that owns their call."),
            turned_away: make.counter("strowger_calls_turned_away_total", "INVITEs answered 503 at the door."),
            unwanted: make.counter("strowger_calls_unwanted_total", "INVITEs from barred callers, answered 603."),
            wrong_passwords: make.counter(
                "strowger_sip_wrong_passwords_total",
                "REGISTERs with a wrong password or of nobody, as this node had or heard of them.",
            ),
            silenced: make.counter(
                "strowger_sip_silenced_total",
                "REGISTERs left without an answer because somebody there guessed at passwords.",
            ),
            http_refused: make.zeroed(
                "strowger_http_refused_total",
                "HTTP requests turned away: without a good token (401), or with one that may not (403, 404).",
                "status",
                &["401", "403", "404"],
            ),
            leader_changes: make.counter("strowger_leader_changes_total", "Changes of leader seen, over all groups."),
            offers: make.zeroed(
                "strowger_offers_total",
                "Offers planned by this node as leader, by what the log said.",
                "result",
                &["granted", "refused"],
            ),
            capped: make.zeroed(
                "strowger_outbound_caps_reached_total",
                "Caps on outbound calls that were reached, by whose: agent, tenant or trunk. Every node counts the same.",
                "whose",
                &["agent", "tenant", "trunk"],
            ),
            forbidden: make.counter(
                "strowger_dials_forbidden_total",
                "Numbers that agents asked for and that are not dialled: premium rates, satellites, what the lists deny.",
            ),
            dials: make.zeroed(
                "strowger_dials_total",
                "Outbound calls begun by this node as leader, by what the log said.",
                "result",
                &["granted", "refused"],
            ),
            registry,
        };
        // Told from the start, so that a rate over them has somewhere to begin.
        for direction in Call::DIRECTIONS {
            counters.talk.with_label_values(&[direction]);
        }
        counters
    }
}

impl Counters {
    /// A call that this node owned ended.
    pub fn ended(&self, outcome: Outcome, call: &Call) {
        let labels = [call.direction(), outcome.as_str()];
        self.calls_ended.with_label_values(&labels).inc();
        let end = call.times.ended.unwrap_or_default();
        if let Some(enqueued) = call.enqueued() {
            let waited = call.connected().unwrap_or(end).since(enqueued);
            self.wait.with_label_values(&labels).observe(waited.as_secs_f64());
        }
        if let Some(connected) = call.connected() {
            self.talk.with_label_values(&labels[..1]).observe(end.since(connected).as_secs_f64());
        }
    }

    /// A plan of this node came back from the log.
    pub fn planned(&self, offers: usize, granted: usize) {
        debug_assert!(granted <= offers, "only what was offered is granted");
        self.offers.with_label_values(&["granted"]).inc_by(granted as u64);
        self.offers.with_label_values(&["refused"]).inc_by(offers.saturating_sub(granted) as u64);
    }

    /// A dial of this node came back from the log.
    pub fn dialled(&self, granted: bool) {
        self.dials.with_label_values(&[if granted { "granted" } else { "refused" }]).inc();
    }

    /// This node took a call over.
    pub fn adopted(&self) {
        self.adopted.inc();
    }

    /// A SIP message went to the node that owns its call.
    pub fn forwarded(&self) {
        self.forwarded.inc();
    }

    /// An INVITE was answered 503.
    pub fn turned_away(&self) {
        self.turned_away.inc();
    }

    /// An INVITE of a barred caller was answered 603.
    pub fn unwanted(&self) {
        self.unwanted.inc();
    }

    /// A REGISTER had a wrong password, here or at another node.
    pub fn wrong_password(&self) {
        self.wrong_passwords.inc();
    }

    /// A REGISTER was left without an answer.
    pub fn silenced(&self) {
        self.silenced.inc();
    }

    /// A request of the API was turned away at the door.
    pub fn http_refused(&self, status: u16) {
        self.http_refused.with_label_values(&[status.to_string().as_str()]).inc();
    }

    /// An agent asked for a number that is not dialled.
    pub fn forbidden(&self) {
        self.forbidden.inc();
    }

    /// A cap on outbound calls was reached.
    pub fn capped(&self, whose: &str) {
        self.capped.with_label_values(&[whose]).inc();
    }

    /// A group has another leader.
    pub fn leader_changed(&self) {
        self.leader_changes.inc();
    }

    /// What they say now, for the rest of the scrape to be added to.
    pub fn families(&self) -> Families {
        Families::new(self.registry.gather())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A series that comes with its first event has no increase: an alarm on the first cap that bites stayed silent.
    #[test]
    fn what_alarms_look_at_is_there_from_the_start() {
        let text = Counters::default().families().text();
        for line in [
            "strowger_outbound_caps_reached_total{whose=\"agent\"} 0",
            "strowger_outbound_caps_reached_total{whose=\"tenant\"} 0",
            "strowger_outbound_caps_reached_total{whose=\"trunk\"} 0",
            "strowger_offers_total{result=\"refused\"} 0",
            "strowger_dials_total{result=\"granted\"} 0",
        ] {
            assert!(text.lines().any(|other| other == line), "no `{line}` in {text}");
        }
    }

    #[test]
    fn counters_say_what_was_counted() {
        let counters = Counters::default();
        counters.planned(5, 3);
        counters.dialled(true);
        counters.dialled(false);
        counters.adopted();
        counters.forwarded();
        counters.turned_away();
        counters.unwanted();
        counters.wrong_password();
        counters.silenced();
        counters.forbidden();
        counters.capped("agent");
        counters.leader_changed();
        counters.http_refused(401);
        let text = counters.families().text();
        for line in [
            "strowger_offers_total{result=\"granted\"} 3",
            "strowger_offers_total{result=\"refused\"} 2",
            "strowger_dials_total{result=\"granted\"} 1",
            "strowger_dials_total{result=\"refused\"} 1",
            "strowger_calls_adopted_total 1",
            "strowger_sip_forwarded_total 1",
            "strowger_calls_turned_away_total 1",
            "strowger_calls_unwanted_total 1",
            "strowger_sip_wrong_passwords_total 1",
            "strowger_dials_forbidden_total 1",
            "strowger_outbound_caps_reached_total{whose=\"agent\"} 1",
            "strowger_sip_silenced_total 1",
            "strowger_leader_changes_total 1",
            "strowger_http_refused_total{status=\"401\"} 1",
            "strowger_http_refused_total{status=\"403\"} 0",
        ] {
            assert!(text.lines().any(|other| other == line), "no `{line}` in {text}");
        }
    }
}
