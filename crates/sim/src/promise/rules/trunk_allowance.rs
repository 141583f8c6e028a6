//! A trunk takes so many new calls a second from the pacers, whoever leads, and a second's worth at once.

use std::collections::BTreeMap;

use strowger_model::{Mono, SECOND_US, TrunkId};
use strowger_table::{Command, DialTo};

use super::super::Found;
use super::{Decision, Rule};
use crate::dialling::DIALS_PER_SECOND;

#[derive(Default)]
pub(crate) struct TrunkAllowance {
    found: Found,
    /// When what was begun would have been begun at the trunk's pace: at most a second ahead.
    ahead: BTreeMap<TrunkId, Mono>,
}

impl Rule for TrunkAllowance {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn decided(&mut self, decision: &Decision<'_>) {
        let Command::Dial(dial) = decision.command else { return };
        let Some(trunk) = decision.config.campaign(dial.campaign).map(|campaign| campaign.trunk) else { return };
        if !matches!(dial.to, DialTo::Lead(_)) {
            return;
        }
        let ahead = self.ahead.entry(trunk).or_insert(decision.now);
        ahead.0 = ahead.0.max(decision.now.0) + SECOND_US / u64::from(DIALS_PER_SECOND);
        if ahead.0 > decision.now.0 + SECOND_US {
            self.found.breach("trunk allowance", None, || {
                format!("more calls on {trunk} than {DIALS_PER_SECOND} a second and a second's worth at once")
            });
        }
    }
}
