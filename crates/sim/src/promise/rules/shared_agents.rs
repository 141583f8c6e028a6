//! Queues that share agents are served in order of their calls: no agent is offered to a call while an earlier one
//! waits in another of the agent's queues that the plan leaves waiting.

use std::collections::BTreeSet;

use strowger_model::PlaceId;

use super::super::{Found, Step};
use super::Rule;
use crate::asked::Asked;

#[derive(Default)]
pub(crate) struct SharedAgents {
    found: Found,
}

impl Rule for SharedAgents {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn committed(&mut self, step: &Step<'_>, config: &Asked) {
        let Some((basis, offers)) = step.granted_offers() else { return };
        let offered: BTreeSet<PlaceId> = step.planned_offers().iter().map(|offer| offer.place).collect();
        for offer in offers {
            let (Some(place), Some(agent)) = (basis.place(offer.place), config.agent(offer.agent)) else { continue };
            let waits = basis.places().filter(|other| other.is_waiting() && !offered.contains(&other.id));
            let other = waits
                .filter(|other| other.queue != place.queue && agent.queues.contains(&other.queue))
                .find(|other| other.rank < place.rank);
            if let Some(other) = other {
                self.found.breach("shared agents", place.call, || {
                    format!("{} is offered it although {} waits longer in another queue", offer.agent, other.id)
                });
            }
        }
    }
}
