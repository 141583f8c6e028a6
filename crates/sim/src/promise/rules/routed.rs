//! A number's calls take its flow, and come into no queue that the flow does not name.

use std::collections::BTreeMap;

use strowger_model::config::{Flow, Step as FlowStep};
use strowger_model::{CallId, QueueId};
use strowger_table::{Command, Outcome};

use super::super::{Found, Step, queued};
use super::Rule;
use crate::asked::Asked;

#[derive(Default)]
pub(crate) struct Routed {
    found: Found,
    /// Each call goes on with the flow as it was when the call began.
    flows: BTreeMap<CallId, Flow>,
}

impl Rule for Routed {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn committed(&mut self, step: &Step<'_>, config: &Asked) {
        match (step.command(), &step.applied.outcome) {
            (Some(Command::Admit(admit)), Outcome::Admitted { call, .. }) => {
                let flow = config.number(&admit.to).and_then(|(_, flow)| config.flow(flow));
                // The same proposal may be entered twice, the second time under another configuration.
                if let (Some(flow), false) = (flow, step.is_repeat) {
                    self.flows.insert(*call, flow.clone());
                }
            }
            (Some(Command::Enqueue { call, step: no, .. }), Outcome::Done) => {
                let Some(entered) = queued(step.after, *call).map(|place| place.queue) else { return };
                let at = |flow: &Flow| flow.steps.get(usize::from(*no)).is_some_and(|step| enters(step, entered));
                if self.flows.get(call).is_some_and(|flow| !at(flow)) {
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
