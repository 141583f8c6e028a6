//! The machine: its parts, its one entrance, and how a row makes it act.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use strowger_ivr::Stepper;
use strowger_media::{Op, What};
use strowger_model::config::{Queue, Tenant};
use strowger_model::{CallId, Cause, Far, LegKey, LogNow, Mono, RelayId};
use strowger_sip::{Leg, Local, Message, Out};
use strowger_table as table;
use strowger_table::{Call, Command, DutyKind, Reach, Stage, ToldBy};

use crate::event::{Action, Actions, Answer, Event, MediaFact};
use crate::rows::Rows;
use crate::said::Said;
use crate::side::Side;
use crate::told::Told;

/// What a machine is told of its surroundings once.
#[derive(Clone, Debug)]
pub struct Setting {
    /// What our messages say of this node.
    pub local: Local,
    /// The relay's choice for a call that came to us, made at admission, and once more if that one opens no port; an
    /// answered leg has it in its row.
    pub relay: RelayId,
}

/// One call, as its owner drives it.
pub struct Machine {
    pub(crate) rows: Rows,
    pub(crate) setting: Setting,
    pub(crate) queue: Option<Queue>,
    /// Its legs, and those that the row has forgotten and whose far ends have not. Boxed: a map keeps places for eleven
    /// where a call has one or two, and a side is 2 KB.
    pub(crate) sides: BTreeMap<LegKey, Box<Side>>,
    pub(crate) flow: Option<Stepper>,
    /// The step that was begun, named by the entry of the log that led to it: a row that changes elsewhere begins
    /// nothing anew.
    pub(crate) step: Option<u64>,
    /// The proposal of the next step: until it is entered, nothing that comes is for the step before.
    pub(crate) stepping: Option<Said>,
    /// Duties to close a port that a relay was told of.
    pub(crate) closing: BTreeSet<u32>,
    /// Set from the moment at which an end is proposed: no phone is rung and nobody is answered any more.
    pub(crate) ending: Option<Said>,
    pub(crate) told: Told,
    next_number: u64,
    adopting: bool,
    out: Actions,
}

impl Machine {
    /// For the node that received the INVITE and saw its `Admit` committed.
    pub fn admitted(rows: Rows, invite: &Message, source: Far, setting: Setting) -> Self {
        let key = rows.call.customer().map(|leg| leg.key);
        let mut machine = Self::new(rows, setting, false);
        if let Some(key) = key {
            let sip = Leg::incoming(key, invite, source, &machine.setting.local);
            machine.sides.insert(key, Box::new(Side::of(sip)));
        }
        machine
    }

    /// For the node that a call was given to before anything was done for it.
    pub fn dialled(rows: Rows, setting: Setting) -> Self {
        Self::new(rows, setting, false)
    }

    /// For a node that has nothing but the rows.
    pub fn adopted(rows: Rows, setting: Setting) -> Self {
        Self::new(rows, setting, true)
    }

    fn new(mut rows: Rows, setting: Setting, adopting: bool) -> Self {
        rows.read_holds(None);
        Self {
            rows,
            setting,
            queue: None,
            sides: BTreeMap::new(),
            flow: None,
            step: None,
            stepping: None,
            closing: BTreeSet::new(),
            ending: None,
            told: Told::default(),
            next_number: 1,
            adopting,
            out: Vec::new(),
        }
    }

    /// Which call it is.
    pub fn id(&self) -> CallId {
        self.rows.call.id
    }

    /// As the machine was told last.
    pub fn row(&self) -> &Arc<Call> {
        &self.rows.call
    }

    /// The one entrance. What it gives is to be done in its order; `log_now` stamps the facts that are proposed.
    pub fn on(&mut self, event: Event<'_>, log_now: LogNow, now: Mono) -> Actions {
        match event {
            Event::Row { rows, tenant } => self.on_rows(rows, tenant, log_now, now),
            Event::Message { leg, message, source } => self.on_message(leg, message, source, log_now, now),
            Event::Media(fact) => self.on_media(fact, log_now, now),
            Event::Proposed { number, answer } => self.on_proposed(number, answer, now),
            Event::Tick => {
                self.on_tick(log_now, now);
                debug_assert!(self.deadline().is_none_or(|at| at > now), "what is due at {now:?} is left undone");
            }
        }
        self.tell_relays();
        self.stop_if_idle();
        self.hold();
        std::mem::take(&mut self.out)
    }

