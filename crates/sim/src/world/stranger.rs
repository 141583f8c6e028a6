//! Proposals that no part of the product would make: of a node that does not own the call, of a life that is over, for
//! rows that are gone, for agents who are busy, twice. Only the table stands between them and the calls.

use std::rc::Rc;

use strowger_model::{AgentId, CallId, CampaignId, Cause, Incarnation, LegKey, NodeId, RelayId};
use strowger_table::{
    Body, Call, Command, Miss, Offer, Plan, Presence, Proposal, Proposer, RowKey, ToldBy, VOICE_SLOT,
};

use super::World;
use crate::happening::{Happening, Who};
use crate::tenant::SHARD;

/// Between two of them, in milliseconds.
const PAUSE_MS: (u64, u64) = (300, 3000);
/// The shell numbers proposals far below this.
const STRANGE: u64 = 1 << 40;
/// A row under this index never was.
const NEVER: u64 = 1 << 40;
/// Of the last entries, one that is proposed once more.
const RECENT: u64 = 40;

/// What is wrong with a proposal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wrong {
    /// The proposer does not own the call.
    NotOwner { call: CallId, by: Proposer },
    /// The proposer's life is over.
    Over { by: Proposer },
    /// There is no such row.
    Gone,
    /// The agent has work already.
    Busy { agent: AgentId },
    /// It was said before.
    Again,
}

impl World {
    pub(crate) fn stranger(&mut self) {
        if self.calm_since.is_some() {
            return;
        }
        let next = self.now + self.rng.millis(PAUSE_MS.0, PAUSE_MS.1);
        self.timeline.plan(next, Happening::Stranger);
        let sound = self.sound_nodes();
        let Some(node) = self.rng.pick(&sound) else { return };
        let by = self.nodes[node].who;
        let drawn = match self.rng.below(10) {
            0..4 => self.as_owner(by),
            4 | 5 => self.as_before(by),
            6 | 7 => Some((by, Wrong::Gone, self.for_nobody())),
            8 => self.for_the_busy(by),
            _ => return self.again(),
        };
        let Some((by, wrong, command)) = drawn else { return };
        let seq = STRANGE + self.wrong.len() as u64;
        self.wrong.insert(seq, wrong);
        self.hand_in(by, Proposal { from: by.proposer(), seq, body: Body::Shard(command) });
    }

    fn hand_in(&mut self, by: Who, proposal: Proposal) {
        let (term, seq) = (self.log.term, proposal.seq);
        self.timeline.plan(self.now, Happening::Proposed { term, by, seq, proposal: Rc::new(proposal) });
    }

    /// What is wrong with a proposal, if it was made here.
    pub(crate) fn wrong_with(&self, proposal: &Proposal) -> Option<Wrong> {
        self.wrong.get(&proposal.seq).copied()
    }

    /// What only the owner of a call may say of it.
    fn as_owner(&mut self, by: Who) -> Option<(Who, Wrong, Command)> {
        let of_others = |row: &&std::sync::Arc<Call>| !row.is_over() && row.owner.node != by.id();
        let rows: Vec<_> = self.truth.calls().filter(of_others).cloned().collect();
        let row = rows.get(self.rng.below(rows.len() as u64) as usize)?;
        let leg = row.live_legs().next().map(|leg| leg.key)?;
        let observed = self.truth.last().time;
        let miss = Miss { status: 408, cause: Cause::NORMAL, hang_up: true };
        let duties = row.duties.iter().map(|duty| (row.id, duty.id)).collect();
        let command = match self.rng.below(6) {
            0 => Command::Step { call: row.id, step: 0, attempt: 0, set: Vec::new() },
            1 => Command::Left { leg, cause: Cause::NORMAL, told_by: ToldBy::Silence, observed },
            2 => Command::Accept { leg, observed },
            3 => Command::Retake { row: RowKey::Call(row.id) },
            4 => Command::Missed { leg: row.rung_leg().unwrap_or(leg), miss, observed },
            _ => Command::Done { duties },
        };
        Some((by, Wrong::NotOwner { call: row.id, by: by.proposer() }, command))
    }

    /// Of a process that was declared dead.
    fn as_before(&mut self, by: Who) -> Option<(Who, Wrong, Command)> {
        let life = by.life.0.checked_sub(1).filter(|life| *life > 0)?;
        let by = Who { life: Incarnation(life), ..by };
        let agents: Vec<AgentId> = self.truth.agents().map(|agent| agent.id).collect();
        let agent = self.rng.pick(&agents)?;
        let presence = Presence::NotReady { reason: "of a dead process".to_owned() };
        Some((by, Wrong::Over { by: by.proposer() }, Command::Presence { agent, presence }))
    }

    fn for_nobody(&mut self) -> Command {
        let (call, agent) = (CallId::new(SHARD, NEVER), AgentId(u32::MAX));
        let leg = LegKey { call, leg: strowger_model::LegNo(0) };
        let observed = self.truth.last().time;
        match self.rng.below(6) {
            0 => Command::Left { leg, cause: Cause::NORMAL, told_by: ToldBy::FarEnd, observed },
            1 => Command::Split { leg },
            2 => Command::Presence { agent, presence: Presence::Ready },
            3 => Command::Unbind { agent, instance: None },
            4 => Command::Run { campaign: CampaignId(u32::MAX), running: true },
            _ => Command::Dispose { agent, call, code: "nothing".to_owned() },
        }
    }

    /// A plan for an agent who has work.
    fn for_the_busy(&mut self, by: Who) -> Option<(Who, Wrong, Command)> {
        let busy: Vec<AgentId> = self.truth.agents().filter(|agent| agent.is_at_work()).map(|agent| agent.id).collect();
        let agent = self.rng.pick(&busy)?;
        let (place, queue) =
            self.truth.places().find(|place| place.is_waiting()).map(|place| (place.id, place.queue))?;
        let offer = Offer { place, agent, slot: VOICE_SLOT, queue, relay: RelayId(0), score: 0, ring_all: false };
        let plan = Plan { basis: self.truth.last().index, offers: vec![offer] };
        Some((by, Wrong::Busy { agent }, Command::Plan(plan)))
    }

    /// What somebody said before, under the same number.
    fn again(&mut self) {
        let last = self.log.last();
        let index = last.saturating_sub(self.rng.below(RECENT)).max(1);
        if index > last {
            return;
        }
        let Some(proposal) = self.log.entry(index).proposal.clone().filter(|proposal| proposal.seq != 0) else {
            return;
        };
        let NodeId(node) = proposal.from.node;
        let by = Who { node: usize::from(node) - 1, life: proposal.from.incarnation };
        self.repeated.insert((proposal.from, proposal.seq));
        self.hand_in(by, (*proposal).clone());
    }
}
