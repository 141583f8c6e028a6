//! Who is alive. Every node beats to every voter; a node that a majority of voters has not answered lately is
//! *passive*: it starts nothing and answers nothing, media goes on. A voter that hears nothing from a node says so in
//! the control group; a majority of such reports is a decision.
//!
//! Both spans are measured on the waiting side's own clock. 0.6 s on a clock at 0.7 of true speed is still less than
//! 1.2 s on one at 1.3: a node falls silent before anybody may act in its place.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use strowger_model::{Incarnation, Mono, NodeId};
use strowger_table::{Control, ControlCommand};

/// Every node beats to every voter this often: five beats may be lost before a node is passive.
pub const BEAT: Duration = Duration::from_millis(100);
/// How long a report is proposed before it is judged anew whether it is still true.
pub const REPORT: Duration = Duration::from_secs(2);
const PASSIVE_AFTER: Duration = Duration::from_millis(600);
pub(crate) const SILENT_AFTER: Duration = Duration::from_millis(1200);
/// Beats whose time of sending is remembered; answers come within `PASSIVE_AFTER` or are worth nothing.
const REMEMBERED: usize = 16;

/// A voter's report about a node, to be proposed in the control group; then `reported` is called, whatever came of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    /// About whom.
    pub node: NodeId,
    /// Which start of it.
    pub incarnation: Incarnation,
    /// Else it is heard again.
    pub silent: bool,
    /// The report itself.
    pub command: ControlCommand,
}

/// What this node knows of the others' pulses.
#[derive(Debug)]
pub struct Vitals {
    me: NodeId,
    voters: Vec<NodeId>,
    number: u64,
    sent: VecDeque<(u64, Mono)>,
    /// By voter: when the newest beat it answered was sent.
    answered: BTreeMap<NodeId, Mono>,
    /// By node: the newest beat of the life that is known, as this voter heard it.
    heard: BTreeMap<NodeId, (Incarnation, Mono)>,
    state: State,
    /// By voter: what it had applied of each group when it first answered a beat sent since this node is passive. Who
    /// has not caught up with that knows neither all calls nor the configuration.
    goals: BTreeMap<NodeId, Vec<u64>>,
    /// Reports that the control group here does not hold yet: of a node one at a time, so that they are committed in
    /// order.
    reporting: BTreeMap<NodeId, Reporting>,
}

/// What is said of a node, and how far that is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Reporting {
    incarnation: Incarnation,
    silent: bool,
    /// It is an entry, which this node's replica may not have applied.
    is_committed: bool,
}

/// Since when a node is what it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Passive(Mono),
    Active(Mono),
}

impl Vitals {
    /// A node starts passive: it has been answered by nobody yet.
    pub fn new(me: NodeId, voters: Vec<NodeId>) -> Self {
        Self {
            me,
            voters,
            number: 0,
            sent: VecDeque::new(),
            answered: BTreeMap::new(),
            heard: BTreeMap::new(),
            state: State::Passive(Mono::ZERO),
            goals: BTreeMap::new(),
            reporting: BTreeMap::new(),
        }
    }

    /// The number of the beat that is sent now, and to whom.
    pub fn beat(&mut self, now: Mono) -> (u64, impl Iterator<Item = NodeId> + '_) {
        self.number += 1;
        self.sent.push_back((self.number, now));
        if self.sent.len() > REMEMBERED {
            self.sent.pop_front();
        }
        debug_assert!(self.sent.len() <= REMEMBERED && self.sent.iter().is_sorted(), "beats in their order");
        (self.number, self.voters.iter().copied().filter(|voter| *voter != self.me))
    }

    /// A voter's answer to one of our beats, with what it has applied of each group. When that beat was sent: none, if so
    /// long ago that the answer is worth nothing.
    pub fn on_pulse(&mut self, voter: NodeId, number: u64, applied: Vec<u64>) -> Option<Mono> {
        let sent = self.sent.iter().find(|(beat, _)| *beat == number).map(|(_, sent)| *sent)?;
        let newest = self.answered.entry(voter).or_insert(sent);
        *newest = (*newest).max(sent);
        if let State::Passive(since) = self.state
            && sent >= since
        {
            self.goals.entry(voter).or_insert(applied);
        }
        Some(sent)
    }

