//! What can be said to a log. Every variant is data: nothing in it is computed again when it is applied.

use strowger_model::config::{NextIds, StepNo, Trunk};
use strowger_model::{
    AgentId, CallId, CampaignId, Cause, DialResult, Dialog, Digest, E164, Ended, Far, FlowId, Incarnation, LeadId,
    LegNo, LogTime, NodeId, QueueId, RelayId, ShardId, TenantId, TrunkId, Wall,
};

use crate::{AdmitKey, Contact};

/// Commands of a shard.
#[derive(Clone, PartialEq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum Command {
    /// Moves log time on in a quiet shard.
    Tick,
    /// Ends every lease whose deadline the stamp has passed.
    Expire,
    /// A piece of a tenant's configuration, staged until `Configure` names its digest. In any order, and again.
    Part(Box<Part>),
    /// Puts a tenant's configuration in force: the staged parts must be whole, unless it is what is in force already.
    Configure {
        version: u64,
        tenant: TenantId,
        digest: Digest,
    },
    /// The tenant is gone from the configuration: its numbers and queues go, its live calls finish.
    Retire {
        version: u64,
        tenant: TenantId,
    },

    /// A new INVITE. Committed before its 100 goes out.
    Admit {
        key: AdmitKey,
        tenant: TenantId,
        flow: FlowId,
        trunk: TrunkId,
        from: String,
        to: String,
        dialog: Box<Dialog>,
        observed: LogTime,
    },
    /// The edge gave up waiting for its `Admit` and answered 503: if it was admitted after all, it ends.
    Withdraw {
        key: AdmitKey,
    },
    /// Media is open and the 200 is about to go out.
    Answer {
        call: CallId,
        dialog: Box<Dialog>,
        relay: RelayId,
    },
    /// The flow went on.
    Step {
        call: CallId,
        step: StepNo,
    },
    /// The flow reached a queue.
    Enqueue {
        call: CallId,
        step: StepNo,
        queue: QueueId,
        overflow: Option<StepNo>,
    },
    Plan(Plan),
    /// An agent's phone did not take the offer.
    Missed {
        call: CallId,
        leg: LegNo,
        miss: Miss,
        observed: LogTime,
    },
    /// An agent's phone answered. Committed before its ACK goes out.
    Connect {
        call: CallId,
        leg: LegNo,
        dialog: Box<Dialog>,
        observed: LogTime,
    },
    /// Begins an outbound call: its agent and its lead are taken in the same entry, before the INVITE.
    Dial(Box<Dial>),
    /// The called party answered. Committed before its ACK goes out.
    Reached {
        call: CallId,
        dialog: Box<Dialog>,
        observed: LogTime,
    },
    /// The called party did not answer, or was never called.
    NotReached {
        call: CallId,
        failure: DialFailure,
        observed: LogTime,
    },
    /// Leads of one batch of a list.
    Import {
        campaign: CampaignId,
        batch: Digest,
        leads: Vec<NewLead>,
    },
    /// Starts or stops a campaign's dialling; calls that are under way go on.
    Run {
        campaign: CampaignId,
        running: bool,
    },
    /// Bars numbers, or lifts that.
    Bar {
        list: BarList,
        scope: Scope,
        numbers: Vec<E164>,
        lift: bool,
    },
    /// A re-INVITE or UPDATE changed a dialog.
    Redialog {
        call: CallId,
        leg: LegNo,
        dialog: Box<Dialog>,
    },
    /// A call is over. Facts are taken from anyone, once.
    End {
        call: CallId,
        ended: Ended,
        observed: LogTime,
    },
    /// Duties that nobody waits for, in one entry per owner.
    Done {
        duties: Vec<(CallId, u32)>,
    },

    Register {
        agent: AgentId,
        contact: Box<Contact>,
    },
    Unregister {
        agent: AgentId,
    },
    Ready {
        agent: AgentId,
    },
    NotReady {
        agent: AgentId,
        reason: String,
    },
    /// Ends wrap-up early and says how the call went.
    Dispose {
        agent: AgentId,
        call: CallId,
        code: String,
    },

    /// A node is gone: its rows go to heirs by rendezvous hash.
    Adopt {
        node: NodeId,
        incarnation: Incarnation,
        heirs: Vec<(NodeId, Incarnation)>,
    },
}

