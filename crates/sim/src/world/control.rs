//! The control group: a log of its own, led on its own, with a replica in every process.

use std::rc::Rc;

use strowger_table::{Body, Control, Outcome, Proposal};

use super::World;
use crate::happening::{Happening, Task, Who};
use crate::log::{Leader, Log, Seat, Waiter};
use crate::trace::About;

/// Group 0 as a whole: its log, and its table after every committed entry.
pub(crate) struct ControlGroup {
    pub log: Log,
    pub table: Control,
}

impl ControlGroup {
    pub fn new(log: Log) -> Self {
        Self { log, table: Control::default() }
    }
}

/// One process's replica of it.
#[derive(Clone, Default)]
pub(crate) struct ControlReplica {
    pub table: Control,
    pub applied: u64,
}

impl World {
    pub(crate) fn control_proposed(&mut self, term: u64, by: Who, seq: u64, proposal: Rc<Proposal>) {
        let seat = self.control.log.seat();
        let leads = term == self.control.log.term && seat.is_some_and(|(leader, _)| self.nodes[leader.node].is_sound());
        if !leads || self.is_unsaid(&proposal) {
            return;
        }
        self.control.log.write(Some(proposal), Waiter::Process { who: by, seq }, self.now);
        let (low, high) = self.scenario.log.commit_ms;
        let at = (self.now + self.rng.millis(low, high)).max(self.control.log.next_commit);
        self.control.log.next_commit = at;
        self.timeline.plan(at, Happening::CommitControl { term });
    }

    pub(crate) fn commit_control(&mut self) {
        let Some(waiter) = self.control.log.commit() else { return };
        let index = self.control.log.last();
        let entry = self.control.log.entry(index);
        let (at, proposal) = (entry.at, entry.proposal.clone());
        let before = self.control.table.clone();
        let outcome = proposal.as_ref().map(|proposal| self.control.table.apply(at, proposal).outcome);
        if let Some(proposal) = proposal {
            self.note_control(index, &proposal, outcome.as_ref(), &before);
        }
        let version = self.control.table.version();
        if version > before.version() {
            self.promises.in_force.taken(version, self.digests(version), self.now);
        }
        let leader = self.control.log.seat().map(|(leader, _)| leader.node);
        for node in 0..self.nodes.len() {
            self.notify_control(node, Some(node) == leader);
        }
        if let (Waiter::Process { who, seq }, Some(outcome)) = (waiter, outcome)
            && (leader == Some(who.node) || !self.drops())
        {
            let at = if leader == Some(who.node) { self.now } else { self.after_hop() };
            self.timeline.plan(at, Happening::In(who, Task::Answered { seq, outcome }));
        }
    }

    fn note_control(&mut self, index: u64, proposal: &Proposal, outcome: Option<&Outcome>, before: &Control) {
        let Body::Control(command) = &proposal.body else { return };
        self.say(About::World, || format!("control [{index}] {command:?} by {}: {outcome:?}", proposal.from.node));
        for (id, node) in self.control.table.nodes().filter(|(id, node)| before.node(*id) != Some(*node)) {
            let what = if node.down { "down" } else { "a member" };
            self.trace.say(self.now, About::World, format!("{id} is {what} as {}", node.incarnation));
        }
    }

    /// What is committed is on its way to a replica.
    pub(crate) fn notify_control(&mut self, node: usize, is_there: bool) {
        if self.nodes[node].up {
            let lag = self.scenario.log.lag_ms;
            let at = if is_there { self.now } else { self.now + self.rng.millis(lag.0, lag.1) };
            let upto = self.control.log.last();
            self.timeline.plan(at, Happening::In(self.nodes[node].who, Task::ApplyControl { upto }));
        }
    }

    pub(crate) fn apply_control(&mut self, node: usize, upto: u64) {
        let replica = &mut self.nodes[node].control;
        let is_new = upto > replica.applied;
        for index in replica.applied + 1..=upto {
            let entry = self.control.log.entry(index);
            if let Some(proposal) = &entry.proposal {
                replica.table.apply(entry.at, proposal);
            }
            replica.applied = index;
        }
        let applied = replica.applied;
        self.nodes[node].disk.control = applied;
        if is_new {
            self.stands_by(node);
            self.nodes[node].lead.heard.control();
            self.look_as_leader(node);
            self.wake_pacer(node);
        }
    }

    /// Whoever led is gone; what was written but not committed may be, too.
    pub(crate) fn lose_control(&mut self) {
        if self.control.log.leader.is_none() {
            return;
        }
        let survive = self.rng.below(self.control.log.under_way() + 1);
        self.control.log.lose(survive, self.now);
        let at = self.now + self.rng.millis(150, 1000);
        self.timeline.plan(at, Happening::ElectControl { term: self.control.log.term });
    }

    /// Also a passive node may lead it: only there it is said who may speak.
    pub(crate) fn elect_control(&mut self, term: u64) {
        if term != self.control.log.term || self.control.log.leader.is_some() {
            return;
        }
        let sound = self.sound_nodes();
        let Some(node) = self.rng.pick(&sound).filter(|_| self.has_quorum()) else {
            let at = self.now + std::time::Duration::from_millis(200);
            return self.timeline.plan(at, Happening::ElectControl { term });
        };
        while self.control.log.under_way() > 0 {
            self.commit_control();
        }
        let time = self.control.table.last().time;
        let seat = Seat::new((time, self.now), self.now);
        self.control.log.leader = Some(Leader { who: self.nodes[node].who, seated: Some(seat) });
        self.say(About::World, || format!("n{} leads the control group", node + 1));
    }
}
