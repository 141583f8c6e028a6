//! Time: one happening after the other, until a promise is broken or everything has come to rest.

use std::time::Duration;

use strowger_table::{Command, Presence};

use super::{PULSE, World};
use crate::happening::{Happening, Task, Who};
use crate::node::Purpose;
use crate::promise::Breach;
use crate::relay::Relay;
use crate::scenario::{Carriage, LogHabit};
use crate::seen::Thing;
use crate::tenant::site_of;
use crate::trace::About;

/// No world has more to do than this; one that does is turning on the spot.
const MOST_HAPPENINGS: u64 = 5_000_000;

impl World {
    /// Runs to the end. The breach, if a promise was broken.
    pub fn run(&mut self) -> Option<Breach> {
        for _ in 0..MOST_HAPPENINGS {
            let Some((at, what)) = self.timeline.next() else { break };
            self.now = at;
            self.promises.told.look(at);
            self.happen(what);
            if let Some(breach) = self.promises.breach() {
                return Some(breach);
            }
            if self.drained {
                return None;
            }
        }
        Some(Breach { promise: "nothing is stuck", call: None, text: "the world did not come to its end".to_owned() })
    }

    pub(crate) fn happen(&mut self, what: Happening) {
        match what {
            Happening::AtCluster { from, bytes } => self.at_cluster(from, bytes),
            Happening::AtFarEnd { to, bytes } => self.at_far_end(to, &bytes, None),
            Happening::OnLine { line, from, bytes } => self.on_line(line, from, bytes),
            Happening::LineOver { line } => self.line_over(line),
            Happening::ConnectAgain { home, bytes } => self.by_line(home, bytes, None),
            Happening::FarTimer { addr, at } => self.far_timer(addr, at),
            Happening::In(who, task) => self.in_process(who, task),
            Happening::Proposed { term, by, seq, proposal } => self.proposed(term, by, seq, proposal),
            Happening::Commit { term } if term == self.log.term => self.commit_one(),
            Happening::Commit { .. } => {}
            Happening::Elect { term } => self.elect(term),
            Happening::CommitControl { term } if term == self.control.log.term => self.commit_control(),
            Happening::CommitControl { .. } => {}
            Happening::ElectControl { term } => self.elect_control(term),
            Happening::RelayWell(relay) => self.relays[relay].recover(),
            Happening::AtRelay { relay, from, batch, orders } => self.at_relay(relay, from, batch, &orders),
            Happening::PlayOver { relay, play } => {
                let report = self.relays[relay].on_play_over(&play);
                self.relay_reports(report);
            }
            Happening::Fault(fault) => self.fault(fault),
            Happening::Start { node } => self.start(node),
            Happening::Thaw(who) => self.thaw(who),
            Happening::Mend(who) => self.mend(who),
            Happening::Unstall(who) => self.unstall(who),
            Happening::Pulse => self.pulse(),
            Happening::Dispose { agent, call } => self.dispose(agent, call),
            Happening::Stranger => self.stranger(),
            Happening::Merge => self.merge_two(),
            Happening::Split => self.split_one(),
            Happening::Break => self.break_an_actor(),
            Happening::Desk => self.desk(),
            Happening::Configure => self.configure(),
            Happening::AskForNumber => self.ask_for_number(),
            Happening::Operator => self.operate(),
            Happening::Calm => self.calm(),
        }
    }

    fn in_process(&mut self, who: Who, task: Task) {
        if !self.is(who) {
            return;
        }
        if self.nodes[who.node].cut && task.is_from_peers() {
            return self.nodes[who.node].stranded.push(Happening::In(who, task));
        }
        if self.forgets(&task) {
            return;
        }
        let node = who.node;
        if self.nodes[node].frozen {
            return self.nodes[node].waiting.push(Happening::In(who, task));
        }
        match task {
            Task::Message { source, bytes } => self.take(node, source, &bytes),
            Task::Forwarded { source, bytes } => self.forwarded(node, source, &bytes),
            Task::Registering { source, bytes } => self.registering(node, source, &bytes),
            Task::Post { to, bytes } => self.post(node, to, &bytes),
            Task::Intake { at } => self.switch_tick(node, at),
            Task::Apply { upto } => self.apply(node, upto),
            Task::ApplyControl { upto } => self.apply_control(node, upto),
            Task::Beat => self.beat(node),
            Task::Join => self.join(node),
            Task::Heartbeat { from, number, let_in } => self.on_heartbeat(node, from, number, &let_in),
            Task::Pulse(pulse) => self.on_pulse(node, pulse),
            Task::Answered { seq, outcome } => self.answered(node, seq, outcome),
            Task::Retry { seq } => self.ask(node, seq),
            Task::GiveUp { seq } => self.give_up(node, seq),
            Task::Tick { call, at } => self.on_tick(node, call, at),
            Task::Sweep => self.sweep(node),
            Task::SayDone => self.say_done(node),
            Task::Courier { relay } => self.courier_goes(node, relay),
            Task::CourierAgain { relay, batch } => self.courier_again(node, relay, batch),
            Task::RelayAnswers { relay, batch, answers } => self.relay_answered(node, relay, batch, answers),
            Task::RelayEvent { relay, event } => self.relay_event(node, relay, &event),
            Task::Lead => self.look_as_leader(node),
            Task::LeadAt { at } => self.lead_at(node, at),
            Task::Pace => self.pace(node),
            Task::PaceAt { at } => self.pace_at(node, at),
        }
    }

