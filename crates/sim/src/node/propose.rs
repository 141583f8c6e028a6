//! Proposals: repeated under their number until they have an outcome or their time is over.

use std::rc::Rc;
use std::time::Duration;

use strowger_call::Answer;
use strowger_model::{AgentId, CallId, NodeId};
use strowger_switch::limit;
use strowger_table::{AdmitKey, Body, Command, Outcome, Proposal};

use super::{Asking, News};
use crate::happening::{Happening, Task};
use crate::trace::About;
use crate::world::World;

/// Who waits for the outcome.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    OfCall {
        call: CallId,
        number: u64,
    },
    Admit(AdmitKey),
    /// Duties performed.
    Done,
    /// What this voter says of a node.
    Report(NodeId),
    Join,
    /// What an agent's phone asks for.
    Registration(AgentId),
    /// A call for a campaign.
    Dial,
    Nobody,
}

impl World {
    pub(crate) fn propose(&mut self, node: usize, command: Command, purpose: Purpose) {
        let within = if matches!(purpose, Purpose::Admit(_)) { limit::ADMIT } else { limit::PROPOSE };
        self.propose_within(node, Body::Shard(command), purpose, within);
    }

    pub(crate) fn propose_within(&mut self, node: usize, body: Body, purpose: Purpose, within: Duration) {
        let place = &mut self.nodes[node];
        place.last_seq += 1;
        let (who, seq) = (place.who, place.last_seq);
        let proposal = Rc::new(Proposal { from: who.proposer(), seq, body });
        place.asking.insert(seq, Asking { proposal, purpose });
        self.timeline.plan(self.now + within, Happening::In(who, Task::GiveUp { seq }));
        self.ask(node, seq);
    }

    /// One attempt: to whoever leads.
    pub(crate) fn ask(&mut self, node: usize, seq: u64) {
        let place = &self.nodes[node];
        let Some(asking) = place.asking.get(&seq) else { return };
        let (who, proposal, cut) = (place.who, asking.proposal.clone(), place.cut);
        let of_call = matches!(asking.purpose, Purpose::OfCall { .. });
        let log = match proposal.body {
            Body::Shard(_) => &self.log,
            Body::Control(_) => &self.control.log,
        };
        let term = log.term;
        let leader = log.seat().map(|(leader, _)| leader.node);
        let Some(leader) = leader.filter(|leader| !cut || *leader == node) else {
            self.timeline.plan(self.now + Proposal::PAUSE, Happening::In(who, Task::Retry { seq }));
            return;
        };
        let twice = self.rng.chance(self.scenario.log.twice_per_mille);
        for _ in 0..1 + u32::from(twice) {
            if leader == node || !self.drops() {
                let at = if leader == node { self.now } else { self.after_hop() };
                self.timeline.plan(at, Happening::Proposed { term, by: who, seq, proposal: proposal.clone() });
            }
        }
        self.timeline.plan(self.now + Proposal::ATTEMPT, Happening::In(who, Task::Retry { seq }));
        if of_call {
            self.awaits(node);
        }
    }

    pub(crate) fn answered(&mut self, node: usize, seq: u64, outcome: Outcome) {
        let Some(asking) = self.nodes[node].asking.remove(&seq) else { return };
        if matches!(asking.proposal.body, Body::Shard(_)) {
            self.promises.once.answered(self.nodes[node].who.proposer(), seq, &outcome);
        }
        match asking.purpose {
            Purpose::Nobody => {}
            Purpose::OfCall { call, number } => {
                self.tell(node, call, News::Proposed { number, answer: Answer::of(Some(&outcome)) });
            }
            Purpose::Admit(key) => self.admit_answered(node, &key, Some(&outcome)),
            Purpose::Done => self.done_answered(node, true),
            Purpose::Report(about) => self.nodes[node].vitals.reported(about, outcome == Outcome::Done),
            Purpose::Join => self.join_again(node),
            Purpose::Registration(agent) => self.registration_answered(node, agent, outcome == Outcome::Done),
            Purpose::Dial => self.dial_answered(node, Some(&outcome)),
        }
    }

    /// Its time is over; the entry may be committed yet.
    pub(crate) fn give_up(&mut self, node: usize, seq: u64) {
        let Some(asking) = self.nodes[node].asking.remove(&seq) else { return };
        match asking.purpose {
            Purpose::Nobody => {}
            Purpose::OfCall { call, number } => {
                self.say(About::Call(call), || format!("n{}: proposal {seq} has no outcome", node + 1));
                self.tell(node, call, News::Proposed { number, answer: Answer::Lost });
            }
            Purpose::Admit(key) => self.admit_answered(node, &key, None),
            Purpose::Done => self.done_answered(node, false),
            Purpose::Report(about) => self.nodes[node].vitals.reported(about, false),
            Purpose::Join => self.join_again(node),
            Purpose::Registration(agent) => self.registration_answered(node, agent, false),
            Purpose::Dial => self.dial_answered(node, None),
        }
    }
}