    /// The next moment at which `Tick` must come.
    pub fn deadline(&self) -> Option<Mono> {
        let sides = self.sides.values().filter_map(|side| side.deadline());
        // A digit's time that is left over is nobody's once the caller leaves the step.
        sides
            .chain(self.flow.as_ref().filter(|_| self.is_in_step()).and_then(Stepper::deadline))
            .chain(self.stepping.iter().chain(&self.ending).filter_map(Said::deadline))
            .min()
    }

    fn on_rows(&mut self, mut rows: Rows, tenant: Option<&Tenant>, log_now: LogNow, now: Mono) {
        debug_assert_eq!(rows.call.id, self.id(), "a machine is told of another call");
        debug_assert!(
            rows.call.owner.epoch >= self.rows.call.owner.epoch,
            "a row of an earlier owner comes after one of a later"
        );
        rows.read_holds(Some(&self.rows));
        self.rows = rows;
        self.learn_configuration(tenant);
        let took_over = std::mem::take(&mut self.adopting);
        if took_over {
            self.take_over(log_now, now);
        }
        self.take_in(now);
        let row = self.rows.call.clone();
        for leg in &row.legs {
            if leg.is_answered() {
                self.meet(leg, took_over, log_now, now);
                self.move_leg(leg, now);
                self.put_right(leg.key);
            } else if leg.is_ringing() && !self.is_ending() {
                self.call_leg(leg, log_now, now);
            }
        }
        if let (Stage::Flow, Some(position)) = (row.stage, row.flow) {
            self.begin_step(position);
        }
        self.forget_said();
        self.let_go(now);
    }

    fn learn_configuration(&mut self, tenant: Option<&Tenant>) {
        let row = &self.rows.call;
        let queue = row.music();
        if self.queue.as_ref().map(|queue| queue.id) != queue {
            self.queue = tenant.zip(queue).and_then(|(tenant, id)| tenant.queue(id)).cloned();
        }
        if self.flow.is_none() {
            let in_force = || tenant.zip(row.flow).and_then(|(tenant, at)| tenant.flow(at.flow));
            self.flow = self.rows.kept_flow.as_ref().or_else(in_force).cloned().map(Stepper::new);
        }
    }

    /// What is done once for a leg that nobody has answered.
    fn call_leg(&mut self, leg: &table::Leg, log_now: LogNow, now: Mono) {
        match leg.reach {
            Reach::Inbound => self.begin_admitted(leg.key, now),
            Reach::Binding { .. } => self.begin_ringing(leg.key, now),
            Reach::Trunk { .. } => self.begin_dialling(leg.key, log_now, now),
            Reach::Socket { .. } => {}
        }
    }

    fn on_message(&mut self, leg: LegKey, message: &Message, source: Far, log_now: LogNow, now: Mono) {
        let Some(side) = self.sides.get_mut(&leg) else { return };
        let outs = side.hear(message, source, now);
        self.sent(leg, outs, log_now, now);
    }

    fn on_media(&mut self, fact: MediaFact, log_now: LogNow, now: Mono) {
        match fact {
            MediaFact::Opened { relay, leg, rtp, incarnation } => {
                self.meet_relay(relay, incarnation);
                // A port that was asked for before the row named another relay is nobody's.
                if !self.moves_to(leg, relay, rtp, now) && self.relay_of(leg) == Some(relay) {
                    self.media_open(leg, rtp, log_now, now);
                }
            }
            MediaFact::Adopted { relay, leg, incarnation, does } => {
                self.told.met(relay, incarnation);
                // It may say so when the leg has left it.
                if let Some(does) = does.as_ref().filter(|_| self.relay_of(leg) == Some(relay)) {
                    self.media_open(leg, does.local, log_now, now);
                }
                self.relay_adopted(relay, leg, does.as_deref(), log_now, now);
            }
            MediaFact::Lost { relay, leg, incarnation } => {
                self.meet_relay(relay, incarnation);
                self.lost_by_relay(relay, [leg]);
            }
            MediaFact::Met { relay, incarnation } => self.meet_relay(relay, incarnation),
            MediaFact::Gone { relay, instead } => {
                let row = self.rows.call.clone();
                self.rehome(relay, row.live_legs().map(|leg| leg.key), instead);
            }
            MediaFact::Unavailable { relay, leg, instead } if self.awaits_port_of(leg, relay) => {
                if !instead.is_some_and(|instead| self.opens_at(leg, instead, now)) {
                    self.no_media(leg, log_now, now);
                }
            }
            MediaFact::Unavailable { .. } => {}
            MediaFact::Told { relay, leg, what } => self.told_by_relay(relay, leg, &what, log_now, now),
            MediaFact::Unreachable { relay, leg, cause } => self.media_lost(relay, leg, cause, log_now),
            MediaFact::Closed { relay, leg } => self.media_closed(relay, leg),
        }
    }

