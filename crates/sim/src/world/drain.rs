//! What is looked at from time to time: leases, rows without hands, and, in the end, whether all is at rest.

use std::time::Duration;

use strowger_model::NodeId;
use strowger_table::{Call, Leg, Reach};

use super::World;
use crate::far::{AgentPhone, Called, Caller, CallerState, Phone, Ring, Voice};
use crate::happening::Who;
use crate::promise::{Look, astray_of};

/// From the last caller and the last fault to rest: the longest patience (60 s), the life of a SIP transaction, the
/// time an ended row is kept (64 s), and some more.
const DRAIN: Duration = Duration::from_secs(200);

impl World {
    pub(crate) fn look_for_stuck(&mut self) {
        let now = self.now;
        let stuck = &mut self.promises.stuck;
        if let Some((_, seat)) = self.log.seat() {
            stuck.look(seat.log_now(now), now, seat.since, self.log.lost);
        }
        // A far end that is asked to send elsewhere, and cannot be reached, keeps its step from going on.
        let moves = |row: &Call| row.customer().is_some_and(|leg| leg.next_relay.is_some());
        stuck.flows(&self.truth, now, moves);
        for node in 0..self.nodes.len() {
            if self.nodes[node].is_sound() && !self.is_passive(node) {
                self.promises.stuck.hands(&self.nodes[node], &self.broken, now);
            }
        }
        self.look_for_broken();
        self.promises.registered.look(&self.truth, &self.asked, &self.phones, now);
        let leader = self.log.seat().map(|(leader, _)| leader.node).filter(|node| self.leads(*node));
        let led = leader.filter(|node| self.nodes[*node].is_sound()).map(|_| self.log.term);
        self.promises.in_force.look(&self.truth, led, now);
        let (truth, config, wall) = (&self.truth, &self.asked, self.log.wall(now));
        // A campaign is its owner's, which may be any node.
        let is_well = |node: usize| {
            let place = &self.nodes[node];
            place.is_sound() && !place.stalled && !self.is_passive(node) && self.is_member(place.who)
        };
        let led = led.filter(|_| (0..self.nodes.len()).all(is_well));
        self.promises.rules.look(&Look { truth, config, led, now, wall });
        self.look_for_dead();
        self.look_at_relays();
        self.promises.rest.callers(&self.truth, &self.callers, now);
        self.promises.rest.phones(&self.truth, &self.phones, &self.called, now);
    }

    /// Of a process that nobody calls dead, nobody adopts the calls.
    fn look_for_dead(&mut self) {
        let is_well: Vec<bool> =
            (0..self.nodes.len()).map(|node| self.nodes[node].is_sound() && !self.is_passive(node)).collect();
        for node in 0..self.nodes.len() {
            let who = self.nodes[node].who;
            let others = (0..self.nodes.len()).all(|other| other == node || is_well[other]);
            let is_unsaid = !self.nodes[node].is_sound() && others && self.is_member(who);
            self.promises.stuck.gone(who, is_unsaid, self.now);
        }
    }

    /// Whether the control group has that life of a node for alive.
    fn is_member(&self, who: Who) -> bool {
        let known = self.control.table.node(who.id());
        known.is_some_and(|known| known.incarnation == who.life && !known.down)
    }

    fn look_at_relays(&mut self) {
        let awake: Vec<bool> = (0..self.nodes.len())
            .map(|node| self.nodes[node].is_sound() && !self.nodes[node].stalled && !self.is_passive(node))
            .collect();
        let nodes = &self.nodes;
        let able = |row: &Call| {
            let at = usize::from(row.owner.node.0) - 1;
            awake[at] && nodes[at].owns(row.owner) && nodes[at].actors.contains_key(&row.id)
        };
        let (callers, phones, called) = (&self.callers, &self.phones, &self.called);
        let voice = |leg: &Leg| voice_of(callers, phones, called, leg);
        self.promises.both_ways.look(&self.truth, &self.relays, self.now, able, voice);
        let proposes = self.is_heard_by_log();
        let (able, dark) = (|row: &Call| proposes && able(row), &self.promises.survival.dark);
        self.promises.gone.look(&self.truth, &self.relays, self.now, able, |leg| dark.contains(&leg));
        self.promises.closed.look(&self.truth, &self.relays, self.now);
    }

