//! A tenant's configuration as the table carries it: names resolved to ids, prompts to content, every limit explicit.
//! The text a person writes is parsed elsewhere; what stands here has been checked.

mod agent;
mod flow;

use std::net::IpAddr;

use crate::{
    AgentId, CampaignId, DialResult, Digest, E164, Far, FlowId, QueueId, ShardId, TenantId, Transport, TrunkId,
};

pub use agent::{Agent, Phone};
pub use flow::{Flow, Step, StepNo};

/// A customer of the cluster, as `apply` put it in force: one shard has all of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Tenant {
    /// Given by the control group; never another tenant's.
    pub id: TenantId,
    /// As operators write it; one of its kind in the cluster.
    pub name: String,
    /// SIP domain and digest realm of its agents.
    pub realm: String,
    /// The shard that its calls, agents and campaigns live in, for ever.
    pub shard: ShardId,
    /// Numbers at which it is called.
    pub numbers: Vec<Number>,
    /// What its calls go through.
    pub flows: Vec<Flow>,
    /// Where its callers wait.
    pub queues: Vec<Queue>,
    /// Sorted by id; at most 50 000.
    pub agents: Vec<Agent>,
    /// Its campaigns, running or not.
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

    /// The campaign of that id; none if it has left the configuration. So are the two below.
    pub fn campaign(&self, id: CampaignId) -> Option<&Campaign> {
        self.campaigns.iter().find(|campaign| campaign.id == id)
    }

    /// The flow of that id.
    pub fn flow(&self, id: FlowId) -> Option<&Flow> {
        self.flows.iter().find(|flow| flow.id == id)
    }

    /// The queue of that id.
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
    /// For a [`TenantId`].
    pub tenant: u32,
    /// For a [`FlowId`].
    pub flow: u32,
    /// For a [`QueueId`].
    pub queue: u32,
    /// For an [`AgentId`].
    pub agent: u32,
    /// For a [`TrunkId`].
    pub trunk: u32,
    /// For a [`CampaignId`].
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
    /// As the user part of an INVITE's Request-URI has it; one of its kind in the cluster.
    pub number: String,
    /// Where its calls begin.
    pub flow: FlowId,
}

/// Which of the eligible agents gets the call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum Strategy {
    /// Whose slot has been free for longest.
    LongestIdle,
}

impl Strategy {
    /// As configuration, API and metrics have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Strategy::LongestIdle => "longest-idle",
        }
    }
}

/// Where callers wait for agents, and the rules for both.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Queue {
    /// Over all tenants.
    pub id: QueueId,
    /// As operators write it; one of its kind in the tenant.
    pub name: String,
    /// Who of the free agents is offered the first call.
    pub strategy: Strategy,
    /// What who waits hears, over and over.
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

/// An outbound campaign: a list of leads, who calls them, when, and how often.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Campaign {
    /// Over all tenants.
    pub id: CampaignId,
    /// As operators write it; one of its kind in the tenant.
    pub name: String,
    /// What makes a call begin.
    pub mode: DialMode,
    /// Its agents take the campaign's calls; its ring time, music and wrap-up hold for them.
    pub queue: QueueId,
    /// Carries its calls; has a `destination`.
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

/// What makes a call of a campaign begin.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum DialMode {
    /// An agent asks for each call.
    Manual,
    /// One lead is dialled for each agent that is free.
    Progressive,
}

impl DialMode {
    /// As configuration, API and metrics have it.
    pub fn as_str(self) -> &'static str {
        match self {
            DialMode::Manual => "manual",
            DialMode::Progressive => "progressive",
        }
    }
}

/// When a lead is called again after a result.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Retry {
    /// What the last call came to.
    pub result: DialResult,
    /// Seconds from its end: 60 to 2 592 000 (30 days).
    pub after_s: u32,
}

/// A stretch of the day on some days of the week.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Hours {
    /// Bit 0 is Monday, bit 6 Sunday.
    pub days: u8,
    /// Minutes since midnight: from the first, up to but not including the second.
    pub from_min: u16,
    /// At most 1440, midnight.
    pub to_min: u16,
}

/// Names of columns in a list of leads; all others are kept as fields.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct LeadColumns {
    /// Its header in the list's first line.
    pub number: String,
    /// The lead's time zone, where the list has one.
    pub zone: Option<String>,
}

/// A carrier's trunk, told by where its packets come from.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Trunk {
    /// Given by the control group; never another trunk's.
    pub id: TrunkId,
    /// As operators write it; one of its kind in the cluster.
    pub name: String,
    /// Where its calls come from: at most 256, no two trunks' alike.
    pub sources: Vec<Source>,
    /// New calls a second beyond which 503 is answered.
    pub max_calls_per_second: u32,
    /// Calls that a node drives, over all trunks, beyond which it answers 503 to this one.
    pub max_calls: u32,
    /// Where outbound calls go; none: the trunk takes none.
    pub destination: Option<Far>,
    /// New outbound calls a second.
    pub max_dials_per_second: u32,
    /// Relays of this site carry its calls' media when one is there; empty: any.
    pub site: String,
}

/// An address that a trunk sends from.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Source {
    /// The whole of it: there are no networks.
    pub ip: IpAddr,
    /// The port UDP packets come from; any when absent. A TCP connection comes from a port chosen anew each time, which
    /// says nothing of who it is.
    pub port: Option<u16>,
}

impl Trunk {
    /// Whether a message from there is this trunk's.
    pub fn sends_from(&self, from: Far) -> bool {
        let right_port = |source: &Source| {
            from.transport == Transport::Tcp || source.port.is_none_or(|port| port == from.addr.port())
        };
        self.sources.iter().any(|source| source.ip == from.addr.ip() && right_port(source))
    }
}