    /// What a relay tells by itself. One that was out of reach tells, when it is back, of legs that have left it: that is
    /// nobody's. To the relay where a leg is going its far end may send before the row has it: keys count there as well.
    fn told_by_relay(&mut self, relay: RelayId, leg: LegKey, what: &What, log_now: LogNow, now: Mono) {
        let is_there = self.relay_of(leg) == Some(relay);
        let comes = self.row_leg(leg).is_some_and(|leg| leg.next_relay == Some(relay));
        match *what {
            What::Digit { digit } if is_there || comes => self.digit(leg, char::from(digit), log_now),
            What::PlayDone { play } if is_there => self.prompt_over(leg, play, now),
            What::DeadMedia { .. } => self.media_lost(relay, leg, Cause::TEMPORARY_FAILURE, log_now),
            What::Digit { .. } | What::PlayDone { .. } => {}
            // Nothing of the call changes with it.
            What::MediaBack | What::Latched { .. } => {}
        }
    }

    /// A far end is not heard, or cannot be reached: rather an end than silence.
    /// Of a leg that was given up meanwhile it says nothing about the call, nor does a relay that the leg has left: one that
    /// was out of reach says so when it is back.
    pub(crate) fn media_lost(&mut self, relay: RelayId, leg: LegKey, cause: Cause, log_now: LogNow) {
        if self.row_leg(leg).is_some_and(|leg| leg.is_answered() && leg.relay == Some(relay)) {
            self.leave(leg, cause, ToldBy::DeadMedia, log_now.at_most);
        }
    }

    fn media_open(&mut self, key: LegKey, rtp: std::net::SocketAddr, log_now: LogNow, now: Mono) {
        let Some(side) = self.sides.get_mut(&key) else { return };
        side.rtp = Some(rtp);
        let Some(leg) = self.row_leg(key).filter(|leg| leg.is_ringing()).cloned() else { return };
        if self.is_ending() {
            return;
        }
        match leg.reach {
            Reach::Inbound => self.make_answer(key, rtp, now),
            Reach::Binding { .. } => self.ring(&leg, rtp, log_now, now),
            Reach::Trunk { .. } => self.dial(&leg, rtp, log_now, now),
            Reach::Socket { .. } => {}
        }
    }

    /// No relay opens a port for a leg that is still to be answered, or called.
    pub(crate) fn no_media(&mut self, key: LegKey, log_now: LogNow, now: Mono) {
        match self.row_leg(key).map(|leg| (leg.reach == Reach::Inbound, leg.agent().is_some())) {
            Some(_) if self.row_leg(key).is_some_and(|leg| leg.next_relay.is_some()) => self.opens_again(key, now),
            Some((true, _)) => self.not_answered(key, now),
            Some((_, true)) => self.missed(key, 503, Cause::NO_CIRCUIT, true, log_now),
            Some(_) => self.not_dialled(key, log_now),
            None => {}
        }
    }

    fn on_proposed(&mut self, number: u64, answer: Answer, now: Mono) {
        let accepted = answer == Answer::Accepted;
        self.said_proposed(number, answer, now);
        self.step_proposed(number, answer);
        self.left_proposed(number, now);
        self.redialog_proposed(number, accepted, now);
        self.rehome_proposed(number, accepted, now);
    }

    fn on_tick(&mut self, log_now: LogNow, now: Mono) {
        let keys: Vec<LegKey> = self.sides.keys().copied().collect();
        for key in &keys {
            self.stop_late_repeats(*key, log_now, now);
            let outs = self.sip(*key).map(|sip| sip.tick(now)).unwrap_or_default();
            self.sent(*key, outs, log_now, now);
        }
        for key in keys {
            if self.sides.get_mut(&key).is_some_and(|side| side.give_up.take_if(|by| *by <= now).is_some()) {
                self.give_up(key, log_now, now);
            }
            if self.sides.get_mut(&key).is_some_and(|side| side.doubted.take_if(|at| *at <= now).is_some()) {
                self.open_in_time(key, log_now, now);
            }
        }
        self.tick_moves(now);
        self.tick_flow(now);
        self.tick_hang_up(now);
        self.say_again(now);
    }

