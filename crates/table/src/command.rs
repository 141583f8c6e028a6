//! What can be said to a log. Every variant is data: nothing in it is computed again when it is applied.

use strowger_model::config::{NextIds, StepNo, Trunk};
use strowger_model::{
    AgentId, CallId, CampaignId, Cause, DialResult, Dialog, Digest, E164, Ended, Far, Incarnation, Instance, LeadId,
    LegKey, LogTime, NodeId, PlaceId, QueueId, RelayId, ShardId, TenantId, Wall,
};

use crate::{AdmitKey, Binding, Change, Presence, RowKey, Source, Target, Then, layout};

/// Commands of a shard.
#[derive(Clone, PartialEq, Debug)]
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
    Admit(Box<Admit>),
    /// The edge gave up waiting for its `Admit` and answered 503: if it was admitted after all, it ends.
    Withdraw {
        key: AdmitKey,
    },
    /// Media is open and the 200 to this leg is about to go out.
    Answer {
        leg: LegKey,
        dialog: Box<Dialog>,
        relay: RelayId,
    },
    /// The flow went on.
    Step {
        call: CallId,
        step: StepNo,
        /// Which try at the step, from 0.
        attempt: u8,
        /// What the flow learnt since the last one.
        set: Vec<Change>,
    },
    /// The flow reached a queue.
    Enqueue {
        call: CallId,
        step: StepNo,
        queue: QueueId,
        then: Then,
    },
    Plan(Plan),
    /// An agent's phone did not take the offer.
    Missed {
        leg: LegKey,
        miss: Miss,
        observed: LogTime,
    },
    /// A far end that we rang answered. Committed before its ACK goes out. Whom nothing is asked first is in the call
    /// by the same entry.
    Answered {
        leg: LegKey,
        dialog: Box<Dialog>,
        observed: LogTime,
    },
    /// Who answered was found to be there: the leg is in the call from now on.
    Accept {
        leg: LegKey,
        observed: LogTime,
    },
    /// A leg is over. From its far end it is taken from anyone, once; what our own clocks say counts only from the
    /// owner of the call.
    Left {
        leg: LegKey,
        cause: Cause,
        told_by: ToldBy,
        observed: LogTime,
    },
    /// Begins an outbound call: its agent and its lead are taken in the same entry, before the INVITE.
    Dial(Box<Dial>),
    /// The called party did not answer, or was never called.
    NotReached {
        leg: LegKey,
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
        leg: LegKey,
        dialog: Box<Dialog>,
        /// The relay that the far end sends to from now on, when it agreed to move.
        relay: Option<RelayId>,
        /// What the far end's description says: it holds us.
        holds: bool,
    },
    /// Legs of one owner that move to other relays: their far ends are told next.
    Rehome {
        legs: Vec<(LegKey, RelayId)>,
    },
    /// Legs of both rows go on as one call, without the agent who asked for it. The row with the customer stays, else
    /// the older one.
    Merge {
        from: CallId,
        into: CallId,
        /// The leg that the request came on, and its CSeq.
        by: LegKey,
        cseq: u32,
    },
    /// A leg gets a row of its own.
    Split {
        leg: LegKey,
    },
    /// An operator, or a rule of ours, ends a whole call.
    End {
        call: CallId,
        ended: Ended,
        observed: LogTime,
    },
    /// Duties that are performed, in one entry per owner.
    Done {
        duties: Vec<(CallId, u32)>,
    },

    /// A phone of an agent is there, or still there. The node that has its connection says so and becomes the agent's
    /// owner; a phone without one moves nothing.
    Bind {
        agent: AgentId,
        binding: Box<Binding>,
    },
    /// A phone is gone, or all of them.
    Unbind {
        agent: AgentId,
        instance: Option<Instance>,
    },
    /// What an agent is ready for from now on, or once the work is over. `Out` takes all phones off.
    Presence {
        agent: AgentId,
        presence: Presence,
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
    /// An agent or a campaign goes to another owner.
    Assign {
        row: RowKey,
        to: (NodeId, Incarnation),
    },
    /// The owner begins again with a row whose actor broke.
    Retake {
        row: RowKey,
    },
    /// From the next entry on, a later layout may be written: whoever has a replica of this group can read it.
    Raise {
        layout: u16,
        /// The newest layout of each member, as it says itself.
        members: Vec<(NodeId, u16)>,
    },
    /// Only in builds that prove how the next layout comes about: the agent gets a number that layout 1 has no place for.
    #[cfg(feature = "next-layout")]
    Mark {
        agent: AgentId,
        mark: u32,
    },
}

