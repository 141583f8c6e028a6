//! `max_attempts`: a campaign calls a lead no more often than that, calls that agents asked for counted.

use std::collections::BTreeMap;

use strowger_model::{DialResult, LeadId};
use strowger_table::{Command, DialTo, Outcome};

use super::super::{Found, Step};
use super::Rule;
use crate::asked::Asked;

#[derive(Default)]
pub(crate) struct Attempts {
    found: Found,
    begun: BTreeMap<LeadId, u32>,
}

impl Rule for Attempts {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn committed(&mut self, step: &Step<'_>, config: &Asked) {
        for dial in step.records.iter().filter(|record| record.wrap_ms.is_none()).filter_map(|record| record.dial) {
            // Nothing was sent, or the carrier took it to nobody.
            let uncounted = matches!(dial.result, DialResult::NotDialled | DialResult::CarrierFailed);
            if let Some(lead) = dial.lead.filter(|_| uncounted) {
                self.begun.entry(lead).and_modify(|begun| *begun -= 1);
            }
        }
        let (Some(Command::Dial(dial)), Outcome::Dialled { call }) = (step.command(), &step.applied.outcome) else {
            return;
        };
        let lead = step.after.call(*call).and_then(|row| row.outbound()?.lead);
        let (Some(lead), Some(campaign)) = (lead, config.campaign(dial.campaign)) else { return };
        let begun = self.begun.entry(lead).or_default();
        let (before, most) = (*begun, u32::from(campaign.max_attempts));
        // A repetition of a proposal begins nothing.
        if call.index() != step.index {
            return;
        }
        *begun += 1;
        if matches!(dial.to, DialTo::Lead(_)) && before >= most {
            self.found.breach("attempts", Some(*call), || format!("lead {lead} was called {before} times of {most}"));
        }
    }
}
