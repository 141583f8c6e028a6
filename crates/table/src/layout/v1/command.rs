//! What stands in the log, and what it came to.

use super::call::*;
use super::config::*;
use super::row::*;
use super::sip::*;
use crate::*;
use strowger_model::*;

use crate::layout::frozen::frozen;

frozen! {
    struct ProposerV1 = Proposer {
        node: NodeId,
        incarnation: Incarnation,
    }
    struct ProposalV1 = Proposal {
        from: ProposerV1,
        seq: u64,
        body: BodyV1,
    }
    enum BodyV1 = Body {
        Control(command: ControlCommandV1),
        Shard(command: CommandV1),
    }
    enum CommandV1 = Command {
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
        ; later
        #[cfg(feature = "next-layout")]
        Mark,
    }
    struct AdmitV1 = Admit {
        key: AdmitKeyV1,
        tenant: TenantId,
        source: SourceV1,
        target: TargetV1,
        from: String,
        to: String,
        dialog: DialogV1,
        observed: LogTime,
    }
    enum ToldByV1 = ToldBy {
        FarEnd,
        Silence,
        DeadMedia,
    }
    struct MissV1 = Miss {
        status: u16,
        cause: Cause,
        hang_up: bool,
    }
    struct PlanV1 = Plan {
        basis: u64,
        offers: Vec<OfferV1>,
    }
    struct OfferV1 = Offer {
        place: PlaceId,
        agent: AgentId,
        slot: u8,
        queue: QueueId,
        relay: RelayId,
        score: u64,
        ring_all: bool,
    }
    struct DialV1 = Dial {
        campaign: CampaignId,
        to: DialToV1,
        agent: AgentId,
        owner: (NodeId, Incarnation),
        destination: FarV1,
        relay: RelayId,
        agent_relay: RelayId,
        epoch: u64,
        not_after: Wall,
    }
    enum DialToV1 = DialTo {
        Lead(lead: LeadId),
        Number { number: E164 },
    }
    struct DialFailureV1 = DialFailure {
        result: DialResultV1,
        status: u16,
        cause: Cause,
        sip_call_id: String,
        hang_up: bool,
    }
    struct NewLeadV1 = NewLead {
        number: E164,
        zone: String,
        line: u16,
    }
    enum BarListV1 = BarList {
        DoNotCall,
        Callers,
    }
    enum ScopeV1 = Scope {
        Everyone,
        Tenant(tenant: TenantId),
    }
    struct PartV1 = Part {
        tenant: TenantId,
        digest: Digest,
        no: u16,
        of: u16,
        bytes: Vec<u8>,
    }
    struct TenantRefV1 = TenantRef {
        tenant: TenantId,
        shard: ShardId,
        digest: Digest,
    }
    enum ControlCommandV1 = ControlCommand {
        Tick,
        Found { voters: Vec<NodeId>, shards: u16 },
        Hello { node: NodeId, incarnation: Incarnation },
        Silent { voter: NodeId, node: NodeId, incarnation: Incarnation },
        Heard { voter: NodeId, node: NodeId, incarnation: Incarnation },
        Configure { version: u64, tenants: Vec<TenantRefV1>, trunks: Vec<TrunkV1>, next_ids: NextIdsV1 },
        Grant(grant: Box<GrantV1>),
        Raise { layout: u16, members: Vec<(NodeId, u16)> },
        Revoke { tenant: Option<TenantId>, name: String },
        Used { token_sha256: [u8; 32] },
        Begin(intent: Box<IntentV1>),
        End { act: u64, result: Box<ActResultV1> },
    }
    struct GrantV1 = Grant {
        token_sha256: [u8; 32],
        name: String,
        role: String,
        tenant: Option<TenantId>,
        lasts_ms: Option<u64>,
    }
    struct IntentV1 = Intent {
        who: String,
        tenant: Option<TenantId>,
        what: String,
        asked: String,
        from: String,
        node: NodeId,
    }
    struct ActResultV1 = ActResult {
        status: u16,
        told: String,
    }
    enum OutcomeV1 = crate::Outcome {
        Done,
        Admitted { call: CallId, owner: OwnerV1 },
        Already { call: CallId, owner: OwnerV1 },
        Dialled { call: CallId },
        Split { call: CallId },
        Imported { added: u32, duplicates: u32 },
        Planned { granted: u64 },
        Refused(refusal: RefusalV1),
        Begun { act: u64 },
    }
    enum RefusalV1 = Refusal {
        NoSuchCall,
        NoSuchLeg,
        NoSuchPlace,
        NoSuchAgent,
        NoSuchTenant,
        NoSuchQueue,
        WrongStage,
        NotOwner,
        Fenced,
        AgentBusy,
        QueueFull,
        Full,
        NotServed,
        OldVersion,
        NotWhole,
        BadParts,
        WrongGroup,
        TooLong,
        NoSuchCampaign,
        NoSuchLead,
        Stopped,
        Barred,
        NotNow,
        LeadBusy,
        TooEarly,
        NoSuchToken,
        NameTaken,
        LastAdmin,
    }
}
