//! An agent is offered calls of no queue but those that the configuration gives to the agent.

use strowger_model::LegKey;
use strowger_table::{Command, DialTo, Outcome};

use super::super::{Found, Step, queued};
use super::Rule;
use crate::asked::Asked;

const PROMISE: &str = "staffed";

#[derive(Default)]
pub(crate) struct Staffed {
    found: Found,
}

impl Rule for Staffed {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn committed(&mut self, step: &Step<'_>, config: &Asked) {
        let serves = |agent, queue| config.agent(agent).is_some_and(|agent| agent.queues.contains(&queue));
        for row in step.calls.iter().filter_map(|call| step.after.call(*call)) {
            let is_inbound = row.is_answered() && row.outbound().is_none();
            let Some(place) = queued(step.after, row.id).filter(|_| is_inbound) else { continue };
            let rang = |leg: LegKey| step.before.call(row.id).is_some_and(|row| row.leg(leg).is_some());
            // What rings when the configuration changes rings on.
            for leg in row.ringing().filter(|leg| !step.reconfigures() && !rang(leg.key)) {
                if let Some(agent) = leg.agent().filter(|agent| !serves(*agent, place.queue)) {
                    self.found.breach(PROMISE, Some(row.id), || format!("{agent} does not serve {}", place.queue));
                }
            }
        }
        if let (Some(Command::Dial(dial)), Outcome::Dialled { call }) = (step.command(), &step.applied.outcome)
            && let (DialTo::Lead(_), Some(campaign)) = (dial.to, config.campaign(dial.campaign))
            && call.index() == step.index
            && !serves(dial.agent, campaign.queue)
        {
            self.found.breach(PROMISE, Some(*call), || format!("{} does not serve {}", dial.agent, campaign.queue));
        }
    }
}
