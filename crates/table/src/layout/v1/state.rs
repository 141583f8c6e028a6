//! The whole state of a group.

use strowger_model::*;

use super::call::*;
use super::command::*;
use super::config::*;
use super::row::*;
use super::sip::*;
use crate::sessions::SessionsImage;
use crate::shard::{Closing, Configured, KeptFlow, KeptFlowsImage, Staged};
use crate::*;

use crate::layout::frozen::frozen;

frozen! {
    struct ConfigVersionV1 = ConfigVersion {
        version: u64,
        tenants: Vec<TenantRefV1>,
        trunks: Vec<TrunkV1>,
    }
    struct NodeV1 = Node {
        incarnation: Incarnation,
        down: bool,
    }
    struct TokenV1 = Token {
        name: String,
        role: String,
        tenant: Option<TenantId>,
        made: Wall,
        expires: Option<Wall>,
        last_use: Option<Wall>,
    }
    struct ActV1 = Act {
        id: u64,
        at: Wall,
        intent: IntentV1,
        result: Option<ActResultV1>,
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
        versions: Vec<ConfigVersionV1>,
        changed: Vec<(TenantId, u64)>,
        tokens: Vec<([u8; 32], TokenV1)>,
        acts: Vec<(u64, ActV1)>,
        sessions: SessionsImageV1,
        next_ids: NextIdsV1,
    }
    struct ConfiguredV1 = Configured {
        version: u64,
        digest: Digest,
        tenant: TenantV1,
    }
    struct StagedV1 = Staged {
        digest: Digest,
        of: u16,
        have: u16,
        until: LogTime,
    }
    struct ClosingV1 = Closing {
        tenant: TenantId,
        queue: QueueV1,
        since: LogTime,
        forget: Option<LogTime>,
    }
    struct KeptFlowV1 = KeptFlow {
        version: u64,
        flow: FlowV1,
    }
    struct KeptFlowsV1 = KeptFlowsImage {
        current: Vec<(FlowId, u64)>,
        kept: Vec<KeptFlowV1>,
    }
    struct ShardImageV1 = ShardImage {
        shard: ShardId,
        index: u64,
        time: LogTime,
        wall: Wall,
        layout: u16,
        tenants: Vec<ConfiguredV1>,
        staged: Vec<(TenantId, StagedV1)>,
        parts: Vec<((TenantId, u16), Vec<u8>)>,
        closing: Vec<ClosingV1>,
        flows: KeptFlowsV1,
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
