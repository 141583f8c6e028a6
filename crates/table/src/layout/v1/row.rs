//! The other rows.

use super::sip::*;
use crate::*;
use strowger_model::*;

use crate::layout::frozen::frozen;

frozen! {
    struct PlaceV1 = Place {
        id: PlaceId,
        tenant: TenantId,
        queue: QueueId,
        from: CallId,
        of: PlaceOfV1,
        state: PlaceStateV1,
        rank: RankV1,
        since: LogTime,
        until: LogTime,
        then: ThenV1,
        priority: u8,
        wants: Option<AgentId>,
        relax: Option<RelaxV1>,
        tries: u8,
        number: Option<E164>,
        call: Option<CallId>,
        data: Option<DataV1>,
    }
    enum PlaceOfV1 = PlaceOf {
        Call,
        Callback,
        Message,
        Item,
        Aside { leg: LegKeyV1 },
    }
    enum PlaceStateV1 = PlaceState {
        Waiting,
        Offered,
        Dialling { call: CallId },
        Resting { until: LogTime },
        Served,
        Taken { agent: AgentId, slot: u8, until: LogTime },
    }
    struct RankV1 = Rank {
        at: i64,
        id: PlaceId,
    }
    enum ThenV1 = Then {
        Step(step: u16),
        End,
    }
    struct RelaxV1 = Relax {
        no: u8,
        at: LogTime,
    }
    struct DataV1 = Data {
        fields: Vec<(String, ValueV1)>,
    }
    enum ValueV1 = Value {
        Text(text: String),
        Number(number: i64),
        Truth(truth: bool),
        Sealed(bytes: Vec<u8>),
    }
    struct ChangeV1 = Change {
        name: String,
        value: Option<ValueV1>,
    }
    struct AgentV1 = Agent {
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
        ; later
        #[cfg(feature = "next-layout")]
        mark,
    }
    enum PresenceV1 = Presence {
        Out,
        NotReady { reason: String },
        Ready,
    }
    struct BindingV1 = Binding {
        instance: Instance,
        kind: BindingKindV1,
        uri: String,
        flow: FarV1,
        q: u16,
        expires: LogTime,
        lost: Option<LogTime>,
    }
    enum BindingKindV1 = BindingKind {
        Sip,
        Browser,
        Outside,
        Socket,
    }
    struct SlotV1 = Slot {
        no: u8,
        medium: MediumV1,
        state: SlotStateV1,
        since: LogTime,
        idle_since: LogTime,
        last_offer: LogTime,
    }
    enum MediumV1 = Medium {
        Voice,
        Chat,
        Item,
    }
    enum SlotStateV1 = SlotState {
        Free,
        Reserved { by: ReserverV1, until: LogTime },
        Offered(offered: OfferedV1),
        Busy { call: CallId, aside: Option<CallId> },
        Wrap { call: CallId, segment: u16, until: LogTime },
        Paused { until: LogTime },
        Releasing,
    }
    enum ReserverV1 = Reserver {
        Call(call: CallId),
        Campaign(campaign: CampaignId),
    }
    enum OfferedV1 = Offered {
        Leg { call: CallId, leg: LegKeyV1 },
        Item { place: PlaceId, until: LogTime },
    }
    struct LedgerV1 = Ledger {
        campaign: CampaignId,
        tenant: TenantId,
        queue: QueueId,
        owner: Option<OwnerV1>,
        running: bool,
        window: WindowV1,
        steps: u32,
        leads: u32,
        zones: Vec<String>,
        batches: Vec<Digest>,
        dialled: u64,
        results: Vec<(DialResultV1, u64)>,
        carrier: CarrierV1,
    }
    struct CarrierV1 = Carrier {
        failed: u16,
        pause: Option<CarrierPauseV1>,
    }
    struct CarrierPauseV1 = CarrierPause {
        since: Wall,
        until: Wall,
        no: u8,
        probe: Option<CallId>,
    }
    struct WindowV1 = Window {
        live: u32,
        abandoned: u32,
        waiting: u32,
    }
    struct LeadV1 = Lead {
        id: LeadId,
        number: E164,
        zone: u16,
        source: LeadSourceV1,
        state: LeadStateV1,
        attempts: u8,
        turned_away: u8,
        last: Option<AttemptV1>,
    }
    struct LeadSourceV1 = LeadSource {
        batch: u32,
        line: u16,
    }
    enum LeadStateV1 = LeadState {
        Waiting { since: Wall },
        Dialling { call: CallId },
    }
    struct AttemptV1 = Attempt {
        call: CallId,
        at: Wall,
        result: DialResultV1,
        status: u16,
        cause: Cause,
    }
    enum RowKeyV1 = RowKey {
        Call(call: CallId),
        Agent(agent: AgentId),
        Place(place: PlaceId),
        Campaign(campaign: CampaignId),
        Parts(tenant: TenantId),
        Queue(queue: QueueId),
    }
}
