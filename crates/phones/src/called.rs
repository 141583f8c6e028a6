//! What a called number is like: the user of this crate says it, number by number, as the INVITEs come.

use std::time::Duration;

use crate::law::Law;

/// From the INVITE to the first word of the called side (180 or a refusal): short beside a real network's one to
/// three seconds, long enough that the 100 is always seen before it.
const POST_DIAL_DELAY: Duration = Duration::from_millis(100);

/// A call that has just reached the carrier.
#[derive(Clone, Copy, Debug)]
pub struct Dialled<'a> {
    /// User part of the Request-URI.
    pub number: &'a str,
    /// User part of From.
    pub from: &'a str,
    /// A number at random that depends on [`crate::PhonesOptions::seed`] and the number dialled only: the same in
    /// every call to it.
    pub draw: u64,
    /// Calls to this number so far, with this one; repetitions of an INVITE are no calls.
    pub invites: u32,
}

/// What happens to a call to the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalledRole {
    /// Rings, answers `after` the INVITE and hangs up `talk` after it first heard an agent. If it has heard none
    /// `patience` after its answer, it leaves.
    Answers {
        /// From the INVITE to the 200.
        after: Duration,
        /// From the first word of an agent to the BYE.
        talk: Duration,
        /// From the 200 to the BYE, where no agent is heard.
        patience: Duration,
    },
    /// Answers `after` the INVITE and hangs up `stays` later, whoever is there.
    AnswersAndLeaves {
        /// From the INVITE to the 200.
        after: Duration,
        /// From the 200 to the BYE.
        stays: Duration,
    },
    /// Rings until somebody cancels.
    Silent,
    /// 486.
    Busy,
    /// 603.
    Declines,
    /// 404: there is no such number.
    Unknown,
    /// 503 with the network's own cause (ITU-T Q.850) in a Reason header.
    Unreachable {
        /// Of Q.850, for example 27: out of order.
        cause: u8,
    },
    /// Nothing ever comes back.
    Dead,
}

impl CalledRole {
    /// The status of one that refuses every call.
    pub(crate) fn refusal(self) -> Option<u16> {
        match self {
            CalledRole::Busy => Some(486),
            CalledRole::Declines => Some(603),
            CalledRole::Unknown => Some(404),
            CalledRole::Unreachable { .. } => Some(503),
            _ => None,
        }
    }

    /// From the INVITE to the answer.
    pub(crate) fn answers_after(self) -> Option<Duration> {
        match self {
            CalledRole::Answers { after, .. } | CalledRole::AnswersAndLeaves { after, .. } => Some(after),
            _ => None,
        }
    }
}

/// A called number, and the phone that answers there.
#[derive(Clone, Debug)]
pub struct CalledSpec {
    /// What it does.
    pub role: CalledRole,
    /// What the answer's SDP offers.
    pub law: Law,
    /// Even, as for callers: see [`crate::is_agent_tone`].
    pub tone: u16,
    /// From the INVITE, which gets its 100 at once, to 180 or the refusal. Who answers sooner does not ring.
    pub post_dial_delay: Duration,
}

impl CalledSpec {
    /// A-law, and a network that takes 100 ms for a first word.
    pub fn new(role: CalledRole, tone: u16) -> Self {
        Self { role, law: Law::Pcma, tone, post_dial_delay: POST_DIAL_DELAY }
    }
}
