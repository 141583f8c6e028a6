//! The promises, each an invariant in its own file.

mod apart;
mod balance;
mod barred;
mod both_ways;
mod closed;
mod conservation;
mod dialled_once;
mod disposed;
mod door;
mod gone;
mod in_force;
mod leads;
mod merged;
mod once;
mod order;
mod refused;
mod registered;
mod rest;
mod rules;
mod same_log;
mod slot;
mod sound;
mod story;
mod stuck;
mod survival;
mod told;
mod true_record;
mod unwanted;
mod voice;

use std::collections::VecDeque;
use std::sync::Arc;

use strowger_model::{AgentId, CallId, LogTime, Mono, QueueId};
use strowger_table::{Applied, Body, Call, Command, Offer, Outcome, Place, Presence, Proposal, Record, Shard, Stage};

use crate::asked::Asked;
use crate::node::Node;
use crate::scenario::Scenario;

pub(crate) use apart::Apart;
pub(crate) use balance::{Balance, astray_of};
pub(crate) use barred::Barred;
pub(crate) use both_ways::BothWays;
pub(crate) use closed::Closed;
pub(crate) use conservation::Conservation;
pub(crate) use dialled_once::DialledOnce;
pub(crate) use disposed::Disposed;
pub(crate) use door::{AtDoor, Door};
pub(crate) use gone::Gone;
pub(crate) use in_force::InForce;
pub(crate) use leads::Leads;
pub(crate) use merged::Merged;
pub(crate) use once::{Once, RENUMBERED};
pub(crate) use order::Order;
pub(crate) use refused::Refused;
pub(crate) use registered::Registered;
pub(crate) use rest::Rest;
pub(crate) use rules::{Decision, Look, Rules};
pub(crate) use same_log::SameLog;
pub(crate) use slot::Slot;
pub(crate) use sound::Sound;
pub(crate) use story::Story;
pub(crate) use stuck::Stuck;
pub(crate) use survival::Survival;
pub(crate) use told::Told;
pub(crate) use true_record::TrueRecord;
pub(crate) use unwanted::{ANONYMOUS, Unwanted};
pub(crate) use voice::Voice;

/// States a plan may have been made on; plans under way are younger than this many entries.
const BASES: usize = 400;

/// A broken promise.
#[derive(Clone, Debug)]
pub struct Breach {
    /// Its name, as a planted bug gives it.
    pub promise: &'static str,
    /// The call it happened to, if to one.
    pub call: Option<CallId>,
    /// What was seen, for people.
    pub text: String,
}

/// One committed entry: what it did to the state.
pub(crate) struct Step<'a> {
    pub index: u64,
    pub proposal: &'a Proposal,
    pub applied: &'a Applied,
    /// Calls it changed, or whose places it changed.
    pub calls: &'a [CallId],
    pub before: &'a Shard,
    pub after: &'a Shard,
    /// Records it wrote.
    pub records: &'a [Arc<Record>],
    /// The configuration that is in force, as it was asked for.
    pub config: Option<&'a Asked>,
    /// Somebody proposes what no part of the product would: only the table stands between it and the calls.
    pub is_wrong: bool,
    /// The proposal was carried out before, under the same number.
    pub is_repeat: bool,
    /// The state that a plan was made on, if it is kept.
    pub basis: Option<&'a Shard>,
}

