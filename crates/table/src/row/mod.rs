//! The rows of a shard.

use strowger_model::{AgentId, CallId, CampaignId, PlaceId, QueueId, TenantId};

pub mod agent;
pub mod call;
pub mod campaign;
pub mod data;
pub mod kept;
pub mod lead;
pub mod leg;
pub mod origin;
pub mod place;
mod query;
pub mod segment;
pub mod story;
pub mod tap;

/// Names a row that may change, come due or have an owner.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RowKey {
    /// A call.
    Call(CallId),
    /// An agent.
    Agent(AgentId),
    /// A place in a queue.
    Place(PlaceId),
    /// A campaign's ledger.
    Campaign(CampaignId),
    /// Parts of a configuration that nobody puts in force.
    Parts(TenantId),
    /// A queue that left the configuration.
    Queue(QueueId),
}
