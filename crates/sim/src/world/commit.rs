//! Entries: written by the leader, committed in order, judged by the promises, answered.

use std::collections::BTreeSet;
use std::rc::Rc;

use strowger_model::CallId;
use strowger_switch::{Changed, touched};
use strowger_table::{Applied, Body, Command, Outcome, Proposal, Shard, Touched};

use super::{World, Wrong};
use crate::asked::Asked;
use crate::happening::{Happening, Task, Who};
use crate::log::{Errand, Waiter};
use crate::plant::Plant;
use crate::promise::{Decision, Step};
use crate::trace::About;

impl World {
    /// A proposal reaches whoever it was sent to; if that one leads no more, it is lost.
    pub(crate) fn proposed(&mut self, term: u64, by: Who, seq: u64, proposal: Rc<Proposal>) {
        if matches!(proposal.body, Body::Control(_)) {
            return self.control_proposed(term, by, seq, proposal);
        }
        let leads =
            term == self.log.term && self.log.seat().is_some_and(|(leader, _)| self.nodes[leader.node].is_sound());
        if !leads {
            return;
        }
        if self.is_lost_after_answer(&proposal) {
            let at = self.after_hop();
            return self.timeline.plan(at, Happening::In(by, Task::Answered { seq, outcome: Outcome::Done }));
        }
        let mut proposal = proposal;
        let admits = matches!(proposal.body, Body::Shard(Command::Admit(_)));
        if self.plant == Some(Plant::EarlyAnswer) && !admits {
            let at = self.after_hop();
            self.timeline.plan(at, Happening::In(by, Task::Answered { seq, outcome: Outcome::Done }));
        }
        if self.plant == Some(Plant::RepeatTwice) && self.promises.once.is_repeat(&proposal) {
            proposal = Rc::new(Proposal { seq: seq | crate::promise::RENUMBERED, ..(*proposal).clone() });
        }
        self.write(Some(proposal), Waiter::Process { who: by, seq });
    }

    pub(crate) fn write(&mut self, proposal: Option<Rc<Proposal>>, waiter: Waiter) {
        if let (Some(Body::Shard(command)), Waiter::Errand(_)) =
            (proposal.as_ref().map(|proposal| &proposal.body), waiter)
            && let Some((leader, _)) = self.log.seat()
        {
            let shard = &self.nodes[leader.node].replica.shard;
            let (config, now) = (&Asked::in_force(&self.versions, shard), self.now);
            self.promises.rules.decided(&Decision { command, shard, config, now });
        }
        let proposal = proposal.map(|proposal| self.misproposed(proposal));
        self.log.write(proposal, waiter, self.now);
        let (low, high) = self.scenario.log.commit_ms;
        let at = (self.now + self.rng.millis(low, high)).max(self.log.next_commit);
        self.log.next_commit = at;
        self.timeline.plan(at, Happening::Commit { term: self.log.term });
    }

    pub(crate) fn commit_one(&mut self) {
        let Some(waiter) = self.log.commit() else { return };
        let index = self.log.last();
        let entry = self.log.entry(index);
        let (at, proposal) = (entry.at, entry.proposal.clone());
        let before = self.truth.clone();
        let entered = proposal.clone().map(|proposal| self.entered(proposal));
        let applied = entered.map(|proposal| self.truth.apply(at, &proposal));
        if let (Some(proposal), Some(applied)) = (&proposal, &applied) {
            let records: Vec<_> =
                self.truth.records(self.recorded).map(|(number, record)| (number, record.clone())).collect();
            self.recorded = records.last().map_or(self.recorded, |(number, _)| *number);
            let records: Vec<_> = records.into_iter().map(|(_, record)| record).collect();
            let mut calls = calls_of(&applied.touched, &before);
            calls.extend(calls_of(&applied.touched, &self.truth));
            let calls: Vec<CallId> = calls.into_iter().collect();
            self.note(index, proposal, applied, &calls);
            if matches!(proposal.body, Body::Shard(Command::Configure { .. })) {
                self.asked = Asked::in_force(&self.versions, &self.truth);
            }
            let is_known = self.promises.once.is_known(proposal);
            let again = self.repeated.contains(&(proposal.from, proposal.seq)) && is_known;
            // What was carried out while it was right is answered as it was then.
            let wrong = self.wrong_with(proposal).filter(|_| !is_known).or_else(|| again.then_some(Wrong::Again));
            let step = Step {
                index,
                proposal,
                applied,
                calls: &calls,
                before: &before,
                after: &self.truth,
                records: &records,
                config: self.truth.tenants().next().map(|_| &self.asked),
                is_wrong: wrong.is_some(),
                is_repeat: false,
                basis: None,
            };
            self.seen.committed(&step);
            self.promises.refused.committed(&step, wrong, &mut self.seen);
            self.promises.registered.committed(&step, &self.phones, &self.lines, self.now);
            self.promises.committed(&step, self.now, self.plant == Some(Plant::RecordTwice));
        }
        self.look_at_wraps();
        self.promises.same_log.committed(index, self.truth.hash());
        let leader = self.log.leader.as_ref().map(|leader| leader.who).filter(|who| self.is(*who));
        self.spread(index, leader.map(|who| who.node));
        if let Some(leader) = leader {
            self.nodes[leader.node].stalled = false;
            self.apply(leader.node, index);
        }
        self.answer(waiter, leader, applied.map(|applied| applied.outcome));
    }

