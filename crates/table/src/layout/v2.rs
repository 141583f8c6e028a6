//! Layout 2 as a build to come may have it: one field and one command more. What did not change, and holds nothing that
//! did, is layout 1's.

use strowger_model::*;

use super::bytes::Layout;
use super::frozen::frozen;
use super::v1::*;
use crate::*;

pub(super) const TEXT: &str = include_str!("v2.txt");
pub(super) const LAYOUT: Layout = Layout { number: 2, schema: schema(TEXT) };

frozen! {
    struct AgentV2 = Agent {
        id: AgentId,
        tenant: TenantId,
        name: String,
        queues: Vec<QueueId>,
        owner: Option<(NodeId, Incarnation)>,
        presence: PresenceV1,
        next: Option<PresenceV1>,
        since: LogTime,
        bindings: Vec<BindingV1>,
        slots: Vec<SlotV1>,
        misses: u16,
        answered: u64,
        mark: u32,

    }
    struct ProposalV2 = Proposal {
        from: ProposerV1,
        seq: u64,
        body: BodyV2,
    }
    enum BodyV2 = Body {
        Control(command: ControlCommandV1),
        Shard(command: CommandV2),
    }
    enum CommandV2 = Command {
        Tick,
        Expire,
        Part(part: Box<PartV1>),
        Configure { version: u64, tenant: TenantId, digest: Digest },
        Retire { version: u64, tenant: TenantId },
        Admit(admit: Box<AdmitV1>),
        Withdraw { key: AdmitKeyV1 },
        Answer { leg: LegKeyV1, dialog: Box<DialogV1>, relay: RelayId },
        Step { call: CallId, step: u16, attempt: u8, set: Vec<ChangeV1> },
        Enqueue { call: CallId, step: u16, queue: QueueId, then: ThenV1 },
        Plan(plan: PlanV1),
        Missed { leg: LegKeyV1, miss: MissV1, observed: LogTime },
        Answered { leg: LegKeyV1, dialog: Box<DialogV1>, observed: LogTime },
        Accept { leg: LegKeyV1, observed: LogTime },
        Left { leg: LegKeyV1, cause: Cause, told_by: ToldByV1, observed: LogTime },
        Dial(dial: Box<DialV1>),
        NotReached { leg: LegKeyV1, failure: DialFailureV1, observed: LogTime },
        Import { campaign: CampaignId, batch: Digest, leads: Vec<NewLeadV1> },
        Run { campaign: CampaignId, running: bool },
        Bar { list: BarListV1, scope: ScopeV1, numbers: Vec<E164>, lift: bool },
        Redialog { leg: LegKeyV1, dialog: Box<DialogV1>, relay: Option<RelayId>, holds: bool },
        Rehome { legs: Vec<(LegKeyV1, RelayId)> },
        Merge { from: CallId, into: CallId, by: LegKeyV1, cseq: u32 },
        Split { leg: LegKeyV1 },
        End { call: CallId, ended: EndedV1, observed: LogTime },
        Done { duties: Vec<(CallId, u32)> },
        Bind { agent: AgentId, binding: Box<BindingV1> },
        Unbind { agent: AgentId, instance: Option<Instance> },
        Presence { agent: AgentId, presence: PresenceV1 },
        Dispose { agent: AgentId, call: CallId, code: String },
        Adopt { node: NodeId, incarnation: Incarnation, heirs: Vec<(NodeId, Incarnation)> },
        Assign { row: RowKeyV1, to: (NodeId, Incarnation) },
        Retake { row: RowKeyV1 },
        Raise { layout: u16, members: Vec<(NodeId, u16)> },
        Mark { agent: AgentId, mark: u32 },

    }
    struct ShardImageV2 = ShardImage {
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
        agents: Vec<AgentV2>,
        campaigns: Vec<LedgerV1>,
        leads: Vec<LeadV1>,
        bars: Vec<(BarListV1, ScopeV1, E164)>,
        outbox: Vec<(u64, RecordV1)>,
        sessions: SessionsImageV1,
        fenced: Vec<(NodeId, Incarnation)>,
        withdrawn: Vec<(AdmitKeyV1, LogTime)>,
    }
}
