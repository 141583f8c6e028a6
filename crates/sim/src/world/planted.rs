//! Where planted bugs reach into what passes between the parts.

use std::rc::Rc;
use std::sync::Arc;

use strowger_media::{Hears, Op};
use strowger_model::{LegNo, RelayId};
use strowger_table::{AgentLeg, AgentState, Body, Call, Command, Proposal, Stage};

use super::World;
use crate::plant::Plant;

impl World {
    /// The row an actor is told, which a bug may have changed on its way.
    pub(crate) fn tampered(&mut self, node: usize, row: Arc<Call>) -> Arc<Call> {
        if self.plant != Some(Plant::DoubleOffer) || !row.is_waiting() {
            return row;
        }
        if let Some(made_up) = self.made_up.get(&row.id) {
            return made_up.clone();
        }
        let shard = &self.nodes[node].replica.shard;
        let busy = shard.agents().find(|agent| matches!(agent.state, AgentState::Talking { .. }));
        let Some((agent, contact)) = busy.and_then(|agent| Some((agent.id, agent.contact.clone()?))) else {
            return row;
        };
        let mut made_up = (*row).clone();
        let leg = LegNo(made_up.next_leg.0);
        let relay = made_up.relay.unwrap_or_default();
        made_up.stage = Stage::Offered { deadline: shard.last().time + std::time::Duration::from_secs(10) };
        made_up.agent = Some(AgentLeg { leg, agent, relay, contact, dialog: None });
        let made_up = Arc::new(made_up);
        self.made_up.insert(row.id, made_up.clone());
        made_up
    }

    /// The entry as the tables get it.
    pub(crate) fn entered(&self, proposal: Rc<Proposal>) -> Rc<Proposal> {
        let Body::Shard(Command::Bar { list, scope, numbers, .. }) = &proposal.body else { return proposal };
        if self.plant != Some(Plant::BarForgotten) {
            return proposal;
        }
        let lifted = Command::Bar { list: *list, scope: *scope, numbers: numbers.clone(), lift: true };
        Rc::new(Proposal { body: Body::Shard(lifted), ..(*proposal).clone() })
    }

    /// Whether an order to the relay of an agent's leg is kept from it.
    pub(crate) fn withholds(&self, row: &Call, relay: RelayId, op: &Op) -> bool {
        let forgets = match op {
            Op::Hear { what: Hears::Legs(_), .. } => self.plant == Some(Plant::HearOneSide),
            Op::Export { .. } => self.plant == Some(Plant::ExportOneSide),
            Op::Close => self.plant == Some(Plant::CloseOneSide),
            _ => false,
        };
        forgets && row.relay != Some(relay)
    }

    /// An adopter that does not look at calls whose agent is being rung.
    pub(crate) fn passes_over(&self, row: &Call) -> bool {
        self.plant == Some(Plant::RingingForgotten)
            && matches!(row.stage, Stage::Offered { .. })
            && row.owner.epoch != row.id.index()
    }
}
