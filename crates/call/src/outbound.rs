//! Whom we call: an agent's phone, or a number. A port, the INVITE, ringing; an answer that is committed before it is
//! acknowledged, or why there was none.

use std::net::SocketAddr;
use std::time::Duration;

use strowger_model::{Cause, Far, LegKey, LogTime, Mono};
use strowger_sip::{Leg as Sip, Outgoing, offer_sdp, parse_sdp};
use strowger_table::{Command, Duty, DutyKind, Leg, LegState, Reach};

use crate::failure::Failure;
use crate::limit;
use crate::machine::Machine;
use crate::restore::is_called_once;
use crate::side::Side;

impl Machine {
    /// Asks for the port of a leg that the row has and nobody has called. An heir rings an agent's phone again, and never
    /// a number: it waits for what comes of the INVITE that was sent.
    pub(crate) fn begin_calling(&mut self, leg: &Leg, log_now: LogTime, now: Mono) {
        let Some(relay) = leg.relay else { return };
        if self.sides.get(&leg.key).is_some_and(|side| side.relay.is_some()) {
            return;
        }
        if !is_called_once(leg) {
            self.sides.entry(leg.key).or_insert_with(|| Side::new(leg.key, None));
            return self.open_port(leg.key, relay, limit::MEDIA_OPEN, now);
        }
        if self.took_over {
            let left = self.ringing_left(leg, log_now);
            if let Some(side) = self.sides.get_mut(&leg.key) {
                (side.relay, side.ringing.give_up) = (Some(relay), Some(now + left));
            }
        } else if self.originate_duty(leg.key, log_now).is_some() {
            self.sides.entry(leg.key).or_insert_with(|| Side::new(leg.key, None));
            self.open_port(leg.key, relay, limit::DIAL_MEDIA_OPEN, now);
        }
    }

    /// The port is open: the INVITE goes out. Not for a port that came too late: the leg is given up, or about to be.
    pub(crate) fn call_far_end(&mut self, leg: &Leg, rtp: SocketAddr, log_now: LogTime, now: Mono) {
        if !self.sides.get(&leg.key).is_some_and(Side::waits_for_port) {
            return;
        }
        let duty = self.originate_duty(leg.key, log_now);
        if is_called_once(leg) && duty.is_none() {
            return;
        }
        let sdp = offer_sdp(&self.local_media(leg.key, rtp, 1));
        let Some(invite) = self.invite(leg, sdp) else { return };
        let (sip, outs) = Sip::outgoing(leg.key, invite, &self.setting.local, now);
        let ring = self.ring_time(leg, log_now);
        if let Some(side) = self.sides.get_mut(&leg.key) {
            side.sip = Some(sip);
            side.ringing.give_up = Some(now + ring);
            side.ringing.repeat_until = duty.map(|duty| duty.until);
        }
        self.sent(leg.key, outs, log_now, now);
        if let Some(duty) = duty {
            self.done(duty.id);
        }
    }

    /// The duty to send the INVITE, while there is time for it: a call never comes late.
    fn originate_duty(&self, leg: LegKey, log_now: LogTime) -> Option<Duty> {
        self.rows.call.duty_to(DutyKind::Originate { leg }).filter(|duty| log_now < duty.until).copied()
    }

    /// Until the leg's deadline, which has some time beyond the ringing so that its owner reports first.
    fn ringing_left(&self, leg: &Leg, log_now: LogTime) -> Duration {
        match leg.state {
            LegState::Ringing { until } => (until - strowger_table::limit::OFFER_GRACE).since(log_now),
            _ => Duration::ZERO,
        }
    }

    fn ring_time(&self, leg: &Leg, log_now: LogTime) -> Duration {
        let left = self.ringing_left(leg, log_now);
        let of_campaign = self.rows.call.outbound().filter(|_| leg.is_customer());
        of_campaign.map_or(left, |outbound| Duration::from_millis(outbound.ring_timeout_ms.into()))
    }

