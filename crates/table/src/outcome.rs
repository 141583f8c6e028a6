//! What a proposal came to. Refusals are ordinary: two facts can race, the log decides.

use strowger_model::{CallId, Owner};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    Done,
    Admitted {
        call: CallId,
        owner: Owner,
    },
    /// The same INVITE was admitted before; this is who has it.
    Already {
        call: CallId,
        owner: Owner,
    },
    /// The outbound call is in the table.
    Dialled {
        call: CallId,
    },
    /// The leg has a row of its own.
    Split {
        call: CallId,
    },
    /// What became of a batch of leads.
    Imported {
        added: u32,
        /// On the campaign's list already.
        duplicates: u32,
    },
    /// Bit n says that offer n of the plan was granted.
    Planned {
        granted: u64,
    },
    Refused(Refusal),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Refusal {
    /// No row under that id: it ended and was forgotten, or never was.
    NoSuchCall,
    /// The call has no such leg, or the leg is gone.
    NoSuchLeg,
    NoSuchPlace,
    NoSuchAgent,
    NoSuchTenant,
    NoSuchQueue,
    /// The call is past the stage this command is for.
    WrongStage,
    /// Another node owns the call by now.
    NotOwner,
    /// The proposer's incarnation has been declared dead.
    Fenced,
    /// The agent is in no state for this.
    AgentBusy,
    /// The queue holds as many calls as it may.
    QueueFull,
    /// The call has as many legs, places or pieces of its story as it may.
    Full,
    /// Nothing here serves such calls.
    NotServed,
    /// An older version of the configuration, or layout, than the one in force.
    OldVersion,
    /// Not all parts of the configuration are there, or they are another one's.
    NotWhole,
    /// A part that does not fit the others, or parts that together are no configuration of this tenant.
    BadParts,
    /// A command for the other kind of group.
    WrongGroup,
    /// A plan, list or batch longer than the limit.
    TooLong,
    NoSuchCampaign,
    NoSuchLead,
    /// The campaign is stopped.
    Stopped,
    /// On a do-not-call list.
    Barred,
    /// Outside the calling hours, or not to be called again yet.
    NotNow,
    /// The lead or the number is on another call.
    LeadBusy,
    /// A member cannot read that layout, or the command came with a later layout than the one in force.
    TooEarly,
}

impl Outcome {
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Outcome::Refused(refusal) => Some(*refusal),
            _ => None,
        }
    }
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        Outcome::Refused(refusal)
    }
}

impl From<Result<(), Refusal>> for Outcome {
    fn from(result: Result<(), Refusal>) -> Self {
        match result {
            Ok(()) => Outcome::Done,
            Err(refusal) => Outcome::Refused(refusal),
        }
    }
}
