//! A lead's row in the dialling ledger: its number and what was tried. Whether and when it is called again is in no row:
//! the campaign's policy says so, as it is when somebody asks.

use std::time::Duration;

use strowger_model::config::Campaign;
use strowger_model::{CallId, Cause, DialResult, E164, LeadId, Wall};

use crate::limit;

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
    /// Whether a call to it is in the table.
    pub state: LeadState,
    /// Calls begun so far, without those that never left us and those that the carrier took to nobody.
    pub attempts: u8,
    /// Of the latter, how many in a row since the last attempt, while the carrier took other calls.
    pub turned_away: u8,
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

/// Whether a call to a lead is in the table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LeadState {
    /// None is. What the campaign's pauses are counted from: when it was taken, or its last call ended.
    Waiting {
        /// Calendar time.
        since: Wall,
    },
    /// One is: nobody else may dial it.
    Dialling {
        /// Which call.
        call: CallId,
    },
}

/// Whose turn a lead is, by its row and the policy in force: computed whenever somebody asks, and kept nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LeadTurn {
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
    /// Not dialled any more, by the campaign as it is now.
    Done,
}

/// What a campaign's policy judges a lead by. Leads of which all was tried alike are judged alike, and are kept together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tried {
    /// Calls begun so far.
    pub attempts: u8,
    /// What the last one came to; none before the first.
    pub last: Option<DialResult>,
}

impl Tried {
    /// How long after its last call a lead is called again. None: not any more. An agent may ask for it all the same.
    pub fn again(self, policy: &Campaign) -> Option<Duration> {
        if self.attempts >= policy.max_attempts {
            return None;
        }
        let Some(result) = self.last else { return Some(Duration::ZERO) };
        match (policy.retries.iter().find(|retry| retry.result == result), result) {
            (Some(retry), _) => Some(Duration::from_secs(retry.after_s.into())),
            (None, DialResult::NotDialled) => Some(limit::NOT_DIALLED_RETRY),
            (None, DialResult::CarrierFailed) => Some(limit::CARRIER_RETRY),
            (None, DialResult::Unknown) => Some(limit::UNKNOWN_RETRY),
            (None, _) => None,
        }
    }
}

impl Lead {
    /// What its campaign's policy judges it by.
    pub fn tried(&self) -> Tried {
        Tried { attempts: self.attempts, last: self.last.map(|last| last.result) }
    }

    /// Whose turn it is, by its campaign as it is now; none: the campaign has left the configuration.
    pub fn turn(&self, policy: Option<&Campaign>) -> LeadTurn {
        match self.state {
            LeadState::Dialling { call } => LeadTurn::Dialling { call },
            LeadState::Waiting { since } => match policy.and_then(|policy| self.tried().again(policy)) {
                Some(pause) => LeadTurn::Due { at: later(since, pause) },
                None => LeadTurn::Done,
            },
        }
    }
}

pub(crate) fn later(since: Wall, pause: Duration) -> Wall {
    Wall(since.0.saturating_add(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)))
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
