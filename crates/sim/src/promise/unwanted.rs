//! Callers who are not wanted come not in: those whose number an operator barred, and those who hide from a tenant that
//! takes none such. Everybody else is not told that.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use strowger_model::{E164, LogTime, TenantId};
use strowger_table::{BarList, Command, Outcome, Scope};

use super::{Found, Step};
use crate::asked::Asked;
use crate::seen::{Seen, Thing};

const PROMISE: &str = "unwanted";
/// A node that turns callers away is behind the log by the longest stall, and its proposal takes its time.
const LATE: Duration = Duration::from_secs(15);
/// What a caller says who hides (RFC 3323 section 4.1.1.3).
pub(crate) const ANONYMOUS: &str = "anonymous";

#[derive(Default)]
pub(crate) struct Unwanted {
    pub found: Found,
    /// Since when each is barred.
    barred: BTreeMap<(Scope, E164), LogTime>,
    ever: BTreeSet<(Scope, E164)>,
    /// Since when each tenant is configured.
    since: BTreeMap<TenantId, LogTime>,
}

impl Unwanted {
    pub fn committed(&mut self, step: &Step<'_>, config: &Asked) {
        let now = step.log_now();
        match (step.command(), &step.applied.outcome) {
            (Some(Command::Configure { tenant, .. }), Outcome::Done) => {
                self.since.entry(*tenant).or_insert(now);
            }
            (Some(Command::Bar { list: BarList::Callers, scope, numbers, lift }), Outcome::Done) if !step.is_repeat => {
                for number in numbers {
                    if *lift {
                        self.barred.remove(&(*scope, *number));
                    } else {
                        self.barred.entry((*scope, *number)).or_insert(now);
                        self.ever.insert((*scope, *number));
                    }
                }
            }
            (Some(Command::Admit(admit)), Outcome::Admitted { call, .. }) if call.index() == step.index => {
                let is_old = |since: Option<&LogTime>| since.is_some_and(|since| *since + LATE < now);
                let hides = admit.from == ANONYMOUS
                    && config.tenant(admit.tenant).is_some_and(|tenant| !tenant.takes_anonymous);
                let is_barred = admit.from.parse().is_ok_and(|number: E164| {
                    scopes(admit.tenant).iter().any(|scope| is_old(self.barred.get(&(*scope, number))))
                });
                if is_barred || hides && is_old(self.since.get(&admit.tenant)) {
                    self.found.breach(PROMISE, Some(*call), || format!("{} comes in", admit.from));
                }
            }
            _ => {}
        }
    }

    /// A caller is told that the call is declined.
    pub fn declined(&mut self, config: &Asked, from: &str, number: &str, seen: &mut Seen) {
        let Some((tenant, _)) = config.number(number) else { return };
        let hides = from == ANONYMOUS && config.tenant(tenant).is_some_and(|tenant| !tenant.takes_anonymous);
        let is_barred = from
            .parse()
            .is_ok_and(|number: E164| scopes(tenant).iter().any(|scope| self.ever.contains(&(*scope, number))));
        if !hides && !is_barred {
            self.found.breach(PROMISE, None, || format!("{from} is declined by {tenant:?}, who never said so"));
        }
        seen.add(if hides { Thing::AnonymousDeclined } else { Thing::BarredDeclined }, 1);
    }
}

fn scopes(tenant: TenantId) -> [Scope; 2] {
    [Scope::Everyone, Scope::Tenant(tenant)]
}