    /// A beat of another node. True: it is answered. False: this voter stands by its report that the node is silent,
    /// also while that is under way, for it may be what declares the node dead; the cluster has declared it dead, or does
    /// not know it yet: nobody could declare dead a process that is no member, and its calls would be nobody's.
    pub fn on_beat(&mut self, from: NodeId, incarnation: Incarnation, control: &Control, now: Mono) -> bool {
        let known = control.node(from).filter(|known| known.incarnation == incarnation);
        // A process that is no member says nothing of the life whose calls are here: while its directory is blank it never
        // becomes one, and that life is over.
        if known.is_some() {
            self.heard.insert(from, (incarnation, now));
        }
        known.is_some_and(|known| !known.down)
            && !control.is_silent(from, incarnation, self.me)
            && !self.says_silent(from, incarnation)
    }

    fn says_silent(&self, node: NodeId, incarnation: Incarnation) -> bool {
        self.reporting.get(&node).is_some_and(|report| report.silent && report.incarnation == incarnation)
    }

    /// Until when this node is active: as long as a majority of the voters has answered beats sent lately; once
    /// passive, only beats sent since then count, of voters it has caught up with. None while it is passive.
    pub fn active_until(&mut self, applied: &[u64], now: Mono) -> Option<Mono> {
        let mut sent: Vec<Mono> = self.voters.iter().filter_map(|voter| self.counts(*voter, applied, now)).collect();
        sent.sort_unstable_by(|a, b| b.cmp(a));
        // The oldest of the majority's newest beats is the one that runs out first.
        let until = sent.get(self.voters.len() / 2).map(|sent| *sent + PASSIVE_AFTER).filter(|until| *until > now);
        match (until, self.state) {
            (Some(_), State::Passive(_)) => self.state = State::Active(now),
            (None, State::Active(_)) => {
                self.state = State::Passive(now);
                self.goals.clear();
            }
            (Some(_), State::Active(_)) | (None, State::Passive(_)) => {}
        }
        debug_assert_eq!(until.is_some(), matches!(self.state, State::Active(_)), "active until some time, or passive");
        until
    }

    /// When the beat was sent by which this voter counts for our being active.
    fn counts(&self, voter: NodeId, applied: &[u64], now: Mono) -> Option<Mono> {
        if voter == self.me {
            return Some(now);
        }
        let sent = self.answered.get(&voter).copied()?;
        let caught_up = || {
            self.goals.get(&voter).is_some_and(|goal| goal.iter().zip(applied).all(|(goal, applied)| applied >= goal))
        };
        match self.state {
            State::Active(_) => Some(sent),
            // A goal is set by the answer to a beat sent since then.
            State::Passive(_) => caught_up().then_some(sent),
        }
    }

    /// What this voter has to say of the others: wherever the control group does not yet hold what it hears. A report
    /// that was lost is made again, until they agree.
    pub fn reports(&mut self, control: &Control, now: Mono) -> Vec<Report> {
        let State::Active(active_since) = self.state else { return Vec::new() };
        if !self.voters.contains(&self.me) {
            return Vec::new();
        }
        // The group holds it, or the node has begun anew meanwhile.
        self.reporting.retain(|node, report| {
            let is_held = control.is_silent(*node, report.incarnation, self.me) == report.silent;
            let is_over = control.node(*node).is_none_or(|known| known.down || known.incarnation != report.incarnation);
            !(report.is_committed && (is_held || is_over))
        });
        let mut reports = Vec::new();
        for (node, known) in control.nodes().filter(|(node, known)| *node != self.me && !known.down) {
            // A node that was never heard counts from when this voter began to listen.
            let heard = self.heard.entry(node).or_insert((known.incarnation, now));
            if heard.0 < known.incarnation {
                *heard = (known.incarnation, now);
            }
            // While it was passive itself, it may have been the one who heard nothing.
            let silent = now.since(heard.1.max(active_since)) > SILENT_AFTER;
            let incarnation = known.incarnation;
            if silent == control.is_silent(node, incarnation, self.me) || self.reporting.contains_key(&node) {
                continue;
            }
            self.reporting.insert(node, Reporting { incarnation, silent, is_committed: false });
            let voter = self.me;
            let command = match silent {
                true => ControlCommand::Silent { voter, node, incarnation },
                false => ControlCommand::Heard { voter, node, incarnation },
            };
            reports.push(Report { node, incarnation, silent, command });
        }
        reports
    }

    /// A report about that node is committed, or lost. A committed one stands from then on, though this node's replica
    /// may not have applied it: the node is not answered in between.
    pub fn reported(&mut self, node: NodeId, is_committed: bool) {
        match self.reporting.get_mut(&node) {
            Some(report) if is_committed => report.is_committed = true,
            _ => drop(self.reporting.remove(&node)),
        }
    }
}

/// The cluster has given this incarnation's calls to others: nothing of it may go on.
pub fn is_down(control: &Control, node: NodeId, incarnation: Incarnation) -> bool {
    control.node(node).is_some_and(|known| known.down && known.incarnation == incarnation)
}
