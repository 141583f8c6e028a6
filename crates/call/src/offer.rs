//! The agent's side up to the conversation: media, INVITE, ringing, a miss or an answer.

use std::net::SocketAddr;
use std::time::Duration;

use strowger_media::Op;
use strowger_model::{Cause, LegNo, LogTime, Mono, RelayId};
use strowger_sip::{Event as LegEvent, Leg, LegState, Out, Outgoing, offer_sdp};
use strowger_table::{AgentLeg, Command, DutyKind, Miss};

use crate::dial::cause_of;
use crate::limit;
use crate::machine::{Machine, after_earlier_adopters};

/// One agent's leg as its call drives it.
pub(crate) struct AgentSide {
    number: LegNo,
    /// The relay that holds its media.
    relay: RelayId,
    /// None until its media is open and the INVITE is out.
    leg: Option<Leg>,
    rtp: Option<SocketAddr>,
    /// When the relay is given up, then when the phone is.
    give_up: Option<Mono>,
    /// The phone answered; the `Connect` is under way.
    pub(crate) connecting: bool,
    /// A miss was proposed.
    missed: bool,
    /// An earlier owner may have rung the phone.
    inherited: bool,
}

impl AgentSide {
    fn new(agent: &AgentLeg, now: Mono) -> Self {
        let give_up = Some(now + limit::MEDIA_OPEN);
        let (number, relay) = (agent.leg, agent.relay);
        Self { number, relay, leg: None, rtp: None, give_up, connecting: false, missed: false, inherited: false }
    }

    pub fn number(&self) -> LegNo {
        self.number
    }

    pub fn relay(&self) -> RelayId {
        self.relay
    }

    pub fn deadline(&self) -> Option<Mono> {
        self.leg.as_ref().and_then(Leg::deadline).into_iter().chain(self.give_up).min()
    }

    pub fn is_over(&self) -> bool {
        self.leg.as_ref().is_none_or(|leg| leg.state() == LegState::Ended)
    }

    pub fn tick(&mut self, now: Mono) -> Vec<Out> {
        self.leg.as_mut().map(|leg| leg.tick(now)).unwrap_or_default()
    }

    pub fn sip(&mut self) -> Option<&mut Leg> {
        self.leg.as_mut()
    }

    /// No INVITE will go out any more.
    pub fn stop_waiting(&mut self) {
        self.give_up = None;
    }
}

impl Machine {
    /// Rings the phone of the offer in the row, once.
    pub(crate) fn begin_offer(&mut self, now: Mono) {
        let Some(offer) = self.row.agent.clone() else { return };
        if self.agent.as_ref().is_some_and(|side| side.number == offer.leg) {
            return;
        }
        if let Some(earlier) = self.agent.take() {
            self.leave(earlier, now);
        }
        self.agent = Some(AgentSide::new(&offer, now));
        self.media(offer.relay, Op::Open { leg: offer.leg });
    }

    pub(crate) fn agent_media_open(&mut self, leg: LegNo, rtp: SocketAddr, now: Mono) {
        let is_wanted = |offer: &&AgentLeg| offer.leg == leg && !self.is_ending();
        let Some(offer) = self.row.ringing_agent().filter(is_wanted).cloned() else {
            return self.remember_agent_rtp(leg, rtp);
        };
        let ring =
            self.queue.as_ref().map_or(Duration::ZERO, |queue| Duration::from_millis(queue.ring_timeout_ms.into()));
        let sdp = offer_sdp(&self.local_media(rtp, 1));
        let outgoing = self.invite(&offer, sdp);
        let key = self.leg_key(leg);
        // A port that came too late: the offer is missed already, or about to be.
        let waits = |side: &&mut AgentSide| side.number == leg && side.leg.is_none() && !side.missed;
        let Some(side) = self.agent.as_mut().filter(waits) else { return };
        let (sip, outs) = Leg::outgoing(key, outgoing, &self.setting.local, now);
        side.leg = Some(sip);
        side.rtp = Some(rtp);
        side.give_up = Some(now + ring);
        self.sent(leg, outs, LogTime::ZERO, now);
    }

