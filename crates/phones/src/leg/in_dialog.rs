//! Requests inside a call: from either side, at any time.

use std::time::Instant;

use super::{Leg, Stage};
use crate::report::EndedBy;
use crate::sip::message::Message;
use crate::sip::sdp::Sdp;
use crate::sip::wire::{Answer, Source, Wire};

/// What a phone knows of but does not do: 405. Anything else is 501.
const KNOWN_METHODS: [&str; 8] = ["REGISTER", "SUBSCRIBE", "NOTIFY", "MESSAGE", "INFO", "REFER", "PRACK", "PUBLISH"];

/// The answer to a method that phones do not serve.
pub(crate) fn refusal_of(method: &str) -> u16 {
    if KNOWN_METHODS.contains(&method) { 405 } else { 501 }
}

impl Leg {
    /// Everything but ACK and CANCEL.
    pub fn on_request(&mut self, wire: &mut Wire, request: &Message, source: Source, now: Instant) {
        if !self.dialog.accepts(request) {
            return wire.answer(request, source, Answer::status(500), now);
        }
        match request.cseq_method.as_str() {
            "BYE" => self.on_bye(wire, request, source, now),
            // A dialog that is over is no dialog.
            _ if matches!(self.stage, Stage::HangingUp | Stage::Refused | Stage::Over) => {
                wire.answer(request, source, Answer::status(481), now);
            }
            "INVITE" | "UPDATE" => self.on_reoffer(wire, request, source, now),
            "OPTIONS" => wire.answer(request, source, Answer::status(200), now),
            other => wire.answer(request, source, Answer::status(refusal_of(other)), now),
        }
    }

    fn on_bye(&mut self, wire: &mut Wire, request: &Message, source: Source, now: Instant) {
        wire.answer(request, source, Answer::status(200), now);
        self.end(now, EndedBy::Far);
        self.stage = Stage::Over;
    }

    fn on_reoffer(&mut self, wire: &mut Wire, request: &Message, source: Source, now: Instant) {
        let is_invite = request.cseq_method == "INVITE";
        if self.reinvite.is_some() && (is_invite || !request.body.is_empty()) {
            // RFC 3261 section 14.2: both sides offer at once.
            return wire.answer(request, source, Answer::status(491), now);
        }
        self.dialog.retarget(request);
        let sdp = if request.body.is_empty() {
            self.awaits_sdp_in_ack = is_invite;
            is_invite.then(|| self.audio.offer(self.audio.direction))
        } else {
            let Some(offer) = Sdp::parse(&request.body).filter(|offer| self.audio.hear(wire, offer)) else {
                return wire.answer(request, source, Answer::status(488), now);
            };
            Some(self.audio.answer(&offer))
        };
        let contact = Some(self.dialog.contact().to_owned());
        // Only an INVITE's answer waits for an ACK; a lost one ends the call.
        let leg = is_invite.then_some(self.key);
        wire.answer(request, source, Answer { contact, sdp, leg, ..Answer::status(200) }, now);
    }
}