    /// A relay, or a phone, has had its time.
    fn give_up(&mut self, key: LegKey, log_now: LogNow, now: Mono) {
        let Some(leg) = self.row_leg(key).cloned() else { return };
        if leg.next_relay.is_some() {
            self.not_moved(key, log_now);
        } else if self.sip(key).is_none() || leg.reach == Reach::Inbound {
            self.no_media(key, log_now, now);
        } else if leg.agent().is_some() {
            self.missed(key, 408, Cause::NO_ANSWER, true, log_now);
            self.hang_up_leg(key, Some(Cause::NO_ANSWER), now);
        } else {
            self.not_reached(key, log_now, now);
        }
    }

    /// Takes what a leg wants: packets go out, events come back to the call.
    pub(crate) fn sent(&mut self, leg: LegKey, outs: Vec<Out>, log_now: LogNow, now: Mono) {
        for out in outs {
            match out {
                Out::Send { to, bytes } => self.out.push(Action::Send { to, bytes }),
                Out::Event(event) => self.on_leg(leg, event, log_now, now),
            }
        }
    }

    /// The leg is in another row: what its far end still waits for is that one's.
    pub(crate) fn hand_on(&mut self, leg: LegKey) {
        let unanswered = self.sides.remove(&leg).map(|side| side.unanswered()).unwrap_or_default();
        let hand_on = |(message, source)| Action::HandOn { leg, message: Box::new(message), source };
        self.out.extend(unanswered.into_iter().map(hand_on));
    }

    pub(crate) fn propose(&mut self, command: Command) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.out.push(Action::Propose { number, command: Box::new(command) });
        number
    }

    /// `call`: the one that the leg was born in.
    pub(crate) fn order(&mut self, relay: RelayId, call: CallId, op: Op) {
        self.out.push(Action::Media { relay, call, op });
    }

    /// To the relay of that leg.
    pub(crate) fn media_of(&mut self, leg: LegKey, op: Op) {
        if let Some(relay) = self.relay_of(leg) {
            self.order(relay, leg.call, op);
        }
    }

    /// The relay that a leg uses, or will.
    pub(crate) fn relay_of(&self, key: LegKey) -> Option<RelayId> {
        let leg = self.row_leg(key)?;
        leg.relay.or_else(|| (leg.reach == Reach::Inbound).then_some(self.setting.relay))
    }

    /// Whether it is this relay that is to open a port for the leg: where it goes, or is to be.
    fn awaits_port_of(&self, key: LegKey, relay: RelayId) -> bool {
        let next = self.row_leg(key).and_then(|leg| leg.next_relay);
        next.or_else(|| self.relay_of(key)) == Some(relay)
    }

    pub(crate) fn row_leg(&self, key: LegKey) -> Option<&table::Leg> {
        self.rows.call.leg(key)
    }

    pub(crate) fn sip(&mut self, key: LegKey) -> Option<&mut Leg> {
        self.sides.get_mut(&key).and_then(|side| side.sip.as_mut())
    }

    pub(crate) fn done(&mut self, duty: u32) {
        let done = Action::Done { duty };
        // A far end that is answered and gone in one event is over for two reasons.
        if !self.out.contains(&done) {
            self.out.push(done);
        }
    }

    /// A duty that the row may have is performed.
    pub(crate) fn duty_done(&mut self, kind: DutyKind) {
        if let Some(duty) = self.rows.call.duty_to(kind).map(|duty| duty.id) {
            self.done(duty);
        }
    }

    /// What holds between any two events.
    fn hold(&self) {
        let row = &self.rows.call;
        debug_assert!(!row.is_over() || self.ending.is_none(), "an end is proposed of what is over");
        debug_assert!(self.stepping.is_none() || self.step.is_some(), "a next step of a flow that is not begun");
        debug_assert!(
            self.stepping.as_ref().is_none_or(|said| said.number() < self.next_number),
            "a step that was not proposed"
        );
        debug_assert!(self.closing.iter().all(|duty| row.duty(*duty).is_some()), "a port is closed for no duty");
        debug_assert!(
            self.out.iter().all(|action| match action {
                Action::Done { duty } => row.duty(*duty).is_some(),
                _ => true,
            }),
            "a duty is done that nobody has"
        );
        let sips = || self.sides.iter().filter_map(|(key, side)| Some((key, side.sip.as_ref()?)));
        debug_assert!(sips().all(|(key, sip)| sip.key() == *key), "a side has the leg of another");
        debug_assert!(
            self.adopting || row.legs.iter().all(|leg| !leg.is_up() || self.sides.contains_key(&leg.key)),
            "a leg is up, and nobody drives it"
        );
    }

    fn stop_if_idle(&mut self) {
        let row = &self.rows.call;
        if row.is_over() && row.duties.is_empty() && self.sides.values().all(|side| side.is_over()) {
            self.out.push(Action::Stop);
        }
    }
}
