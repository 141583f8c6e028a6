//! Runs the switch's intake: messages and news of the log in, what it says performed.

use std::sync::Arc;

use strowger_model::{CallId, Far, Mono, NodeId, TrunkId};
use strowger_sip::{Message, phrase, reply, reply_destination};
use strowger_switch::{Action, Intake};
use strowger_table::{AdmitKey, Body, Call, Command, Leg, Outcome, Reach, Source};

use super::around::Surroundings;
use super::{News, Purpose};
use crate::happening::{Happening, Task};
use crate::promise::AtDoor;
use crate::scenario::Limits;
use crate::seen::Thing;
use crate::tenant::{SHARD, trunk_of};
use crate::trace::About;
use crate::world::{World, local};

impl World {
    /// What comes from a far end, as the edge sorts it.
    pub(crate) fn take(&mut self, node: usize, far: Far, bytes: &[u8]) {
        if self.is_passive(node) {
            return self.leaves_unread(node, far, bytes);
        }
        let Ok(mut message) = Message::parse(bytes) else { return };
        let leg = local().tokens.leg_of(&message);
        if message.is_request() {
            message.fill_received(far.addr);
        }
        match (leg, message.method()) {
            (Some(leg), _) => self.switch(node, |intake, around| intake.for_leg(leg, message, far, around)),
            (None, _) if !message.is_request() => {}
            (None, "INVITE") if message.to_tag().is_empty() => {
                self.knock(node, message, far);
            }
            (None, "REGISTER") => self.register(node, message, far),
            (None, "CANCEL") => self.switch(node, |intake, around| intake.cancel(message, far, around)),
            (None, "ACK") => {}
            (None, _) => {
                let bytes = reply(&message, 481, phrase(481), &[], None, None);
                self.send(node, About::World, reply_destination(&message, far), bytes);
            }
        }
    }

    pub(crate) fn forwarded(&mut self, node: usize, source: Far, bytes: &[u8]) {
        let Ok(message) = Message::parse(bytes) else { return };
        self.switch(node, |intake, around| intake.forwarded(message, source, around));
    }

    /// None: not committed in time.
    pub(crate) fn admit_answered(&mut self, node: usize, key: &AdmitKey, outcome: Option<&Outcome>) {
        self.switch(node, |intake, around| intake.admit_answered(key, outcome, around));
    }

    /// Its replica has gone on: what waited for that is judged again.
    pub(crate) fn switch_applied(&mut self, node: usize, touched: Vec<CallId>) {
        let applied = self.nodes[node].replica.applied;
        self.switch(node, |intake, around| intake.applied(SHARD, applied, touched, around));
    }

    pub(crate) fn switch_installed(&mut self, node: usize) {
        let applied = self.nodes[node].replica.applied;
        self.switch(node, |intake, around| intake.installed(SHARD, applied, around));
    }

    pub(crate) fn switch_tick(&mut self, node: usize, at: Mono) {
        if self.nodes[node].intake_armed == Some(at) {
            self.nodes[node].intake_armed = None;
            self.switch(node, |intake, around| intake.tick(around));
        }
    }

    /// A call that may be new.
    fn knock(&mut self, node: usize, message: Message, far: Far) {
        let actions = self.ask_switch(node, |intake, around| intake.invite(message, far, around));
        for action in &actions {
            match action {
                Action::Admit { .. } => {
                    let at = self.at_door(node, trunk_of(far.addr));
                    self.promises.door.lets_in(&at, self.now);
                }
                // It was let in as far as the rates go, and is not wanted or for nobody.
                Action::Send { bytes, .. }
                    if bytes.starts_with(b"SIP/2.0 404") || bytes.starts_with(b"SIP/2.0 603") =>
                {
                    self.promises.door.judged(self.nodes[node].who, trunk_of(far.addr), self.now);
                }
                Action::Send { bytes, .. } if bytes.starts_with(b"SIP/2.0 503") => {
                    let at = self.at_door(node, trunk_of(far.addr));
                    self.promises.door.turns_away(&at, self.now);
                    self.seen.add(Thing::TurnedAway, 1);
                }
                _ => {}
            }
        }
        actions.into_iter().for_each(|action| self.perform_switch(node, action));
    }

