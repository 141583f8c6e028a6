//! `hours`: no call to a number is begun while the clock on its own wall is outside the campaign's hours.

use strowger_table::{Command, Outcome};

use super::super::{Found, Step};
use super::Rule;
use crate::asked::Asked;
use crate::dialling::minute_of_day;

#[derive(Default)]
pub(crate) struct OpenHours {
    found: Found,
}

impl Rule for OpenHours {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn committed(&mut self, step: &Step<'_>, config: &Asked) {
        let (Some(Command::Dial(dial)), Outcome::Dialled { call }) = (step.command(), &step.applied.outcome) else {
            return;
        };
        let Some(campaign) = config.campaign(dial.campaign).filter(|_| call.index() == step.index) else { return };
        let outbound = step.after.call(*call).and_then(|row| Some((row.outbound()?.number, row.outbound()?.lead)));
        let Some((number, lead)) = outbound else { return };
        let minute = minute_of_day(step.after.last().wall, lead.map(|_| number));
        let open = campaign.hours.iter().any(|hours| (hours.from_min..hours.to_min).contains(&minute));
        if !open {
            self.found.breach("hours", Some(*call), || {
                format!("{number} is called at {}:{:02} of its day", minute / 60, minute % 60)
            });
        }
    }
}
