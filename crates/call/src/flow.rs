//! The caller's side up to the queue: media, answer, prompts, digits, music.

use std::net::SocketAddr;

use strowger_ivr::Next;
use strowger_model::{Cause, Ended, HangupBy, Law, LegNo, LogTime, Mono};
use strowger_sip::{Direction, Leg, LocalMedia, Out, RemoteMedia, answer_sdp, parse_sdp};
use strowger_table::{Call, Command, DutyKind, Stage};

use crate::event::MediaOp;
use crate::limit;
use crate::machine::{Begun, Machine};

/// The 200 to the caller, ready but held back until its row is committed.
#[derive(Default)]
pub(crate) struct Answering {
    held: Option<Held>,
    /// When a relay that does not answer is given up.
    media_by: Option<Mono>,
    /// A re-INVITE's answer, held back the same way.
    reinvite: Option<Held>,
}

struct Held {
    number: u64,
    leg: Leg,
    outs: Vec<Out>,
}

impl Answering {
    pub fn deadline(&self) -> Option<Mono> {
        self.media_by
    }
}

impl Machine {
    pub(crate) fn begin_admitted(&mut self, now: Mono) {
        if self.begun != Begun::Nothing {
            return;
        }
        self.begun = Begun::Admitted;
        let outs = self.caller.as_mut().map(|leg| leg.trying(now)).unwrap_or_default();
        self.sent(Call::CALLER_LEG, outs, LogTime::ZERO, now);
        self.answering.media_by = Some(now + limit::MEDIA_OPEN);
        self.media_of(Call::CALLER_LEG, MediaOp::Open { leg: Call::CALLER_LEG });
    }

    /// A port is open: the answer is made, and proposed before it is sent.
    pub(crate) fn caller_media_open(&mut self, rtp: SocketAddr, now: Mono) {
        self.caller_rtp = Some(rtp);
        self.answering.media_by = None;
        if self.row.stage != Stage::Admitted || self.answering.held.is_some() || self.hang_up.is_some() {
            return;
        }
        let Some(mut leg) = self.caller.clone() else { return };
        let offer = leg.dialog().remote_sdp;
        let Ok((sdp, _, _)) = answer_sdp(offer.as_bytes(), &self.local_media(rtp, 1)) else {
            self.reject(488, Cause(65), now);
            return;
        };
        let outs = leg.accept(sdp, now);
        let dialog = Box::new(leg.dialog());
        let number = self.propose(Command::Answer { call: self.row.id, dialog, relay: self.setting.relay });
        self.answering.held = Some(Held { number, leg, outs });
    }

    /// No port: the caller is told so, and may come again.
    pub(crate) fn no_media(&mut self, _log_now: LogTime, now: Mono) {
        self.answering.media_by = None;
        if self.row.stage == Stage::Admitted {
            self.reject(503, Cause::NO_CIRCUIT, now);
        }
    }

    fn reject(&mut self, status: u16, cause: Cause, now: Mono) {
        let retry_after = (status == 503).then_some(limit::RETRY_AFTER_S);
        let Some(leg) = &mut self.caller else { return };
        let outs = leg.reject(status, strowger_sip::phrase(status), retry_after, Some(cause), now);
        self.sent(Call::CALLER_LEG, outs, LogTime::ZERO, now);
        self.propose_end(Ended { by: HangupBy::System, cause }, LogTime::MAX);
    }

    pub(crate) fn answer_proposed(&mut self, number: u64, accepted: bool) {
        if !accepted && self.answering.held.as_ref().is_some_and(|held| held.number == number) {
            self.answering.held = None;
        }
    }

    pub(crate) fn tick_answer(&mut self, log_now: LogTime, now: Mono) {
        if self.answering.media_by.is_some_and(|by| by <= now) {
            self.no_media(log_now, now);
        }
    }

    /// The answer is committed: out with it. A CANCEL that came first wins.
    fn release_answer(&mut self, now: Mono) {
        let Some(held) = self.answering.held.take() else { return };
        if self.hang_up.is_none() {
            self.caller = Some(held.leg);
            self.sent(Call::CALLER_LEG, held.outs, LogTime::ZERO, now);
        }
    }

    /// Tells the relay where the caller's media goes, as the dialog now has it.
    pub(crate) fn direct_caller_media(&mut self) {
        let sdp = self.row.caller.as_ref().map(|dialog| dialog.remote_sdp.as_bytes());
        if let Some(remote) = sdp.and_then(|sdp| parse_sdp(sdp).ok()) {
            self.media_of(Call::CALLER_LEG, remote_op(Call::CALLER_LEG, &remote));
        }
    }

    pub(crate) fn begin_step(&mut self, step: u16, now: Mono) {
        if self.begun == Begun::Flow(step) {
            return;
        }
        self.release_answer(now);
        if matches!(self.begun, Begun::Nothing | Begun::Admitted) {
            self.direct_caller_media();
        }
        self.begun = Begun::Flow(step);
        let next = self.flow.as_mut().map_or(Next::HangUp, |flow| flow.enter(step));
        self.follow(next);
    }

    pub(crate) fn prompt_over(&mut self, id: u64, now: Mono) {
        if id == self.current_play() && matches!(self.row.stage, Stage::Flow { .. }) {
            let next = self.flow.as_mut().map_or(Next::Wait, |flow| flow.prompt_over(now));
            self.follow(next);
        }
    }

    pub(crate) fn digit(&mut self, digit: char) {
        if matches!(self.row.stage, Stage::Flow { .. }) {
            let next = self.flow.as_mut().map_or(Next::Wait, |flow| flow.digit(digit));
            self.follow(next);
        }
    }

