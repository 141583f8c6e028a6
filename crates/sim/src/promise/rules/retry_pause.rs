//! `retries`: a lead is called again by its campaign only after the pause that its last result asks for, and never
//! after a result that is final.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use strowger_model::{CallId, DialResult, LeadId, Wall};
use strowger_table::{Command, DialRecord, DialTo, Outcome, limit};

use super::super::{Found, Step};
use super::Rule;
use crate::asked::Asked;

#[derive(Default)]
pub(crate) struct RetryPause {
    found: Found,
    /// Not before this; none for never.
    next: BTreeMap<LeadId, Option<Wall>>,
    dialled: BTreeSet<CallId>,
}

impl Rule for RetryPause {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn committed(&mut self, step: &Step<'_>, config: &Asked) {
        let rows = step.calls.iter().filter_map(|call| step.after.call(*call));
        self.dialled.extend(rows.filter(|row| row.is_dialling()).map(|row| row.id));
        let wall = step.after.last().wall;
        for record in step.records.iter().filter(|record| record.wrap_ms.is_none()) {
            // Of an agent who did not come to the phone the lead knows nothing.
            if let Some(dial) = record.dial.filter(|_| self.dialled.contains(&record.call)) {
                self.rest(config, &dial, wall);
            }
        }
        let (Some(Command::Dial(dial)), Outcome::Dialled { call }) = (step.command(), &step.applied.outcome) else {
            return;
        };
        let DialTo::Lead(lead) = dial.to else { return };
        let next = self.next.get(&lead).copied().unwrap_or(Some(Wall(0)));
        if call.index() == step.index && next.is_none_or(|next| wall < next) {
            self.found
                .breach("retry pause", Some(*call), || format!("lead {lead} rests until {next:?}, it is {wall:?}"));
        }
    }
}

impl RetryPause {
    fn rest(&mut self, config: &Asked, dial: &DialRecord, wall: Wall) {
        let (Some(lead), Some(campaign)) = (dial.lead, config.campaign(dial.campaign)) else { return };
        let named = campaign.retries.iter().find(|retry| retry.result == dial.result);
        let after = match (named, dial.result) {
            (Some(retry), _) => Some(Duration::from_secs(retry.after_s.into())),
            (None, DialResult::NotDialled) => Some(limit::NOT_DIALLED_RETRY),
            (None, DialResult::Unknown) => Some(limit::UNKNOWN_RETRY),
            (None, _) => None,
        };
        self.next.insert(lead, after.map(|after| Wall(wall.0 + after.as_millis() as u64)));
    }
}