    fn pulse(&mut self) {
        self.timeline.plan(self.now + PULSE, Happening::Pulse);
        self.pulse_leader();
        let now = self.now;
        self.relays.iter_mut().for_each(|relay| relay.close_orphans(now));
        self.listen();
        self.look_for_stuck();
        if self.calm_since.is_some() {
            self.look_for_rest();
        }
    }

    /// Relays notice of whom nothing comes any more.
    fn listen(&mut self) {
        if self.promises.survival.dark.is_empty() {
            return;
        }
        for relay in 0..self.relays.len() {
            let dark = &self.promises.survival.dark;
            let reports = self.relays[relay].listen(|leg| dark.contains(&leg), self.now);
            self.seen.add(Thing::SilenceTold, reports.len() as u64);
            reports.into_iter().for_each(|report| self.relay_reports(Some(report)));
        }
    }

    /// Agents press ready and not ready now and then; in the end all are ready.
    fn desk(&mut self) {
        let next = self.now + self.rng.millis(2000, 8000);
        self.timeline.plan(next, Happening::Desk);
        let sound = self.sound_nodes();
        let Some(node) = self.rng.pick(&sound) else { return };
        let agents: Vec<_> = self.asked.agents().map(|agent| agent.id).collect();
        if self.calm_since.is_none() {
            let Some(agent) = self.rng.pick(&agents).filter(|_| self.rng.chance(300)) else { return };
            self.propose(
                node,
                Command::Presence { agent, presence: Presence::NotReady { reason: "pause".to_owned() } },
                Purpose::Nobody,
            );
        }
        for agent in agents {
            if self.calm_since.is_some() || self.rng.chance(300) {
                self.propose(node, Command::Presence { agent, presence: Presence::Ready }, Purpose::Nobody);
            }
        }
    }

    /// A relay that opens no port, or is late, for a while.
    pub(crate) fn trouble_relay(&mut self, relay: usize, away: Duration, full: bool, slow: Duration) {
        // A call that is on its way to another, or back to one that began anew, is left with nothing if that fails.
        if self.relays[relay].has_begun_anew() || self.relays.iter().any(|relay| relay.is_dead) {
            return;
        }
        (self.relays[relay].full, self.relays[relay].slow) = (full, slow);
        self.timeline.plan(self.now + away, Happening::RelayWell(relay));
    }

    /// Where another one of its site lives.
    pub(crate) fn relay_dies(&mut self, relay: usize) {
        let others = self.usable.iter().filter(|other| usize::from(other.relay.0) != relay);
        if self.relays[relay].is_dead || !others.clone().any(|other| other.site == site_of(relay)) {
            return;
        }
        self.usable = others.cloned().collect();
        self.relays[relay].die();
        self.relays.iter_mut().for_each(Relay::recover);
        self.say(About::World, || format!("relay-{relay} dies for ever"));
    }

    pub(crate) fn restart_relay(&mut self, relay: usize) {
        if self.relays[relay].is_dead {
            return;
        }
        self.relays[relay].restart();
        self.say(About::World, || format!("relay-{relay} begins anew"));
    }

    fn calm(&mut self) {
        self.calm_since = Some(self.now);
        (self.pacer_dies, self.freezes_midway) = (None, None);
        self.scenario.wire = Carriage::calm();
        self.scenario.log = LogHabit::calm();
        self.say(About::World, || "callers stop, everything is mended".to_owned());
        self.relays.iter_mut().for_each(Relay::recover);
        for node in 0..self.nodes.len() {
            let who = self.nodes[node].who;
            self.thaw(who);
            self.mend(who);
            self.unstall(who);
            if !self.nodes[node].up {
                self.timeline.plan(self.now + Duration::from_millis(100), Happening::Start { node });
            }
        }
    }
}
