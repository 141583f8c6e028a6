//! A lead's row in the dialling ledger: its number, what was tried and when it may be tried again.

use strowger_model::{CallId, Cause, DialResult, E164, LeadId, Wall};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Lead {
    pub id: LeadId,
    pub number: E164,
    /// Which of its campaign's zones it lives in.
    pub zone: u16,
    pub source: LeadSource,
    pub state: LeadState,
    /// Calls begun so far.
    pub attempts: u8,
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

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LeadState {
    /// To be dialled, not before this.
    Due { at: Wall },
    /// A call to it is in the table: nobody else may dial it.
    Dialling { call: CallId },
    /// Not dialled any more.
    Done,
}

/// How the last call to a lead ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Attempt {
    pub call: CallId,
    pub at: Wall,
    pub result: DialResult,
    /// Final SIP status of the called party; 0 if none came.
    pub status: u16,
    pub cause: Cause,
}
