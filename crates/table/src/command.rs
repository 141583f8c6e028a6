//! What can be said to a log. Every variant is data: nothing in it is computed again when it is applied.

mod control;
mod dial;

use strowger_model::config::StepNo;
use strowger_model::{
    AgentId, CallId, CampaignId, Cause, Dialog, Digest, E164, Ended, Incarnation, Instance, LegKey, LogTime, NodeId,
    PlaceId, QueueId, RelayId, TenantId,
};

use crate::{AdmitKey, Binding, Change, Presence, RowKey, Source, Target, Then, layout};

pub use control::{ControlCommand, TenantRef};
pub use dial::{BarList, Dial, DialFailure, DialTo, NewLead, Scope};

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
        /// Of the cluster's configuration; an older one than the tenant has is refused.
        version: u64,
        /// Whose.
        tenant: TenantId,
        /// Of its content: of the parts, put together.
        digest: Digest,
    },
    /// The tenant is gone from the configuration: its numbers and queues go, its live calls finish.
    Retire {
        /// Of the configuration that it is not in any more.
        version: u64,
        /// Who is gone.
        tenant: TenantId,
    },

    /// A new INVITE. Committed before its 100 goes out.
    Admit(Box<Admit>),
    /// The edge gave up waiting for its `Admit` and answered 503: if it was admitted after all, it ends.
    Withdraw {
        /// Of the INVITE.
        key: AdmitKey,
    },
    /// Media is open and the 200 to this leg is about to go out.
    Answer {
        /// The customer's.
        leg: LegKey,
        /// As it is with our 2xx in it.
        dialog: Box<Dialog>,
        /// Who opened the port.
        relay: RelayId,
    },
    /// The flow went on.
    Step {
        /// Which call.
        call: CallId,
        /// Where it is now.
        step: StepNo,
        /// Which try at the step, from 0. Owners say 0 so far: tries within a step make no entry, and a new owner learns from
        /// the relay which one is being played.
        attempt: u8,
        /// What the flow learnt since the last one.
        set: Vec<Change>,
    },
    /// The flow reached a queue.
    Enqueue {
        /// Which call.
        call: CallId,
        /// The step that enqueues.
        step: StepNo,
        /// Where it waits.
        queue: QueueId,
        /// What comes when the queue takes it no more, or the wait was too long.
        then: Then,
    },
    /// What the leader's planner decided; judged offer by offer.
    Plan(Plan),
    /// An agent's phone did not take the offer.
    Missed {
        /// The phone's.
        leg: LegKey,
        /// Why.
        miss: Miss,
        /// When its owner saw it. So of the commands below: log time, and never later than the entry's.
        observed: LogTime,
    },
    /// A far end that we rang answered. Committed before its ACK goes out. Whom nothing is asked first is in the call
    /// by the same entry.
    Answered {
        /// Whose far end answered.
        leg: LegKey,
        /// With the far end's 2xx in it.
        dialog: Box<Dialog>,
        /// When its owner saw it.
        observed: LogTime,
    },
    /// Who answered was found to be there: the leg is in the call from now on.
    Accept {
        /// Who was screened.
        leg: LegKey,
        /// When its owner saw it.
        observed: LogTime,
    },
    /// A leg is over. From its far end it is taken from anyone, once; what our own clocks say counts only from the
    /// owner of the call.
    Left {
        /// Which leg.
        leg: LegKey,
        /// Why; the other far ends are told it if the call ends with the leg.
        cause: Cause,
        /// How it is known.
        told_by: ToldBy,
        /// When it was seen.
        observed: LogTime,
    },
    /// Begins an outbound call: its agent and its lead are taken in the same entry, before the INVITE.
    Dial(Box<Dial>),
    /// The called party did not answer, or was never called.
    NotReached {
        /// The called party's.
        leg: LegKey,
        /// Why not.
        failure: DialFailure,
        /// When its owner saw it.
        observed: LogTime,
    },
    /// Leads of one batch of a list.
    Import {
        /// Whose list.
        campaign: CampaignId,
        /// Of the content that holds their other columns.
        batch: Digest,
        /// At most `limit::LEADS_PER_IMPORT`.
        leads: Vec<NewLead>,
    },
    /// Starts or stops a campaign's dialling; calls that are under way go on.
    Run {
        /// Which.
        campaign: CampaignId,
        /// Whether it dials from now on.
        running: bool,
    },
    /// Bars numbers, or lifts that.
    Bar {
        /// What the bar is for.
        list: BarList,
        /// Who bars.
        scope: Scope,
        /// At most `limit::NUMBERS_PER_BAR`.
        numbers: Vec<E164>,
        /// Else they are added.
        lift: bool,
    },
    /// A re-INVITE or UPDATE changed a dialog.
    Redialog {
        /// Which leg.
        leg: LegKey,
        /// As it is now.
        dialog: Box<Dialog>,
        /// The relay that the far end sends to from now on, when it agreed to move.
        relay: Option<RelayId>,
        /// What the far end's description says: it holds us.
        holds: bool,
    },
    /// Legs of one owner that move to other relays: their far ends are told next.
    Rehome {
        /// Each with the relay it goes to; at most `limit::LEGS_PER_REHOME`.
        legs: Vec<(LegKey, RelayId)>,
    },
    /// Legs of both rows go on as one call, without the agent who asked for it. The row with the customer stays, else
    /// the older one.
    Merge {
        /// The row that ends as part of the other.
        from: CallId,
        /// The row that goes on.
        into: CallId,
        /// The leg that the request came on, and its CSeq.
        by: LegKey,
        /// What was asked once with this number is not done again.
        cseq: u32,
    },
    /// A leg gets a row of its own.
    Split {
        /// Which leg.
        leg: LegKey,
    },
    /// An operator, or a rule of ours, ends a whole call.
    End {
        /// Which call.
        call: CallId,
        /// By whom and why.
        ended: Ended,
        /// When it was decided.
        observed: LogTime,
    },
    /// Duties that are performed, in one entry per owner.
    Done {
        /// Call and number of the duty.
        duties: Vec<(CallId, u32)>,
    },

    /// A phone of an agent is there, or still there. The node that has its connection says so and becomes the agent's
    /// owner; a phone without one moves nothing.
    Bind {
        /// Whose phone.
        agent: AgentId,
        /// The phone, as its REGISTER described it.
        binding: Box<Binding>,
    },
    /// A phone is gone, or all of them.
    Unbind {
        /// Whose phone.
        agent: AgentId,
        /// Which one; none: all.
        instance: Option<Instance>,
    },
    /// What an agent is ready for from now on, or once the work is over. `Out` takes all phones off.
    Presence {
        /// Whose.
        agent: AgentId,
        /// What is asked for.
        presence: Presence,
    },
    /// Ends wrap-up early and says how the call went.
    Dispose {
        /// Whose wrap-up.
        agent: AgentId,
        /// Of which call.
        call: CallId,
        /// How it went, in the agent's words.
        code: String,
    },

    /// A node is gone: its rows go to heirs by rendezvous hash.
    Adopt {
        /// Who is gone.
        node: NodeId,
        /// Which start of it; all earlier ones are gone with it.
        incarnation: Incarnation,
        /// The living, as the control group has them.
        heirs: Vec<(NodeId, Incarnation)>,
    },
    /// An agent or a campaign goes to another owner.
    Assign {
        /// An agent or a campaign; others have no other owner by this.
        row: RowKey,
        /// Who owns it from now on.
        to: (NodeId, Incarnation),
    },
    /// The owner begins again with a row whose actor broke.
    Retake {
        /// A call or a campaign of the proposer.
        row: RowKey,
    },
    /// From the next entry on, a later layout may be written: whoever has a replica of this group can read it.
    Raise {
        /// The later one.
        layout: u16,
        /// The newest layout of each member, as it says itself.
        members: Vec<(NodeId, u16)>,
    },
    /// Only in builds that prove how the next layout comes about: the agent gets a number that layout 1 has no place for.
    #[cfg(feature = "next-layout")]
    Mark {
        /// Whose.
        agent: AgentId,
        /// The number.
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
    /// By which a repetition is known.
    pub key: AdmitKey,
    /// Who is called.
    pub tenant: TenantId,
    /// Over what it came.
    pub source: Source,
    /// What it is for.
    pub target: Target,
    /// The caller, as From has it.
    pub from: String,
    /// Who was called, as the Request-URI has it.
    pub to: String,
    /// As it is with the INVITE.
    pub dialog: Dialog,
    /// When it came, in log time.
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
    /// Whose.
    pub tenant: TenantId,
    /// Of the whole.
    pub digest: Digest,
    /// From 0.
    pub no: u16,
    /// How many there are.
    pub of: u16,
    /// At most `limit::PART_BYTES`.
    pub bytes: Vec<u8>,
}

/// Why an agent's phone did not take an offer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Miss {
    /// SIP status of the final response; 408 when none came.
    pub status: u16,
    /// The same in Q.850.
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
    /// At most `limit::OFFERS_PER_PLAN`; each is judged alone.
    pub offers: Vec<Offer>,
}

/// One place for one agent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Offer {
    /// What is to be served.
    pub place: PlaceId,
    /// By whom.
    pub agent: AgentId,
    /// With which of the agent's slots.
    pub slot: u8,
    /// The queue of the place; its rules hold.
    pub queue: QueueId,
    /// The relay the agent's leg will use.
    pub relay: RelayId,
    /// What the strategy ranked by: for longest idle, microseconds idle at the basis.
    pub score: u64,
    /// One of several phones that ring for the place at once: the first to answer has it.
    pub ring_all: bool,
}
