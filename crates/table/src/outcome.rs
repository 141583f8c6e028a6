//! What a proposal came to. Refusals are ordinary: two facts can race, the log decides.

use strowger_model::{CallId, Owner};

/// What became of a proposal, as its entry says.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// It has changed what it was to change, or had before.
    Done,
    /// The call is in the table.
    Admitted {
        /// Its id: the index of this entry.
        call: CallId,
        /// Who drives it: the proposer.
        owner: Owner,
    },
    /// The same INVITE was admitted before; this is who has it.
    Already {
        /// What it was admitted as.
        call: CallId,
        /// Who drives it by now.
        owner: Owner,
    },
    /// The outbound call is in the table.
    Dialled {
        /// Its id: the index of this entry.
        call: CallId,
    },
    /// The leg has a row of its own.
    Split {
        /// The new row.
        call: CallId,
    },
    /// What became of a batch of leads.
    Imported {
        /// Leads that were new.
        added: u32,
        /// On the campaign's list already.
        duplicates: u32,
    },
    /// Bit n says that offer n of the plan was granted.
    Planned {
        /// One bit an offer.
        granted: u64,
    },
    /// Nothing has changed.
    Refused(Refusal),
    /// The act is in the audit log, and may be done.
    Begun {
        /// Its id: the index of this entry.
        act: u64,
    },
}

/// Why an entry changed nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Refusal {
    /// No row under that id: it ended and was forgotten, or never was.
    NoSuchCall,
    /// The call has no such leg, or the leg is gone.
    NoSuchLeg,
    /// No place under that id.
    NoSuchPlace,
    /// Not in the configuration.
    NoSuchAgent,
    /// Not in the configuration.
    NoSuchTenant,
    /// Neither in the configuration nor closing.
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
    /// Not in the configuration.
    NoSuchCampaign,
    /// Not on the campaign's list.
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
    /// None of that name among those of that tenant.
    NoSuchToken,
    /// A token of that tenant has the name, and is good.
    NameTaken,
    /// It is the only admin's token for the whole cluster.
    LastAdmin,
}

impl Outcome {
    /// Why not; none if it was not refused.
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
