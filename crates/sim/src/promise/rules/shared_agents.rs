//! Queues that share agents are served in order of their calls: no agent is offered to a call while an earlier one
//! waits in another of the agent's queues that the plan leaves waiting.

use std::collections::BTreeSet;

use strowger_model::CallId;
use strowger_model::config::Tenant;

use super::super::{Found, Step};
use super::Rule;

#[derive(Default)]
pub(crate) struct SharedAgents {
    found: Found,
}

impl Rule for SharedAgents {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn committed(&mut self, step: &Step<'_>, config: &Tenant) {
        let Some((basis, offers)) = step.granted_offers() else { return };
        let offered: BTreeSet<CallId> = step.planned_offers().iter().map(|offer| offer.call).collect();
        for offer in offers {
            let (Some(place), Some(agent)) = (basis.place_of(offer.call), config.agent(offer.agent)) else { continue };
            let waits = basis.calls().filter(|row| row.is_waiting() && !offered.contains(&row.id));
            let places = waits.filter_map(|row| Some((row.id, basis.place_of(row.id)?)));
            let other = places
                .filter(|(_, other)| other.queue != place.queue && agent.queues.contains(&other.queue))
                .find(|(_, other)| other.rank < place.rank);
            if let Some((other, _)) = other {
                self.found.breach("shared agents", Some(offer.call), || {
                    format!("{} is offered it although {other} waits longer in another queue", offer.agent)
                });
            }
        }
    }
}
