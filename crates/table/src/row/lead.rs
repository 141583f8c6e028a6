//! A lead's row in the dialling ledger: its number, what was tried and when it may be tried again.

use strowger_model::{CallId, Cause, DialResult, E164, LeadId, Wall};

/// Somebody whom a campaign is to call.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Lead {
    /// Its campaign, and its position in the list.
    pub id: LeadId,
    /// Whom to call; once in a campaign.
    pub number: E164,
    /// Which of its campaign's zones it lives in.
    pub zone: u16,
    /// Where the rest of it is.
    pub source: LeadSource,
    /// Whether it is to be called.
    pub state: LeadState,
    /// Calls begun so far.
    pub attempts: u8,
    /// What came of the last call.
    pub last: Option<Attempt>,
}

/// Where the other columns of a lead are: a line of a batch, which is content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LeadSource {
    /// Which of its campaign's batches.
    pub batch: u32,
    /// Which line of it, from 0.
    pub line: u16,
}

/// Whether a lead is to be called.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LeadState {
    /// To be dialled, not before this.
    Due {
        /// Calendar time.
        at: Wall,
    },
    /// A call to it is in the table: nobody else may dial it.
    Dialling {
        /// Which call.
        call: CallId,
    },
    /// Not dialled any more.
    Done,
}

/// How the last call to a lead ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Attempt {
    /// Which call.
    pub call: CallId,
    /// When it ended, on the calendar.
    pub at: Wall,
    /// What the campaign counted.
    pub result: DialResult,
    /// Final SIP status of the called party; 0 if none came.
    pub status: u16,
    /// The same in Q.850.
    pub cause: Cause,
}
