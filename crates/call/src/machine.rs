//! The machine: its parts, its one entrance, and how a row makes it act.

use std::net::SocketAddr;
use std::sync::Arc;

use strowger_ivr::Stepper;
use strowger_media::Op;
use strowger_model::config::{Queue, Tenant};
use strowger_model::{
    CallId, Cause, Dialog, Ended, Far, HangupBy, LegKey, LegNo, LogTime, Mono, PendingInvite, RelayId,
};
use strowger_sip::{Leg, Local, Message, Out};
use strowger_table::{Call, Command, DutyKind, Stage};

use crate::dial::Dialling;
use crate::event::{Action, Actions, Event, MediaFact};
use crate::flow::Answering;
use crate::hangup::{Ending, FarHangUp};
use crate::offer::AgentSide;
use crate::told::Told;

/// What a machine is told of its surroundings once.
#[derive(Clone, Debug)]
pub struct Setting {
    pub local: Local,
    /// The relay's choice for this call, made at admission; an adopted call has it in its row.
    pub relay: strowger_model::RelayId,
}

/// One call, as its owner drives it.
pub struct Machine {
    pub(crate) row: Arc<Call>,
    pub(crate) setting: Setting,
    pub(crate) queue: Option<Queue>,
    /// Leg 0. None until the called party of an outbound call is rung.
    pub(crate) caller: Option<Leg>,
    /// The agent's leg in use or being rung.
    pub(crate) agent: Option<AgentSide>,
    /// Agents' legs that are being told to stop.
    pub(crate) leaving: Vec<AgentSide>,
    pub(crate) flow: Option<Stepper>,
    /// The proposal of the next step: until it is entered, nothing that comes is for the step before.
    pub(crate) stepping: Option<u64>,
    pub(crate) answering: Answering,
    pub(crate) dialling: Dialling,
    /// Relays that were told to close the call and have not said that they did.
    pub(crate) closing: Vec<RelayId>,
    pub(crate) hang_up: Option<FarHangUp>,
    /// Set from the moment at which an end is proposed: no phone is rung and nobody is answered any more.
    pub(crate) ending: Option<Ending>,
    /// What the actions of a stage were begun for: (stage, leg or entry), so that a row that changes elsewhere begins nothing anew.
    pub(crate) begun: Begun,
    pub(crate) caller_rtp: Option<SocketAddr>,
    pub(crate) told: Told,
    next_number: u64,
    adopting: bool,
    /// Whether an earlier owner performed the stage that the row is in.
    pub(crate) took_over: bool,
    out: Actions,
}

/// The last stage whose work was begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Begun {
    #[default]
    Nothing,
    Admitted,
    /// The step that this entry of the log led to.
    Flow(u64),
    Dialling,
    Talking(LegNo),
    Ended,
}

impl Machine {
    /// For the node that received the INVITE and saw its `Admit` committed.
    pub fn admitted(row: Arc<Call>, invite: &Message, source: Far, setting: Setting, now: Mono) -> Self {
        let key = LegKey { call: row.id, leg: Call::CALLER_LEG };
        let caller = Leg::incoming(key, invite, source, &setting.local, now);
        Self::new(row, Some(caller), setting, false)
    }

    /// For the node that a call was given to before anything was done for it.
    pub fn dialled(row: Arc<Call>, setting: Setting) -> Self {
        Self::new(row, None, setting, false)
    }

    /// For a node that has nothing but the row.
    pub fn adopted(row: Arc<Call>, setting: Setting, now: Mono) -> Self {
        let key = LegKey { call: row.id, leg: Call::CALLER_LEG };
        let caller = row.caller.clone().map(|mut dialog| {
            if row.stage == Stage::Admitted {
                // The row was written before the call had its id; our tag has not been on the wire yet.
                dialog.local_tag = strowger_sip::tag(key, strowger_sip::salt(&dialog.call_id, &dialog.remote_tag));
            }
            if is_acknowledged(&row) {
                // Our 200 is not said again: who has acknowledged it long ago may not do so once more, and need not.
                dialog.pending = dialog.pending.filter(|pending| !matches!(pending, PendingInvite::Server { .. }));
            }
            Leg::restore(key, after_earlier_adopters(&row, dialog), &setting.local, now)
        });
        Self::new(row, caller, setting, true)
    }

    fn new(row: Arc<Call>, caller: Option<Leg>, setting: Setting, adopting: bool) -> Self {
        Self {
            row,
            setting,
            queue: None,
            caller,
            agent: None,
            leaving: Vec::new(),
            flow: None,
            stepping: None,
            answering: Answering::default(),
            dialling: Dialling::default(),
            closing: Vec::new(),
            hang_up: None,
            ending: None,
            begun: Begun::default(),
            caller_rtp: None,
            told: Told::default(),
            next_number: 1,
            adopting,
            took_over: false,
            out: Vec::new(),
        }
    }

    pub fn id(&self) -> CallId {
        self.row.id
    }

