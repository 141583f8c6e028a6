//! Which layout the shard is written in, and how a later one comes into force.

use strowger_model::NodeId;

use super::Shard;
use crate::{Refusal, layout};

impl Shard {
    /// What proposals and snapshots of this shard are written in.
    pub fn layout(&self) -> u16 {
        self.layout
    }

    pub(super) fn raise(&mut self, to: u16, members: &[(NodeId, u16)]) -> Result<(), Refusal> {
        layout::may_raise(self.layout, to, members)?;
        self.layout = to;
        Ok(())
    }

    #[cfg(feature = "next-layout")]
    pub(super) fn mark(&mut self, agent: strowger_model::AgentId, mark: u32) -> Result<(), Refusal> {
        let mut agent = (**self.agents.get(&agent).ok_or(Refusal::NoSuchAgent)?).clone();
        agent.mark = crate::Later(mark);
        self.put_agent(agent);
        Ok(())
    }
}
