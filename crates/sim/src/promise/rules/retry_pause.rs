//! `retries`: a lead is called again by its campaign only after the pause that its last result asks for, and never
//! after a result that is final, both by the configuration in force when it is called.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use strowger_model::config::Campaign;
use strowger_model::{CallId, DialResult, LeadId, Wall};
use strowger_table::{Command, DialTo, Outcome, limit};

use super::super::{Found, Step};
use super::Rule;
use crate::asked::Asked;

#[derive(Default)]
pub(crate) struct RetryPause {
    found: Found,
    /// What its last call came to, and when that ended.
    last: BTreeMap<LeadId, (DialResult, Wall)>,
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
                self.last.extend(dial.lead.map(|lead| (lead, (dial.result, wall))));
            }
        }
        let (Some(Command::Dial(dial)), Outcome::Dialled { call }) = (step.command(), &step.applied.outcome) else {
            return;
        };
        let DialTo::Lead(lead) = dial.to else { return };
        let Some(policy) = config.campaign(dial.campaign) else { return };
        let next = self.last.get(&lead).map_or(Some(Wall(0)), |last| rests_until(policy, *last));
        if call.index() == step.index && next.is_none_or(|next| wall < next) {
            self.found
                .breach("retry pause", Some(*call), || format!("lead {lead} rests until {next:?}, it is {wall:?}"));
        }
    }
}

/// Until when a lead rests whose last call came to that; none: for ever.
fn rests_until(policy: &Campaign, (result, ended): (DialResult, Wall)) -> Option<Wall> {
    let named = policy.retries.iter().find(|retry| retry.result == result);
    let after = match (named, result) {
        (Some(retry), _) => Duration::from_secs(retry.after_s.into()),
        (None, DialResult::NotDialled) => limit::NOT_DIALLED_RETRY,
        (None, DialResult::CarrierFailed) => limit::CARRIER_RETRY,
        (None, DialResult::Unknown) => limit::UNKNOWN_RETRY,
        (None, _) => return None,
    };
    Some(Wall(ended.0 + after.as_millis() as u64))
}
