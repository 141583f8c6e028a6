//! A trunk takes no more new calls in a round of the pacer than it has room for.

use std::collections::BTreeMap;

use strowger_model::{Mono, TrunkId};
use strowger_table::Command;

use super::super::Found;
use super::{Decision, Rule};
use crate::dialling::ALLOWANCE;

#[derive(Default)]
pub(crate) struct TrunkAllowance {
    found: Found,
    round: (Mono, BTreeMap<TrunkId, usize>),
}

impl Rule for TrunkAllowance {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn decided(&mut self, decision: &Decision<'_>) {
        let Command::Dial(dial) = decision.command else { return };
        let Some(trunk) = decision.config.campaign(dial.campaign).map(|campaign| campaign.trunk) else { return };
        if self.round.0 != decision.now {
            self.round = (decision.now, BTreeMap::new());
        }
        let begun = self.round.1.entry(trunk).or_default();
        *begun += 1;
        let begun = *begun;
        if begun > ALLOWANCE {
            self.found.breach("trunk allowance", None, || format!("{begun} calls on {trunk}, {ALLOWANCE} may"));
        }
    }
}
