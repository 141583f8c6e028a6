//! Who performs a row's duties, and who does when that node is gone.

use strowger_model::{CampaignId, Incarnation, LegKey, NodeId, Owner};

use super::Shard;
use super::apply::Entry;
use crate::{Agent, Call, Outcome, Proposer, Refusal, RowKey, hash, limit};

impl Shard {
    pub(super) fn is_fenced(&self, from: Proposer) -> bool {
        self.fenced.get(&from.node).is_some_and(|over| from.incarnation <= **over)
    }

    /// Gives the rows of a dead incarnation, and of all before it, to the heirs.
    pub(super) fn adopt(
        &mut self,
        entry: Entry,
        node: NodeId,
        incarnation: Incarnation,
        heirs: &[(NodeId, Incarnation)],
    ) -> Outcome {
        let over = self.fenced(node).max(incarnation);
        self.fenced.put(node, over);
        self.sessions.end_all(Proposer { node, incarnation: over }, entry.now());
        let heirs: Vec<_> = heirs
            .iter()
            .copied()
            .filter(|(node, incarnation)| !self.is_fenced(Proposer { node: *node, incarnation: *incarnation }))
            .collect();
        let dead = |owner: (NodeId, Incarnation)| owner.0 == node && owner.1 <= over;
        let calls: Vec<_> = self
            .calls
            .iter()
            .filter(|(_, call)| dead((call.owner.node, call.owner.incarnation)))
            .map(|(_, call)| call.clone())
            .collect();
        for call in calls {
            let Some((node, incarnation)) = heir_of(&heirs, RowKey::Call(call.id)) else { continue };
            let mut call = (*call).clone();
            call.change_owner(Owner { node, incarnation, epoch: entry.at.index });
            self.put_call(call);
        }
        self.adopt_agents(entry, (node, over), &heirs);
        let campaigns: Vec<CampaignId> = self
            .campaigns
            .iter()
            .filter(|(_, ledger)| ledger.owner.is_some_and(|owner| dead((owner.node, owner.incarnation))))
            .map(|(id, _)| *id)
            .collect();
        for id in campaigns {
            let Ok(mut ledger) = self.ledger(id) else { continue };
            let heir = heir_of(&heirs, ledger.heir_key());
            ledger.owner = heir.map(|(node, incarnation)| Owner { node, incarnation, epoch: entry.at.index });
            self.put_campaign(ledger);
        }
        Outcome::Done
    }

    /// Phones whose connection was with the dead node have some time to come back, and are not rung before. The heir
    /// of an agent is the node with its newest connection, if it has one.
    fn adopt_agents(&mut self, entry: Entry, (node, over): (NodeId, Incarnation), heirs: &[(NodeId, Incarnation)]) {
        let is_dead = |owner: (NodeId, Incarnation)| owner.0 == node && owner.1 <= over;
        let had = |agent: &Agent| {
            let connected =
                agent.bindings.iter().any(|binding| binding.flow.line.is_some_and(|line| line.node == node));
            // A connection of the process that came after is alive.
            let came_back = agent.owner.is_some_and(|owner| owner.0 == node && !is_dead(owner));
            agent.owner.is_some_and(is_dead) || connected && !came_back
        };
        let agents: Vec<_> =
            self.agents.iter().filter(|(_, agent)| had(agent)).map(|(_, agent)| agent.clone()).collect();
        for agent in agents {
            let mut agent = (*agent).clone();
            let until = entry.now() + limit::BINDING_LOST;
            let connected = |line: strowger_model::Line| line.node == node;
            for binding in agent.bindings.iter_mut().filter(|binding| binding.flow.line.is_some_and(connected)) {
                binding.lost.get_or_insert(until);
            }
            if agent.owner.is_some_and(is_dead) {
                let alive = agent.bindings.iter().rev().filter(|binding| binding.lost.is_none());
                let connection = alive.filter_map(|binding| binding.flow.line).map(|line| line.node).next();
                let with_connection = heirs.iter().copied().find(|(heir, _)| Some(*heir) == connection);
                agent.owner = with_connection.or_else(|| heir_of(heirs, RowKey::Agent(agent.id)));
            }
            self.put_agent(agent);
        }
    }

    /// An agent or a campaign goes to another owner. Calls keep theirs as long as it lives.
    pub(super) fn assign(
        &mut self,
        entry: Entry,
        row: RowKey,
        (node, incarnation): (NodeId, Incarnation),
    ) -> Result<(), Refusal> {
        if self.is_fenced(Proposer { node, incarnation }) {
            return Err(Refusal::Fenced);
        }
        match row {
            RowKey::Agent(id) => {
                let mut agent = self.agent_row(id)?;
                if agent.bindings.is_empty() {
                    return Err(Refusal::WrongStage);
                }
                agent.owner = Some((node, incarnation));
                self.put_agent(agent);
            }
            RowKey::Campaign(id) => {
                let mut ledger = self.ledger(id)?;
                ledger.owner = Some(Owner { node, incarnation, epoch: entry.at.index });
                self.put_campaign(ledger);
            }
            RowKey::Call(_) | RowKey::Place(_) | RowKey::Parts(_) | RowKey::Queue(_) => {
                return Err(Refusal::WrongStage);
            }
        }
        Ok(())
    }

    /// The owner begins again: what it had told relays and far ends under the old epoch is behind the new one.
    pub(super) fn retake(&mut self, entry: Entry, row: RowKey) -> Result<(), Refusal> {
        let Proposer { node, incarnation } = entry.from;
        let owner = Owner { node, incarnation, epoch: entry.at.index };
        match row {
            RowKey::Call(id) => {
                let mut call = self.owned_call(entry, id)?;
                call.change_owner(owner);
                self.put_call(call);
            }
            RowKey::Campaign(id) => {
                let mut ledger = self.ledger(id)?;
                if ledger.owner.is_none_or(|old| (old.node, old.incarnation) != (node, incarnation)) {
                    return Err(Refusal::NotOwner);
                }
                ledger.owner = Some(owner);
                self.put_campaign(ledger);
            }
            // An agent's owner fences nothing, and the others have none.
            RowKey::Agent(_) | RowKey::Place(_) | RowKey::Parts(_) | RowKey::Queue(_) => {
                return Err(Refusal::WrongStage);
            }
        }
        Ok(())
    }
}

impl Call {
    /// Each leg goes on with CSeqs above what its earlier owners may have sent.
    pub(super) fn change_owner(&mut self, owner: Owner) {
        debug_assert!(owner.epoch > self.owner.epoch, "epochs rise");
        self.owner = owner;
        for leg in &mut self.legs {
            leg.takeovers = leg.takeovers.saturating_add(1);
        }
    }

    /// How many owners a leg had before.
    pub fn takeovers(&self, leg: LegKey) -> u16 {
        self.leg(leg).map_or(0, |leg| leg.takeovers)
    }
}

/// Highest random weight (Thaler and Ravishankar 1998): each row goes to the heir with the greatest hash of both.
pub fn heir_of(heirs: &[(NodeId, Incarnation)], row: RowKey) -> Option<(NodeId, Incarnation)> {
    heirs.iter().copied().max_by_key(|heir| (mixed(hash::of(&(heir.0, row))), *heir))
}

/// The state's hash leaves its high bits, which decide here, much alike for rows that follow one another: of 600 agents
/// one of three nodes had 258 and another 143. So they are mixed (the finalizer of SplitMix64).
fn mixed(hash: u64) -> u64 {
    let hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ hash >> 31
}
