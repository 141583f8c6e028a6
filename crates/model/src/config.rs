//! A tenant's configuration as the table carries it: names resolved to ids, prompts to content, every limit explicit.
//! The text a person writes is parsed elsewhere; what stands here has been checked.

use std::net::IpAddr;

use crate::{
    AgentId, CampaignId, DialResult, Digest, E164, Far, FlowId, QueueId, Sealed, ShardId, TenantId, Transport, TrunkId,
};

#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Tenant {
    pub id: TenantId,
    pub name: String,
    /// SIP domain and digest realm of its agents.
    pub realm: String,
    pub shard: ShardId,
    pub numbers: Vec<Number>,
    pub flows: Vec<Flow>,
    pub queues: Vec<Queue>,
    pub agents: Vec<Agent>,
    pub campaigns: Vec<Campaign>,
    /// Whether calls without a caller's number are taken.
    pub takes_anonymous: bool,
    /// Whether its agents' phones are offered SHA-256 beside MD5.
    pub offers_sha256: bool,
}

impl Tenant {
    /// The most that one tenant's configuration may be in bytes. 50 000 agents have about 10 MiB; nodes send each other
    /// content of at most 16 MiB.
    pub const MAX_BYTES: usize = 15 << 20;

    /// What it fills as logs and snapshots have it, but for a header of a few bytes. How they lay it out is the table's to
    /// say; a check of a configuration needs the size only.
    pub fn size_bytes(&self) -> usize {
        rkyv::to_bytes::<rkyv::rancor::Error>(self).expect("plain data always serializes").len()
    }

    /// What its flows and queues play.
    pub fn prompts(&self) -> impl Iterator<Item = Digest> {
        let music = self.queues.iter().map(|queue| queue.music);
        self.flows.iter().flat_map(Flow::prompts).chain(music)
    }

    pub fn campaign(&self, id: CampaignId) -> Option<&Campaign> {
        self.campaigns.iter().find(|campaign| campaign.id == id)
    }

    pub fn flow(&self, id: FlowId) -> Option<&Flow> {
        self.flows.iter().find(|flow| flow.id == id)
    }

    pub fn queue(&self, id: QueueId) -> Option<&Queue> {
        self.queues.iter().find(|queue| queue.id == id)
    }

    /// `agents` is sorted by id: registrations look agents up at thousands a second.
    pub fn agent(&self, id: AgentId) -> Option<&Agent> {
        self.agents.binary_search_by_key(&id, |agent| agent.id).ok().map(|at| &self.agents[at])
    }
}

/// The next id of each kind. They count over all tenants, so that an id alone says what is meant, and they never go
/// back: an id that was given once names nothing else later.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct NextIds {
    pub tenant: u32,
    pub flow: u32,
    pub queue: u32,
    pub agent: u32,
    pub trunk: u32,
    pub campaign: u32,
}

/// 0 stays free: a field left at its default then points to nothing.
const FIRST_ID: u32 = 1;

impl Default for NextIds {
    fn default() -> Self {
        Self { tenant: FIRST_ID, flow: FIRST_ID, queue: FIRST_ID, agent: FIRST_ID, trunk: FIRST_ID, campaign: FIRST_ID }
    }
}

impl NextIds {
    /// At least `self`, and above every id that these use.
    #[must_use]
    pub fn above<'a>(self, tenants: impl IntoIterator<Item = &'a Tenant>, trunks: &[Trunk]) -> Self {
        let mut next = self;
        let raise = |next: &mut u32, used: u32| *next = (*next).max(used + 1);
        for tenant in tenants {
            raise(&mut next.tenant, tenant.id.0);
            tenant.flows.iter().for_each(|flow| raise(&mut next.flow, flow.id.0));
            tenant.queues.iter().for_each(|queue| raise(&mut next.queue, queue.id.0));
            tenant.agents.iter().for_each(|agent| raise(&mut next.agent, agent.id.0));
            tenant.campaigns.iter().for_each(|campaign| raise(&mut next.campaign, campaign.id.0));
        }
        trunks.iter().for_each(|trunk| raise(&mut next.trunk, trunk.id.0));
        next
    }

    /// The higher of both, kind by kind.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            tenant: self.tenant.max(other.tenant),
            flow: self.flow.max(other.flow),
            queue: self.queue.max(other.queue),
            agent: self.agent.max(other.agent),
            trunk: self.trunk.max(other.trunk),
            campaign: self.campaign.max(other.campaign),
        }
    }
}

/// A published number and the flow its calls take.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Number {
    pub number: String,
    pub flow: FlowId,
}

/// A call flow: steps by number, starting at 0.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Flow {
    pub id: FlowId,
    pub name: String,
    pub steps: Vec<Step>,
}

impl Flow {
    /// What it plays.
    pub fn prompts(&self) -> impl Iterator<Item = Digest> {
        self.steps.iter().filter_map(|step| match step {
            Step::Play { prompt, .. } | Step::Menu { prompt, .. } => Some(*prompt),
            Step::Enqueue { .. } | Step::HangUp => None,
        })
    }
}

pub type StepNo = u16;

