//! A call's row, its legs, its story, its record.

use super::command::DialFailureV1;
use super::sip::*;
use crate::*;
use strowger_model::*;

use crate::layout::frozen::frozen;

frozen! {
    struct AdmitKeyV1 = AdmitKey {
        call_id: String,
        from_tag: String,
        cseq: u32,
    }
    struct OriginV1 = Origin {
        from: String,
        to: String,
        began: BeganV1,
    }
    enum BeganV1 = Began {
        Inbound { key: AdmitKeyV1, source: SourceV1, target: TargetV1 },
        Outbound(outbound: OutboundV1),
        Split { from: CallId, trunk: TrunkId },
    }
    enum SourceV1 = Source {
        Trunk(trunk: TrunkId),
        Agent(agent: AgentId),
        Internal { trunk: TrunkId, call: CallId, hops: u8 },
    }
    enum TargetV1 = Target {
        Flow(flow: FlowId),
        Queue(queue: QueueId),
        Agent(agent: AgentId),
        Number(number: E164),
    }
    struct OutboundV1 = Outbound {
        campaign: CampaignId,
        queue: QueueId,
        lead: Option<LeadId>,
        number: E164,
        caller_id: E164,
        trunk: TrunkId,
        destination: FarV1,
        ring_timeout_ms: u32,
        relay: RelayId,
        agent: AgentId,
        agent_relay: RelayId,
    }
    struct LegV1 = Leg {
        key: LegKeyV1,
        role: LegRoleV1,
        reach: ReachV1,
        relay: Option<RelayId>,
        next_relay: Option<RelayId>,
        state: LegStateV1,
        unreachable: Option<LogTime>,
        room: Option<u8>,
        holds: bool,
        muted: bool,
        queue: Option<QueueId>,
        asked: Option<AskedV1>,
        takeovers: u16,
    }
    enum LegRoleV1 = LegRole {
        Customer,
        Agent(agent: AgentId, slot: u8),
        Party,
        Supervisor { by: AgentId, on: WatchedV1, mode: WatchV1 },
        Step,
    }
    enum WatchedV1 = Watched {
        Leg(leg: LegKeyV1),
        Call,
    }
    enum WatchV1 = Watch {
        Listen,
        Whisper,
        Barge,
    }
    enum ReachV1 = Reach {
        Inbound,
        Binding { agent: AgentId, instance: Instance, uri: String, far: FarV1 },
        Trunk { trunk: TrunkId, number: E164, caller_id: E164, destination: FarV1 },
        Socket { endpoint: EndpointId },
    }
    enum LegStateV1 = LegState {
        Ringing { until: LogTime },
        Screening { screen: ScreenV1, until: LogTime },
        Up,
        Releasing { until: LogTime, why: ReleasedV1 },
    }
    enum ScreenV1 = Screen {
        Key,
        Detect,
        Briefing,
    }
    enum ReleasedV1 = Released {
        ByFarEnd,
        Over(cause: Cause),
        Unanswered,
        Elsewhere,
    }
    struct AskedV1 = Asked {
        cseq: u32,
        until: LogTime,
    }
    struct CallV1 = Call {
        id: CallId,
        tenant: TenantId,
        origin: OriginV1,
        owner: OwnerV1,
        next: NextV1,
        stage: StageV1,
        until: LogTime,
        legs: Vec<LegV1>,
        place: Option<PlaceId>,
        aside: Option<PlaceId>,
        serving: Option<LegKeyV1>,
        flow: Option<FlowPositionV1>,
        private: Option<LogTime>,
        taps: Vec<TapV1>,
        segments: Vec<SegmentV1>,
        duties: Vec<DutyV1>,
        times: CallTimesV1,
        failure: Option<DialFailureV1>,
        result: Option<DialResultV1>,
    }
    struct NextV1 = Next {
        leg: LegNo,
        tap: u8,
        segment: u16,
        duty: u32,
    }
    enum StageV1 = Stage {
        Admitted,
        Reaching,
        Flow,
        Waiting,
        Talking,
        Ended { outcome: CallOutcomeV1, ended: EndedV1, into: Option<CallId> },
    }
    struct FlowPositionV1 = FlowPosition {
        flow: FlowId,
        version: u64,
        step: u16,
        attempt: u8,
        entered: u64,
    }
    struct CallTimesV1 = CallTimes {
        admitted: LogTime,
        admitted_wall: Wall,
        ended: Option<LogTime>,
    }
    struct DutyV1 = Duty {
        id: u32,
        kind: DutyKindV1,
        until: LogTime,
    }
    enum DutyKindV1 = DutyKind {
        Answer { leg: LegKeyV1 },
        Ring { leg: LegKeyV1 },
        Originate { leg: LegKeyV1 },
        HangUp { leg: LegKeyV1 },
        Close { relay: RelayId, leg: LegKeyV1 },
        Notify { leg: LegKeyV1 },
        Seal { tap: u8 },
    }
    struct TapV1 = Tap {
        no: u8,
        leg: LegKeyV1,
        kind: TapKindV1,
        state: TapStateV1,
        since: LogTime,
        part: u16,
    }
    enum TapKindV1 = TapKind {
        Record,
        Fork { endpoint: EndpointId },
        Detect,
    }
    enum TapStateV1 = TapState {
        Running,
        Paused,
        Sealing,
    }
    struct SegmentV1 = Segment {
        no: u16,
        kind: SegmentKindV1,
        leg: Option<LegKeyV1>,
        queue: Option<QueueId>,
        agent: Option<AgentId>,
        party: Option<String>,
        from: LogTime,
        to: Option<LogTime>,
        how: HowV1,
        by: Option<AgentId>,
        code: Option<String>,
        n: u16,
        spent: u64,
    }
    enum SegmentKindV1 = SegmentKind {
        Flow,
        Wait,
        Virtual,
        Ring,
        Talk,
        Hold,
        Aside,
        Wrap,
    }
    enum HowV1 = How {
        Open,
        WentOn,
        Served,
        Abandoned,
        Timeout,
        Full,
        Closed,
        Missed { status: u16, cause: Cause },
        Withdrawn,
        Transferred,
        Merged,
        Over,
        Failed,
    }
    struct RecordV1 = Record {
        call: CallId,
        tenant: TenantId,
        trunk: Option<TrunkId>,
        from: String,
        to: String,
        sip_call_id: String,
        agent_sip_call_id: Option<String>,
        outcome: CallOutcomeV1,
        ended: EndedV1,
        queue: Option<QueueId>,
        agent: Option<AgentId>,
        offers: u16,
        admitted: Wall,
        wait_ms: Option<u64>,
        ring_ms: Option<u64>,
        talk_ms: Option<u64>,
        total_ms: u64,
        wrap_ms: Option<u64>,
        disposition: Option<String>,
        dial: Option<DialRecordV1>,
        began: LogTime,
        segments: Vec<SegmentV1>,
        into: Option<CallId>,
    }
    struct DialRecordV1 = DialRecord {
        campaign: CampaignId,
        lead: Option<LeadId>,
        result: DialResultV1,
        status: u16,
    }
}
