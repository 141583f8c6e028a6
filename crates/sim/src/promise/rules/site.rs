//! `site`: a leg's media goes over a relay of its far end's site, where there is one that opens a port.

use std::collections::BTreeSet;

use strowger_model::{CallId, LegKey, RelayId};

use super::super::{Found, Step};
use super::Rule;
use crate::asked::Asked;
use crate::tenant::site_of;

pub(crate) struct Site {
    found: Found,
    trunk_sites: [&'static str; 2],
    seen: BTreeSet<LegKey>,
    /// Calls that somebody began without their INVITE.
    anew: BTreeSet<CallId>,
    /// Calls for which the last relay of a site opened no port: far media is better than a refusal.
    far: BTreeSet<CallId>,
}

impl Site {
    pub fn new(trunk_sites: [&'static str; 2]) -> Self {
        Self {
            found: Found::default(),
            trunk_sites,
            seen: BTreeSet::new(),
            anew: BTreeSet::new(),
            far: BTreeSet::new(),
        }
    }
}

impl Rule for Site {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn began_from_row(&mut self, call: CallId) {
        self.anew.insert(call);
    }

    fn site_has_no_port(&mut self, call: CallId) {
        self.far.insert(call);
    }

    fn committed(&mut self, step: &Step<'_>, config: &Asked) {
        for row in step.calls.iter().filter_map(|call| step.after.call(*call)) {
            for leg in &row.legs {
                let Some(RelayId(relay)) = leg.relay.filter(|_| self.seen.insert(leg.key)) else { continue };
                let wanted = match leg.agent() {
                    Some(agent) => config.agent(agent).map_or("", |agent| agent.site.as_str()),
                    None => row.trunk().map_or("", |trunk| self.trunk_sites[trunk.0 as usize - 1]),
                };
                let there = site_of(usize::from(relay));
                // Who begins without the INVITE with a call that had no relay yet takes any: known, and the shell's to mend.
                let heirs = leg.is_customer() && (row.was_adopted() || self.anew.contains(&row.id));
                let far = leg.is_customer() && self.far.contains(&row.id);
                if !heirs && !far && !wanted.is_empty() && there != wanted {
                    let key = leg.key;
                    self.found.breach("site", Some(row.id), || format!("{key} is at {there}, its far end at {wanted}"));
                }
            }
        }
    }
}
