//! The whole state of a group.

use strowger_model::*;

use super::call::*;
use super::command::*;
use super::config::*;
use super::row::*;
use super::sip::*;
use crate::sessions::SessionsImage;
use crate::shard::Configured;
use crate::*;

use crate::layout::frozen::frozen;

frozen! {
    struct HighestIdsV1 = HighestIds {
        tenant: u32,
        flow: u32,
        queue: u32,
        agent: u32,
        trunk: u32,
        campaign: u32,
    }
    struct NodeV1 = Node {
        incarnation: Incarnation,
        down: bool,
    }
    struct ControlImageV1 = ControlImage {
        index: u64,
        time: LogTime,
        wall: Wall,
        layout: u16,
        voters: Vec<NodeId>,
        shards: u16,
        nodes: Vec<(NodeId, NodeV1)>,
        silent: Vec<(NodeId, Incarnation, NodeId)>,
        version: u64,
        tenants: Vec<(u64, TenantV1)>,
        trunks: Vec<TrunkV1>,
        tokens: Vec<([u8; 32], String)>,
        sessions: SessionsImageV1,
        highest: HighestIdsV1,
    }
    struct ConfiguredV1 = Configured {
        version: u64,
        tenant: TenantV1,
    }
    struct ShardImageV1 = ShardImage {
        shard: ShardId,
        index: u64,
        time: LogTime,
        wall: Wall,
        layout: u16,
        tenants: Vec<ConfiguredV1>,
        calls: Vec<CallV1>,
        dialogs: Vec<(LegKeyV1, DialogV1)>,
        data: Vec<(CallId, DataV1)>,
        places: Vec<PlaceV1>,
        agents: Vec<AgentV1>,
        campaigns: Vec<LedgerV1>,
        leads: Vec<LeadV1>,
        bars: Vec<(BarListV1, ScopeV1, E164)>,
        outbox: Vec<(u64, RecordV1)>,
        sessions: SessionsImageV1,
        fenced: Vec<(NodeId, Incarnation)>,
        withdrawn: Vec<(AdmitKeyV1, LogTime)>,
    }
    struct SessionsImageV1 = SessionsImage {
        answers: Vec<(ProposerV1, u64, OutcomeV1)>,
        ended: Vec<(ProposerV1, LogTime)>,
    }
}
