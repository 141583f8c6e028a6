//! Call actors: one machine each; what it says is performed.

use std::sync::Arc;
use std::time::Duration;

use strowger_call::{Action, Answer, Event, Machine, MediaFact, Rows};
use strowger_media::{Op, RelayCommand};
use strowger_model::{CallId, Far, LegKey, Mono, RelayId};
use strowger_sip::Message;
use strowger_table::{Call, Command, DutyKind, ToldBy};

use super::Seated;
use super::propose::Purpose;
use crate::far::Sip;
use crate::happening::{Happening, Task};
use crate::plant::Plant;
use crate::tenant::SHARD;
use crate::trace::About;
use crate::world::World;

/// How soon a passive node's timer looks again.
const PASSIVE_TICK: Duration = Duration::from_millis(100);

/// What a call's actor is told.
pub(crate) enum News {
    Rows(Rows),
    Sip {
        leg: LegKey,
        message: Box<Message>,
        source: Far,
    },
    Media(MediaFact),
    /// A relay's facts of this leg up to this one have been heard.
    Acknowledge {
        relay: RelayId,
        leg: LegKey,
        event: u64,
    },
    Proposed {
        number: u64,
        answer: Answer,
    },
    Tick,
}

impl World {
    /// False if the call has no actor there.
    pub(crate) fn tell(&mut self, node: usize, call: CallId, news: News) -> bool {
        let Some(mut actor) = self.nodes[node].actors.remove(&call) else { return false };
        let place = &self.nodes[node];
        let (now, log_now) = (self.now, self.mistimed(place.log_now(self.now)));
        let actions = match news {
            News::Rows(rows) => {
                if !place.owns(rows.call.owner) && self.plant != Some(Plant::Unfenced) {
                    // Somebody else's by now: not a word on the wire.
                    self.say(About::Call(call), || format!("n{} lets go", node + 1));
                    return true;
                }
                let tenant = place.replica.shard.tenant(rows.call.tenant);
                actor.machine.on(Event::Row { rows, tenant }, log_now, now)
            }
            News::Sip { leg, message, source } => {
                actor.machine.on(Event::Message { leg, message: &message, source }, log_now, now)
            }
            News::Acknowledge { relay, leg, event } => {
                vec![Action::Media { relay, call: leg.call, op: Op::Ack { leg: leg.leg, seq: event } }]
            }
            News::Media(fact) => actor.machine.on(Event::Media(fact), log_now, now),
            News::Proposed { number, answer } => actor.machine.on(Event::Proposed { number, answer }, log_now, now),
            News::Tick => actor.machine.on(Event::Tick, log_now, now),
        };
        let row = actor.machine.row().clone();
        let mut stops = false;
        for action in actions {
            stops |= action == Action::Stop;
            self.perform(node, &row, action);
        }
        if stops {
            return true;
        }
        self.arm(node, &mut actor);
        self.nodes[node].actors.insert(call, actor);
        true
    }

    pub(crate) fn begin(&mut self, node: usize, machine: Machine, rows: Rows) {
        let id = machine.id();
        self.nodes[node].actors.insert(id, Seated { machine, armed: None });
        self.tell(node, id, News::Rows(rows));
    }

    pub(crate) fn on_tick(&mut self, node: usize, call: CallId, at: Mono) {
        let passive = self.is_passive(node);
        let now = self.now;
        let Some(actor) = self.nodes[node].actors.get_mut(&call).filter(|actor| actor.armed == Some(at)) else {
            return;
        };
        actor.armed = None;
        if passive {
            // A passive node fires no timer; it looks again soon.
            let again = now + PASSIVE_TICK;
            actor.armed = Some(again);
            return self.plan_tick(node, call, again);
        }
        self.tell(node, call, News::Tick);
    }

    fn arm(&mut self, node: usize, actor: &mut Seated) {
        let Some(deadline) = actor.machine.deadline() else { return };
        if actor.armed.is_none_or(|armed| deadline < armed) {
            let at = deadline.max(self.now);
            actor.armed = Some(at);
            self.plan_tick(node, actor.machine.id(), at);
        }
    }