    fn remember_agent_rtp(&mut self, leg: LegNo, rtp: SocketAddr) {
        if let Some(side) = self.agent_side(leg) {
            side.rtp = Some(rtp);
        }
    }

    /// The INVITE to an agent. It follows from the row alone, so that an adopter sends the same one and the phone
    /// takes it for a repetition.
    fn invite(&self, offer: &AgentLeg, sdp: String) -> Outgoing {
        let host = &self.setting.local.contact_host;
        Outgoing {
            request_uri: offer.contact.uri.clone(),
            to_uri: offer.contact.uri.clone(),
            from_uri: format!("sip:{}@{host}", user_part(&self.row.from)),
            from_display: String::new(),
            call_id: format!("{}@{host}", strowger_sip::Token(self.leg_key(offer.leg))),
            destination: offer.contact.far,
            route_set: Vec::new(),
            sdp,
            headers: vec![("X-Strowger-Call".to_owned(), self.row.id.to_string())],
        }
    }

    pub(crate) fn on_agent(&mut self, leg: LegNo, event: LegEvent, log_now: LogTime, now: Mono) {
        match event {
            LegEvent::Answered { sdp } => self.agent_answered(leg, &sdp, log_now, now),
            LegEvent::Failed { status, q850 } => {
                self.agent_failed(leg, status, q850.unwrap_or(cause_of(status)), log_now);
                self.agent_leg_over(leg);
            }
            LegEvent::HungUp { .. } | LegEvent::Cancelled => self.far_end_hung_up(leg, log_now, now),
            LegEvent::Reinvite { sdp } => self.reinvited(leg, &sdp, now),
            LegEvent::Gone => self.far_end_gone(leg, log_now),
            LegEvent::Ended => self.agent_leg_over(leg),
            LegEvent::Ringing { .. } | LegEvent::Acked | LegEvent::AckTimeout | LegEvent::ReinviteDone { .. } => {}
        }
    }

    fn agent_answered(&mut self, leg: LegNo, sdp: &[u8], log_now: LogTime, now: Mono) {
        let is_offered = self.row.ringing_agent().is_some_and(|offer| offer.leg == leg) && !self.is_ending();
        let Some(side) = self.agent.as_mut().filter(|side| side.number == leg && !side.missed && is_offered) else {
            // Answered in the moment it was taken back.
            return self.hang_up_leg(leg, None, now);
        };
        if strowger_sip::parse_sdp(sdp).is_err() {
            self.agent_failed(leg, 488, Cause(65), log_now);
            return self.hang_up_leg(leg, Some(Cause(65)), now);
        }
        debug_assert!(!side.connecting, "an agent's answer is proposed twice");
        side.connecting = true;
        side.give_up = None;
        let Some(dialog) = side.leg.as_ref().map(|leg| Box::new(leg.dialog())) else { return };
        self.propose(Command::Connect { call: self.row.id, leg, dialog, observed: log_now });
    }

    /// The phone did not take it: back to the queue, once.
    pub(crate) fn agent_failed(&mut self, leg: LegNo, status: u16, cause: Cause, log_now: LogTime) {
        let Some(side) = self.agent.as_mut().filter(|side| side.number == leg && !side.missed) else { return };
        side.missed = true;
        side.give_up = None;
        // Without a leg of ours the phone may still ring for an earlier owner: it has to be told to stop.
        let unheard = side.inherited && side.leg.is_none();
        let (status, cause) = if unheard { (408, Cause::NO_ANSWER) } else { (status, cause) };
        let call = self.row.id;
        self.propose(Command::Missed { call, leg, miss: Miss { status, cause }, observed: log_now });
    }