    pub(crate) fn tick_flow(&mut self, now: Mono) {
        if matches!(self.row.stage, Stage::Flow { .. }) {
            let next = self.flow.as_mut().map_or(Next::Wait, |flow| flow.tick(now));
            self.follow(next);
        }
    }

    fn follow(&mut self, next: Next) {
        let call = self.row.id;
        match next {
            Next::Wait => {}
            Next::Play { prompt } => {
                let id = self.new_play();
                let play = MediaOp::Play { leg: Call::CALLER_LEG, content: prompt, repeat: false, id };
                self.media_of(Call::CALLER_LEG, play);
            }
            Next::GoTo(step) => {
                // A step that is a queue is entered by its own entry; any other by a `Step`.
                let peek = self.flow.as_mut().map_or(Next::HangUp, |flow| flow.clone().enter(step));
                match peek {
                    Next::Enqueue { queue, overflow } => {
                        self.propose(Command::Enqueue { call, step, queue, overflow });
                    }
                    _ => {
                        self.propose(Command::Step { call, step });
                    }
                }
            }
            Next::Enqueue { queue, overflow } => {
                let step = self.flow.as_ref().map_or(0, strowger_ivr::Stepper::at);
                self.propose(Command::Enqueue { call, step, queue, overflow });
            }
            Next::HangUp => self.propose_end(Ended { by: HangupBy::System, cause: Cause::NORMAL }, LogTime::MAX),
        }
    }

    /// Music until an agent is there. After a missed offer it is still playing.
    pub(crate) fn begin_waiting(&mut self, _now: Mono) {
        // Who is called after the agent is there hears no music.
        if self.begun == Begun::Queued || self.row.caller.is_none() {
            return;
        }
        self.begun = Begun::Queued;
        if let Some(content) = self.queue.as_ref().map(|queue| queue.music) {
            let id = self.new_play();
            let play = MediaOp::Play { leg: Call::CALLER_LEG, content, repeat: true, id };
            self.media_of(Call::CALLER_LEG, play);
        }
    }

    pub(crate) fn local_media(&self, rtp: SocketAddr, version: u32) -> LocalMedia {
        LocalMedia { rtp, laws: vec![Law::Mu, Law::A], session_id: self.row.id.0, version }
    }

    /// The ACK came: the duty to answer is performed.
    pub(crate) fn caller_acked(&mut self) {
        let duty = self.row.duties.iter().find(|duty| duty.kind == DutyKind::Answer).map(|duty| duty.id);
        if let Some(duty) = duty {
            self.done(duty);
        }
    }

    /// The caller's phone asks for other media (hold, resume, a new port). Answered once the row has it.
    pub(crate) fn reinvited(&mut self, leg: LegNo, sdp: &[u8], now: Mono) {
        let rtp = if leg == Call::CALLER_LEG { self.caller_rtp } else { self.agent_rtp(leg) };
        let Some(mut changed) = self.sip_leg(leg).cloned() else { return };
        let current = changed.dialog();
        // Without an offer of theirs we offer what we have (RFC 3261 14.2).
        let offer = if sdp.is_empty() { current.remote_sdp.as_bytes() } else { sdp };
        let rtp = rtp.or_else(|| parse_sdp(current.local_sdp.as_bytes()).ok().map(|media| media.addr.rtp));
        let answer = rtp
            .ok_or(500)
            .and_then(|rtp| answer_sdp(offer, &self.local_media(rtp, current.sdp_version + 1)).map_err(|_| 488));
        match answer {
            Err(status) => {
                let outs = self.sip_leg(leg).map(|leg| leg.answer_reinvite(Err(status), now)).unwrap_or_default();
                self.sent(leg, outs, LogTime::ZERO, now);
            }
            Ok((sdp, media, direction)) => {
                let outs = changed.answer_reinvite(Ok(sdp), now);
                let dialog = Box::new(changed.dialog());
                let number = self.propose(Command::Redialog { call: self.row.id, leg, dialog });
                let (send, receive) = (sends(direction), receives(direction));
                self.media_of(leg, MediaOp::Remote { leg, media, send, receive });
                self.answering.reinvite = Some(Held { number, leg: changed, outs });
            }
        }
    }

    pub(crate) fn redialog_proposed(&mut self, number: u64, accepted: bool, now: Mono) {
        let Some(held) = self.answering.reinvite.take_if(|held| held.number == number) else { return };
        let leg = held.leg.key().leg;
        if accepted {
            if let Some(place) = self.sip_leg(leg) {
                *place = held.leg;
            }
            self.sent(leg, held.outs, LogTime::ZERO, now);
        } else {
            let outs = self.sip_leg(leg).map(|leg| leg.answer_reinvite(Err(500), now)).unwrap_or_default();
            self.sent(leg, outs, LogTime::ZERO, now);
        }
    }

    pub(crate) fn sip_leg(&mut self, leg: LegNo) -> Option<&mut Leg> {
        if leg == Call::CALLER_LEG { self.caller.as_mut() } else { self.agent_side(leg).and_then(|side| side.sip()) }
    }
}

/// Where a far end's media goes, by its own SDP.
pub(crate) fn remote_op(leg: LegNo, remote: &RemoteMedia) -> MediaOp {
    let send = receives(remote.direction) && !remote.on_hold();
    MediaOp::Remote { leg, media: remote.addr, send, receive: sends(remote.direction) }
}

fn sends(direction: Direction) -> bool {
    matches!(direction, Direction::SendRecv | Direction::SendOnly)
}

fn receives(direction: Direction) -> bool {
    matches!(direction, Direction::SendRecv | Direction::RecvOnly)
}