    fn plan_tick(&mut self, node: usize, call: CallId, at: Mono) {
        let who = self.nodes[node].who;
        self.timeline.plan(at, Happening::In(who, Task::Tick { call, at }));
    }

    fn perform(&mut self, node: usize, row: &Arc<Call>, action: Action) {
        let call = row.id;
        match action {
            Action::Send { bytes, .. } if self.plant == Some(Plant::CancelUnsent) && bytes.starts_with(b"CANCEL") => {}
            Action::Send { bytes, .. } if self.plant == Some(Plant::WithdrawnRingsOn) && is_withdrawn(row, &bytes) => {}
            Action::Send { to, bytes } => {
                if !self.is_silent(node) {
                    self.promises.voice.spoke(&self.truth, self.nodes[node].who, call);
                }
                self.hung_up_too_soon(node, row, &bytes);
                self.send(node, About::Call(call), to, bytes);
            }
            Action::Propose { number, command } => {
                if self.plant == Some(Plant::HangUpUnproposed) && is_far_hang_up(&command) {
                    return;
                }
                self.propose(node, *command, Purpose::OfCall { call, number });
            }
            Action::Done { .. } if self.is_passive(node) && action.is_said(row) => {}
            Action::Done { duty } => self.performed(node, call, duty),
            Action::Media { relay, call, op } if self.withholds(row, relay, call, &op) => {}
            Action::Media { relay, call, op } => {
                self.order(node, relay, row.id, RelayCommand { call, epoch: row.owner.epoch, op });
            }
            Action::HandOn { message, source, .. } => self.take(node, source, &message.bytes()),
            Action::Stop => self.say(About::Call(call), || format!("n{} is done with it", node + 1)),
        }
    }

    /// The planted bug that takes a hang-up for done when it is said.
    fn hung_up_too_soon(&mut self, node: usize, row: &Call, bytes: &[u8]) {
        let ends = bytes.starts_with(b"BYE") || bytes.starts_with(b"CANCEL");
        if self.plant != Some(Plant::HungUpTooSoon) || !ends {
            return;
        }
        let leg = Sip::parse(bytes).and_then(|sip| sip.key());
        let duty = leg.and_then(|leg| row.duty_to(DutyKind::HangUp { leg })).map(|duty| duty.id);
        duty.into_iter().for_each(|duty| self.performed(node, row.id, duty));
    }

    fn performed(&mut self, node: usize, call: CallId, duty: u32) {
        if self.plant == Some(Plant::DoneLost) {
            return;
        }
        let rule = &mut self.nodes[node].done;
        let was = rule.due();
        rule.take([(call, duty)], self.now);
        self.plan_done(node, was);
    }

    pub(crate) fn say_done(&mut self, node: usize) {
        let said = self.nodes[node].done.say(self.now);
        said.into_iter().for_each(|(_, command)| self.propose(node, command, Purpose::Done));
    }

    pub(crate) fn done_answered(&mut self, node: usize, committed: bool) {
        let rule = &mut self.nodes[node].done;
        let was = rule.due();
        rule.answered(SHARD, committed);
        self.plan_done(node, was);
    }

    /// `was`: for when it is planned already.
    fn plan_done(&mut self, node: usize, was: Option<Mono>) {
        let place = &self.nodes[node];
        let Some(due) = place.done.due().filter(|due| Some(*due) != was) else { return };
        self.timeline.plan(due.max(self.now), Happening::In(place.who, Task::SayDone));
    }
}

/// A CANCEL, once another has talked: it is said again when the talk is over.
fn is_withdrawn(row: &Call, bytes: &[u8]) -> bool {
    row.connected().is_some() && bytes.starts_with(b"CANCEL")
}

fn is_far_hang_up(command: &Command) -> bool {
    matches!(command, Command::Left { told_by: ToldBy::FarEnd, .. })
}

/// The relay of the customer's leg.
pub(crate) fn relay_of(row: &Call) -> Option<RelayId> {
    row.customer().and_then(|leg| leg.relay)
}
