//! `wrap_up_ms`: after a conversation an agent gets no call for so long, unless ready earlier by the agent's own word.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_model::{AgentId, LogTime, QueueId};
use strowger_table::Command;

use super::super::{Found, Step, went_into};
use super::Rule;
use crate::asked::Asked;

#[derive(Default)]
pub(crate) struct WrapUp {
    found: Found,
    /// For which queue's customer each agent was taken last: two calls may become one, of two queues.
    took: BTreeMap<AgentId, QueueId>,
    until: BTreeMap<AgentId, LogTime>,
}

impl Rule for WrapUp {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn committed(&mut self, step: &Step<'_>, config: &Asked) {
        let now = step.log_now();
        self.took.extend(step.taken(config));
        let disposed = match step.command() {
            Some(Command::Dispose { agent, .. }) => Some(*agent).filter(|_| step.is_granted()),
            _ => None,
        };
        if let Some(agent) = step.is_ready().or(disposed) {
            self.until.remove(&agent);
        }
        for call in step.calls {
            let Some(before) = step.before.call(*call) else { continue };
            // What went into another call is no end of a conversation.
            let over = step.after.call(*call).is_none_or(|row| row.is_over() && went_into(row).is_none());
            let Some(agent) = before.serving_agent().filter(|_| over) else { continue };
            let queue = self.took.get(&agent).and_then(|queue| config.queue(*queue));
            let wrap_up = queue.map_or(Duration::ZERO, |queue| Duration::from_millis(queue.wrap_up_ms.into()));
            self.until.insert(agent, now + wrap_up);
        }
        for agent in step.after.agents().filter(|agent| agent.call().is_some()) {
            if self.until.remove(&agent.id).is_some_and(|until| now < until) {
                let id = agent.id;
                self.found.breach("wrap-up", agent.call(), || format!("{id} gets it before the wrap-up is over"));
            }
        }
    }
}