    fn answer(&mut self, waiter: Waiter, leader: Option<Who>, outcome: Option<Outcome>) {
        match (waiter, outcome) {
            (Waiter::Process { who, seq }, Some(outcome)) => {
                let local = leader == Some(who);
                if local || !self.drops() {
                    let at = if local { self.now } else { self.after_hop() };
                    self.timeline.plan(at, Happening::In(who, Task::Answered { seq, outcome }));
                }
            }
            (Waiter::Errand(Errand::Rule(task)), Some(outcome)) => {
                if let Some(leader) = leader {
                    self.errand_answered(leader.node, task, &outcome);
                }
            }
            (Waiter::Seat, _) => {
                if let Some(leader) = leader {
                    self.seat(leader.node);
                }
            }
            _ => {}
        }
    }

    fn note(&mut self, index: u64, proposal: &Proposal, applied: &Applied, calls: &[CallId]) {
        let Body::Shard(command) = &proposal.body else { return };
        if matches!(command, Command::Tick) {
            return;
        }
        let from = proposal.from.node.0;
        let name = command_name(command);
        if let (Command::Admit(admit), Outcome::Admitted { call, .. }) = (command, &applied.outcome)
            && let Some(caller) = self.callers.iter().position(|caller| caller.call_id == admit.key.call_id)
        {
            self.trace.is_callers(*call, caller);
        }
        for call in calls {
            let stage = self.truth.call(*call).map_or("gone", |row| row.stage_name());
            self.say(About::Call(*call), || format!("[{index}] {name} by n{from} → {stage}"));
        }
        if calls.is_empty() {
            let outcome = format!("{:?}", applied.outcome);
            let about = call_of(command).map_or(About::Log, About::Call);
            self.say(about, || format!("[{index}] {name} by n{from}: {outcome}"));
        }
    }
}

/// The calls that an entry changed, or whose places it changed.
fn calls_of(applied: &Touched, table: &Shard) -> BTreeSet<CallId> {
    match touched([applied]) {
        Some(rows) => Changed::of(&rows, table).calls,
        None => table.calls().map(|row| row.id).collect(),
    }
}

fn call_of(command: &Command) -> Option<CallId> {
    match command {
        Command::Step { call, .. } | Command::Enqueue { call, .. } | Command::End { call, .. } => Some(*call),
        Command::Answer { leg, .. }
        | Command::Missed { leg, .. }
        | Command::Answered { leg, .. }
        | Command::Accept { leg, .. }
        | Command::Left { leg, .. }
        | Command::NotReached { leg, .. }
        | Command::Redialog { leg, .. } => Some(leg.call),
        _ => None,
    }
}

fn command_name(command: &Command) -> String {
    match command {
        Command::Configure { version, .. } => format!("Configure {version}"),
        Command::Admit(admit) => format!("Admit {}", admit.key.call_id),
        Command::Answer { leg, .. } => format!("Answer {leg}"),
        Command::Answered { leg, observed, .. } => format!("Answered {leg} at {observed:?}"),
        Command::Redialog { leg, .. } => format!("Redialog {leg}"),
        Command::Dial(dial) => format!("Dial {:?} for {} by {}", dial.to, dial.agent, dial.owner.0),
        Command::Import { campaign, leads, .. } => format!("Import of {} for {campaign}", leads.len()),
        Command::Plan(plan) => {
            format!("Plan on {} {:?}", plan.basis, plan.offers.iter().map(|o| (o.place, o.agent)).collect::<Vec<_>>())
        }
        other => format!("{other:?}"),
    }
}