impl Step<'_> {
    pub fn log_now(&self) -> LogTime {
        self.after.last().time
    }

    pub fn command(&self) -> Option<&Command> {
        match &self.proposal.body {
            Body::Shard(command) => Some(command),
            Body::Control(_) => None,
        }
    }

    /// What was acknowledged to who asked.
    pub fn is_granted(&self) -> bool {
        self.applied.outcome.refusal().is_none()
    }

    pub fn planned_offers(&self) -> &[Offer] {
        match self.command() {
            Some(Command::Plan(plan)) => &plan.offers,
            _ => &[],
        }
    }

    /// Offers of the planner that the table granted, and what they were planned on. None if another configuration came
    /// into force meanwhile: what was best under the one is not by the other.
    pub fn granted_offers(&self) -> Option<(&Shard, Vec<&Offer>)> {
        let Outcome::Planned { granted } = self.applied.outcome else { return None };
        let basis = self.basis.filter(|basis| !self.is_wrong && is_configured_as(basis, self.after))?;
        Some((basis, self.offers_of(granted).collect()))
    }

    /// Those of the planned offers whose bits are set.
    fn offers_of(&self, granted: u64) -> impl Iterator<Item = &Offer> {
        let offers = self.planned_offers().iter().enumerate();
        offers.filter(move |(bit, _)| granted >> bit & 1 == 1).map(|(_, offer)| offer)
    }

    /// Agents who were taken for a customer, and of which queue.
    pub fn taken(&self, config: &Asked) -> Vec<(AgentId, QueueId)> {
        match (self.command(), &self.applied.outcome) {
            (_, Outcome::Planned { granted }) => {
                self.offers_of(*granted).map(|offer| (offer.agent, offer.queue)).collect()
            }
            (Some(Command::Dial(dial)), Outcome::Dialled { call }) if call.index() == self.index => {
                config.campaign(dial.campaign).map(|campaign| (dial.agent, campaign.queue)).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// An agent pressed ready, and was heard.
    pub fn is_ready(&self) -> Option<AgentId> {
        match self.command() {
            Some(Command::Presence { agent, presence: Presence::Ready }) => Some(*agent).filter(|_| self.is_granted()),
            _ => None,
        }
    }

    /// Calls whose number is called by this entry, and was not before.
    pub fn begins_to_dial(&self) -> impl Iterator<Item = CallId> {
        let dials = |shard: &Shard, call| shard.call(call).is_some_and(|row| row.is_dialling());
        self.calls.iter().copied().filter(move |call| dials(self.after, *call) && !dials(self.before, *call))
    }

    /// Two calls that became one.
    pub fn merges(&self) -> Option<[CallId; 2]> {
        match self.command() {
            Some(Command::Merge { from, into, .. }) if self.is_granted() => Some([*from, *into]),
            _ => None,
        }
    }

    pub fn reconfigures(&self) -> bool {
        matches!(self.command(), Some(Command::Configure { .. })) && self.applied.outcome == Outcome::Done
    }
}

/// The place of a call that is in a queue, offered or not.
pub(crate) fn queued(shard: &Shard, call: CallId) -> Option<&Arc<Place>> {
    shard.place_of(call).filter(|place| place.is_in_queue())
}

/// Whether two states have the same configuration in force.
fn is_configured_as(one: &Shard, other: &Shard) -> bool {
    let versions = |shard: &Shard| -> Vec<_> {
        shard.tenants().map(|tenant| (tenant.id, shard.config_version(tenant.id))).collect()
    };
    versions(one) == versions(other)
}

/// The call that one went into.
pub(crate) fn went_into(row: &Call) -> Option<CallId> {
    if let Stage::Ended { into, .. } = row.stage { into } else { None }
}

/// The first breach of a promise; later ones follow from it.
#[derive(Default)]
pub(crate) struct Found(Option<Breach>);

impl Found {
    pub fn breach(&mut self, promise: &'static str, call: Option<CallId>, text: impl FnOnce() -> String) {
        if self.0.is_none() {
            self.0 = Some(Breach { promise, call, text: text() });
        }
    }
}

pub(crate) struct Promises {
    pub apart: Apart,
    pub unwanted: Unwanted,
    pub in_force: InForce,
    pub disposed: Disposed,
    pub refused: Refused,
    pub registered: Registered,
    pub slot: Slot,
    pub conservation: Conservation,
    pub order: Order,
    pub sound: Sound,
    pub story: Story,
    pub stuck: Stuck,
    pub same_log: SameLog,
    pub once: Once,
    pub voice: Voice,
    pub rest: Rest,
    pub balance: Balance,
    pub survival: Survival,
    pub dialled_once: DialledOnce,
    pub barred: Barred,
    pub leads: Leads,
    pub merged: Merged,
    pub both_ways: BothWays,
    pub closed: Closed,
    pub door: Door,
    pub gone: Gone,
    pub told: Told,
    pub true_record: TrueRecord,
    pub rules: Rules,
    bases: VecDeque<Shard>,
}

impl Promises {
    pub fn new(scenario: &Scenario) -> Self {
        Self {
            apart: Apart::default(),
            unwanted: Unwanted::default(),
            in_force: InForce::default(),
            disposed: Disposed::default(),
            refused: Refused::default(),
            registered: Registered::default(),
            slot: Slot::default(),
            conservation: Conservation::default(),
            order: Order::default(),
            sound: Sound::default(),
            story: Story::default(),
            stuck: Stuck::default(),
            same_log: SameLog::new(),
            once: Once::default(),
            voice: Voice::default(),
            rest: Rest::default(),
            balance: Balance::default(),
            survival: Survival::default(),
            dialled_once: DialledOnce::default(),
            barred: Barred::default(),
            leads: Leads::default(),
            merged: Merged::default(),
            both_ways: BothWays::default(),
            closed: Closed::default(),
            door: Door::new(scenario),
            gone: Gone::default(),
            told: Told::default(),
            true_record: TrueRecord::default(),
            rules: Rules::new(scenario.trunk_sites, scenario.rings_all),
            bases: VecDeque::new(),
        }
    }

    /// `twice`: the reader of the outbox is the one with the planted bug.
    pub fn committed(&mut self, step: &Step<'_>, now: Mono, twice: bool) {
        let is_first = self.once.committed(step);
        let basis = match step.command() {
            Some(Command::Plan(plan)) => self.bases.iter().rev().find(|shard| shard.last().index == plan.basis),
            _ => None,
        };
        let step = &Step { is_repeat: !is_first, basis, ..*step };
        self.apart.committed(step);
        self.disposed.committed(step);
        if let Some(config) = step.config {
            self.unwanted.committed(step, config);
        }
        self.slot.committed(step);
        self.conservation.committed(step, twice);
        self.order.committed(step);
        self.survival.committed(step);
        self.dialled_once.committed(step, now);
        self.barred.committed(step, is_first);
        self.leads.committed(step, is_first);
        self.merged.committed(step);
        self.closed.committed(step);
        self.sound.committed(step);
        self.story.committed(step);
        self.stuck.committed(step);
        self.true_record.committed(step);
        self.rules.committed(step);
        self.bases.push_back(step.after.clone());
        if self.bases.len() > BASES {
            self.bases.pop_front();
        }
    }

    pub fn same_log_at_end(&mut self, truth: &Shard, nodes: &[Node], last: u64) {
        let bytes = truth.snapshot();
        for node in nodes.iter().filter(|node| node.replica.applied == last) {
            self.same_log.same_bytes(node.who.node, &bytes, &node.replica.shard);
        }
    }

    pub fn breach(&mut self) -> Option<Breach> {
        let found = [
            &mut self.apart.found,
            &mut self.unwanted.found,
            &mut self.in_force.found,
            &mut self.disposed.found,
            &mut self.refused.found,
            &mut self.registered.found,
            &mut self.slot.found,
            &mut self.conservation.found,
            &mut self.order.found,
            &mut self.sound.found,
            &mut self.story.found,
            &mut self.stuck.found,
            &mut self.same_log.found,
            &mut self.once.found,
            &mut self.voice.found,
            &mut self.rest.found,
            &mut self.balance.found,
            &mut self.survival.found,
            &mut self.dialled_once.found,
            &mut self.barred.found,
            &mut self.leads.found,
            &mut self.merged.found,
            &mut self.both_ways.found,
            &mut self.closed.found,
            &mut self.door.found,
            &mut self.gone.found,
            &mut self.told.found,
            &mut self.true_record.found,
        ];
        found.into_iter().find_map(|found| found.0.take()).or_else(|| self.rules.breach())
    }
}
