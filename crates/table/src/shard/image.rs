//! A shard without what is derived from it: what a snapshot keeps.

use std::sync::Arc;

use strowger_model::{CallId, Dialog, E164, Incarnation, LegKey, LogTime, NodeId, ShardId, TenantId, Wall};

use super::closing::Closing;
use super::flows::{KeptFlows, KeptFlowsImage};
use super::parts::{PartKey, Staged};
use super::{Configured, Shard};
use crate::layout::{LayoutFault, Written};
use crate::sessions::{Sessions, SessionsImage};
use crate::{AdmitKey, Agent, At, BarList, Call, Data, Lead, Ledger, Place, Record, Scope, Touched};

pub(crate) struct ShardImage {
    pub shard: ShardId,
    pub index: u64,
    pub time: LogTime,
    pub wall: Wall,
    pub layout: u16,
    pub tenants: Vec<Arc<Configured>>,
    pub staged: Vec<(TenantId, Arc<Staged>)>,
    pub parts: Vec<(PartKey, Arc<Vec<u8>>)>,
    pub closing: Vec<Arc<Closing>>,
    pub flows: KeptFlowsImage,
    pub calls: Vec<Arc<Call>>,
    pub dialogs: Vec<(LegKey, Arc<Dialog>)>,
    pub data: Vec<(CallId, Arc<Data>)>,
    pub places: Vec<Arc<Place>>,
    pub agents: Vec<Arc<Agent>>,
    pub campaigns: Vec<Arc<Ledger>>,
    pub leads: Vec<Arc<Lead>>,
    pub bars: Vec<(BarList, Scope, E164)>,
    pub outbox: Vec<(u64, Arc<Record>)>,
    pub sessions: SessionsImage,
    pub fenced: Vec<(NodeId, Incarnation)>,
    pub withdrawn: Vec<(AdmitKey, LogTime)>,
}

impl Shard {
    /// In the layout in force. A shard that was raised above what this build knows is not applied to any more, so it is
    /// not asked for a snapshot either.
    pub fn snapshot(&self) -> Vec<u8> {
        self.image().to_bytes(self.layout).expect("the layout in force is known to this build")
    }

    /// From what [`Shard::snapshot`] made, in any layout that this build knows.
    pub fn restore(bytes: &[u8]) -> Result<Self, LayoutFault> {
        ShardImage::from_bytes(bytes).map(Self::from_image)
    }

    /// In any layout that this build knows, whatever is in force.
    #[cfg(feature = "next-layout")]
    pub fn snapshot_in(&self, layout: u16) -> Result<Vec<u8>, LayoutFault> {
        self.image().to_bytes(layout)
    }

    pub(crate) fn image(&self) -> ShardImage {
        ShardImage {
            shard: self.id,
            index: self.last.index,
            time: self.last.time,
            wall: self.last.wall,
            layout: self.layout,
            tenants: self.tenants.iter().map(|(_, row)| row.clone()).collect(),
            staged: self.staged.iter().map(|(tenant, row)| (*tenant, row.clone())).collect(),
            parts: self.parts.iter().map(|(key, row)| (*key, row.clone())).collect(),
            closing: self.closing.iter().map(|(_, row)| row.clone()).collect(),
            flows: self.flows.image(),
            calls: self.calls.iter().map(|(_, row)| row.clone()).collect(),
            dialogs: self.dialogs.iter().map(|(leg, row)| (*leg, row.clone())).collect(),
            data: self.data.iter().map(|(call, row)| (*call, row.clone())).collect(),
            places: self.places.iter().map(|(_, row)| row.clone()).collect(),
            agents: self.agents.iter().map(|(_, row)| row.clone()).collect(),
            campaigns: self.campaigns.iter().map(|(_, row)| row.clone()).collect(),
            leads: self.leads.iter().map(|(_, row)| row.clone()).collect(),
            bars: self.bars.iter().map(|(key, _)| *key).collect(),
            outbox: self.outbox.iter().map(|(number, row)| (*number, row.clone())).collect(),
            sessions: self.sessions.image(),
            fenced: self.fenced.iter().map(|(node, over)| (*node, **over)).collect(),
            withdrawn: self.withdrawn.iter().map(|(key, since)| (key.clone(), **since)).collect(),
        }
    }

    /// Indexes are built again by the rows as they are put.
    fn from_image(image: ShardImage) -> Self {
        let mut shard = Shard::new(image.shard);
        shard.last = At { index: image.index, time: image.time, wall: image.wall };
        shard.layout = image.layout;
        image.tenants.into_iter().for_each(|row| shard.tenants.put(row.tenant.id, owned(row)));
        image.parts.into_iter().for_each(|(key, bytes)| shard.parts.put(key, owned(bytes)));
        image.staged.into_iter().for_each(|(tenant, row)| shard.put_staged(tenant, owned(row)));
        // Closing queues before places, flows before calls: each counts on the other.
        image.closing.into_iter().for_each(|row| shard.put_closing(owned(row)));
        shard.flows = KeptFlows::from_image(image.flows);
        image.dialogs.into_iter().for_each(|(leg, dialog)| shard.put_dialog(leg, owned(dialog)));
        image.data.into_iter().for_each(|(call, data)| shard.put_data(call, owned(data)));
        image.places.into_iter().for_each(|place| shard.put_place(owned(place)));
        image.calls.into_iter().for_each(|call| shard.put_call(owned(call)));
        image.agents.into_iter().for_each(|agent| shard.put_agent(owned(agent)));
        image.campaigns.into_iter().for_each(|ledger| shard.put_campaign(owned(ledger)));
        // Campaigns and bars before leads: which of them are to be dialled hangs on both.
        image.bars.into_iter().for_each(|bar| shard.bars.put(bar, ()));
        image.leads.into_iter().for_each(|lead| shard.put_lead(owned(lead)));
        image.outbox.into_iter().for_each(|(number, record)| shard.outbox.put(number, owned(record)));
        shard.sessions = Sessions::from_image(image.sessions);
        image.fenced.into_iter().for_each(|(node, over)| shard.fenced.put(node, over));
        image.withdrawn.into_iter().for_each(|(key, since)| shard.withdrawn.put(key, since));
        shard.touched = Touched::nothing();
        shard
    }
}

/// Nobody else has it yet, so nothing is copied.
pub(super) fn owned<T: Clone>(row: Arc<T>) -> T {
    Arc::unwrap_or_clone(row)
}
