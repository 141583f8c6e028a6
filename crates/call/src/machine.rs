//! The machine: its parts, its one entrance, and how a row makes it act.

use std::collections::BTreeMap;
use std::sync::Arc;

use strowger_media::Op;
use strowger_model::{CallId, Far, LegKey, LogTime, Mono, RelayId};
use strowger_sip::{Event as LegEvent, Leg, Local, Message, Out};
use strowger_table::{self as table, Call, Command, LegState, Reach, Shard, Stage};

use crate::event::{Action, Actions, Event, MediaFact};
use crate::flow::Walk;
use crate::hangup::Ending;
use crate::ports::Ports;
use crate::reinvite::Reinvite;
use crate::rows::Rows;
use crate::side::Side;
use crate::told::Told;

/// What a machine is told of its surroundings once.
#[derive(Clone, Debug)]
pub struct Setting {
    pub local: Local,
    /// The relay's choice for who called us, made at admission; an adopted call has it in its row.
    pub relay: RelayId,
}

/// One call, as its owner drives it.
pub struct Machine {
    pub(crate) rows: Rows,
    pub(crate) setting: Setting,
    /// The far ends of the call's legs, and those that are being told to stop.
    pub(crate) sides: BTreeMap<LegKey, Side>,
    pub(crate) walk: Walk,
    pub(crate) reinvites: Vec<Reinvite>,
    pub(crate) ports: Ports,
    /// Set from the moment at which an end is proposed: no phone is rung and nobody is answered any more.
    pub(crate) ending: Option<Ending>,
    pub(crate) told: Told,
    next_number: u64,
    adopting: bool,
    /// Whether an earlier owner performed what the row says.
    pub(crate) took_over: bool,
    out: Actions,
}

impl Machine {
    /// For the node that received the INVITE and saw its `Admit` committed.
    pub fn admitted(row: Arc<Call>, invite: &Message, source: Far, setting: Setting, now: Mono) -> Self {
        let caller = row.customer().map(|leg| leg.key);
        let mut machine = Self::new(Rows::alone(row), setting, false);
        if let Some(key) = caller {
            let sip = Leg::incoming(key, invite, source, &machine.setting.local, now);
            machine.sides.insert(key, Side::new(key, Some(sip)));
        }
        machine
    }

    /// For the node that a call was given to before anything was done for it.
    pub fn dialled(row: Arc<Call>, setting: Setting) -> Self {
        Self::new(Rows::alone(row), setting, false)
    }

    /// For a node that has nothing but the table: another one's call, or its own to begin again with.
    pub fn adopted(row: Arc<Call>, table: &Shard, setting: Setting, now: Mono) -> Self {
        let mut machine = Self::new(Rows::of(row, table), setting, true);
        machine.restore_sides(now);
        machine
    }

    fn new(rows: Rows, setting: Setting, adopting: bool) -> Self {
        Self {
            rows,
            setting,
            sides: BTreeMap::new(),
            walk: Walk::default(),
            reinvites: Vec::new(),
            ports: Ports::default(),
            ending: None,
            told: Told::default(),
            next_number: 1,
            adopting,
            took_over: false,
            out: Vec::new(),
        }
    }

    pub fn id(&self) -> CallId {
        self.rows.call.id
    }

    pub fn row(&self) -> &Arc<Call> {
        &self.rows.call
    }

    pub fn on(&mut self, event: Event<'_>, log_now: LogTime, now: Mono) -> Actions {
        match event {
            Event::Row { row, table } => self.on_row(row, table, log_now, now),
            Event::Message { leg, message, source } => {
                self.act(leg, log_now, now, |sip| sip.on_message(message, source, now));
            }
            Event::Media(fact) => self.on_media(fact, log_now, now),
            Event::Proposed { number, accepted } => self.on_proposed(number, accepted, now),
            Event::Tick => self.on_tick(log_now, now),
        }
        self.tell_relays();
        self.stop_if_idle();
        std::mem::take(&mut self.out)
    }

    /// The next moment at which `Tick` must come.
    pub fn deadline(&self) -> Option<Mono> {
        // A digit's time that is left over is nobody's once the caller leaves the step.
        let digit = self.walk.deadline().filter(|_| self.is_in_step());
        let sides = self.sides.values().filter_map(Side::deadline);
        sides.chain(digit).chain(self.ending.as_ref().and_then(Ending::deadline)).min()
    }

    fn on_row(&mut self, row: Arc<Call>, table: &Shard, log_now: LogTime, now: Mono) {
        debug_assert_eq!(row.id, self.id(), "a machine is told of another call");
        let epoch = self.rows.call.owner.epoch;
        debug_assert!(row.owner.epoch >= epoch, "a row of an earlier owner comes after one of a later");
        self.rows.become_newer(row, table);
        self.walk.learn(&self.rows.call, table);
        if std::mem::take(&mut self.adopting) {
            self.adopt_media();
            self.took_over = true;
        }
        self.answer_who_left(now);
        let row = self.rows.call.clone();
        for leg in &row.legs {
            match leg.state {
                LegState::Ringing { .. } => self.begin_ringing(leg, log_now, now),
                LegState::Screening { .. } | LegState::Up => self.meet(leg, log_now, now),
                LegState::Releasing { .. } => {}
            }
        }
        match (row.stage, row.flow) {
            (Stage::Flow, Some(position)) => self.begin_step(position),
            (Stage::Ended { .. }, _) => self.ending = None,
            _ => {}
        }
        self.took_over = false;
        self.close_where_due();
        self.hang_up_where_due(now);
    }

