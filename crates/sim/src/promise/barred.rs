//! Who does not want to be called is not called: no INVITE leaves for a call that was begun after its number was barred.

use std::collections::BTreeSet;

use strowger_model::{CallId, E164};
use strowger_table::{BarList, Body, Command, Outcome, Scope};

use super::{Found, Step};

#[derive(Default)]
pub(crate) struct Barred {
    pub found: Found,
    numbers: BTreeSet<(Scope, E164)>,
    /// Calls that should not have been begun.
    wrong: BTreeSet<CallId>,
}

impl Barred {
    /// Judged by what was acknowledged to who asked, whatever the table made of it: a refused bar bars nobody.
    pub fn committed(&mut self, step: &Step<'_>, is_first: bool) {
        if !is_first {
            return;
        }
        if let Body::Shard(Command::Bar { list: BarList::DoNotCall, scope, numbers, lift }) = &step.proposal.body
            && step.applied.outcome == Outcome::Done
        {
            for number in numbers {
                if *lift {
                    self.numbers.remove(&(*scope, *number));
                } else {
                    self.numbers.insert((*scope, *number));
                }
            }
        }
        if let Outcome::Dialled { call } = step.applied.outcome
            && let Some(row) = step.after.call(call)
            && let Some(outbound) = row.outbound()
        {
            let scopes = [Scope::Everyone, Scope::Tenant(row.tenant)];
            if scopes.iter().any(|scope| self.numbers.contains(&(*scope, outbound.number))) {
                self.wrong.insert(call);
            }
        }
    }

    /// An INVITE to a called party leaves a node.
    pub fn left(&mut self, call: CallId) {
        if self.wrong.contains(&call) {
            self.found.breach("barred", Some(call), || "an INVITE to a number that was barred before".to_owned());
        }
    }
}