    /// The INVITE follows from the row alone, so that an adopter has the same one: a phone takes it for a repetition.
    pub(crate) fn invite(&self, leg: &Leg, sdp: String) -> Option<Outgoing> {
        let host = &self.setting.local.contact_host;
        let (uri, from, destination) = match &leg.reach {
            Reach::Binding { uri, far, .. } => (uri.clone(), user_part(self.rows.call.from()), *far),
            Reach::Trunk { number, caller_id, destination, .. } => {
                let Far { transport, addr, .. } = destination;
                let uri = format!("sip:{number}@{addr}{}", transport.uri_parameter());
                (uri, caller_id.to_string(), *destination)
            }
            Reach::Inbound | Reach::Socket { .. } => return None,
        };
        let is_ours = matches!(leg.reach, Reach::Binding { .. });
        let call = || vec![("X-Strowger-Call".to_owned(), leg.key.call.to_string())];
        Some(Outgoing {
            request_uri: uri.clone(),
            to_uri: uri,
            from_uri: format!("sip:{from}@{host}"),
            from_display: String::new(),
            call_id: self.call_id(leg.key),
            destination,
            route_set: Vec::new(),
            sdp,
            headers: if is_ours { call() } else { Vec::new() },
        })
    }

    /// The SIP Call-ID of a leg that we call.
    pub(crate) fn call_id(&self, leg: LegKey) -> String {
        format!("{}@{}", strowger_sip::Token(leg), self.setting.local.contact_host)
    }

    pub(crate) fn rings(&mut self, leg: LegKey) {
        if let Some(side) = self.sides.get_mut(&leg) {
            side.ringing.is_heard = true;
        }
    }

    pub(crate) fn answered(&mut self, leg: LegKey, sdp: &[u8], log_now: LogTime, now: Mono) {
        let is_wanted = self.rows.call.leg(leg).is_some_and(Leg::is_ringing) && !self.is_ending();
        let waits = |side: &&mut Side| is_wanted && !side.ringing.is_reported && side.leaving.is_none();
        let Some(side) = self.sides.get_mut(&leg).filter(waits) else {
            // Answered in the moment it was given up or taken back.
            return self.hang_up(leg, None, now);
        };
        if parse_sdp(sdp).is_err() {
            self.not_reached(leg, Failure::NO_COMMON_LAW, log_now);
            return self.hang_up(leg, Some(Cause(65)), now);
        }
        side.ringing.is_reported = true;
        side.ringing.give_up = None;
        let Some(dialog) = side.sip.as_ref().map(|sip| Box::new(sip.dialog())) else { return };
        debug_assert!(self.rows.dialog(leg).is_none(), "a far end that was answered for answers again");
        self.propose(Command::Answered { leg, dialog, observed: log_now });
    }

    /// Before the leg's own timers: what it would send again may be too late.
    pub(crate) fn stop_late_repeats(&mut self, leg: LegKey, log_now: LogTime, now: Mono) {
        let Some(side) = self.sides.get_mut(&leg) else { return };
        if side.ringing.repeat_until.take_if(|until| *until <= log_now).is_some() {
            self.act(leg, log_now, now, |sip| sip.stop_repeating(now));
        }
    }

    /// The time for the relay, and then for the far end, is over.
    pub(crate) fn tick_ringing(&mut self, leg: LegKey, log_now: LogTime, now: Mono) {
        let Some(side) = self.sides.get_mut(&leg) else { return };
        if side.ringing.give_up.take_if(|by| *by <= now).is_none() {
            return;
        }
        if side.sip.is_none() || self.rows.call.leg(leg).is_some_and(|leg| leg.reach == Reach::Inbound) {
            return self.no_port(leg, log_now, now);
        }
        let failure = self.silence(leg);
        self.not_reached(leg, failure, log_now);
        self.hang_up(leg, Some(Cause::NO_ANSWER), now);
    }
}

/// A caller's number as the user part of a URI; what does not belong there is left out.
fn user_part(number: &str) -> String {
    let user: String = number.chars().filter(|c| c.is_ascii_alphanumeric() || "+-_.*#".contains(*c)).collect();
    if user.is_empty() { "anonymous".to_owned() } else { user }
}