impl Command {
    /// The first layout in which it can be said.
    pub fn since(&self) -> u16 {
        match self {
            #[cfg(feature = "next-layout")]
            Command::Mark { .. } => 2,
            _ => layout::FIRST,
        }
    }
}

/// An INVITE that came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Admit {
    pub key: AdmitKey,
    pub tenant: TenantId,
    pub source: Source,
    pub target: Target,
    pub from: String,
    pub to: String,
    pub dialog: Dialog,
    pub observed: LogTime,
}

/// How it is known that a leg is over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ToldBy {
    /// By its far end: BYE, CANCEL, or an answer that says the dialog is gone.
    FarEnd,
    /// By a clock of ours: it did not answer us.
    Silence,
    /// By its relay: nothing is heard of it.
    DeadMedia,
}

/// A piece of a tenant's configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
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
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Miss {
    /// SIP status of the final response; 408 when none came.
    pub status: u16,
    pub cause: Cause,
    /// The owner decided it: the phone may still ring and must be told to stop.
    pub hang_up: bool,
}

impl Miss {
    /// Whether the agent can have heard it. Without a port for its media no phone is rung: that is no miss of the
    /// agent's, and a relay in trouble sends nobody away from work.
    pub fn was_rung(&self) -> bool {
        !(self.hang_up && self.cause == Cause::NO_CIRCUIT)
    }
}

/// What the planner decided, as the log keeps it. The long form of why is computed again from the basis.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// Log index of the state the plan was made on.
    pub basis: u64,
    pub offers: Vec<Offer>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Offer {
    pub place: PlaceId,
    pub agent: AgentId,
    pub slot: u8,
    pub queue: QueueId,
    /// The relay the agent's leg will use.
    pub relay: RelayId,
    /// What the strategy ranked by: for longest idle, microseconds idle at the basis.
    pub score: u64,
    /// One of several phones that ring for the place at once: the first to answer has it.
    pub ring_all: bool,
}

/// An outbound call as the pacer, or an agent, wants it. Zones and calendars are computed by whoever proposes it; the
/// table compares instants and numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dial {
    pub campaign: CampaignId,
    pub to: DialTo,
    pub agent: AgentId,
    /// Who will perform the call.
    pub owner: (NodeId, Incarnation),
    pub destination: Far,
    pub relay: RelayId,
    pub agent_relay: RelayId,
    /// The epoch of the campaign's owner who wants it; judged while the campaign has an owner.
    pub epoch: u64,
    /// When the lead's calling hours end: an entry that comes later is refused.
    pub not_after: Wall,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DialTo {
    /// The next lead: the agent is reserved and rung when the lead answers.
    Lead(LeadId),
    /// What an agent asked for: the agent's phone is rung first, then the number.
    Number { number: E164 },
}

/// How dialling failed, as the owner saw it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
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
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewLead {
    pub number: E164,
    /// IANA name of its time zone.
    pub zone: String,
    /// Its line in the batch, from 0.
    pub line: u16,
}

/// Which numbers a bar is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum BarList {
    /// Never dialled.
    DoNotCall,
    /// Their calls are refused.
    Callers,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    Everyone,
    Tenant(TenantId),
}

/// A tenant as the control group knows it: where it lives, and the digest of what the shard has of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TenantRef {
    pub tenant: TenantId,
    pub shard: ShardId,
    pub digest: Digest,
}

/// Commands of the control group.
#[derive(Clone, PartialEq, Debug)]
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
    /// From the next entry on, a later layout may be written: all members can read it, the voters among them.
    Raise {
        layout: u16,
        members: Vec<(NodeId, u16)>,
    },
}
