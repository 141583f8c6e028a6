//! A shard: the routing table of some tenants. This file holds its state; what is derived from it is in `index`, what
//! is asked of it in `query`, and the files beside hold what the commands do, one a subject.

mod admit;
mod after;
mod agents;
mod apply;
mod bars;
mod campaigns;
mod check;
mod closing;
mod config;
mod dial;
mod due;
mod expire;
mod flows;
mod image;
mod index;
mod layouts;
mod leads;
mod legs;
mod life;
mod merge;
mod offer;
mod owner;
mod parts;
mod query;
mod queue;
mod slots;
#[cfg(test)]
mod walks;

use std::sync::Arc;

use strowger_model::config::Tenant;
use strowger_model::{
    AgentId, CallId, CampaignId, Dialog, Digest, E164, Incarnation, LeadId, LegKey, LogTime, NodeId, PlaceId, QueueId,
    ShardId, TenantId,
};

use self::index::Index;
use crate::rowmap::RowMap;
use crate::sessions::Sessions;
use crate::{AdmitKey, Agent, At, BarList, Call, Data, Lead, Ledger, Place, Record, Scope, Touched, hash, layout};

pub use self::after::{After, after};
pub(crate) use self::closing::Closing;
pub(crate) use self::flows::{KeptFlow, KeptFlowsImage};
pub(crate) use self::image::ShardImage;
pub use self::index::Staff;
pub use self::owner::heir_of;
pub(crate) use self::parts::Staged;
pub use self::query::Busy;

/// State of a shard. Copies are cheap: they share what does not change.
#[derive(Clone, Debug)]
pub struct Shard {
    id: ShardId,
    last: At,
    /// What is written from the next entry on.
    layout: u16,
    tenants: RowMap<TenantId, Configured>,
    /// Parts of configurations that are on their way.
    staged: RowMap<TenantId, parts::Staged>,
    parts: RowMap<parts::PartKey, Vec<u8>>,
    /// Queues that left the configuration.
    closing: RowMap<QueueId, closing::Closing>,
    flows: flows::KeptFlows,
    calls: RowMap<CallId, Call>,
    /// The dialogs of legs that have one.
    dialogs: RowMap<LegKey, Dialog>,
    /// What flows learnt of the calls that are in them.
    data: RowMap<CallId, Data>,
    places: RowMap<PlaceId, Place>,
    agents: RowMap<AgentId, Agent>,
    campaigns: RowMap<CampaignId, Ledger>,
    leads: RowMap<LeadId, Lead>,
    bars: RowMap<(BarList, Scope, E164), ()>,
    outbox: RowMap<u64, Record>,
    sessions: Sessions,
    /// The newest incarnation of each node that is known to be over.
    fenced: RowMap<NodeId, Incarnation>,
    /// INVITEs answered 503 before their `Admit` was committed; a late `Admit` is refused.
    withdrawn: RowMap<AdmitKey, LogTime>,
    /// Derived from the rows and rebuilt with them.
    index: Index,
    /// Rows changed by the entry being applied.
    touched: Touched,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Configured {
    pub version: u64,
    pub digest: Digest,
    pub tenant: Arc<Tenant>,
}

/// The digest stands for the content, which is large.
impl std::hash::Hash for Configured {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.version, self.digest).hash(state);
    }
}

impl Shard {
    /// The state before the first entry.
    pub fn new(id: ShardId) -> Self {
        Self {
            id,
            last: At::default(),
            layout: layout::FIRST,
            tenants: RowMap::default(),
            staged: RowMap::default(),
            parts: RowMap::default(),
            closing: RowMap::default(),
            flows: flows::KeptFlows::default(),
            calls: RowMap::default(),
            dialogs: RowMap::default(),
            data: RowMap::default(),
            places: RowMap::default(),
            agents: RowMap::default(),
            campaigns: RowMap::default(),
            leads: RowMap::default(),
            bars: RowMap::default(),
            outbox: RowMap::default(),
            sessions: Sessions::default(),
            fenced: RowMap::default(),
            withdrawn: RowMap::default(),
            index: Index::default(),
            touched: Touched::nothing(),
        }
    }

    /// Which shard.
    pub fn id(&self) -> ShardId {
        self.id
    }

    /// Index and times of the last entry applied.
    pub fn last(&self) -> At {
        self.last
    }

    /// A hash of everything that a later entry may hang on. Each kind of row counts under a number of its own.
    pub fn hash(&self) -> u64 {
        let Self { tenants, calls, dialogs, data, places, agents, campaigns, leads, bars, outbox, .. } = self;
        let config = [tenants.hash(), self.staged.hash(), self.parts.hash(), self.closing.hash(), self.flows.hash()];
        let rows = [calls.hash(), dialogs.hash(), data.hash(), places.hash(), agents.hash()];
        let dialling = [campaigns.hash(), leads.hash(), bars.hash(), outbox.hash()];
        let memory = [self.sessions.hash(), self.fenced.hash(), self.withdrawn.hash()];
        hash::of(&(config, rows, dialling, memory, self.layout, self.last.time, self.last.wall))
    }
}