    /// The relay that leg 0 uses, or will.
    pub(crate) fn relay(&self) -> strowger_model::RelayId {
        self.row.relay.unwrap_or(self.setting.relay)
    }

    pub fn row(&self) -> &Arc<Call> {
        &self.row
    }

    pub fn on(&mut self, event: Event<'_>, log_now: LogTime, now: Mono) -> Actions {
        match event {
            Event::Row { row, tenant } => self.on_row(row, tenant, log_now, now),
            Event::Message { leg, message, source } => self.on_message(leg, message, source, log_now, now),
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
        let legs = self.agent.iter().chain(&self.leaving).filter_map(AgentSide::deadline);
        // A digit's time that is left over is nobody's once the caller leaves the step.
        legs.chain(self.caller.as_ref().and_then(Leg::deadline))
            .chain(self.flow.as_ref().filter(|_| self.is_in_step()).and_then(Stepper::deadline))
            .chain(self.answering.deadline())
            .chain(self.dialling.deadline())
            .chain(self.hang_up.as_ref().and_then(FarHangUp::deadline))
            .chain(self.ending.as_ref().and_then(Ending::deadline))
            .min()
    }

    fn on_row(&mut self, row: Arc<Call>, tenant: Option<&Tenant>, log_now: LogTime, now: Mono) {
        debug_assert_eq!(row.id, self.row.id, "a machine is told of another call");
        debug_assert!(row.owner.epoch >= self.row.owner.epoch, "a row of an earlier owner comes after one of a later");
        self.row = row;
        let queue = self.row.queue;
        if self.queue.as_ref().map(|queue| queue.id) != queue {
            self.queue = tenant.zip(queue).and_then(|(tenant, id)| tenant.queue(id)).cloned();
        }
        if self.flow.is_none() {
            let flow = tenant.zip(self.row.flow()).and_then(|(tenant, flow)| tenant.flow(flow));
            self.flow = flow.cloned().map(Stepper::new);
        }
        if std::mem::take(&mut self.adopting) {
            self.take_over(now);
            self.took_over = true;
        }
        self.meet_called(now);
        if self.took_over {
            self.probe_caller(now);
        }
        match self.row.stage.clone() {
            Stage::Admitted => self.begin_admitted(now),
            Stage::Dialling { .. } => self.begin_dialling(log_now, now),
            Stage::Flow { step, entered } => self.begin_step(step, entered, now),
            Stage::Queued => {}
            Stage::Offered { .. } => self.begin_offer(now),
            Stage::Talking => self.begin_talking(now),
            Stage::Ended { .. } => self.begin_end(now),
        }
        self.took_over = false;
        self.hang_up_where_due(now);
    }

    /// Another node's call: its media first, then its legs as the row has them.
    fn take_over(&mut self, now: Mono) {
        for relay in self.row.relays.clone() {
            self.told.wait_for(relay);
            self.media(relay, Op::Adopt);
        }
        self.restore_agents(now);
        if self.caller.is_none() {
            return self.await_called(now);
        }
        if matches!(self.row.stage, Stage::Flow { .. } | Stage::Queued | Stage::Offered { .. } | Stage::Talking) {
            self.direct_caller_media();
        }
    }

    /// A far end that hung up while nobody listened is found by this: it answers 481.
    fn probe_caller(&mut self, now: Mono) {
        if !self.row.is_over() {
            let probes = self.caller.as_mut().map(|leg| leg.probe(now)).unwrap_or_default();
            self.sent(Call::CALLER_LEG, probes, LogTime::ZERO, now);
        }
    }

    fn on_message(&mut self, leg: LegNo, message: &Message, source: Far, log_now: LogTime, now: Mono) {
        let Some(sip) = self.sip_leg(leg) else { return };
        let outs = sip.on_message(message, source, now);
        self.sent(leg, outs, log_now, now);
    }

    fn on_media(&mut self, fact: MediaFact, log_now: LogTime, now: Mono) {
        match fact {
            MediaFact::Opened { leg, rtp, incarnation } => {
                self.told.met(self.relay_of(leg), incarnation);
                self.media_open(leg, rtp, log_now, now);
            }
            MediaFact::Adopted { relay, incarnation, legs } => {
                self.told.met(relay, incarnation);
                for leg in &legs {
                    self.media_open(leg.leg, leg.local, log_now, now);
                }
                self.relay_adopted(relay, &legs, now);
            }
            MediaFact::Unavailable { leg } if leg == Call::CALLER_LEG => match self.row.outbound() {
                Some(_) => self.not_dialled(log_now),
                None => self.no_media(log_now, now),
            },
            MediaFact::Unavailable { leg } => self.agent_failed(leg, 503, Cause::NO_CIRCUIT, log_now),
            MediaFact::PlayDone { play } => self.prompt_over(play, now),
            MediaFact::Digit { leg, digit } if leg == Call::CALLER_LEG => self.digit(digit),
            MediaFact::Digit { .. } => {}
            // Of a leg that was given up meanwhile it says nothing about the call.
            MediaFact::Dead { leg } if !self.is_part(leg) => {}
            MediaFact::Dead { .. } => {
                self.propose_end(Ended { by: HangupBy::System, cause: Cause::TEMPORARY_FAILURE }, log_now);
            }
            MediaFact::Closed { relay } => self.media_closed(relay),
        }
    }

    fn media_open(&mut self, leg: LegNo, rtp: SocketAddr, log_now: LogTime, now: Mono) {
        match self.row.outbound() {
            _ if leg != Call::CALLER_LEG => self.agent_media_open(leg, rtp, now),
            Some(_) => self.called_media_open(rtp, log_now, now),
            None => self.caller_media_open(rtp, now),
        }
    }

    fn on_proposed(&mut self, number: u64, accepted: bool, now: Mono) {
        self.step_proposed(number, accepted);
        self.end_proposed(number, accepted, now);
        self.redialog_proposed(number, accepted, now);
    }

    fn on_tick(&mut self, log_now: LogTime, now: Mono) {
        self.stop_late_repeats(log_now, now);
        let outs = self.caller.as_mut().map(|leg| leg.tick(now)).unwrap_or_default();
        self.sent(Call::CALLER_LEG, outs, log_now, now);
        let legs: Vec<LegNo> = self.agent.iter().chain(&self.leaving).map(AgentSide::number).collect();
        for leg in legs {
            let outs = self.agent_side(leg).map(|side| side.tick(now)).unwrap_or_default();
            self.sent(leg, outs, log_now, now);
        }
        self.tick_answer(log_now, now);
        self.tick_dialling(log_now, now);
        self.tick_flow(now);
        self.tick_offer(log_now, now);
        self.tick_hang_up(now);
    }

    /// Takes what a leg wants: packets go out, events come back to the call.
    pub(crate) fn sent(&mut self, leg: LegNo, outs: Vec<Out>, log_now: LogTime, now: Mono) {
        for out in outs {
            match out {
                Out::Send { to, bytes } => self.out.push(Action::Send { to, bytes }),
                Out::Event(event) if leg != Call::CALLER_LEG => self.on_agent(leg, event, log_now, now),
                Out::Event(event) if self.row.outbound().is_some() => self.on_called(event, log_now, now),
                Out::Event(event) => self.on_caller(event, log_now, now),
            }
        }
    }

    pub(crate) fn propose(&mut self, command: Command) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.out.push(Action::Propose { number, command: Box::new(command) });
        number
    }