    pub(crate) fn tick_offer(&mut self, log_now: LogTime, now: Mono) {
        let Some(side) = self.agent.as_mut().filter(|side| side.give_up.is_some_and(|by| by <= now)) else { return };
        let leg = side.number;
        if side.leg.is_none() {
            return self.agent_failed(leg, 503, Cause::NO_CIRCUIT, log_now);
        }
        self.agent_failed(leg, 408, Cause::NO_ANSWER, log_now);
        self.hang_up_leg(leg, Some(Cause::NO_ANSWER), now);
    }

    /// An adopter's agent legs: talking ones from their dialogs, a ringing one rung again with the same INVITE,
    /// those that were being hung up hung up.
    pub(crate) fn restore_agents(&mut self, now: Mono) {
        let row = self.row.clone();
        for agent in row.agent.iter().chain(&row.leaving) {
            let Some(dialog) = &agent.dialog else { continue };
            let mut side = AgentSide::new(agent, now);
            side.stop_waiting();
            let dialog = after_earlier_adopters(&row, dialog.clone());
            side.leg = Some(Leg::restore(self.leg_key(agent.leg), dialog, &self.setting.local, now));
            self.agent = Some(side);
        }
        // A ringing one is rung again once its media is open; until then it may ring on.
        if let Some(ringing) = row.ringing_agent() {
            self.agent = Some(AgentSide { inherited: true, ..AgentSide::new(ringing, now) });
            self.media(ringing.relay, Op::Open { leg: ringing.leg });
        }
        // A phone that only rang is sent the same INVITE and then its CANCEL: it may have stopped ringing long ago.
        for agent in row.leaving.iter().filter(|agent| agent.dialog.is_none()) {
            self.leaving.push(self.ring_again(agent, now));
        }
        // One that was never rung, or is hung up already, is left alone.
        let must_stop = |agent: &&AgentLeg| {
            let hang_up = DutyKind::HangUp { leg: agent.leg };
            agent.dialog.is_none() && row.duties.iter().any(|duty| duty.kind == hang_up)
        };
        if row.is_over()
            && let Some(agent) = row.agent.as_ref().filter(must_stop)
        {
            self.agent = Some(self.ring_again(agent, now));
        }
    }

    /// An inherited phone that is to be hung up before we rang it ourselves: it may ring for the earlier owner.
    pub(crate) fn recall(&mut self, leg: LegNo, now: Mono) {
        let unheard = self.agent_side(leg).is_some_and(|side| side.inherited && side.leg.is_none());
        if unheard && let Some(agent) = self.row.agent_leg(leg).cloned() {
            let rung = self.ring_again(&agent, now).leg;
            if let Some(side) = self.agent_side(leg) {
                side.leg = rung;
            }
        }
    }

    /// The leg of a phone that rang for a dead owner, as that owner had it; nothing is sent.
    fn ring_again(&self, agent: &AgentLeg, now: Mono) -> AgentSide {
        let mut side = AgentSide::new(agent, now);
        side.stop_waiting();
        let (leg, _) =
            Leg::outgoing(self.leg_key(agent.leg), self.invite(agent, String::new()), &self.setting.local, now);
        side.leg = Some(leg);
        side
    }

    pub(crate) fn agent_side(&mut self, leg: LegNo) -> Option<&mut AgentSide> {
        self.agent.iter_mut().chain(&mut self.leaving).find(|side| side.number == leg)
    }

    pub(crate) fn agent_rtp(&mut self, leg: LegNo) -> Option<SocketAddr> {
        self.agent_side(leg).and_then(|side| side.rtp)
    }
}

/// A caller's number as the user part of a URI; what does not belong there is left out.
fn user_part(number: &str) -> String {
    let user: String = number.chars().filter(|c| c.is_ascii_alphanumeric() || "+-_.*#".contains(*c)).collect();
    if user.is_empty() { "anonymous".to_owned() } else { user }
}
