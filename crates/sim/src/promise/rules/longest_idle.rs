//! Strategy longest idle: who gets a call is, at the plan's basis, the longest idle of those who could have it.

use std::collections::BTreeSet;

use strowger_model::AgentId;

use super::super::{Found, Step};
use super::Rule;
use crate::asked::Asked;

#[derive(Default)]
pub(crate) struct LongestIdle {
    found: Found,
}

impl Rule for LongestIdle {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn committed(&mut self, step: &Step<'_>, config: &Asked) {
        let Some((basis, offers)) = step.granted_offers() else { return };
        let taken: BTreeSet<AgentId> = step.planned_offers().iter().map(|offer| offer.agent).collect();
        for offer in offers {
            let Some(since) = basis.agent(offer.agent).and_then(|agent| agent.free_since()) else { continue };
            let serves = |id: AgentId| config.agent(id).is_some_and(|agent| agent.queues.contains(&offer.queue));
            let idle = basis.agents().filter_map(|agent| Some((agent.free_since()?, agent.id)));
            let earlier = idle.filter(|(other, id)| *other < since && serves(*id) && !taken.contains(id)).min();
            if let Some((_, other)) = earlier {
                let call = basis.place(offer.place).and_then(|place| place.call);
                self.found.breach("longest idle", call, || {
                    format!("{} is offered it, {other} is idle for longer", offer.agent)
                });
            }
        }
    }
}
