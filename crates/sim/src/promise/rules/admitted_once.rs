//! One INVITE makes one call, through however many nodes and however often it comes.

use std::collections::BTreeMap;

use strowger_model::CallId;
use strowger_table::{Command, Outcome};

use super::super::{Found, Step};
use super::Rule;
use crate::asked::Asked;

#[derive(Default)]
pub(crate) struct AdmittedOnce {
    found: Found,
    /// By the caller's Call-ID.
    calls: BTreeMap<String, CallId>,
}

impl Rule for AdmittedOnce {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn committed(&mut self, step: &Step<'_>, _config: &Asked) {
        let (Some(Command::Admit(admit)), Outcome::Admitted { call, .. }) = (step.command(), &step.applied.outcome)
        else {
            return;
        };
        let first = *self.calls.entry(admit.key.call_id.clone()).or_insert(*call);
        if first != *call {
            self.found
                .breach("admitted once", Some(*call), || format!("{} is call {first} already", admit.key.call_id));
        }
    }
}
