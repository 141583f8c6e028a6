//! The tenants of a world, one or two: flows with prompts and menus, queues that overflow, agents with phones that are
//! always there.

use std::net::SocketAddr;

use strowger_model::config::{Agent, Flow, Number, Phone, Queue, Step, Strategy, Tenant};
use strowger_model::{AgentId, Digest, Far, FlowId, QueueId, Sealed, ShardId, TenantId, TrunkId};

use crate::asked::Asked;
use crate::dialling::Dialling;
use crate::rng::Rng;
use crate::scenario::Scenario;

pub(crate) const SHARD: ShardId = ShardId(0);
/// Carriers, one for each tenant that a world may have.
pub(crate) const TRUNKS: [TrunkId; 2] = [TrunkId(1), TrunkId(2)];
pub(crate) const TENANT: TenantId = TenantId(1);
/// Where relays and phones stand.
pub(crate) const SITES: [&str; 2] = ["east", "west"];
const MUSIC: u8 = 255;
/// Agents of a thousand whose phones register.
const REGISTERING: u64 = 300;
/// The same where far ends speak TCP.
const REGISTERING_OVER_TCP: u64 = 600;
/// Numbers of each tenant that can be dialled; the flow of each has its place's number.
pub(crate) const NUMBERS: [[&str; 4]; 2] = [["100", "200", "300", "400"], ["500", "600", "700", "800"]];

/// Numbers that several callers come from.
pub(crate) const CALLING: [&str; 4] = ["+442071000001", "+442071000002", "+442071000003", "+442071000004"];

/// What a tenant has of the ids, which count over all tenants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    /// From 0.
    pub at: usize,
    /// Before its own, of agents and of queues.
    pub agents_before: usize,
    pub queues_before: u32,
    pub agents: usize,
    pub queues: u32,
}

impl Share {
    pub fn tenant(&self) -> TenantId {
        TenantId(self.at as u32 + 1)
    }

    pub fn trunk(&self) -> TrunkId {
        TRUNKS[self.at]
    }

    pub fn queue(&self, rng: &mut Rng) -> QueueId {
        QueueId(self.queues_before + rng.between(1, self.queues.into()) as u32)
    }

    fn queues(&self) -> impl Iterator<Item = QueueId> {
        (self.queues_before + 1..=self.queues_before + self.queues).map(QueueId)
    }

    fn flow(&self, at: usize) -> FlowId {
        FlowId((self.at * NUMBERS[0].len() + at) as u32)
    }

    /// Content of this tenant's: what it is, then whose.
    fn content(&self, what: u8) -> Digest {
        let mut digest = [0; 32];
        (digest[0], digest[1]) = (what, self.at as u8 + 1);
        Digest(digest)
    }
}

/// Whose a piece of content is.
pub(crate) fn owner_of(content: Digest) -> TenantId {
    TenantId(content.0[1].into())
}

/// Where a relay stands: at the same few sites in turn.
pub(crate) fn site_of(relay: usize) -> &'static str {
    SITES[relay % SITES.len()]
}

pub(crate) fn tenants(rng: &mut Rng, scenario: &Scenario, dialling: &Dialling) -> Asked {
    let registering = if scenario.tcp { REGISTERING_OVER_TCP } else { REGISTERING };
    Asked::of(scenario.shares.iter().map(|share| tenant(rng, share, dialling, registering)).collect())
}

/// Of a thousand agents, `registering` have phones that register.
fn tenant(rng: &mut Rng, share: &Share, dialling: &Dialling, registering: u64) -> Tenant {
    let numbers = NUMBERS[share.at].iter().enumerate();
    Tenant {
        id: share.tenant(),
        name: format!("sim{}", share.at + 1),
        realm: format!("sim{}.example", share.at + 1),
        shard: SHARD,
        numbers: numbers.map(|(at, number)| Number { number: (*number).to_owned(), flow: share.flow(at) }).collect(),
        flows: flows(rng, share),
        queues: share.queues().map(|id| queue(rng, share, id)).collect(),
        campaigns: dialling.of_tenant(share.tenant()),
        takes_anonymous: rng.chance(700),
        offers_sha256: false,
        agents: (share.agents_before..share.agents_before + share.agents)
            .map(|at| agent(rng, at, share, registering))
            .collect(),
    }
}

