//! One tenant: what its numbers, queue, agents and campaigns are, and under which names scenarios speak of them.

use std::net::SocketAddr;

use strowger_model::config::{
    Agent, Campaign, DialMode, Flow, LeadColumns, Number, Phone, Queue, Step, Strategy, Tenant,
};
use strowger_model::{
    AgentId, CampaignId, Digest, E164, Far, FlowId, Incarnation, NodeId, QueueId, ShardId, TenantId, TrunkId,
};
use strowger_table::Proposer;

pub const SHARD: ShardId = ShardId(0);
pub const ACME: TenantId = TenantId(1);
pub const TRUNK: TrunkId = TrunkId(1);
pub const SALES: QueueId = QueueId(1);
const SUPPORT: QueueId = QueueId(2);
pub const SPRING: CampaignId = CampaignId(1);
pub const BY_HAND: CampaignId = CampaignId(2);
/// Where no relay sends anything.
pub const REFUSED: &str = "203.0.113.66";
/// Where they must not send anything.
pub const FORBIDDEN: &str = "203.0.113.67";
/// Nora's phone is behind a NAT.
pub const AGENTS: [(&str, AgentId); 3] = [("anna", AgentId(1)), ("bert", AgentId(2)), ("nora", AgentId(3))];
pub const CONTENT: [(&str, Digest); 6] = [
    ("greeting", Digest([1; 32])),
    ("menu", Digest([2; 32])),
    ("sorry", Digest([3; 32])),
    ("news", Digest([4; 32])),
    ("music", Digest([7; 32])),
    ("jazz", Digest([8; 32])),
];
/// Flows by the last digits of their number: a greeting and the queue, a menu, the queue at once without a way out of
/// it, a menu that is asked again for ever, the queue twice, the queue and then another one.
const MAIN: FlowId = FlowId(100);
const MENU: FlowId = FlowId(200);
const DIRECT: FlowId = FlowId(300);
const AGAIN: FlowId = FlowId(400);
const TWICE: FlowId = FlowId(500);
const ANOTHER: FlowId = FlowId(600);

pub fn proposer(node: u16) -> Proposer {
    Proposer { node: NodeId(node), incarnation: Incarnation(10) }
}

pub fn content(name: &str) -> Digest {
    CONTENT.iter().find(|(known, _)| *known == name).map(|(_, digest)| *digest).expect("a content of the sample")
}

pub fn agent(name: &str) -> AgentId {
    AGENTS.iter().find(|(known, _)| *known == name).map(|(_, id)| *id).expect("an agent of the sample")
}

pub fn agent_name(id: AgentId) -> &'static str {
    AGENTS.iter().find(|(_, known)| *known == id).map_or("nobody", |(name, _)| name)
}

/// Where a far end is.
pub fn addr(name: &str) -> SocketAddr {
    let text = match name {
        "caller" => "198.51.100.7:5070",
        "party" => "203.0.113.10:5060",
        "anna" => "192.0.2.1:5060",
        "bert" => "192.0.2.2:5060",
        "nora" => "203.0.113.40:40404",
        _ => panic!("no far end is called {name}"),
    };
    text.parse().expect("an address")
}

/// Where it says that it is.
pub fn contact(name: &str) -> String {
    if name == "nora" { "10.9.8.7:5062".into() } else { addr(name).to_string() }
}

pub fn number(at: u64) -> E164 {
    format!("+44207183{at:04}").parse().expect("a number")
}

pub fn flow(number: &str) -> Option<FlowId> {
    tenant().numbers.iter().find(|known| known.number == number).map(|known| known.flow)
}

pub fn tenant() -> Tenant {
    tenant_of("sorry")
}

/// What who has waited in vain is told in the main flow.
pub fn tenant_of(apology: &str) -> Tenant {
    let published = |flow: FlowId| Number { number: format!("+49800{}", flow.0), flow };
    let named = |id: FlowId, name: &str, steps| Flow { id, name: name.into(), steps };
    Tenant {
        id: ACME,
        name: "acme".into(),
        realm: "acme.example".into(),
        shard: SHARD,
        numbers: [MAIN, MENU, DIRECT, AGAIN, TWICE, ANOTHER].map(published).into(),
        flows: vec![
            named(
                MAIN,
                "main",
                vec![
                    Step::Play { prompt: content("greeting"), next: 1 },
                    Step::Enqueue { queue: SALES, overflow: Some(2) },
                    Step::Play { prompt: content(apology), next: 3 },
                    Step::HangUp,
                ],
            ),
            named(
                MENU,
                "menu",
                vec![
                    Step::Menu {
                        prompt: content("menu"),
                        choices: vec![('1', 1), ('2', 2)],
                        timeout_ms: 4000,
                        tries: 2,
                        otherwise: 3,
                    },
                    Step::Enqueue { queue: SALES, overflow: Some(3) },
                    Step::Play { prompt: content("news"), next: 0 },
                    Step::HangUp,
                ],
            ),
            named(
                AGAIN,
                "again",
                vec![
                    Step::Menu {
                        prompt: content("menu"),
                        choices: vec![('1', 1)],
                        timeout_ms: 4000,
                        tries: 1,
                        otherwise: 0,
                    },
                    Step::HangUp,
                ],
            ),
            named(
                TWICE,
                "twice",
                vec![Step::Enqueue { queue: SALES, overflow: Some(1) }, Step::Enqueue { queue: SALES, overflow: None }],
            ),
            named(
                ANOTHER,
                "another",
                vec![
                    Step::Enqueue { queue: SALES, overflow: Some(1) },
                    Step::Enqueue { queue: SUPPORT, overflow: None },
                ],
            ),
            named(DIRECT, "direct", vec![Step::Enqueue { queue: SALES, overflow: None }]),
        ],
        queues: vec![queue(SALES, "sales", "music"), queue(SUPPORT, "support", "jazz")],
        agents: AGENTS.map(|(name, id)| phone(name, id)).into(),
        campaigns: vec![campaign(SPRING, DialMode::Progressive), campaign(BY_HAND, DialMode::Manual)],
        takes_anonymous: true,
        offers_sha256: false,
    }
}

fn queue(id: QueueId, name: &str, music: &str) -> Queue {
    Queue {
        id,
        name: name.into(),
        strategy: Strategy::LongestIdle,
        music: content(music),
        ring_timeout_ms: 15_000,
        wrap_up_ms: 10_000,
        max_misses: 3,
        miss_pause_ms: 0,
        max_waiting: 2,
        max_wait_ms: 60_000,
        service_level_ms: 20_000,
    }
}

fn phone(name: &str, id: AgentId) -> Agent {
    let phone = Phone::Static { uri: format!("sip:{name}@{}", contact(name)), far: Far::udp(addr(name)) };
    Agent { id, name: name.into(), queues: vec![SALES], phone, ready_at_login: true, site: String::new() }
}

fn campaign(id: CampaignId, mode: DialMode) -> Campaign {
    Campaign {
        id,
        name: format!("{id}"),
        mode,
        queue: SALES,
        trunk: TRUNK,
        caller_id: number(0),
        ring_timeout_ms: 20_000,
        keep_idle: 0,
        start: true,
        max_attempts: 3,
        retries: Vec::new(),
        zone: Some("Europe/London".into()),
        hours: Vec::new(),
        columns: LeadColumns { number: "number".into(), zone: None },
    }
}