    /// Somebody leads, and nothing that is proposed is lost on its way.
    fn is_heard_by_log(&self) -> bool {
        let leads = |node: usize| self.nodes[node].is_sound() && !self.nodes[node].stalled;
        self.scenario.log.lost_per_mille == 0 && self.log.seat().is_some_and(|(leader, _)| leads(leader.node))
    }

    pub(crate) fn look_for_rest(&mut self) {
        self.promises.balance.look(&self.truth, self.control.table.live(), self.now);
        let left = self.left();
        if left.is_empty() {
            self.promises.same_log_at_end(&self.truth, &self.nodes, self.log.last());
            self.drained = true;
        } else if self.calm_since.is_some_and(|since| self.now.since(since) > DRAIN) {
            self.promises.rest.not_drained(left);
        }
    }

    /// What is not at rest, in words.
    fn left(&self) -> Vec<(Option<strowger_model::CallId>, String)> {
        let mut left = Vec::new();
        left.extend(self.truth.calls().map(|row| (Some(row.id), format!("row of {}, {}", row.id, row.stage_name()))));
        let busy = self.truth.agents().filter(|agent| agent.free_since().is_none());
        left.extend(busy.map(|agent| (agent.call(), format!("{} is {}", agent.id, agent.state_name()))));
        let live = self.control.table.live();
        left.extend(astray_of(&self.truth, &live).map(|row| (None, format!("{row:?} is astray"))));
        for node in &self.nodes {
            left.extend(node.actors.keys().map(|call| (Some(*call), format!("actor of {call} on {}", node.who.id()))));
            if node.replica.applied < self.log.last() {
                left.push((None, format!("{} has not applied all", node.who.id())));
            }
        }
        left.extend(self.not_well().into_iter().map(|text| (None, text)));
        for relay in &self.relays {
            left.extend(relay.open_legs().map(|leg| (Some(leg.call), format!("{leg} is open at a relay"))));
        }
        let at_rest = |state| matches!(state, CallerState::Rest | CallerState::Gone);
        let callers = self.callers.iter().filter(|caller| !at_rest(caller.state));
        left.extend(callers.map(|caller| (None, format!("caller-{} is {:?}", caller.id, caller.state))));
        left.extend(
            self.truth
                .campaigns()
                .flat_map(|ledger| self.truth.leads(ledger.campaign))
                .filter_map(|lead| Some((Some(lead.dialled_by()?), format!("lead {} is being dialled", lead.id)))),
        );
        for phone in self.phones.iter().map(|agent| &agent.phone).chain(self.called.iter().map(|called| &called.phone))
        {
            let rings = phone.rings().iter().filter(|ring| !ring.is_at_rest());
            left.extend(rings.map(|ring| {
                (ring.key.map(|key| key.call), format!("{} is {:?} with {:?}", phone.addr, ring.state, ring.key))
            }));
        }
        left
    }

    /// In the end every process is a member, speaks, and is heard by all.
    fn not_well(&self) -> Vec<String> {
        let mut left = Vec::new();
        for node in 0..self.nodes.len() {
            let place = &self.nodes[node];
            let who = place.who;
            if !place.up || self.is_passive(node) || !self.is_member(who) {
                left.push(format!("{} is no speaking member", who.id()));
            }
            if place.control.applied < self.control.log.last() {
                left.push(format!("{} has not applied all of the control group", who.id()));
            }
            let silent = |voter: &&NodeId| self.control.table.is_silent(who.id(), who.life, **voter);
            let voters = self.control.table.voters().iter().filter(silent);
            left.extend(voters.map(|voter| format!("{voter} says that {} is silent", who.id())));
        }
        left
    }
}

/// What a leg's far end is to who listens; one that has heard of no answer, or has lost its power, agrees on nothing.
fn voice_of(callers: &[Caller], phones: &[AgentPhone], called: &[Called], leg: &Leg) -> Voice {
    let rings = |phone: &Phone| phone.rings().iter().find(|ring| ring.key == Some(leg.key)).map(Ring::voice);
    let voice = match &leg.reach {
        Reach::Inbound => callers.iter().find(|caller| caller.key == Some(leg.key)).map(Caller::voice),
        Reach::Binding { agent, .. } => phones.get(agent.0 as usize - 1).and_then(|agent| rings(&agent.phone)),
        Reach::Trunk { .. } => called.iter().find_map(|called| rings(&called.phone)),
        Reach::Socket { .. } => None,
    };
    voice.unwrap_or(Voice::Asks)
}