/// A piece of a tenant's configuration.
#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Part {
    pub tenant: TenantId,
    /// Of the whole.
    pub digest: Digest,
    /// From 0, of `of`.
    pub no: u16,
    pub of: u16,
    pub bytes: Vec<u8>,
}

/// Why an agent's phone did not take an offer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Miss {
    /// SIP status of the final response; 408 when none came.
    pub status: u16,
    pub cause: Cause,
}

/// What the planner decided, as the log keeps it. The long form of why is computed again from the basis.
#[derive(Clone, PartialEq, Eq, Debug, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Plan {
    /// Log index of the state the plan was made on.
    pub basis: u64,
    pub offers: Vec<Offer>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Offer {
    pub call: CallId,
    pub agent: AgentId,
    pub queue: QueueId,
    /// The relay the agent's leg will use.
    pub relay: RelayId,
    /// What the strategy ranked by: for longest idle, microseconds idle at the basis.
    pub score: u64,
}

/// An outbound call as the pacer, or an agent, wants it. Zones and calendars are computed by whoever proposes it; the
/// table compares instants and numbers.
#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Dial {
    pub campaign: CampaignId,
    pub to: DialTo,
    pub agent: AgentId,
    /// Who will perform the call.
    pub owner: (NodeId, Incarnation),
    pub destination: Far,
    pub relay: RelayId,
    pub agent_relay: RelayId,
    /// When the lead's calling hours end: an entry that comes later is refused.
    pub not_after: Wall,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum DialTo {
    /// The next lead: the agent is reserved and rung when the lead answers.
    Lead(LeadId),
    /// What an agent asked for: the agent's phone is rung first, then the number.
    Number { number: E164 },
}

/// How dialling failed, as the owner saw it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct DialFailure {
    pub result: DialResult,
    /// Final SIP status; 0 if none came.
    pub status: u16,
    pub cause: Cause,
    /// For the record, which the carrier's are compared with.
    pub sip_call_id: String,
    /// Whether the called party's phone may still ring and must be told to stop.
    pub hang_up: bool,
}

/// A line of a list, checked.
#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct NewLead {
    pub number: E164,
    /// IANA name of its time zone.
    pub zone: String,
    /// Its line in the batch, from 0.
    pub line: u16,
}

/// Which numbers a bar is for.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub enum BarList {
    /// Never dialled.
    DoNotCall,
    /// Their calls are refused.
    Callers,
}

#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub enum Scope {
    Everyone,
    Tenant(TenantId),
}

/// A tenant as the control group knows it: where it lives, and the digest of what the shard has of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct TenantRef {
    pub tenant: TenantId,
    pub shard: ShardId,
    pub digest: Digest,
}

/// Commands of the control group.
#[derive(Clone, PartialEq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum ControlCommand {
    Tick,
    /// Who votes; said once by the first voter when the cluster is founded.
    Found {
        voters: Vec<NodeId>,
        shards: u16,
    },
    /// A process started: earlier incarnations of the node are over.
    Hello {
        node: NodeId,
        incarnation: Incarnation,
    },
    /// A voter has not heard a node for too long. A majority of such reports makes it down.
    Silent {
        voter: NodeId,
        node: NodeId,
        incarnation: Incarnation,
    },
    /// The voter hears it again.
    Heard {
        voter: NodeId,
        node: NodeId,
        incarnation: Incarnation,
    },
    /// A whole configuration by its tenants' digests; replaces the one in force if its version is the next.
    Configure {
        version: u64,
        tenants: Vec<TenantRef>,
        trunks: Vec<Trunk>,
        next_ids: NextIds,
    },
    /// An API token, as its SHA-256, and what it may do.
    Grant {
        token_sha256: [u8; 32],
        role: String,
    },
}
