//! Brings into the shard what the control group says is in force, tenant by tenant and part by part. Whoever follows a
//! leader that died half way asks the table which part is missing.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_model::{Mono, ShardId, TenantId};
use strowger_table::{Command, Content, Outcome, Refusal, TenantRef};

use super::{Look, What};
use crate::turn::Turn;

/// What failed is tried again after the first of these, then after twice as long each time, up to the second: somebody
/// has to bring content back, or a node.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

#[derive(Debug)]
pub(super) struct Bring {
    shard: ShardId,
    turn: Turn,
    bringing: Option<Bringing>,
    failed: BTreeMap<TenantId, Failed>,
}

/// The configuration that is on its way.
#[derive(Debug)]
struct Bringing {
    what: TenantRef,
    /// None while it is fetched.
    content: Option<Content>,
    /// The last part that was said.
    said: Option<u16>,
    /// How long it waits if it fails.
    pause: Duration,
}

/// A configuration that the shard has not taken.
#[derive(Clone, Copy, Debug)]
struct Failed {
    what: TenantRef,
    pause: Duration,
    /// None: the table will always say the same, so only another configuration is tried.
    again: Option<Mono>,
}

impl Bring {
    pub fn new(shard: ShardId) -> Self {
        Self { shard, turn: Turn::default(), bringing: None, failed: BTreeMap::new() }
    }

    pub fn begin_anew(&mut self) {
        *self = Self::new(self.shard);
    }

    pub fn wake(&mut self) {
        self.turn.wake();
    }

    pub fn look(&mut self, look: &Look<'_>) -> Option<What> {
        if self.retry().is_some_and(|retry| retry <= look.now) {
            self.turn.wake();
        }
        if !self.turn.is_on(look.now) {
            return None;
        }
        self.turn.rest();
        let behind = self.behind(look);
        self.failed.retain(|_, failed| behind.iter().any(|(tenant, _)| *tenant == failed.what));
        let (what, version) = behind.into_iter().find(|(tenant, _)| self.may_try(tenant, look.now))?;
        self.go_on_with(what);
        let bringing = self.bringing.as_mut()?;
        let Some(content) = &bringing.content else {
            self.turn.begin();
            return Some(What::Fetch(what));
        };
        debug_assert_eq!(content.digest, what.digest, "what is brought is what is in force");
        let command = content.next(look.shard, version, what.tenant)?;
        if let Command::Part(part) = &command {
            if bringing.said.is_some_and(|said| said >= part.no) {
                // What was said is gone again.
                self.fail(true, look.now);
                return None;
            }
            bringing.said = Some(part.no);
        }
        Some(self.turn.propose(command))
    }

    /// Tenants whose shard has not taken over what is in force, and the version that has it.
    fn behind(&self, look: &Look<'_>) -> Vec<(TenantRef, u64)> {
        let here = look.control.tenants().iter().filter(|tenant| tenant.shard == self.shard);
        let behind = here.filter_map(|tenant| {
            let version = look.control.changed(tenant.tenant)?;
            (look.shard.config_version(tenant.tenant) < Some(version)).then_some((*tenant, version))
        });
        behind.collect()
    }

    fn may_try(&self, tenant: &TenantRef, now: Mono) -> bool {
        self.failed.get(&tenant.tenant).is_none_or(|failed| failed.again.is_some_and(|again| again <= now))
    }

    /// What is brought already goes on; anything else begins.
    fn go_on_with(&mut self, what: TenantRef) {
        if self.bringing.as_ref().is_some_and(|bringing| bringing.what == what) {
            return;
        }
        let pause = self.failed.remove(&what.tenant).map_or(PAUSE.0, |failed| failed.pause);
        self.bringing = Some(Bringing { what, content: None, said: None, pause });
    }

    pub fn answered(&mut self, outcome: Option<&Outcome>, now: Mono) {
        self.turn.end(outcome.is_some(), now);
        self.turn.wake();
        if let Some(Outcome::Refused(refusal)) = outcome {
            // Parts that nobody put in force in time are gone, and are said again; and a layout that the control group
            // had first comes to this shard, too.
            self.fail(matches!(refusal, Refusal::NotWhole | Refusal::TooEarly), now);
        }
    }

    pub fn fetched(&mut self, content: Option<Content>, now: Mono) {
        self.turn.end(true, now);
        self.turn.wake();
        match (&mut self.bringing, content) {
            (Some(bringing), Some(content)) if content.digest == bringing.what.digest => {
                bringing.content = Some(content);
            }
            _ => self.fail(true, now),
        }
    }

    fn fail(&mut self, may_succeed: bool, now: Mono) {
        let Some(Bringing { what, pause, .. }) = self.bringing.take() else { return };
        let again = may_succeed.then(|| now + pause);
        self.failed.insert(what.tenant, Failed { what, pause: (pause * 2).min(PAUSE.1), again });
    }

    /// When something that failed is tried again.
    fn retry(&self) -> Option<Mono> {
        self.failed.values().filter_map(|failed| failed.again).min()
    }

    /// When it looks again by itself.
    pub fn again(&self) -> Option<Mono> {
        let retry = self.turn.from(Mono::ZERO).and(self.retry());
        [self.turn.again(), retry].into_iter().flatten().min()
    }
}
