//! The one tenant of a world: flows with prompts and menus, queues that overflow, agents with phones that are
//! always there.

use std::net::SocketAddr;

use strowger_model::config::{Agent, Flow, Number, Phone, Queue, Step, Strategy, Tenant};
use strowger_model::{AgentId, Digest, Far, FlowId, QueueId, ShardId, TenantId, TrunkId};

use crate::dialling::Dialling;
use crate::rng::Rng;
use crate::scenario::Scenario;

pub(crate) const SHARD: ShardId = ShardId(0);
pub(crate) const TRUNK: TrunkId = TrunkId(1);
const TENANT: TenantId = TenantId(1);
/// Where relays and phones stand.
pub(crate) const SITES: [&str; 2] = ["east", "west"];
const MUSIC: Digest = Digest([255; 32]);
/// Numbers that can be dialled; the flow of each has its place's number.
pub(crate) const NUMBERS: [&str; 4] = ["100", "200", "300", "400"];

/// Where a relay stands: at the same few sites in turn.
pub(crate) fn site_of(relay: usize) -> &'static str {
    SITES[relay % SITES.len()]
}

pub(crate) fn tenant(rng: &mut Rng, scenario: &Scenario, dialling: &Dialling) -> Tenant {
    let queue_of = |rng: &mut Rng| QueueId(rng.between(1, scenario.queues.into()) as u32);
    let numbers = NUMBERS.iter().enumerate();
    Tenant {
        id: TENANT,
        name: "sim".to_owned(),
        realm: "sim.example".to_owned(),
        shard: SHARD,
        numbers: numbers.map(|(at, number)| Number { number: (*number).to_owned(), flow: FlowId(at as u32) }).collect(),
        flows: vec![
            flow(0, vec![Step::Enqueue { queue: queue_of(rng), overflow: None }]),
            flow(
                1,
                vec![play(1, 1), Step::Enqueue { queue: queue_of(rng), overflow: Some(2) }, play(2, 3), Step::HangUp],
            ),
            menu(queue_of(rng), queue_of(rng)),
            // Served without an agent.
            flow(3, vec![play(3, 1), play(4, 2), Step::HangUp]),
        ],
        queues: (1..=scenario.queues).map(|id| queue(rng, QueueId(id))).collect(),
        campaigns: dialling.campaigns.clone(),
        takes_anonymous: true,
        offers_sha256: false,
        agents: (0..scenario.agents).map(|at| agent(rng, at, scenario.queues)).collect(),
    }
}

/// Where an agent's phone is.
pub(crate) fn phone_addr(agent: usize) -> SocketAddr {
    SocketAddr::from(([10, 2, 0, agent as u8 + 1], 5060))
}

pub(crate) fn caller_addr(caller: usize) -> SocketAddr {
    SocketAddr::from(([10, 1, (caller / 250) as u8, (caller % 250) as u8 + 1], 5060))
}

/// Where the far end of a number is that a campaign calls.
pub(crate) fn called_addr(at: usize) -> SocketAddr {
    SocketAddr::from(([10, 3, 0, at as u8 + 1], 5060))
}

/// How long a prompt is, in milliseconds: a property of its content.
pub(crate) fn prompt_ms(content: Digest) -> u64 {
    300 + u64::from(content.0[0]) * 350
}

fn flow(id: u32, steps: Vec<Step>) -> Flow {
    Flow { id: FlowId(id), name: format!("flow {id}"), steps }
}

fn play(prompt: u8, next: u16) -> Step {
    Step::Play { prompt: Digest([prompt; 32]), next }
}

fn menu(first: QueueId, second: QueueId) -> Flow {
    let choices = vec![('1', 1), ('2', 2)];
    flow(
        2,
        vec![
            Step::Menu { prompt: Digest([5; 32]), choices, timeout_ms: 1500, tries: 2, otherwise: 3 },
            Step::Enqueue { queue: first, overflow: Some(3) },
            Step::Enqueue { queue: second, overflow: None },
            play(2, 4),
            Step::HangUp,
        ],
    )
}

fn queue(rng: &mut Rng, id: QueueId) -> Queue {
    Queue {
        id,
        name: format!("queue {}", id.0),
        strategy: Strategy::LongestIdle,
        music: MUSIC,
        ring_timeout_ms: rng.pick(&[2000, 4000, 8000]).unwrap_or(4000),
        wrap_up_ms: rng.pick(&[0, 500, 3000]).unwrap_or_default(),
        max_misses: rng.pick(&[0, 0, 3]).unwrap_or_default(),
        miss_pause_ms: rng.pick(&[0, 500, 3000]).unwrap_or_default(),
        max_waiting: rng.pick(&[3, 100, 100]).unwrap_or(100),
        max_wait_ms: rng.pick(&[10_000, 30_000]).unwrap_or(30_000),
        service_level_ms: 20_000,
    }
}

fn agent(rng: &mut Rng, at: usize, queues: u32) -> Agent {
    let mut serves: Vec<QueueId> = (1..=queues).map(QueueId).filter(|_| rng.chance(600)).collect();
    // Every queue has somebody: agents take turns in being sure of one.
    let sure = QueueId(at as u32 % queues + 1);
    if !serves.contains(&sure) {
        serves.push(sure);
        serves.sort();
    }
    let addr = phone_addr(at);
    Agent {
        id: AgentId(at as u32 + 1),
        name: format!("agent{}", at + 1),
        queues: serves,
        phone: Phone::Static { uri: format!("sip:agent{}@{addr}", at + 1), far: Far::udp(addr) },
        ready_at_login: true,
        site: rng.pick(&["", SITES[0], SITES[1]]).unwrap_or_default().to_owned(),
    }
}