#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum Step {
    Play {
        prompt: Digest,
        next: StepNo,
    },
    /// Plays, then waits for one digit. Wrong or missing digits play again, up to `tries`, then `otherwise`.
    Menu {
        prompt: Digest,
        choices: Vec<(char, StepNo)>,
        timeout_ms: u32,
        tries: u8,
        otherwise: StepNo,
    },
    /// Waits for an agent. `overflow` is where the queue's limits send the call; without it the call ends.
    Enqueue {
        queue: QueueId,
        overflow: Option<StepNo>,
    },
    HangUp,
}

/// Which of the eligible agents gets the call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum Strategy {
    LongestIdle,
}

impl Strategy {
    pub fn as_str(self) -> &'static str {
        match self {
            Strategy::LongestIdle => "longest-idle",
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Queue {
    pub id: QueueId,
    pub name: String,
    pub strategy: Strategy,
    pub music: Digest,
    /// How long an agent's phone rings before the agent is passed over.
    pub ring_timeout_ms: u32,
    /// Time after a call before the next offer; 0 is none.
    pub wrap_up_ms: u32,
    /// Calls in a row an agent may miss before being set not ready; 0 is never.
    pub max_misses: u16,
    /// How long an agent who missed or refused a call is left alone.
    pub miss_pause_ms: u32,
    /// Calls that may wait; one more overflows.
    pub max_waiting: u32,
    /// The longest a call may wait before it overflows.
    pub max_wait_ms: u32,
    /// A call answered within this time counts into the service level.
    pub service_level_ms: u32,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Agent {
    pub id: AgentId,
    /// SIP user and login name.
    pub name: String,
    pub queues: Vec<QueueId>,
    pub phone: Phone,
    /// Takes calls as soon as the phone is there; else waits to be set ready.
    pub ready_at_login: bool,
    /// Relays of this site carry the agent's media when one is there; empty: any.
    pub site: String,
}

/// An outbound campaign: a list of leads, who calls them, when, and how often.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Campaign {
    pub id: CampaignId,
    pub name: String,
    pub mode: DialMode,
    /// Its agents take the campaign's calls; its ring time, music and wrap-up hold for them.
    pub queue: QueueId,
    pub trunk: TrunkId,
    /// Shown to the called party.
    pub caller_id: E164,
    /// How long a lead's phone rings.
    pub ring_timeout_ms: u32,
    /// Idle agents of the queue that are left for inbound calls.
    pub keep_idle: u32,
    /// Whether it dials from the start, or waits to be started.
    pub start: bool,
    /// Calls to a lead, all results together.
    pub max_attempts: u8,
    /// When a lead is called again; a result that is not named is final.
    pub retries: Vec<Retry>,
    /// IANA name of the time zone of leads that have none of their own.
    pub zone: Option<String>,
    /// When leads may be called, by their own clocks.
    pub hours: Vec<Hours>,
    /// Which columns of a list of leads are what.
    pub columns: LeadColumns,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum DialMode {
    /// An agent asks for each call.
    Manual,
    /// One lead is dialled for each agent that is free.
    Progressive,
}

impl DialMode {
    pub fn as_str(self) -> &'static str {
        match self {
            DialMode::Manual => "manual",
            DialMode::Progressive => "progressive",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Retry {
    pub result: DialResult,
    pub after_s: u32,
}

/// A stretch of the day on some days of the week.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Hours {
    /// Bit 0 is Monday, bit 6 Sunday.
    pub days: u8,
    /// Minutes since midnight: from the first, up to but not including the second.
    pub from_min: u16,
    pub to_min: u16,
}

/// Names of columns in a list of leads; all others are kept as fields.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct LeadColumns {
    pub number: String,
    /// The lead's time zone, where the list has one.
    pub zone: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum Phone {
    /// Registers with digest; only the hashes of RFC 7616 (`Ha1`) are kept, sealed.
    Registers { ha1: Sealed },
    /// Always there.
    Static { uri: String, far: Far },
}

/// A carrier's trunk, told by where its packets come from.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Trunk {
    pub id: TrunkId,
    pub name: String,
    pub sources: Vec<Source>,
    /// New calls a second beyond which 503 is answered.
    pub max_calls_per_second: u32,
    /// Calls at once beyond which 503 is answered.
    pub max_calls: u32,
    /// Where outbound calls go; none: the trunk takes none.
    pub destination: Option<Far>,
    /// New outbound calls a second.
    pub max_dials_per_second: u32,
    /// Relays of this site carry its calls' media when one is there; empty: any.
    pub site: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Source {
    pub ip: IpAddr,
    /// The port UDP packets come from; any when absent. A TCP connection comes from a port chosen anew each time, which
    /// says nothing of who it is.
    pub port: Option<u16>,
}

impl Trunk {
    pub fn sends_from(&self, from: Far) -> bool {
        let right_port = |source: &Source| {
            from.transport == Transport::Tcp || source.port.is_none_or(|port| port == from.addr.port())
        };
        self.sources.iter().any(|source| source.ip == from.addr.ip() && right_port(source))
    }
}
