//! The life of one call, from INVITE to the last BYE: events in, actions out.
//!
//! The row in the table is the truth; a machine acts for its owner. It compares what the row says must be
//! done with what it has begun, and begins the rest. A machine made from a row alone (adoption) is the same code as
//! one that saw the INVITE itself.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

mod answer;
mod dial;
mod event;
mod facts;
mod flow;
mod hangup;
pub mod hearing;
mod machine;
mod meet;
mod rehome;
mod reinvite;
mod ring;
mod rows;
mod said;
mod side;
mod told;

pub use event::{Action, Actions, Answer, Event, MediaFact};
pub use machine::{Machine, Setting};
pub use rows::Rows;

/// Limits of a call's own timers, each with its reason.
pub mod limit {
    use std::time::Duration;

    /// A BYE or CANCEL is answered when its end is committed, or after this: the far end must not wait for us.
    pub const HANG_UP_ANSWER: Duration = Duration::from_millis(100);
    /// What a caller we cannot serve now is told to wait, in seconds: longer than any election.
    pub const RETRY_AFTER_S: u32 = 2;
    /// What was lost on its way into the log is proposed again after this: a lost proposal has waited for longer itself,
    /// and one that is refused for good is not asked for in a loop.
    pub const SAY_AGAIN: Duration = Duration::from_secs(1);
    /// Our offer that met one of the far end's, or came before the dialog stood, is made again after this: a round trip
    /// of both is over by then. A far end's 491 is waited out by the leg itself (RFC 3261, 14.1).
    pub const REINVITE_AGAIN: Duration = Duration::from_secs(1);
    /// A relay that has not opened a port by then will not.
    pub const MEDIA_OPEN: Duration = Duration::from_secs(2);
    /// The same where an INVITE may go out only within 2 s of its entry: the owner says that nothing was sent before the
    /// leader would have to say that nobody knows.
    pub const DIAL_MEDIA_OPEN: Duration = Duration::from_millis(1200);
    /// Whether a call may still be dialled is asked again after this: a leader says what time it is ten times a second.
    pub const DOUBTED_AGAIN: Duration = Duration::from_millis(50);
    /// A port that was not had for a leg that is up is asked for again after this, within `MOVE_WITHIN`: some orders lost
    /// in a row are no reason to hang up on who talks.
    pub const OPEN_AGAIN: Duration = Duration::from_millis(500);
    /// Who is up and lost the relay gets another port within this, or is hung up on: two relays in a row may turn out to
    /// be gone (5 s each), and who hears nothing for much longer has hung up.
    pub const MOVE_WITHIN: Duration = Duration::from_secs(12);
}
