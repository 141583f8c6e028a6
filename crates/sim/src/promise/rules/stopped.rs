//! A campaign that was stopped, and whose operator was told so, begins no call to a lead.

use std::collections::BTreeMap;

use strowger_model::CampaignId;
use strowger_model::config::DialMode;
use strowger_table::{Command, DialTo, Outcome};

use super::super::{Found, Step};
use super::Rule;
use crate::asked::Asked;

#[derive(Default)]
pub(crate) struct Stopped {
    found: Found,
    running: BTreeMap<CampaignId, bool>,
}

impl Rule for Stopped {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn committed(&mut self, step: &Step<'_>, config: &Asked) {
        match (step.command(), &step.applied.outcome) {
            (Some(Command::Run { campaign, running }), Outcome::Done) if !step.is_repeat => {
                self.running.insert(*campaign, *running);
            }
            (Some(Command::Dial(dial)), Outcome::Dialled { call }) if matches!(dial.to, DialTo::Lead(_)) => {
                let Some(campaign) = config.campaign(dial.campaign) else { return };
                let runs = *self.running.get(&dial.campaign).unwrap_or(&campaign.start);
                if call.index() == step.index && !(runs && campaign.mode == DialMode::Progressive) {
                    self.found.breach("stopped", Some(*call), || format!("{} is stopped and dials", campaign.id));
                }
            }
            _ => {}
        }
    }
}