    pub(crate) fn media(&mut self, relay: RelayId, op: Op) {
        self.order(relay, self.row.id, op);
    }

    /// `call`: the one that the leg was born in.
    pub(crate) fn order(&mut self, relay: RelayId, call: CallId, op: Op) {
        self.out.push(Action::Media { relay, call, op });
    }

    /// To the relay of that leg.
    pub(crate) fn media_of(&mut self, leg: LegNo, op: Op) {
        self.media(self.relay_of(leg), op);
    }

    pub(crate) fn relay_of(&self, leg: LegNo) -> RelayId {
        let sides = self.agent.iter().chain(&self.leaving);
        let here = sides.filter(|side| side.number() == leg).map(AgentSide::relay).next();
        here.or_else(|| self.row.agent_leg(leg).map(|agent| agent.relay)).unwrap_or(self.relay())
    }

    /// Whether a leg is one of those that make the call: the caller's, or that of the agent who is connected.
    pub(crate) fn is_part(&self, leg: LegNo) -> bool {
        let talks = self.row.agent.as_ref().is_some_and(|agent| agent.leg == leg && agent.dialog.is_some());
        leg == Call::CALLER_LEG || talks
    }

    /// The end is proposed or committed: what still comes for what it ends is too late.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.is_some() || self.row.is_over()
    }

    pub(crate) fn done(&mut self, duty: u32) {
        self.out.push(Action::Done { duty });
    }

    pub(crate) fn leg_key(&self, leg: LegNo) -> LegKey {
        LegKey { call: self.row.id, leg }
    }

    fn stop_if_idle(&mut self) {
        let legs_over = self.caller_is_over() && self.agent.iter().chain(&self.leaving).all(AgentSide::is_over);
        if self.row.is_over() && self.row.duties.is_empty() && self.hang_up.is_none() && legs_over {
            self.out.push(Action::Stop);
        }
    }
}

/// Whether the caller's ACK is in the row: an answered call that owes it no answer any more.
fn is_acknowledged(row: &Call) -> bool {
    row.stage != Stage::Admitted && row.duties.iter().all(|duty| duty.kind != DutyKind::Answer)
}

/// `Leg::restore` leaves a gap above the committed CSeq for one dead owner; there may have been several since.
pub(crate) fn after_earlier_adopters(row: &Call, mut dialog: Dialog) -> Dialog {
    const GAP: u32 = 100;
    dialog.local_cseq += GAP * u32::from(row.adoptions.saturating_sub(1));
    dialog
}
