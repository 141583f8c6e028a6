//! Runs the switch's heartbeats: beats and pulses between processes, reports and hellos in the control group.

use strowger_model::{LogTime, NodeId, TrunkId};
use strowger_switch::{BEAT, JOIN, JOIN_AGAIN, REPORT, Report, is_down, join};
use strowger_table::Body;

use super::{Node, Purpose};
use crate::happening::{Happening, Task, Who, node_id};
use crate::plant::Plant;
use crate::trace::About;
use crate::world::{NODES, World};

/// A voter's answer to a beat.
pub(crate) struct Pulse {
    voter: NodeId,
    number: u64,
    /// How far it is in each group.
    applied: Vec<u64>,
    /// The shard's log time, of who stamps it.
    led: Option<LogTime>,
}

/// Every node votes.
pub(crate) fn voters() -> Vec<NodeId> {
    (0..NODES).map(node_id).collect()
}

impl World {
    /// A process has begun: it beats, and says hello.
    pub(crate) fn begin_vitals(&mut self, node: usize) {
        let who = self.nodes[node].who;
        let at = self.now + self.rng.millis(0, BEAT.as_millis() as u64);
        self.timeline.plan(at, Happening::In(who, Task::Beat));
        let at = self.now + self.rng.millis(0, 200);
        self.timeline.plan(at, Happening::In(who, Task::Join));
    }

    /// Beats, watches, and switches between active and passive.
    pub(crate) fn beat(&mut self, node: usize) {
        let now = self.now;
        let place = &mut self.nodes[node];
        let from = place.who;
        self.timeline.plan(now + BEAT, Happening::In(from, Task::Beat));
        let (number, voters) = place.vitals.beat(now);
        let (voters, let_in) = (voters.collect::<Vec<_>>(), self.says_let_in(node));
        for voter in voters {
            let voter = self.nodes[usize::from(voter.0) - 1].who;
            self.cast(node, voter, Task::Heartbeat { from, number, let_in: let_in.clone() });
        }
        if let Some(time) = self.led_time(node) {
            self.nodes[node].replica.clock.told(time, now, now);
        }
        self.look_at_vitals(node);
    }

    fn look_at_vitals(&mut self, node: usize) {
        let now = self.now;
        let place = &mut self.nodes[node];
        let was_active = place.active_until > now;
        let until = place.vitals.active_until(&place.applied(), now);
        let active_until = self.taken_for_active(node, until);
        let place = &mut self.nodes[node];
        place.active_until = active_until;
        if !was_active && until.is_some() {
            // As in the product: who was passive looks again.
            self.look_as_leader(node);
            self.wake_pacer(node);
        }
        let place = &mut self.nodes[node];
        let who = place.who;
        let stays = matches!(self.plant, Some(Plant::Unfenced | Plant::FencedStays));
        if is_down(&place.control.table, who.id(), who.life) && !stays {
            return self.end_fenced(node);
        }
        if !was_active && until.is_some() {
            self.reads_on(node);
        }
        let place = &mut self.nodes[node];
        let reports = place.vitals.reports(&place.control.table, now);
        if was_active != until.is_some() {
            self.say(About::World, || format!("n{} is {}", node + 1, if was_active { "passive" } else { "active" }));
        }
        for Report { node: about, command, .. } in reports {
            self.say(About::World, || format!("n{} reports: {command:?}", node + 1));
            self.propose_within(node, Body::Control(command), Purpose::Report(about), REPORT);
        }
    }

    /// A beat of another node.
    pub(crate) fn on_heartbeat(&mut self, node: usize, from: Who, number: u64, let_in: &[(TrunkId, u64)]) {
        let now = self.now;
        let place = &mut self.nodes[node];
        place.intake.others_let_in((from.id(), from.life), let_in, now);
        if place.vitals.on_beat(from.id(), from.life, &place.control.table, now) {
            let (voter, applied, led) = (place.who.id(), place.applied(), self.led_time(node));
            self.cast(node, from, Task::Pulse(Pulse { voter, number, applied, led }));
        }
    }

    /// A voter's answer to a beat.
    pub(crate) fn on_pulse(&mut self, node: usize, pulse: Pulse) {
        let Pulse { voter, number, applied, led } = pulse;
        let place = &mut self.nodes[node];
        let asked = place.vitals.on_pulse(voter, number, applied);
        if let Some((time, asked)) = led.zip(asked).filter(|_| self.plant != Some(Plant::OutageCounted)) {
            place.replica.clock.told(time, asked, self.now);
        }
    }

    /// What time it is in the log, if this node stamps it.
    fn led_time(&self, node: usize) -> Option<LogTime> {
        let who = self.nodes[node].who;
        self.log.seat().filter(|(leader, _)| *leader == who).map(|(_, seat)| seat.log_now(self.now))
    }

    /// Says what the switch says, until the process is a member.
    pub(crate) fn join(&mut self, node: usize) {
        let place = &self.nodes[node];
        let who = place.who;
        if let Some(command) = join(&place.control.table, who.id(), who.life, &voters(), 1) {
            self.propose_within(node, Body::Control(command), Purpose::Join, JOIN);
        }
    }

    /// Its proposal has an outcome, or none in time.
    pub(crate) fn join_again(&mut self, node: usize) {
        let at = self.now + JOIN_AGAIN;
        self.timeline.plan(at, Happening::In(self.nodes[node].who, Task::Join));
    }

    /// The cluster has given this incarnation's calls to others: its supervisor starts it anew.
    fn end_fenced(&mut self, node: usize) {
        self.say(About::World, || format!("n{} learns that it was declared dead, and ends", node + 1));
        self.kill(node);
        let at = self.now + self.rng.millis(300, 1500);
        self.timeline.plan(at, Happening::Start { node });
    }

    /// To another process, without an answer: lost with the connection.
    fn cast(&mut self, node: usize, to: Who, task: Task) {
        if !self.nodes[node].cut && !self.drops() {
            let at = self.after_hop();
            self.timeline.plan(at, Happening::In(to, task));
        }
    }

    /// Checked before every send: a node that has not been answered lately is silent.
    pub(crate) fn is_passive(&self, node: usize) -> bool {
        self.plant != Some(Plant::Unfenced) && self.now >= self.nodes[node].active_until
    }
}

impl Node {
    /// How far it is in each group.
    fn applied(&self) -> Vec<u64> {
        vec![self.control.applied, self.replica.applied]
    }
}
