//! A shard as bytes, for snapshots. Rows only: indexes are built again.

use strowger_model::{CallId, Dialog, E164, Incarnation, LegKey, LogTime, NodeId, ShardId, Wall};

use super::{Configured, Shard};
use crate::sessions::{Sessions, SessionsImage};
use crate::{AdmitKey, Agent, At, BarList, Call, Data, Lead, Ledger, Place, Record, Scope, Touched};

#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct ShardImageV1 {
    shard: ShardId,
    index: u64,
    time: LogTime,
    wall: Wall,
    tenants: Vec<Configured>,
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
            tenants: self.tenants.iter().map(|(_, row)| (**row).clone()).collect(),
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
        image.tenants.into_iter().for_each(|row: Configured| shard.tenants.put(row.tenant.id, row));
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
