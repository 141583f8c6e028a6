//! `hours`: no number is dialled while the clock on its own wall is outside the campaign's hours, by the pacer or by an
//! agent, whose phone rings before it is.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_model::config::{Campaign, Hours};
use strowger_model::{CallId, CampaignId, E164, LogTime};
use strowger_table::{Command, Outcome};

use super::super::{Found, Step};
use super::Rule;
use crate::asked::Asked;
use crate::dialling::is_open;

#[derive(Default)]
pub(crate) struct OpenHours {
    found: Found,
    /// Calls that were granted: whom they are for, whether that stands on a list, and the hours that were in force.
    granted: BTreeMap<CallId, (E164, bool, Vec<Hours>)>,
    /// What was in force of each campaign, and until when: who asked for a call under it may have it yet.
    before: BTreeMap<CampaignId, (Vec<Hours>, LogTime)>,
}

/// A proposal is repeated for so long.
const PROPOSED: Duration = Duration::from_secs(30);

impl Rule for OpenHours {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn committed(&mut self, step: &Step<'_>, config: &Asked) {
        if let (Some(Command::Dial(dial)), Outcome::Dialled { call }) = (step.command(), &step.applied.outcome)
            && let Some(campaign) = config.campaign(dial.campaign).filter(|_| call.index() == step.index)
            && let Some(outbound) = step.after.call(*call).and_then(|row| row.outbound())
        {
            let old = self.before.get(&dial.campaign).filter(|(_, until)| step.log_now() < *until + PROPOSED);
            let all = campaign.hours.iter().chain(old.iter().flat_map(|(hours, _)| hours)).cloned().collect();
            // Also when an agent asks for it.
            let is_listed = step.after.lead_by_number(dial.campaign, outbound.number).is_some();
            self.granted.insert(*call, (outbound.number, is_listed, all));
        }
        if step.reconfigures() {
            let now = step.log_now();
            // Each tenant's comes into force by an entry of its own.
            let stays = |old: &Campaign| {
                let new = step.after.tenants().find_map(|tenant| tenant.campaign(old.id));
                new.is_some_and(|new| new.hours == old.hours)
            };
            let known = step.before.tenants().flat_map(|tenant| &tenant.campaigns).filter(|campaign| !stays(campaign));
            self.before.extend(known.map(|campaign| (campaign.id, (campaign.hours.clone(), now))));
        }
        let wall = step.after.last().wall;
        for call in step.begins_to_dial() {
            let Some((number, is_listed, hours)) = self.granted.get(&call) else { continue };
            if !is_open(hours, wall, Some(*number).filter(|_| *is_listed)) {
                self.found
                    .breach("hours", Some(call), || format!("{number} is dialled at {wall:?}, outside {hours:?}"));
            }
        }
    }
}
