//! A tenant's configuration.

use std::net::IpAddr;

use super::sip::*;
use strowger_model::*;

use crate::layout::frozen::frozen;

frozen! {
    struct TenantV1 = config::Tenant {
        id: TenantId,
        name: String,
        realm: String,
        shard: ShardId,
        numbers: Vec<NumberV1>,
        flows: Vec<FlowV1>,
        queues: Vec<QueueV1>,
        agents: Vec<ConfiguredAgentV1>,
        campaigns: Vec<CampaignV1>,
        takes_anonymous: bool,
        offers_sha256: bool,
    }
    struct NumberV1 = config::Number {
        number: String,
        flow: FlowId,
    }
    struct FlowV1 = config::Flow {
        id: FlowId,
        name: String,
        steps: Vec<StepV1>,
    }
    enum StepV1 = config::Step {
        Play { prompt: Digest, next: u16 },
        Menu { prompt: Digest, choices: Vec<(char, u16)>, timeout_ms: u32, tries: u8, otherwise: u16 },
        Enqueue { queue: QueueId, overflow: Option<u16> },
        HangUp,
    }
    enum StrategyV1 = config::Strategy {
        LongestIdle,
    }
    struct QueueV1 = config::Queue {
        id: QueueId,
        name: String,
        strategy: StrategyV1,
        music: Digest,
        ring_timeout_ms: u32,
        wrap_up_ms: u32,
        max_misses: u16,
        miss_pause_ms: u32,
        max_waiting: u32,
        max_wait_ms: u32,
        service_level_ms: u32,
    }
    struct ConfiguredAgentV1 = config::Agent {
        id: AgentId,
        name: String,
        queues: Vec<QueueId>,
        phone: PhoneV1,
        ready_at_login: bool,
        site: String,
    }
    struct CampaignV1 = config::Campaign {
        id: CampaignId,
        name: String,
        mode: DialModeV1,
        queue: QueueId,
        trunk: TrunkId,
        caller_id: E164,
        ring_timeout_ms: u32,
        keep_idle: u32,
        start: bool,
        max_attempts: u8,
        retries: Vec<RetryV1>,
        zone: Option<String>,
        hours: Vec<HoursV1>,
        columns: LeadColumnsV1,
    }
    enum DialModeV1 = config::DialMode {
        Manual,
        Progressive,
    }
    struct RetryV1 = config::Retry {
        result: DialResultV1,
        after_s: u32,
    }
    struct HoursV1 = config::Hours {
        days: u8,
        from_min: u16,
        to_min: u16,
    }
    struct LeadColumnsV1 = config::LeadColumns {
        number: String,
        zone: Option<String>,
    }
    enum PhoneV1 = config::Phone {
        Registers { ha1: SealedV1 },
        Static { uri: String, far: FarV1 },
    }
    struct SealedV1 = Sealed {
        key: KeyId,
        bytes: Vec<u8>,
    }
    struct NextIdsV1 = config::NextIds {
        tenant: u32,
        flow: u32,
        queue: u32,
        agent: u32,
        trunk: u32,
        campaign: u32,
    }
    struct TrunkV1 = config::Trunk {
        id: TrunkId,
        name: String,
        sources: Vec<TrunkSourceV1>,
        max_calls_per_second: u32,
        max_calls: u32,
        destination: Option<FarV1>,
        max_dials_per_second: u32,
        site: String,
    }
    struct TrunkSourceV1 = config::Source {
        ip: IpAddr,
        port: Option<u16>,
    }
}
