//! The caller's side up to the queue: media, answer, steps, digits.

use std::net::SocketAddr;

use strowger_ivr::Next;
use strowger_media::{Op, SPOKEN};
use strowger_model::config::StepNo;
use strowger_model::{Cause, Ended, HangupBy, LegNo, LogTime, Mono};
use strowger_sip::{Direction, Leg, LocalMedia, RemoteMedia, answer_sdp, parse_sdp};
use strowger_table::{Call, Command, DutyKind, Stage};

use crate::limit;
use crate::machine::{Begun, Machine};

/// Answers to the far ends that are held back until their rows are committed.
#[derive(Default)]
pub(crate) struct Answering {
    /// The SDP of the 200 to the caller.
    held: Option<String>,
    /// When a relay that does not answer is given up.
    media_by: Option<Mono>,
    reinvites: Vec<Reinvite>,
}

/// A far end's offer of other media, and what it is told once the row has it.
struct Reinvite {
    number: u64,
    leg: LegNo,
    sdp: String,
    media: Op,
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
        self.media_of(Call::CALLER_LEG, Op::Open { leg: Call::CALLER_LEG });
    }

    /// A port is open: the answer is made, and proposed before it is sent.
    pub(crate) fn caller_media_open(&mut self, rtp: SocketAddr, now: Mono) {
        self.caller_rtp = Some(rtp);
        self.answering.media_by = None;
        if self.row.stage != Stage::Admitted || self.answering.held.is_some() || self.is_ending() {
            return;
        }
        let Some(mut leg) = self.caller.clone() else { return };
        let offer = leg.dialog().remote_sdp;
        let Ok((sdp, _, _)) = answer_sdp(offer.as_bytes(), &self.local_media(rtp, 1)) else {
            self.reject(488, Cause(65), now);
            return;
        };
        // What the row will have; the leg itself answers once it does.
        leg.accept(sdp.clone(), now);
        let dialog = Box::new(leg.dialog());
        self.propose(Command::Answer { call: self.row.id, dialog, relay: self.setting.relay });
        self.answering.held = Some(sdp);
    }

    /// No port: the caller is told so, and may come again.
    pub(crate) fn no_media(&mut self, _log_now: LogTime, now: Mono) {
        self.answering.media_by = None;
        if self.row.stage == Stage::Admitted && !self.is_ending() {
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

    pub(crate) fn tick_answer(&mut self, log_now: LogTime, now: Mono) {
        if self.answering.media_by.is_some_and(|by| by <= now) {
            self.no_media(log_now, now);
        }
    }

    /// The answer is committed: out with it, even if whoever waited for the commit was told that it is lost. A CANCEL
    /// that came first wins, and a leg that is refused by now takes no answer.
    fn release_answer(&mut self, now: Mono) {
        debug_assert!(self.row.stage != Stage::Admitted, "a 200 leaves before its row is committed");
        let Some(sdp) = self.answering.held.take() else { return };
        if self.hang_up.is_none() {
            let outs = self.caller.as_mut().map(|leg| leg.accept(sdp, now)).unwrap_or_default();
            self.sent(Call::CALLER_LEG, outs, LogTime::ZERO, now);
        }
    }

    /// Tells the relay where the caller's media goes, as the dialog now has it.
    pub(crate) fn direct_caller_media(&mut self) {
        let sdp = self.row.caller.as_ref().map(|dialog| dialog.remote_sdp.as_bytes());
        if let Some(remote) = sdp.and_then(|sdp| parse_sdp(sdp).ok()) {
            self.media_of(Call::CALLER_LEG, remote_op(Call::CALLER_LEG, &remote));
        }
    }

    pub(crate) fn begin_step(&mut self, step: StepNo, entered: u64, now: Mono) {
        if self.begun == Begun::Flow(entered) {
            return;
        }
        self.release_answer(now);
        if self.begun == Begun::Admitted {
            self.direct_caller_media();
        }
        self.begun = Begun::Flow(entered);
        self.stepping = None;
        let next = self.flow.as_mut().map_or(Next::HangUp, |flow| flow.enter(step));
        self.follow(next);
    }

    pub(crate) fn prompt_over(&mut self, play: u64, now: Mono) {
        if Some(play) == self.play() && self.is_in_step() {
            let next = self.flow.as_mut().map_or(Next::Wait, |flow| flow.prompt_over(now));
            self.follow(next);
        }
    }

    pub(crate) fn digit(&mut self, digit: char) {
        if self.is_in_step() {
            let next = self.flow.as_mut().map_or(Next::Wait, |flow| flow.digit(digit));
            self.follow(next);
        }
    }

    pub(crate) fn tick_flow(&mut self, now: Mono) {
        if self.is_in_step() {
            let next = self.flow.as_mut().map_or(Next::Wait, |flow| flow.tick(now));
            self.follow(next);
        }
    }

    /// Whether the flow hears what comes: not while its next step, or the end, is on its way.
    pub(crate) fn is_in_step(&self) -> bool {
        matches!(self.row.stage, Stage::Flow { .. }) && self.stepping.is_none() && !self.is_ending()
    }

    /// One that is accepted comes with its row.
    pub(crate) fn step_proposed(&mut self, number: u64, accepted: bool) {
        if !accepted {
            self.stepping.take_if(|proposed| *proposed == number);
        }
    }

    fn follow(&mut self, next: Next) {
        let call = self.row.id;
        match next {
            // What is played is told to the relay once the event is over.
            Next::Wait | Next::Play => {}
            Next::GoTo(step) => {
                // A step that is a queue is entered by its own entry; any other by a `Step`.
                let peek = self.flow.as_mut().map_or(Next::HangUp, |flow| flow.clone().enter(step));
                match peek {
                    Next::Enqueue { queue, overflow } => {
                        self.go(Command::Enqueue { call, step, queue, overflow });
                    }
                    _ => self.go(Command::Step { call, step }),
                }
            }
            Next::Enqueue { queue, overflow } => {
                let step = self.flow.as_ref().map_or(0, strowger_ivr::Stepper::at);
                self.go(Command::Enqueue { call, step, queue, overflow });
            }
            Next::HangUp => self.propose_end(Ended { by: HangupBy::System, cause: Cause::NORMAL }, LogTime::MAX),
        }
    }

    fn go(&mut self, command: Command) {
        debug_assert!(self.stepping.is_none(), "two steps of one flow are on their way at once");
        self.stepping = Some(self.propose(command));
    }

    pub(crate) fn local_media(&self, rtp: SocketAddr, version: u32) -> LocalMedia {
        LocalMedia { rtp, laws: SPOKEN.to_vec(), session_id: self.row.id.0, version }
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
                changed.answer_reinvite(Ok(sdp.clone()), now);
                let dialog = Box::new(changed.dialog());
                let number = self.propose(Command::Redialog { call: self.row.id, leg, dialog });
                let (send, receive) = (sends(direction), receives(direction));
                let media = Op::Remote { leg, media, send, receive };
                // Of an offer that was cancelled meanwhile the answer is nobody's.
                self.answering.reinvites.retain(|earlier| earlier.leg != leg);
                self.answering.reinvites.push(Reinvite { number, leg, sdp, media });
            }
        }
    }

    /// The leg as it is now gives the answer: one that was hung up meanwhile, or whose BYE waits, gives none.
    pub(crate) fn redialog_proposed(&mut self, number: u64, accepted: bool, now: Mono) {
        let Some(at) = self.answering.reinvites.iter().position(|reinvite| reinvite.number == number) else { return };
        let Reinvite { leg, sdp, media, .. } = self.answering.reinvites.remove(at);
        if self.has_hung_up(leg) {
            return;
        }
        let answer = if accepted { Ok(sdp) } else { Err(500) };
        let outs = self.sip_leg(leg).map(|leg| leg.answer_reinvite(answer, now)).unwrap_or_default();
        if accepted && !outs.is_empty() {
            self.media_of(leg, media);
        }
        self.sent(leg, outs, LogTime::ZERO, now);
    }

    pub(crate) fn sip_leg(&mut self, leg: LegNo) -> Option<&mut Leg> {
        if leg == Call::CALLER_LEG { self.caller.as_mut() } else { self.agent_side(leg).and_then(|side| side.sip()) }
    }
}

/// Where a far end's media goes, by its own SDP.
pub(crate) fn remote_op(leg: LegNo, remote: &RemoteMedia) -> Op {
    let send = receives(remote.direction) && !remote.on_hold();
    Op::Remote { leg, media: remote.addr, send, receive: sends(remote.direction) }
}

fn sends(direction: Direction) -> bool {
    matches!(direction, Direction::SendRecv | Direction::SendOnly)
}

fn receives(direction: Direction) -> bool {
    matches!(direction, Direction::SendRecv | Direction::RecvOnly)
}
