//! A configuration that the control group has taken is in force in the shard soon, as it was asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_model::{Digest, Mono, TenantId};
use strowger_table::Shard;

use super::Found;

const PROMISE: &str = "in force";
/// While the shard has one leader that is heard.
const SOON: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(crate) struct InForce {
    pub found: Found,
    /// What each version says of each tenant, and since when the control group has it.
    taken: BTreeMap<u64, (Mono, Vec<(TenantId, Digest)>)>,
    /// Since when one leader leads that all hear, and in which term.
    led: Option<(u64, Mono)>,
}

impl InForce {
    /// The control group has taken a version.
    pub fn taken(&mut self, version: u64, asked: Vec<(TenantId, Digest)>, now: Mono) {
        self.taken.entry(version).or_insert((now, asked));
    }

    /// `led`: the term of a leader that all hear.
    pub fn look(&mut self, truth: &Shard, led: Option<u64>, now: Mono) {
        self.led = led.map(|term| (term, self.led.filter(|led| led.0 == term).map_or(now, |led| led.1)));
        for version in
            truth.tenants().map(|tenant| (tenant.id, truth.config_version(tenant.id), truth.config_digest(tenant.id)))
        {
            let (tenant, Some(version), digest) = version else { continue };
            let asked = self.taken.get(&version).and_then(|(_, asked)| asked.iter().find(|(id, _)| *id == tenant));
            if asked.map(|(_, digest)| *digest) != digest {
                self.found
                    .breach(PROMISE, None, || format!("version {version} of {tenant:?} is not what was asked for"));
            }
        }
        let (Some((version, (since, asked))), Some((_, led))) = (self.taken.last_key_value(), self.led) else { return };
        let late = asked.iter().find(|(tenant, digest)| truth.config_digest(*tenant) != Some(*digest));
        if let Some((tenant, _)) = late.filter(|_| now.since((*since).max(led)) > SOON) {
            self.found.breach(PROMISE, None, || format!("version {version} of {tenant:?} is not in force still"));
        }
    }
}
