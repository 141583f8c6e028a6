//! Who does not want to be called is not called: no INVITE leaves for a number that was barred before the entry that has
//! it dialled, which for a call that an agent asked for is the agent's answer.
//! Whoever is on no list may be.

use std::collections::BTreeSet;

use strowger_model::{CallId, E164};
use strowger_table::{BarList, Body, Command, DialTo, Outcome, Refusal, Scope};

use super::{Found, Step};

#[derive(Default)]
pub(crate) struct Barred {
    pub found: Found,
    numbers: BTreeSet<(Scope, E164)>,
    /// Calls that should not have been dialled.
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
        self.refused(step);
        for row in step.begins_to_dial().filter_map(|call| step.after.call(call)) {
            let Some(outbound) = row.outbound() else { continue };
            let scopes = [Scope::Everyone, Scope::Tenant(row.tenant)];
            if scopes.iter().any(|scope| self.numbers.contains(&(*scope, outbound.number))) {
                self.wrong.insert(row.id);
            }
        }
    }

    /// Nobody is told that a number is barred that is on no list of the tenant's or of everybody's.
    fn refused(&mut self, step: &Step<'_>) {
        let (Body::Shard(Command::Dial(dial)), Outcome::Refused(Refusal::Barred)) =
            (&step.proposal.body, &step.applied.outcome)
        else {
            return;
        };
        let tenant = step.config.and_then(|config| config.tenant_of_campaign(dial.campaign));
        let number = match dial.to {
            DialTo::Lead(lead) => step.before.lead(lead).map(|lead| lead.number),
            DialTo::Number { number } => Some(number),
        };
        let (Some(tenant), Some(number)) = (tenant, number) else { return };
        let scopes = [Scope::Everyone, Scope::Tenant(tenant)];
        if !scopes.iter().any(|scope| self.numbers.contains(&(*scope, number))) {
            self.found.breach("barred", None, || format!("{number} is refused to {tenant:?}, who may call it"));
        }
    }

    /// An INVITE to a called party leaves a node.
    pub fn left(&mut self, call: CallId) {
        if self.wrong.contains(&call) {
            self.found.breach("barred", Some(call), || "an INVITE to a number that was barred before".to_owned());
        }
    }
}
