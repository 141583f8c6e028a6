//! One tenant, its queues and agents, and the parts commands are made of.

use std::net::SocketAddr;

use strowger_model::config::{
    Agent, Campaign, DialMode, Flow, Hours, LeadColumns, Number, Phone, Queue, Retry, Step, Strategy, Tenant, Trunk,
};
use strowger_model::{
    AgentId, CampaignId, Cause, DialResult, Dialog, DialogState, Digest, E164, Ended, Far, FlowId, HangupBy,
    Incarnation, Instance, KeyId, LogTime, NodeId, QueueId, RelayId, Role, Sealed, ShardId, TenantId, TrunkId,
};
use strowger_table::{AdmitKey, Binding, BindingKind, Grant, Intent, Proposer};

pub const SHARD: ShardId = ShardId(3);
pub const ACME: TenantId = TenantId(1);
pub const FLOW: FlowId = FlowId(1);
pub const TRUNK: TrunkId = TrunkId(1);
pub const SALES: QueueId = QueueId(1);
pub const SUPPORT: QueueId = QueueId(2);
pub const RELAY: RelayId = RelayId(1);
/// Of agents' legs of outbound calls.
pub const AGENT_RELAY: RelayId = RelayId(2);

/// Progressive campaigns with the agents of sales; the first runs from the start.
pub const SPRING: CampaignId = CampaignId(1);
pub const SUMMER: CampaignId = CampaignId(2);
/// Agents ask for each call.
pub const BY_HAND: CampaignId = CampaignId(3);
pub const DIAL_RING_MS: u64 = 20_000;
pub const BUSY_RETRY_S: u64 = 900;
pub const LONDON: &str = "Europe/London";
pub const MAX_ATTEMPTS: u8 = 3;

/// Static phones, in sales.
pub const ANNA: AgentId = AgentId(1);
pub const BERT: AgentId = AgentId(2);
/// A phone that registers, in sales.
pub const CARL: AgentId = AgentId(3);
/// A static phone, in support only.
pub const DORA: AgentId = AgentId(4);
/// A phone that registers, in sales, not ready at log-in.
pub const EMIL: AgentId = AgentId(5);

pub const RING_MS: u64 = 15_000;
pub const WRAP_UP_MS: u64 = 30_000;
pub const MISS_PAUSE_MS: u64 = 5_000;
pub const MAX_MISSES: u16 = 2;
pub const MAX_WAITING: u32 = 3;
pub const MAX_WAIT_MS: u64 = 60_000;

pub const fn proposer(node: u16, incarnation: u64) -> Proposer {
    Proposer { node: NodeId(node), incarnation: Incarnation(incarnation) }
}

/// The node that admits, unless a test says otherwise.
pub const ONE: Proposer = proposer(1, 10);
pub const TWO: Proposer = proposer(2, 10);
pub const THREE: Proposer = proposer(3, 10);

pub const CALLER_LEFT: Ended = Ended { by: HangupBy::Caller, cause: Cause::NORMAL };
pub const AGENT_LEFT: Ended = Ended { by: HangupBy::Agent, cause: Cause::NORMAL };

fn queue(id: QueueId, name: &str) -> Queue {
    Queue {
        id,
        name: name.into(),
        strategy: Strategy::LongestIdle,
        music: Digest([7; 32]),
        ring_timeout_ms: RING_MS as u32,
        wrap_up_ms: WRAP_UP_MS as u32,
        max_misses: MAX_MISSES,
        miss_pause_ms: MISS_PAUSE_MS as u32,
        max_waiting: MAX_WAITING,
        max_wait_ms: MAX_WAIT_MS as u32,
        service_level_ms: 20_000,
    }
}

pub fn addr(host: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, host], 5060))
}

fn agent(id: AgentId, name: &str, queue: QueueId, phone: Phone) -> Agent {
    Agent { id, name: name.into(), queues: vec![queue], phone, ready_at_login: true, site: String::new() }
}

fn campaign(id: CampaignId, name: &str, mode: DialMode) -> Campaign {
    Campaign {
        id,
        name: name.into(),
        mode,
        queue: SALES,
        trunk: TRUNK,
        caller_id: number(0),
        ring_timeout_ms: DIAL_RING_MS as u32,
        keep_idle: 0,
        start: id == SPRING,
        max_attempts: MAX_ATTEMPTS,
        retries: vec![Retry { result: DialResult::Busy, after_s: BUSY_RETRY_S as u32 }],
        zone: Some(LONDON.into()),
        hours: vec![Hours { days: 0b111_1111, from_min: 8 * 60, to_min: 21 * 60 }],
        columns: LeadColumns { number: "number".into(), zone: None },
    }
}

