//! `miss_pause_ms` and `max_misses`: who misses an offer is left alone for a while, and who misses too many in a row is
//! set not ready.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_model::config::Queue;
use strowger_model::{AgentId, CallId, LegKey, LogTime};
use strowger_table::{Command, DialTo, Presence, limit};

use super::super::{Found, Step};
use super::Rule;
use crate::asked::Asked;

const PROMISE: &str = "misses";

#[derive(Default)]
pub(crate) struct Misses {
    found: Found,
    in_a_row: BTreeMap<AgentId, u16>,
    /// Since when a phone rings.
    rung: BTreeMap<LegKey, LogTime>,
    /// Until when an agent is left alone.
    alone: BTreeMap<AgentId, LogTime>,
}

impl Rule for Misses {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn committed(&mut self, step: &Step<'_>, config: &Asked) {
        if let Some(agent) = step.is_ready() {
            self.alone.remove(&agent);
        }
        // Who leaves the configuration and comes back begins anew.
        self.in_a_row.retain(|agent, _| step.after.agent(*agent).is_some());
        let now = step.log_now();
        let busy_now = |agent: AgentId| step.after.agent(agent).and_then(|row| row.call());
        let busy_before = |agent: AgentId| step.before.agent(agent).and_then(|row| row.call());
        let ringing = step.calls.iter().filter_map(|call| step.after.call(*call)).flat_map(|row| row.ringing());
        self.rung.extend(
            ringing
                .map(|leg| leg.key)
                .filter(|leg| !self.rung.contains_key(leg))
                .map(|leg| (leg, now))
                .collect::<Vec<_>>(),
        );
        let rung = step.after.agents().filter(|agent| agent.call().is_some() && busy_before(agent.id).is_none());
        for agent in rung {
            // Who asks for a call wants no rest, from then on.
            if matches!(step.command(), Some(Command::Dial(dial)) if matches!(dial.to, DialTo::Number { .. })) {
                self.alone.remove(&agent.id);
            }
            if self.alone.get(&agent.id).is_some_and(|until| now < *until) {
                let id = agent.id;
                self.found.breach(PROMISE, busy_now(id), || format!("{id} is to be left alone after a miss"));
            }
        }
        for call in step.calls {
            let Some(before) = step.before.call(*call) else { continue };
            let Some(queue) = before.queue().and_then(|queue| config.queue(queue)) else { continue };
            let rings = |leg: LegKey| step.after.call_of_leg(leg).and_then(|row| row.leg(leg));
            for leg in before.ringing().filter(|leg| !rings(leg.key).is_some_and(|leg| leg.is_ringing())) {
                if let Some(agent) = leg.agent() {
                    self.rings_no_more(step, queue, *call, (leg.key, agent));
                }
            }
        }
        // Whose last phone went meanwhile has logged in anew when one is there again, and asks for calls by that.
        let is_in = |agent: &AgentId| step.after.agent(*agent).is_some_and(|row| row.presence != Presence::Out);
        self.alone.retain(|agent, _| is_in(agent));
    }
}

impl Misses {
    fn rings_no_more(&mut self, step: &Step<'_>, queue: &Queue, call: CallId, (leg, agent): (LegKey, AgentId)) {
        let (now, began) = (step.log_now(), self.rung.remove(&leg).unwrap_or_default());
        let observed = match step.command() {
            Some(Command::Missed { leg: missed, observed, .. }) if *missed == leg => (*observed).min(now),
            // A phone that hangs up before it answers.
            Some(Command::Left { leg: left, observed, .. }) if *left == leg => (*observed).min(now),
            // A call that an agent asked for may end while it rings, with the hours of its number: no miss.
            Some(Command::Expire)
                if now >= began + Duration::from_millis(queue.ring_timeout_ms.into()) + limit::OFFER_GRACE =>
            {
                now
            }
            Some(Command::Answered { leg: answered, .. }) if *answered == leg => {
                self.in_a_row.remove(&agent);
                return;
            }
            _ => return,
        };
        self.alone.insert(agent, observed + Duration::from_millis(queue.miss_pause_ms.into()));
        if matches!(step.command(), Some(Command::Missed { miss, .. }) if !miss.was_rung()) {
            return;
        }
        let row = self.in_a_row.entry(agent).or_default();
        *row += 1;
        if queue.max_misses != 0 && *row >= queue.max_misses {
            *row = 0;
            let state = step.after.agent(agent).map_or("gone", |agent| agent.state_name());
            if !matches!(state, "not_ready" | "logged_out" | "gone") {
                self.found.breach(PROMISE, Some(call), || format!("{agent} missed too many and is {state}"));
            }
        }
    }
}
