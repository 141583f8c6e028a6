//! Registrations: an agent's phone is rung where it said that it is, for as long as it said so; and whoever was told that
//! a phone is bound can count on it. Over TCP whoever has the newest connection owns the agent, a phone without one moves
//! nothing, and by a connection that is known to be lost nobody is rung.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use strowger_model::{AgentId, Incarnation, LegKey, Mono, NodeId};
use strowger_table::{Binding, Command, Leg, Reach, Shard};

use super::{Found, Step};
use crate::asked::Asked;
use crate::far::AgentPhone;
use crate::world::Lines;

const PROMISE: &str = "registered";
/// From a REGISTER that was sent to the entry that it becomes: a node that is frozen with it (5 s), one that has to ask
/// for a leader again and again (3 s); and the lease that ends late.
const LATE: Duration = Duration::from_secs(12);
/// A refresh is an entry when 40 of 100 have run off.
const KEPT_PERCENT: u32 = 60;
/// A node's log clock is behind the log by what an entry needs to reach it.
const BEHIND: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct Registered {
    pub found: Found,
    rung: BTreeSet<LegKey>,
    /// Who owns each agent, and since when: a new owner knows not which REGISTER was the newest.
    owners: BTreeMap<AgentId, (Option<(NodeId, Incarnation)>, Mono)>,
    /// The newest life of each node that the table knows to be over.
    over: BTreeMap<NodeId, Incarnation>,
    /// When each agent was in no configuration.
    unknown: BTreeMap<AgentId, Mono>,
}

impl Registered {
    pub fn committed(&mut self, step: &Step<'_>, phones: &[AgentPhone], lines: &Lines, now: Mono) {
        match step.command() {
            Some(Command::Adopt { node, incarnation, .. }) if step.is_granted() => {
                let over = self.over.entry(*node).or_default();
                *over = (*over).max(*incarnation);
            }
            Some(Command::Bind { agent, binding }) if step.is_granted() => self.moves(step, *agent, binding, lines),
            _ => {}
        }
        for agent in step.after.agents() {
            let known = self.owners.entry(agent.id).or_insert((None, Mono::ZERO));
            if known.0 != agent.owner {
                *known = (agent.owner, now);
            }
        }
        for row in step.calls.iter().filter_map(|call| step.after.call(*call)) {
            for leg in row.ringing() {
                if leg.agent().is_some() && self.rung.insert(leg.key) {
                    self.ring(leg, phones, now);
                    self.by_live_line(leg, lines);
                }
            }
        }
    }

    /// Whose agent it is after a phone was bound.
    fn moves(&mut self, step: &Step<'_>, agent: AgentId, binding: &Binding, lines: &Lines) {
        let owner = |shard: &Shard| shard.agent(agent).and_then(|row| row.owner);
        let connection = binding.flow.line.and_then(|line| lines.get(line));
        let wanted = connection.map_or(owner(step.before), |line| Some((line.who.id(), line.who.life)));
        let got = owner(step.after);
        if got != wanted && !step.applied.touched.is_nothing() {
            self.found.breach(PROMISE, None, || format!("{agent} is with {got:?} after {binding:?}, not {wanted:?}"));
        }
    }

    fn by_live_line(&mut self, leg: &Leg, lines: &Lines) {
        let Reach::Binding { far, .. } = &leg.reach else { return };
        let Some(who) = far.line.and_then(|line| lines.get(line)).map(|line| line.who) else {
            if far.transport.is_reliable() {
                self.found.breach(PROMISE, Some(leg.key.call), || format!("{leg:?} is rung by no line"));
            }
            return;
        };
        if self.over.get(&who.id()).is_some_and(|over| who.life <= *over) {
            self.found.breach(PROMISE, Some(leg.key.call), || format!("{} is rung by a line of {who:?}", leg.key));
        }
    }

    fn ring(&mut self, leg: &Leg, phones: &[AgentPhone], now: Mono) {
        let (Some(agent), Reach::Binding { far, .. }) = (leg.agent(), &leg.reach) else { return };
        let Some(line) = phones.get(agent.0 as usize - 1).and_then(|phone| phone.line.as_ref()) else { return };
        let told = line.told();
        let newest = told.iter().rposition(|told| told.answered.is_some()).unwrap_or_default();
        let since = self.owners.get(&agent).map_or(Mono::ZERO, |owner| owner.1);
        // A REGISTER that was held up may come to an owner that never saw the later one.
        let first = if told.get(newest).is_some_and(|told| told.first > since) { newest } else { 0 };
        let counts = told
            .iter()
            .skip(first)
            .any(|told| told.addr == far.addr && told.lasts > Duration::ZERO && now <= told.last + told.lasts + LATE);
        if !counts {
            self.found.breach(PROMISE, Some(leg.key.call), || {
                format!("{agent} is rung at {}, where the phone is not: {:?}", far.addr, told.last())
            });
        }
    }

    /// Whoever has its 200 is bound until that runs out, unless it said something else since.
    pub fn look(&mut self, truth: &Shard, config: &Asked, phones: &[AgentPhone], now: Mono) {
        for (at, phone) in phones.iter().enumerate() {
            // A phone without power counts on nothing, and its node's death may have taken it off.
            let line = phone.line.as_ref().filter(|line| !line.is_dark());
            let Some(told) = line.and_then(|line| line.told().last()) else { continue };
            let kept = told.lasts * KEPT_PERCENT / 100;
            let agent = AgentId(at as u32 + 1);
            if config.agent(agent).is_none() {
                self.unknown.insert(agent, now);
            }
            // Whom the configuration did not name lost all phones.
            let is_kept = self.unknown.get(&agent).is_none_or(|unknown| *unknown < told.first);
            let is_sure = is_kept && told.answered.is_some() && now + BEHIND < told.first + kept;
            let is_bound = |row: &strowger_table::Agent| row.bindings.iter().any(|own| own.flow.addr == told.addr);
            if is_sure && truth.agent(agent).is_some_and(|row| !is_bound(row)) {
                self.found.breach(PROMISE, None, || format!("{agent} has a 200 to {told:?} and is not bound"));
            }
        }
    }
}
