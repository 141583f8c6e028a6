//! What a call machine hears and says.

use std::net::SocketAddr;

use strowger_media::{LegSnapshot, Op, What};
use strowger_model::config::Tenant;
use strowger_model::{CallId, Cause, Far, Incarnation, LegKey, RelayId};
use strowger_sip::Message;
use strowger_table::{Call, Command, DutyKind, Outcome, Refusal};

use crate::rows::Rows;

/// What a machine is told, one thing at a time.
#[derive(Debug)]
pub enum Event<'a> {
    /// A row of the call changed, or the machine has just been made. `tenant` is the configuration in force in the
    /// shard.
    Row {
        /// As they are now.
        rows: Rows,
        /// None if it has left the configuration.
        tenant: Option<&'a Tenant>,
    },
    /// A SIP message of one of the call's legs.
    Message {
        /// Whose message it is.
        leg: LegKey,
        /// As it came; a repetition is told from the first by the leg.
        message: &'a Message,
        /// Where it came from.
        source: Far,
    },
    /// A relay answered an order, or told of a leg.
    Media(MediaFact),
    /// The answer to the proposal with this number.
    Proposed {
        /// As `Action::Propose` had it.
        number: u64,
        /// What came of it.
        answer: Answer,
    },
    /// The moment of `Machine::deadline` has come.
    Tick,
}

/// What came of a proposal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The entry has changed the table, or had before.
    Accepted,
    /// The entry has changed nothing: the table is not as the machine thought.
    Refused(Refusal),
    /// Nobody knows: it may be written still.
    Lost,
}

impl Answer {
    /// `outcome`: of the entry, if it is known.
    pub fn of(outcome: Option<&Outcome>) -> Self {
        match outcome {
            None => Answer::Lost,
            Some(outcome) => outcome.refusal().map_or(Answer::Accepted, Answer::Refused),
        }
    }
}

/// What a relay says of the call's media.
#[derive(Clone, PartialEq, Debug)]
pub enum MediaFact {
    /// A port is open for a leg.
    Opened {
        /// Where.
        relay: RelayId,
        /// For whom.
        leg: LegKey,
        /// What our SDP names.
        rtp: SocketAddr,
        /// Which start of the relay said it. So of the facts below.
        incarnation: Incarnation,
    },
    /// What the relay does for a leg, of which a new owner has told it.
    Adopted {
        /// Who answers.
        relay: RelayId,
        /// Which leg.
        leg: LegKey,
        /// Which start of the relay said it.
        incarnation: Incarnation,
        /// None if it has no port there.
        does: Option<Box<LegSnapshot>>,
    },
    /// The relay has nothing of this leg, of which it was told something.
    Lost {
        /// Who answers.
        relay: RelayId,
        /// Which leg.
        leg: LegKey,
        /// Which start of the relay said it.
        incarnation: Incarnation,
    },
    /// The relay answers, and this start of it is the one that does. It has nothing of what an earlier one was told.
    Met {
        /// Who answers.
        relay: RelayId,
        /// Which start of it.
        incarnation: Incarnation,
    },
    /// The relay has answered nothing for long, and another one is there.
    Gone {
        /// Which one.
        relay: RelayId,
        /// Where the legs that it had go.
        instead: RelayId,
    },
    /// The relay opens no port for this leg.
    Unavailable {
        /// Who was asked.
        relay: RelayId,
        /// Which leg.
        leg: LegKey,
        /// Who may open one, if there is another.
        instead: Option<RelayId>,
    },
    /// What a relay tells of a leg by itself, or an heir of what its owner missed.
    Told {
        /// Who tells it.
        relay: RelayId,
        /// Which leg.
        leg: LegKey,
        /// What happened there.
        what: What,
    },
    /// The relay sends nothing to the address that this leg's far end wants to be heard at.
    Unreachable {
        /// Which relay.
        relay: RelayId,
        /// Which leg.
        leg: LegKey,
        /// Why it does not.
        cause: Cause,
    },
    /// Nothing of the leg is left on this relay.
    Closed {
        /// Which relay.
        relay: RelayId,
        /// Which leg.
        leg: LegKey,
    },
}

/// What a machine wants done, in this order.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// A SIP message goes out.
    Send {
        /// Where to.
        to: Far,
        /// The whole message.
        bytes: Vec<u8>,
    },
    /// The answer comes back as `Event::Proposed`.
    Propose {
        /// Counts from 1 in each machine.
        number: u64,
        /// What is proposed, in the shard of the call.
        command: Box<Command>,
    },
    /// A duty of the call is performed; may travel with others.
    Done {
        /// By its number in the row.
        duty: u32,
    },
    /// To the relay that holds, or will hold, a leg that was born in `call`. It may be repeated.
    Media {
        /// Which relay.
        relay: RelayId,
        /// Birth call of the leg.
        call: CallId,
        /// What it is to do.
        op: Op,
    },
    /// A far end's request that is not answered yet: its leg went on in another row, whose owner gets it as if it had
    /// just come. Over TCP nobody says it again.
    HandOn {
        /// Whose request it is.
        leg: LegKey,
        /// As it came.
        message: Box<Message>,
        /// Where it came from.
        source: Far,
    },
    /// Nothing is left to do: the machine may be dropped.
    Stop,
}

impl Action {
    /// Whether it says that something was sent. A node that says nothing to far ends keeps it back as well: what it did
    /// not send is not done.
    pub fn is_said(&self, row: &Call) -> bool {
        match self {
            Action::Send { .. } => true,
            Action::Done { duty } => {
                row.duty(*duty).is_some_and(|duty| matches!(duty.kind, DutyKind::Originate { .. }))
            }
            Action::Propose { .. } | Action::Media { .. } | Action::HandOn { .. } | Action::Stop => false,
        }
    }
}

/// What one event makes a machine do.
pub type Actions = Vec<Action>;