    /// What there is of a trunk's calls as a node judges one more.
    fn at_door(&self, node: usize, trunk: TrunkId) -> AtDoor {
        let place = &self.nodes[node];
        let shard = &place.replica.shard;
        let is_of = |row: &&Arc<Call>| row.trunk() == Some(trunk);
        let is_applied = |row: &&Arc<Call>| row.id.index() <= place.replica.applied;
        let came = |leg: &Leg, row: &Call| leg.key.call == row.id && leg.reach == Reach::Inbound;
        let is_in = |row: &&Arc<Call>| row.live_legs().any(|leg| came(leg, row));
        let asked = place.asking.values().filter_map(|asking| match &asking.proposal.body {
            Body::Shard(Command::Admit(admit)) if admit.source == Source::Trunk(trunk) => Some(&admit.key),
            _ => None,
        });
        let asked: Vec<&AdmitKey> = asked.collect();
        let under_way = asked.iter().filter(|key| shard.call_by_key(key).is_none()).count();
        let in_truth = || self.truth.calls().filter(is_of);
        let seen = shard.calls().flat_map(|row| row.lines()).filter(|of| *of == trunk).count();
        AtDoor {
            who: place.who,
            trunk,
            actors: place.actors.len(),
            known: in_truth().filter(is_applied).filter(is_in).count() + under_way,
            most: seen + asked.len() + in_truth().filter(|row| !is_applied(row)).count(),
        }
    }

    fn switch(&mut self, node: usize, rule: impl FnOnce(&mut Intake, &Surroundings<'_>) -> Vec<Action>) {
        let actions = self.ask_switch(node, rule);
        actions.into_iter().for_each(|action| self.perform_switch(node, action));
    }

    fn ask_switch(
        &mut self,
        node: usize,
        rule: impl FnOnce(&mut Intake, &Surroundings<'_>) -> Vec<Action>,
    ) -> Vec<Action> {
        let aside = super::around::intake(Limits::OPEN, self.now);
        let mut intake = std::mem::replace(&mut self.nodes[node].intake, aside);
        let actions = self.around(node, |around| rule(&mut intake, around));
        let deadline = intake.deadline();
        self.nodes[node].intake = intake;
        self.arm_intake(node, deadline);
        actions
    }

    /// What the switch sees of a node now.
    pub(crate) fn around<R>(&self, node: usize, ask: impl FnOnce(&Surroundings<'_>) -> R) -> R {
        ask(&Surroundings {
            node: &self.nodes[node],
            now: self.now,
            asked: self.directory(node),
            usable: &self.usable,
            sites: &self.scenario.trunk_sites,
            limits: self.limits_at_door(),
            local: Arc::new(local()),
        })
    }

    fn arm_intake(&mut self, node: usize, deadline: Option<Mono>) {
        let Some(at) = deadline.map(|at| at.max(self.now)) else { return };
        let place = &mut self.nodes[node];
        if place.intake_armed.is_none_or(|armed| at < armed) {
            place.intake_armed = Some(at);
            self.timeline.plan(at, Happening::In(place.who, Task::Intake { at }));
        }
    }

    fn perform_switch(&mut self, node: usize, action: Action) {
        match action {
            Action::Tell { call, leg, message, source } => {
                self.tell(node, call, News::Sip { leg, message, source });
            }
            Action::Forward { to, source, message } => self.pass_on(node, to, source, &message),
            Action::Send { to, bytes } => self.send(node, About::World, to, bytes),
            Action::Admit { key, command, .. } => self.propose(node, *command, Purpose::Admit(key)),
            Action::Withdraw { key, .. } => self.propose(node, Command::Withdraw { key }, Purpose::Nobody),
            Action::Count(_) => {}
        }
    }

    fn pass_on(&mut self, node: usize, to: NodeId, source: Far, message: &Message) {
        self.cast_to(node, to, Task::Forwarded { source, bytes: message.bytes() });
    }
}