fn flows(rng: &mut Rng, share: &Share) -> Vec<Flow> {
    let enqueue = |rng: &mut Rng, overflow| Step::Enqueue { queue: share.queue(rng), overflow };
    let play = |prompt: u8, next: u16| Step::Play { prompt: share.content(prompt), next };
    let choices = vec![('1', 1), ('2', 2)];
    let steps = [
        vec![enqueue(rng, None)],
        vec![play(1, 1), enqueue(rng, Some(2)), play(2, 3), Step::HangUp],
        vec![
            Step::Menu { prompt: share.content(5), choices, timeout_ms: 1500, tries: 2, otherwise: 3 },
            enqueue(rng, Some(3)),
            enqueue(rng, None),
            play(2, 4),
            Step::HangUp,
        ],
        // Served without an agent.
        vec![play(3, 1), play(4, 2), Step::HangUp],
    ];
    let flow = |(at, steps)| Flow { id: share.flow(at), name: format!("flow {at}"), steps };
    steps.into_iter().enumerate().map(flow).collect()
}

/// Where an agent's phone is; one that moves comes from one network to the next.
pub(crate) fn phone_addr(agent: usize, network: u8) -> SocketAddr {
    SocketAddr::from(([10, 2, network, agent as u8 + 1], 5060))
}

/// Each trunk's callers are in a network of its own.
pub(crate) fn caller_addr(caller: usize, trunk: TrunkId) -> SocketAddr {
    let network = if trunk == TRUNKS[0] { 1 } else { 4 };
    SocketAddr::from(([10, network, (caller / 250) as u8, (caller % 250) as u8 + 1], 5060))
}

/// The trunk that a caller comes over.
pub(crate) fn trunk_of(source: SocketAddr) -> TrunkId {
    match source {
        SocketAddr::V4(v4) if v4.ip().octets()[1] == 4 => TRUNKS[1],
        _ => TRUNKS[0],
    }
}

/// Where the far end of a number is that a campaign calls.
pub(crate) fn called_addr(at: usize) -> SocketAddr {
    SocketAddr::from(([10, 3, 0, at as u8 + 1], 5060))
}

/// How long a prompt is, in milliseconds: a property of its content.
pub(crate) fn prompt_ms(content: Digest) -> u64 {
    300 + u64::from(content.0[0]) * 350
}

fn queue(rng: &mut Rng, share: &Share, id: QueueId) -> Queue {
    Queue {
        id,
        name: format!("queue {}", id.0),
        strategy: Strategy::LongestIdle,
        music: share.content(MUSIC),
        ring_timeout_ms: rng.pick(&[2000, 4000, 8000]).unwrap_or(4000),
        wrap_up_ms: rng.pick(&[0, 500, 3000]).unwrap_or_default(),
        max_misses: rng.pick(&[0, 0, 3]).unwrap_or_default(),
        miss_pause_ms: rng.pick(&[0, 500, 3000]).unwrap_or_default(),
        max_waiting: rng.pick(&[3, 100, 100]).unwrap_or(100),
        max_wait_ms: rng.pick(&[10_000, 30_000]).unwrap_or(30_000),
        service_level_ms: 20_000,
    }
}

fn agent(rng: &mut Rng, at: usize, share: &Share, registering: u64) -> Agent {
    let mut serves: Vec<QueueId> = share.queues().filter(|_| rng.chance(600)).collect();
    // Every queue has somebody: agents take turns in being sure of one.
    let sure = QueueId(share.queues_before + at as u32 % share.queues + 1);
    if !serves.contains(&sure) {
        serves.push(sure);
        serves.sort();
    }
    let addr = phone_addr(at, 0);
    let stays = Phone::Static { uri: format!("sip:agent{}@{addr}", at + 1), far: Far::udp(addr) };
    // Nobody looks for the password of a phone of this world.
    let registers = Phone::Registers { ha1: Sealed::default() };
    Agent {
        id: AgentId(at as u32 + 1),
        name: format!("agent{}", at + 1),
        queues: serves,
        phone: if rng.chance(registering) { registers } else { stays },
        ready_at_login: true,
        site: rng.pick(&["", SITES[0], SITES[1]]).unwrap_or_default().to_owned(),
    }
}
