//! What a call goes through.

use crate::{Digest, FlowId, QueueId};

/// A call flow: steps by number, starting at 0.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Flow {
    /// Over all tenants.
    pub id: FlowId,
    /// As operators write it; one of its kind in the tenant.
    pub name: String,
    /// 1 to 1000, named by their position.
    pub steps: Vec<Step>,
}

impl Flow {
    /// What it plays.
    pub fn prompts(&self) -> impl Iterator<Item = Digest> {
        self.steps.iter().filter_map(|step| match step {
            Step::Play { prompt, .. } | Step::Menu { prompt, .. } => Some(*prompt),
            Step::Enqueue { .. } | Step::HangUp => None,
        })
    }
}

/// A step by its position in its flow, from 0.
pub type StepNo = u16;

/// One thing that a flow does with a call.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum Step {
    /// Plays a prompt to its end and goes on.
    Play {
        /// What is played.
        prompt: Digest,
        /// What comes then.
        next: StepNo,
    },
    /// Plays, then waits for one digit. Wrong or missing digits play again, up to `tries`, then `otherwise`.
    Menu {
        /// What is played; a digit breaks it off.
        prompt: Digest,
        /// Digits (0 to 9, *, #) and where each leads.
        choices: Vec<(char, StepNo)>,
        /// Milliseconds to wait for a digit once the prompt is over: 500 to 60 000.
        timeout_ms: u32,
        /// How often the prompt is played at the most: 1 to 10.
        tries: u8,
        /// Where the last wrong or missing digit leads.
        otherwise: StepNo,
    },
    /// Waits for an agent. `overflow` is where the queue's limits send the call; without it the call ends.
    Enqueue {
        /// Where the call waits.
        queue: QueueId,
        /// Where a full queue or too long a wait leads.
        overflow: Option<StepNo>,
    },
    /// Ends the call.
    HangUp,
}
