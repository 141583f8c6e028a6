//! Runs the switch's intake: messages and news of the log in, what it says performed.

use std::sync::Arc;

use strowger_model::{CallId, Far, Mono, NodeId};
use strowger_sip::{Message, phrase, reply, reply_destination};
use strowger_switch::{Action, Intake};
use strowger_table::{AdmitKey, Command, Outcome};

use super::around::Surroundings;
use super::{News, Purpose};
use crate::happening::{Happening, Task};
use crate::tenant::SHARD;
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
                self.switch(node, |intake, around| intake.invite(message, far, around));
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

    fn switch(&mut self, node: usize, rule: impl FnOnce(&mut Intake, &Surroundings<'_>) -> Vec<Action>) {
        let mut intake = std::mem::replace(&mut self.nodes[node].intake, super::around::intake(self.now));
        let actions = self.around(node, |around| rule(&mut intake, around));
        let deadline = intake.deadline();
        self.nodes[node].intake = intake;
        self.arm_intake(node, deadline);
        for action in actions {
            self.perform_switch(node, action);
        }
    }

    /// What the switch sees of a node now.
    pub(crate) fn around<R>(&self, node: usize, ask: impl FnOnce(&Surroundings<'_>) -> R) -> R {
        ask(&Surroundings {
            node: &self.nodes[node],
            now: self.now,
            asked: self.directory(node),
            usable: &self.usable,
            sites: &self.scenario.trunk_sites,
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
