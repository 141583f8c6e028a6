//! Who is called by a campaign stands on a list that it was given, and was acknowledged.

use std::collections::BTreeSet;

use strowger_model::{CampaignId, E164};
use strowger_table::{Command, DialTo, Outcome};

use super::super::{Found, Step};
use super::Rule;
use crate::asked::Asked;

#[derive(Default)]
pub(crate) struct Listed {
    found: Found,
    numbers: BTreeSet<(CampaignId, E164)>,
}

impl Rule for Listed {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn committed(&mut self, step: &Step<'_>, _config: &Asked) {
        match (step.command(), &step.applied.outcome) {
            (Some(Command::Import { campaign, leads, .. }), Outcome::Imported { .. }) => {
                self.numbers.extend(leads.iter().map(|lead| (*campaign, lead.number)));
            }
            (Some(Command::Dial(dial)), Outcome::Dialled { call }) if matches!(dial.to, DialTo::Lead(_)) => {
                let number = step.after.call(*call).and_then(|row| row.outbound()).map(|outbound| outbound.number);
                if let Some(number) = number.filter(|number| !self.numbers.contains(&(dial.campaign, *number))) {
                    self.found.breach("listed", Some(*call), || format!("{number} is on no list of {}", dial.campaign));
                }
            }
            _ => {}
        }
    }
}
