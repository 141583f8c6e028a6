//! What a call machine hears and says.

use std::net::SocketAddr;

use strowger_media::{LegSnapshot, Op};
use strowger_model::config::Tenant;
use strowger_model::{CallId, Far, Incarnation, LegKey, RelayId};
use strowger_sip::Message;
use strowger_table::{Call, Command, DutyKind};

use crate::rows::Rows;

#[derive(Debug)]
pub enum Event<'a> {
    /// A row of the call changed, or the machine has just been made. `tenant` is the configuration in force in the
    /// shard.
    Row {
        rows: Rows,
        tenant: Option<&'a Tenant>,
    },
    /// A SIP message of one of the call's legs.
    Message {
        leg: LegKey,
        message: &'a Message,
        source: Far,
    },
    Media(MediaFact),
    /// The answer to the proposal with this number; `false` if it was refused or lost.
    Proposed {
        number: u64,
        accepted: bool,
    },
    Tick,
}

/// What a relay says of the call's media.
#[derive(Clone, PartialEq, Debug)]
pub enum MediaFact {
    Opened {
        relay: RelayId,
        leg: LegKey,
        rtp: SocketAddr,
        incarnation: Incarnation,
    },
    /// What the relay does for legs that were born in `call`, of which a new owner has told it. Nothing, if it knows
    /// none.
    Adopted {
        relay: RelayId,
        call: CallId,
        incarnation: Incarnation,
        legs: Vec<LegSnapshot>,
    },
    /// The relay has nothing of this leg, of which it was told something.
    Lost {
        relay: RelayId,
        leg: LegKey,
        incarnation: Incarnation,
    },
    /// The relay answers, and this start of it is the one that does. It has nothing of what an earlier one was told.
    Met {
        relay: RelayId,
        incarnation: Incarnation,
    },
    /// No relay would open a port for this leg.
    Unavailable {
        leg: LegKey,
    },
    PlayDone {
        leg: LegKey,
        play: u64,
    },
    Digit {
        leg: LegKey,
        digit: char,
    },
    /// Nothing has come from this leg for too long.
    Dead {
        leg: LegKey,
    },
    /// Nothing of the leg is left on this relay.
    Closed {
        relay: RelayId,
        leg: LegKey,
    },
}

#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    Send {
        to: Far,
        bytes: Vec<u8>,
    },
    /// The answer comes back as `Event::Proposed`.
    Propose {
        number: u64,
        command: Box<Command>,
    },
    /// A duty of the call is performed; may travel with others.
    Done {
        duty: u32,
    },
    /// To the relay that holds, or will hold, a leg that was born in `call`. It may be repeated.
    Media {
        relay: RelayId,
        call: CallId,
        op: Op,
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
            Action::Propose { .. } | Action::Media { .. } | Action::Stop => false,
        }
    }
}

pub type Actions = Vec<Action>;
