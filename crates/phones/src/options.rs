//! What the demo says to its phones: where they stand, and how each agent and each caller behaves.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::law::Law;

/// RTP ports unless told otherwise: below Linux's ephemeral range (32768..), so that a socket which some other
/// process bound to "any port" is not in the way.
const MEDIA_PORTS: RangeInclusive<u16> = 14_000..=19_998;

/// Where phones stand, and who takes their calls.
#[derive(Clone, Debug)]
pub struct PhonesOptions {
    /// The cluster's shared SIP address: every request outside a dialog goes there.
    pub server: SocketAddr,
    /// All sockets are bound there, for SIP and for RTP, and SDP names it.
    pub local_ip: IpAddr,
    /// Source port of the callers' first socket, "the trunk"; 0: any.
    pub trunk_port: u16,
    /// Source port of the agents' first socket; 0: any.
    pub agent_port: u16,
    /// Port of the carrier's first socket; 0: any.
    pub carrier_port: u16,
    /// How many sockets the callers share, on consecutive ports. A server whose processes share one port by
    /// SO_REUSEPORT picks the process by the source port: more sockets spread the calls over its nodes.
    pub trunk_sockets: u16,
    /// The same for the agents.
    pub agent_sockets: u16,
    /// Sockets for called numbers alone; the trunk's take such calls too. See [`crate::Phones::open_carrier`].
    pub carrier_sockets: u16,
    /// RTP takes the even ports of this range.
    pub media_ports: RangeInclusive<u16>,
    /// Tones that every phone tells apart when they sound together, as in a conference: [`crate::Live::hears`]. With none
    /// a phone hears a tone only when it sounds alone, which costs less.
    pub voices: Vec<u16>,
    /// Everything that is random (tags, Call-IDs, SSRCs, back-offs) comes from here.
    pub seed: u64,
}

impl PhonesOptions {
    /// One socket for callers, one for agents, no carrier, seed 1.
    pub fn new(server: SocketAddr, local_ip: IpAddr, trunk_port: u16, agent_port: u16) -> Self {
        Self {
            server,
            local_ip,
            trunk_port,
            agent_port,
            carrier_port: 0,
            trunk_sockets: 1,
            agent_sockets: 1,
            carrier_sockets: 0,
            media_ports: MEDIA_PORTS,
            voices: Vec::new(),
            seed: 1,
        }
    }
}

/// What an agent's phone does with an INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentBehaviour {
    /// Rings, and answers after [`AgentSpec::ring`].
    Answer,
    /// Rings until somebody cancels.
    NeverAnswer,
    /// 486 to every INVITE.
    Busy,
}

/// An agent's telephone.
#[derive(Clone, Debug)]
pub struct AgentSpec {
    /// User part of the address of record, and of the digest (RFC 7616).
    pub user: String,
    /// For the digest.
    pub password: String,
    /// Host part of the address of record, and the digest realm.
    pub domain: String,
    /// What its SDP offers.
    pub law: Law,
    /// Odd for agents: see [`crate::is_agent_tone`].
    pub tone: u16,
    /// How long it rings before it answers.
    pub ring: Duration,
    /// What it does when it is called.
    pub behaviour: AgentBehaviour,
    /// Counted from the answer; `None`: the far end hangs up.
    pub hangs_up_after: Option<Duration>,
    /// Keys pressed (RFC 4733) `digits_after` the first audio.
    pub digits: String,
    /// From the first audio heard to the first key.
    pub digits_after: Duration,
    /// False: a phone that only answers what is sent to it, such as the lead of an outbound campaign; it takes
    /// INVITEs for `user` on every socket, the trunk's included.
    pub registers: bool,
}

impl AgentSpec {
    /// An agent who answers after `ring` and never hangs up.
    pub fn new(user: &str, password: &str, domain: &str, tone: u16) -> Self {
        Self {
            user: user.into(),
            password: password.into(),
            domain: domain.into(),
            law: Law::Pcma,
            tone,
            ring: Duration::from_millis(500),
            behaviour: AgentBehaviour::Answer,
            hangs_up_after: None,
            digits: String::new(),
            digits_after: Duration::ZERO,
            registers: true,
        }
    }
}

/// A caller, and the call it makes.
#[derive(Clone, Debug)]
pub struct CallSpec {
    /// User part of From.
    pub from: String,
    /// User part of the Request-URI.
    pub number: String,
    /// What its SDP offers.
    pub law: Law,
    /// Even for callers: see [`crate::is_agent_tone`].
    pub tone: u16,
    /// Keys pressed (RFC 4733) `digits_after` the first audio of a prompt.
    pub digits: String,
    /// From the first audio heard to the first key.
    pub digits_after: Duration,
    /// The caller hangs up this long after it first heard an agent.
    pub talk: Duration,
    /// Counted from the INVITE; the caller gives up if it has heard no agent by then.
    pub patience: Duration,
    /// False: it waits for the agent to hang up.
    pub hangs_up: bool,
    /// `(after, long)`: puts the call on hold (a=sendonly) `after` it first heard an agent, takes it back `long` later.
    pub reinvite_hold: Option<(Duration, Duration)>,
}

impl CallSpec {
    /// A caller who talks for 30 s and waits for at most two minutes.
    pub fn new(from: &str, number: &str, tone: u16) -> Self {
        Self {
            from: from.into(),
            number: number.into(),
            law: Law::Pcma,
            tone,
            digits: String::new(),
            digits_after: Duration::ZERO,
            talk: Duration::from_secs(30),
            patience: Duration::from_secs(120),
            hangs_up: true,
            reinvite_hold: None,
        }
    }
}