pub fn number(at: u64) -> E164 {
    format!("+44207183{at:04}").parse().unwrap()
}

fn fixed(id: AgentId) -> Phone {
    Phone::Static { uri: format!("sip:phone{}@192.0.2.{}", id.0, id.0), far: Far::udp(addr(id.0 as u8)) }
}

fn registers() -> Phone {
    Phone::Registers { ha1: Sealed { key: KeyId(1), bytes: vec![0xab; 76] } }
}

/// A token for a tenant's desk, good for a day.
pub fn grant() -> Grant {
    Grant {
        token_sha256: [9; 32],
        name: "desk".into(),
        role: "operator".into(),
        tenant: Some(ACME),
        lasts_ms: Some(24 * 60 * 60 * 1000),
    }
}

/// That an agent be sent for a break.
pub fn intent() -> Intent {
    Intent {
        who: "desk".into(),
        tenant: Some(ACME),
        what: "POST /api/v1/agents/acme/anna/not-ready".into(),
        asked: "{\"reason\":\"lunch\"}".into(),
        from: "192.0.2.7".into(),
        node: NodeId(1),
    }
}

pub fn tenant() -> Tenant {
    Tenant {
        id: ACME,
        name: "acme".into(),
        realm: "acme.example".into(),
        shard: SHARD,
        numbers: vec![Number { number: "+49800100".into(), flow: FLOW }],
        flows: vec![Flow {
            id: FLOW,
            name: "main".into(),
            steps: vec![
                Step::Play { prompt: Digest([1; 32]), next: 1 },
                Step::Enqueue { queue: SALES, overflow: Some(2) },
                Step::HangUp,
            ],
        }],
        queues: vec![queue(SALES, "sales"), queue(SUPPORT, "support")],
        agents: vec![
            agent(ANNA, "anna", SALES, fixed(ANNA)),
            agent(BERT, "bert", SALES, fixed(BERT)),
            agent(CARL, "carl", SALES, registers()),
            agent(DORA, "dora", SUPPORT, fixed(DORA)),
            Agent { ready_at_login: false, ..agent(EMIL, "emil", SALES, registers()) },
        ],
        campaigns: vec![
            campaign(SPRING, "spring", DialMode::Progressive),
            campaign(SUMMER, "summer", DialMode::Progressive),
            campaign(BY_HAND, "by-hand", DialMode::Manual),
        ],
        takes_anonymous: true,
        offers_sha256: false,
    }
}

pub fn trunk() -> Trunk {
    Trunk {
        id: TRUNK,
        name: "carrier".into(),
        sources: Vec::new(),
        max_calls_per_second: 50,
        max_calls: 1000,
        destination: Some(Far::udp(addr(10))),
        max_dials_per_second: 10,
        site: String::new(),
    }
}

pub fn key(number: u64) -> AdmitKey {
    AdmitKey { call_id: format!("caller-{number}@carrier"), from_tag: format!("tag-{number}"), cseq: 1 }
}

pub fn dialog(role: Role, call_id: &str) -> Box<Dialog> {
    Box::new(Dialog {
        role,
        state: DialogState::Early,
        call_id: call_id.into(),
        local_uri: "sip:+49800100@acme.example".into(),
        local_tag: "ours".into(),
        remote_uri: "sip:+49301@carrier.example".into(),
        remote_tag: "theirs".into(),
        local_contact: "sip:1@192.0.2.100".into(),
        remote_target: "sip:2@192.0.2.200".into(),
        route_set: vec!["<sip:edge.example;lr>".into()],
        local_cseq: 1,
        remote_cseq: 1,
        far: Far::udp(addr(200)),
        local_sdp: "v=0".into(),
        remote_sdp: "v=0".into(),
        sdp_version: 1,
        pending: None,
    })
}

/// A phone that registers.
pub fn phone(host: u8, expires: LogTime) -> Box<Binding> {
    Box::new(Binding {
        instance: Instance(host.into()),
        kind: BindingKind::Sip,
        uri: format!("sip:mobile@192.0.2.{host}"),
        flow: Far::udp(addr(host)),
        q: 1000,
        expires,
        lost: None,
    })
}