    fn begin_ringing(&mut self, leg: &table::Leg, log_now: LogTime, now: Mono) {
        match leg.reach {
            Reach::Inbound => self.begin_answering(leg.key, now),
            Reach::Binding { .. } | Reach::Trunk { .. } => self.begin_calling(leg, log_now, now),
            // The relay opens it; nothing asks for one yet.
            Reach::Socket { .. } => {}
        }
    }

    fn on_media(&mut self, fact: MediaFact, log_now: LogTime, now: Mono) {
        match fact {
            MediaFact::Opened { relay, leg, rtp, incarnation } => {
                self.told.met(relay, incarnation);
                self.port_open(leg, rtp, log_now, now);
            }
            MediaFact::Adopted { relay, call, incarnation, legs } => {
                self.told.met(relay, incarnation);
                for leg in &legs {
                    self.port_open(LegKey { call, leg: leg.leg }, leg.local, log_now, now);
                }
                self.relay_adopted(relay, call, &legs, now);
            }
            MediaFact::Unavailable { leg } => self.no_port(leg, log_now, now),
            MediaFact::PlayDone { leg, play } => self.prompt_over(leg, play, now),
            MediaFact::Digit { leg, digit } => self.digit(leg, digit, log_now),
            MediaFact::Dead { leg } => self.media_dead(leg, log_now),
            MediaFact::Closed { relay, leg } => self.port_closed(relay, leg),
        }
    }

    fn on_proposed(&mut self, number: u64, accepted: bool, now: Mono) {
        self.step_proposed(number, accepted);
        self.end_proposed(number, accepted, now);
        self.left_proposed(number, accepted, now);
        self.redialog_proposed(number, accepted, now);
    }

    fn on_tick(&mut self, log_now: LogTime, now: Mono) {
        let keys: Vec<LegKey> = self.sides.keys().copied().collect();
        for key in &keys {
            self.stop_late_repeats(*key, log_now, now);
            self.act(*key, log_now, now, |sip| sip.tick(now));
        }
        for key in keys {
            self.tick_ringing(key, log_now, now);
            self.tick_leaving(key, now);
        }
        self.tick_flow(now);
        self.tick_end(now);
    }

    /// Lets a leg act: its packets go out, its events come back to the call. What has none does nothing.
    pub(crate) fn act(&mut self, leg: LegKey, log_now: LogTime, now: Mono, act: impl FnOnce(&mut Leg) -> Vec<Out>) {
        let outs = self.sides.get_mut(&leg).map(|side| side.with_sip(act)).unwrap_or_default();
        self.sent(leg, outs, log_now, now);
    }

    /// What a leg wants said.
    pub(crate) fn sent(&mut self, leg: LegKey, outs: Vec<Out>, log_now: LogTime, now: Mono) {
        for out in outs {
            match out {
                Out::Send { to, bytes } => self.out.push(Action::Send { to, bytes }),
                Out::Event(event) => self.on_far_end(leg, event, log_now, now),
            }
        }
    }

    fn on_far_end(&mut self, leg: LegKey, event: LegEvent, log_now: LogTime, now: Mono) {
        match event {
            LegEvent::Ringing { .. } => self.rings(leg),
            LegEvent::Answered { sdp } => self.answered(leg, &sdp, log_now, now),
            LegEvent::Failed { status, q850 } => self.refused(leg, status, q850, log_now),
            LegEvent::Acked => self.acked(leg),
            LegEvent::AckTimeout => self.never_acked(leg, log_now),
            LegEvent::Cancelled | LegEvent::HungUp { .. } => self.far_end_hung_up(leg, log_now, now),
            LegEvent::Reinvite { sdp } => self.reinvited(leg, &sdp, now),
            LegEvent::ReinviteDone { .. } => {}
            LegEvent::Gone => self.far_end_gone(leg, log_now),
            LegEvent::Ended => self.leg_over(leg),
        }
    }

    pub(crate) fn propose(&mut self, command: Command) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.out.push(Action::Propose { number, command: Box::new(command) });
        number
    }

    /// To a relay, about a leg.
    pub(crate) fn order(&mut self, relay: RelayId, leg: LegKey, op: Op) {
        self.order_call(relay, leg.call, op);
    }

    /// `call`: the one that the legs were born in.
    pub(crate) fn order_call(&mut self, relay: RelayId, call: CallId, op: Op) {
        self.out.push(Action::Media { relay, call, op });
    }

    pub(crate) fn done(&mut self, duty: u32) {
        self.out.push(Action::Done { duty });
    }

    fn stop_if_idle(&mut self) {
        let row = &self.rows.call;
        let is_settled = |side: &Side| side.is_over() && side.leaving.is_none();
        if row.is_over() && row.duties.is_empty() && self.sides.values().all(is_settled) {
            self.out.push(Action::Stop);
        }
    }
}
