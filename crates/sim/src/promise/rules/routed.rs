//! A number's calls take its flow, and come into no queue that the flow does not name.

use std::collections::BTreeMap;

use strowger_model::config::{Step as FlowStep, Tenant};
use strowger_model::{CallId, FlowId, QueueId};
use strowger_table::{Command, Outcome};

use super::super::{Found, Step, queued};
use super::Rule;

#[derive(Default)]
pub(crate) struct Routed {
    found: Found,
    flows: BTreeMap<CallId, FlowId>,
}

impl Rule for Routed {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn committed(&mut self, step: &Step<'_>, config: &Tenant) {
        match (step.command(), &step.applied.outcome) {
            (Some(Command::Admit(admit)), Outcome::Admitted { call, .. }) => {
                let flow = config.numbers.iter().find(|number| number.number == admit.to).map(|number| number.flow);
                self.flows.extend(flow.map(|flow| (*call, flow)));
            }
            (Some(Command::Enqueue { call, .. }), Outcome::Done) => {
                let Some(entered) = queued(step.after, *call).map(|place| place.queue) else { return };
                let flow = self.flows.get(call).and_then(|flow| config.flow(*flow));
                if flow.is_some_and(|flow| !flow.steps.iter().any(|step| enters(step, entered))) {
                    self.found.breach("routed", Some(*call), || format!("its flow leads not to {entered}"));
                }
            }
            _ => {}
        }
    }
}

fn enters(step: &FlowStep, entered: QueueId) -> bool {
    matches!(step, FlowStep::Enqueue { queue, .. } if *queue == entered)
}
