//! The rules of the configuration, each a promise in its own file. What they hold against is the configuration as it
//! was asked for, not what the table has of it.

mod admitted_once;
mod attempts;
mod called;
mod hours;
mod keep_idle;
mod listed;
mod longest_idle;
mod max_wait;
mod max_waiting;
mod misses;
mod one_phone;
mod retry_pause;
mod ring_time;
mod routed;
mod shared_agents;
mod site;
mod staffed;
mod stopped;
mod trunk_allowance;
mod wrap_up;

use strowger_model::{CallId, Mono, Wall};
use strowger_table::{Command, Shard};

use super::{Breach, Found, Step};
use crate::asked::Asked;

/// What is to be proposed by a leader, and what it was decided on.
pub(crate) struct Decision<'a> {
    pub command: &'a Command,
    /// The replica it is made on.
    pub shard: &'a Shard,
    /// What is in force there, as it was asked for.
    pub config: &'a Asked,
    pub now: Mono,
}

/// How it stands between two entries.
pub(crate) struct Look<'a> {
    pub truth: &'a Shard,
    pub config: &'a Asked,
    /// The term of a leader that all hear, while all are there.
    pub led: Option<u64>,
    pub now: Mono,
    pub wall: Wall,
}

pub(crate) trait Rule {
    /// Its first breach, if it has one.
    fn found(&mut self) -> &mut Found;
    fn committed(&mut self, _step: &Step<'_>, _config: &Asked) {}
    fn decided(&mut self, _decision: &Decision<'_>) {}
    fn look(&mut self, _look: &Look<'_>) {}
    /// An owner begins with a call that it has nothing of but the row.
    fn began_from_row(&mut self, _call: CallId) {}
    /// The last relay of a site opens no port for a leg of a call.
    fn site_has_no_port(&mut self, _call: CallId) {}
}

pub(crate) struct Rules(Vec<Box<dyn Rule>>);

impl Rules {
    /// `rings_all`: several phones may ring for a place.
    pub fn new(trunk_sites: [&'static str; 2], rings_all: bool) -> Self {
        Self(vec![
            Box::<admitted_once::AdmittedOnce>::default(),
            Box::<attempts::Attempts>::default(),
            Box::<called::Called>::default(),
            Box::<hours::OpenHours>::default(),
            Box::<keep_idle::KeepIdle>::default(),
            Box::<listed::Listed>::default(),
            Box::<longest_idle::LongestIdle>::default(),
            Box::<max_wait::MaxWait>::default(),
            Box::<max_waiting::MaxWaiting>::default(),
            Box::<misses::Misses>::default(),
            Box::new(one_phone::OnePhone::new(rings_all)),
            Box::<retry_pause::RetryPause>::default(),
            Box::<ring_time::RingTime>::default(),
            Box::<routed::Routed>::default(),
            Box::<shared_agents::SharedAgents>::default(),
            Box::new(site::Site::new(trunk_sites)),
            Box::<staffed::Staffed>::default(),
            Box::<stopped::Stopped>::default(),
            Box::<trunk_allowance::TrunkAllowance>::default(),
            Box::<wrap_up::WrapUp>::default(),
        ])
    }

    pub fn committed(&mut self, step: &Step<'_>) {
        let Some(config) = step.config else { return };
        self.0.iter_mut().for_each(|rule| rule.committed(step, config));
    }

    pub fn decided(&mut self, decision: &Decision<'_>) {
        self.0.iter_mut().for_each(|rule| rule.decided(decision));
    }

    pub fn look(&mut self, look: &Look<'_>) {
        self.0.iter_mut().for_each(|rule| rule.look(look));
    }

    pub fn began_from_row(&mut self, call: CallId) {
        self.0.iter_mut().for_each(|rule| rule.began_from_row(call));
    }

    pub fn site_has_no_port(&mut self, call: CallId) {
        self.0.iter_mut().for_each(|rule| rule.site_has_no_port(call));
    }

    pub fn breach(&mut self) -> Option<Breach> {
        self.0.iter_mut().find_map(|rule| rule.found().0.take())
    }
}
