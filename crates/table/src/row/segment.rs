//! What happened to a call, piece by piece. `apply` alone makes segments, from instants that owners send.

use strowger_model::{AgentId, Cause, LegKey, LogTime, QueueId};

/// A piece of a call's story: from an instant to an instant, one kind of thing.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Segment {
    /// Its number within the call, never given twice.
    pub no: u16,
    /// What happened.
    pub kind: SegmentKind,
    /// The leg it is about; none for what is the call's or the place's.
    pub leg: Option<LegKey>,
    /// The queue whose rules held.
    pub queue: Option<QueueId>,
    /// The agent it is about.
    pub agent: Option<AgentId>,
    /// Who else it was with, as dialled.
    pub party: Option<String>,
    /// When it began.
    pub from: LogTime,
    /// None while it lasts.
    pub to: Option<LogTime>,
    /// How it ended.
    pub how: How,
    /// The agent who brought it about.
    pub by: Option<AgentId>,
    /// Of a conversation or a wrap-up: how the call went, as the agent says.
    pub code: Option<String>,
    /// How many pieces of this kind it stands for: once a call has too many, later ones are added to the last.
    pub n: u16,
    /// Microseconds of the earlier ones.
    pub spent: u64,
}

/// What happens in a piece of a call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SegmentKind {
    /// In its flow.
    Flow,
    /// A customer on the line waits in a queue. Rings lie within it.
    Wait,
    /// A place waits without its caller.
    Virtual,
    /// An agent's phone rings.
    Ring,
    /// An agent, or another party, talks with the customer.
    Talk,
    /// Somebody who talked holds the others.
    Hold,
    /// An agent with another, beside the customer.
    Aside,
    /// An agent's work after the conversation.
    Wrap,
}

impl SegmentKind {
    /// As records and API have it.
    pub fn as_str(self) -> &'static str {
        match self {
            SegmentKind::Flow => "flow",
            SegmentKind::Wait => "wait",
            SegmentKind::Virtual => "virtual",
            SegmentKind::Ring => "ring",
            SegmentKind::Talk => "talk",
            SegmentKind::Hold => "hold",
            SegmentKind::Aside => "aside",
            SegmentKind::Wrap => "wrap",
        }
    }

    /// What may be added to the last of its kind when a call has too many.
    pub(crate) fn adds_up(self) -> bool {
        matches!(self, SegmentKind::Flow | SegmentKind::Ring | SegmentKind::Hold)
    }
}

/// How a piece ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum How {
    /// It lasts.
    Open,
    /// The next piece began.
    WentOn,
    /// A wait: an agent talked. A ring: answered.
    Served,
    /// The customer hung up.
    Abandoned,
    /// A wait: it was as long as it may be.
    Timeout,
    /// A wait that never began: the queue was full.
    Full,
    /// A wait that never began, or whose queue went: the queue is closed.
    Closed,
    /// A ring: nobody took it.
    Missed {
        /// Final SIP status; 408 when none came.
        status: u16,
        /// The same in Q.850.
        cause: Cause,
    },
    /// A ring: taken back, because another answered or the customer left.
    Withdrawn,
    /// The agent gave the customer to somebody else.
    Transferred,
    /// Went into another call's row.
    Merged,
    /// The call, or the leg, was over.
    Over,
    /// Something failed.
    Failed,
}

impl How {
    /// As records and API have it.
    pub fn as_str(self) -> &'static str {
        match self {
            How::Open => "open",
            How::WentOn => "went_on",
            How::Served => "served",
            How::Abandoned => "abandoned",
            How::Timeout => "timeout",
            How::Full => "full",
            How::Closed => "closed",
            How::Missed { .. } => "missed",
            How::Withdrawn => "withdrawn",
            How::Transferred => "transferred",
            How::Merged => "merged",
            How::Over => "over",
            How::Failed => "failed",
        }
    }
}

impl Segment {
    /// Whether it lasts.
    pub fn is_open(&self) -> bool {
        self.to.is_none()
    }

    /// A wait that never began: the queue was full, or closed. One that was under way when its queue closed was one.
    pub fn is_turned_away(&self) -> bool {
        matches!(self.how, How::Full | How::Closed) && self.to == Some(self.from)
    }

    /// How long it lasted, with those it stands for; as of `now` while it lasts.
    pub fn micros(&self, now: LogTime) -> u64 {
        self.spent + self.to.unwrap_or(now).since(self.from).as_micros() as u64
    }
}
