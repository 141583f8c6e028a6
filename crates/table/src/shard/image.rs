//! A shard as bytes, for snapshots. Rows only: indexes are built again.

use std::sync::Arc;

use strowger_model::config::Tenant;
use strowger_model::{CallId, Dialog, Digest, E164, Incarnation, LegKey, LogTime, NodeId, ShardId, TenantId, Wall};

use super::closing::Closing;
use super::flows::{KeptFlows, KeptFlowsImage};
use super::parts::Staged;
use super::{Configured, Shard};
use crate::sessions::{Sessions, SessionsImage};
use crate::{AdmitKey, Agent, At, BarList, Call, Data, Lead, Ledger, Place, Record, Scope, Touched};

#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct ShardImageV1 {
    shard: ShardId,
    index: u64,
    time: LogTime,
    wall: Wall,
    tenants: Vec<(u64, Digest, Tenant)>,
    staged: Vec<(TenantId, Staged)>,
    parts: Vec<((TenantId, u16), Vec<u8>)>,
    closing: Vec<Closing>,
    flows: KeptFlowsImage,
    calls: Vec<Call>,
    dialogs: Vec<(LegKey, Dialog)>,
    data: Vec<(CallId, Data)>,
    places: Vec<Place>,
    agents: Vec<Agent>,
    campaigns: Vec<Ledger>,
    leads: Vec<Lead>,
    bars: Vec<(BarList, Scope, E164)>,
    outbox: Vec<(u64, Record)>,
    sessions: SessionsImage,
    fenced: Vec<(NodeId, Incarnation)>,
    withdrawn: Vec<(AdmitKey, LogTime)>,
}

impl Shard {
    pub fn snapshot(&self) -> Vec<u8> {
        let image = ShardImageV1 {
            shard: self.id,
            index: self.last.index,
            time: self.last.time,
            wall: self.last.wall,
            tenants: self.tenants.iter().map(|(_, row)| (row.version, row.digest, (*row.tenant).clone())).collect(),
            staged: self.staged.iter().map(|(tenant, row)| (*tenant, (**row).clone())).collect(),
            parts: self.parts.iter().map(|(key, row)| (*key, (**row).clone())).collect(),
            closing: self.closing.iter().map(|(_, row)| (**row).clone()).collect(),
            flows: self.flows.image(),
            calls: self.calls.iter().map(|(_, row)| (**row).clone()).collect(),
            dialogs: self.dialogs.iter().map(|(leg, row)| (*leg, (**row).clone())).collect(),
            data: self.data.iter().map(|(call, row)| (*call, (**row).clone())).collect(),
            places: self.places.iter().map(|(_, row)| (**row).clone()).collect(),
            agents: self.agents.iter().map(|(_, row)| (**row).clone()).collect(),
            campaigns: self.campaigns.iter().map(|(_, row)| (**row).clone()).collect(),
            leads: self.leads.iter().map(|(_, row)| (**row).clone()).collect(),
            bars: self.bars.iter().map(|(key, _)| *key).collect(),
            outbox: self.outbox.iter().map(|(number, row)| (*number, (**row).clone())).collect(),
            sessions: self.sessions.image(),
            fenced: self.fenced.iter().map(|(node, over)| (*node, **over)).collect(),
            withdrawn: self.withdrawn.iter().map(|(key, since)| (key.clone(), **since)).collect(),
        };
        rkyv::to_bytes::<rkyv::rancor::Error>(&image).expect("plain data always serializes").into_vec()
    }

    pub fn restore(bytes: &[u8]) -> Result<Self, String> {
        let mut aligned = rkyv::util::AlignedVec::<16>::with_capacity(bytes.len());
        aligned.extend_from_slice(bytes);
        let image: ShardImageV1 =
            rkyv::from_bytes::<_, rkyv::rancor::Error>(&aligned).map_err(|fault| fault.to_string())?;
        let mut shard = Shard::new(image.shard);
        shard.last = At { index: image.index, time: image.time, wall: image.wall };
        for (version, digest, tenant) in image.tenants {
            shard.tenants.put(tenant.id, Configured { version, digest, tenant: Arc::new(tenant) });
        }
        image.parts.into_iter().for_each(|(key, bytes)| shard.parts.put(key, bytes));
        image.staged.into_iter().for_each(|(tenant, row)| shard.put_staged(tenant, row));
        // Closing queues before places, flows before calls: each counts on the other.
        image.closing.into_iter().for_each(|row| shard.put_closing(row));
        shard.flows = KeptFlows::from_image(image.flows);
        image.dialogs.into_iter().for_each(|(leg, dialog)| shard.put_dialog(leg, dialog));
        image.data.into_iter().for_each(|(call, data)| shard.put_data(call, data));
        image.places.into_iter().for_each(|place| shard.put_place(place));
        image.calls.into_iter().for_each(|call| shard.put_call(call));
        image.agents.into_iter().for_each(|agent| shard.put_agent(agent));
        image.campaigns.into_iter().for_each(|ledger| shard.put_campaign(ledger));
        // Campaigns and bars before leads: which of them are to be dialled hangs on both.
        image.bars.into_iter().for_each(|bar| shard.bars.put(bar, ()));
        image.leads.into_iter().for_each(|lead| shard.put_lead(lead));
        image.outbox.into_iter().for_each(|(number, record)| shard.outbox.put(number, record));
        shard.sessions = Sessions::from_image(image.sessions);
        image.fenced.into_iter().for_each(|(node, over)| shard.fenced.put(node, over));
        image.withdrawn.into_iter().for_each(|(key, since)| shard.withdrawn.put(key, since));
        shard.touched = Touched::nothing();
        Ok(shard)
    }
}
