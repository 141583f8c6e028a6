//! Requests of the far end.

use strowger_model::{Far, Mono, Role};

use super::server::{Given, Inbound, Phase, ServerInvite};
use super::{Event, Leg, LegState, Out};
use crate::compose::SDP;
use crate::message::Message;
use crate::reason;
use crate::screen::{ALLOW, unsupported};

/// Seconds after which a far end may try an offer again that came while another was open (RFC 3261 section 14.2
/// wants something between 0 and 10).
const OFFER_RETRY_S: u32 = 2;

impl Leg {
    pub(super) fn on_request(&mut self, message: &Message, source: Far, now: Mono, out: &mut Vec<Out>) {
        let method = message.method();
        if method == "ACK" {
            if self.is_ours(message) {
                self.on_ack(message, now, out);
            }
            return;
        }
        let inbound = Inbound::of(message, source);
        // Senders exist that say no branch, or the same one for all of a dialog: their number tells requests apart, too
        // (RFC 3261 section 17.2.3).
        let is_again = |given: &&Given| {
            (given.method.as_str(), given.cseq, &given.branch) == (method, inbound.cseq, &inbound.branch)
        };
        if let Some(given) = self.given.iter().find(is_again) {
            out.push(Out::Send { to: given.destination, bytes: given.bytes.clone() });
            return;
        }
        if !self.is_ours(message) {
            return self.turn_away(&inbound, 481, &[], out);
        }
        match method {
            "CANCEL" => return self.on_cancel(inbound, now, out),
            "INVITE" if self.on_repeated_invite(message, &inbound, out) => return,
            _ => {}
        }
        if let Some(refusal) = unsupported(message) {
            return self.turn_away(&inbound, refusal.status, &refusal.headers, out);
        }
        if message.cseq() < self.row.remote_cseq {
            // Out of order (RFC 3261 section 12.2.2). Gaps upwards are legal.
            return self.turn_away(&inbound, 500, &[], out);
        }
        let equal = message.cseq() == self.row.remote_cseq;
        self.row.remote_cseq = message.cseq();
        self.row.far = inbound.sender(source, !self.row.route_set.is_empty());
        match method {
            "INVITE" => self.on_reinvite(message, inbound, equal, out),
            "UPDATE" => self.on_update(message, inbound, equal, out),
            "BYE" => self.on_bye(message, inbound, out),
            _ if self.state == LegState::Ended => self.turn_away(&inbound, 481, &[], out),
            "INFO" => {
                self.give(inbound, 200, &[], None, out);
                out.extend(message.key().map(|digit| Out::Event(Event::Key { digit })));
            }
            "OPTIONS" => {
                let headers = [("Allow", ALLOW.to_owned()), ("Accept", SDP.to_owned())];
                self.give(inbound, 200, &headers, None, out);
            }
            _ => self.turn_away(&inbound, 405, &[], out),
        }
    }

    /// RFC 3261 section 12.2.2: Call-ID and both tags. The INVITE that opened the dialog, and what repeats or
    /// cancels it, have no To tag; a far end we called has no tag of its own until it answers.
    fn is_ours(&self, message: &Message) -> bool {
        let row = &self.row;
        let opening =
            message.to_tag().is_empty() && row.role == Role::Uas && matches!(message.method(), "INVITE" | "CANCEL");
        message.call_id() == row.call_id
            && (opening || message.to_tag() == row.local_tag)
            && (row.remote_tag.is_empty() || message.from_tag() == row.remote_tag)
    }

    /// An answer without state: a repeat of the request gets it again.
    fn turn_away(&self, inbound: &Inbound, status: u16, extra: &[(&str, String)], out: &mut Vec<Out>) {
        out.push(Out::Send { to: inbound.destination, bytes: self.answer(inbound, status, extra, None) });
    }

    fn on_ack(&mut self, message: &Message, now: Mono, out: &mut Vec<Out>) {
        let Some(server) = &mut self.server else { return };
        if !server.is_invite() || server.inbound.cseq != message.cseq() {
            return;
        }
        let (phase, initial) = (server.phase, server.initial);
        match phase {
            Phase::Open | Phase::Over => {}
            Phase::Refused => {
                server.close();
                if initial {
                    self.finish(out);
                }
            }
            Phase::Succeeded => {
                let asks = server.asks;
                server.close();
                if let Some(q850) = self.bye_after_ack.take() {
                    return self.send_bye(q850, now, out);
                }
                if asks {
                    self.take_answer(message, out);
                }
                self.acked(initial, out);
            }
        }
    }

    /// What the ACK says to the offer in our 2xx.
    fn take_answer(&mut self, message: &Message, out: &mut Vec<Out>) {
        let sdp = message.sdp();
        let is_news = !sdp.is_empty() && *sdp != *self.row.remote_sdp.as_bytes();
        if is_news {
            self.take_description(&sdp);
        }
        if is_news || self.row.remote_sdp.is_empty() {
            out.push(Out::Event(Event::OfferAnswered { sdp: sdp.to_vec() }));
        }
    }

    fn acked(&mut self, initial: bool, out: &mut Vec<Out>) {
        if initial && self.state == LegState::Answered {
            self.state = LegState::Confirmed;
            out.push(Out::Event(Event::Acked));
        }
    }

    fn on_cancel(&mut self, inbound: Inbound, now: Mono, out: &mut Vec<Out>) {
        // Matched by branch (RFC 3261 section 9.2): of several copies of an INVITE only the newest is cancelled.
        let matched = |server: &&ServerInvite| server.is_invite() && server.inbound.branch == inbound.branch;
        let Some(server) = self.server.as_ref().filter(matched) else {
            return self.turn_away(&inbound, 481, &[], out);
        };
        if server.phase != Phase::Open {
            // Too late: it has its final answer.
            return self.give(inbound, 200, &[], None, out);
        }
        if !server.initial {
            // The call learns nothing: its answer to the offer finds nothing open.
            self.give(inbound, 200, &[], None, out);
            return self.refuse(487, reason::phrase(487), &[], now, out);
        }
        if self.owed.is_none() {
            self.owed = Some(inbound);
            out.push(Out::Event(Event::Cancelled));
        }
    }

    /// True if it was a repeat of the newest INVITE and is dealt with.
    fn on_repeated_invite(&mut self, message: &Message, inbound: &Inbound, out: &mut Vec<Out>) -> bool {
        let Some(server) = self.server.as_ref().filter(|server| server.is_invite()) else { return false };
        if server.inbound.cseq != inbound.cseq {
            return false;
        }
        let (phase, status) = (server.phase, server.status);
        if server.inbound.branch != inbound.branch && phase == Phase::Over && status >= 300 {
            // A proxy that tries elsewhere what we refused for good.
            self.turn_away(inbound, status, &[], out);
            return true;
        }
        let by_another_way =
            server.inbound.branch != inbound.branch || server.inbound.destination != inbound.destination;
        if by_another_way && phase != Phase::Over {
            // The same INVITE by another way, sent again by a proxy that failed over, or on a new line because the old one
            // is gone: the newest counts.
            let body = (phase == Phase::Succeeded).then_some((SDP, self.row.local_sdp.as_bytes()));
            let last = if status == 0 { Vec::new() } else { self.answer(inbound, status, &[], body) };
            if let Some(server) = &mut self.server {
                server.inbound = inbound.clone();
                server.last = last;
            }
        }
        if let Some(server) = self.server.as_ref().filter(|server| !server.last.is_empty()) {
            out.push(Out::Send { to: server.inbound.destination, bytes: server.last.clone() });
        }
        if let Some(server) = self.server.as_mut().filter(|server| !server.told && server.phase == Phase::Open) {
            server.told = true;
            server.asks = message.sdp().is_empty();
            server.offer = String::from_utf8_lossy(&message.sdp()).into_owned();
            out.push(Out::Event(Event::Reinvite { sdp: message.sdp().to_vec() }));
        }
        true
    }

    fn on_reinvite(&mut self, message: &Message, inbound: Inbound, equal: bool, out: &mut Vec<Out>) {
        if equal && matches!(self.state, LegState::Answered | LegState::Confirmed) {
            return self.repeat_success(&inbound, out);
        }
        if message.to_tag().is_empty() || matches!(self.state, LegState::Ending | LegState::Ended) {
            return self.turn_away(&inbound, 481, &[], out);
        }
        if let Some(status) = self.offer_refusal() {
            return self.turn_away_offer(inbound, status, out);
        }
        // Nobody sends a second INVITE before the first is answered: the ACK is lost or late, not missing.
        if let Some(server) = self.server.as_mut().filter(|server| server.phase == Phase::Succeeded) {
            let initial = server.initial;
            server.close();
            if initial && self.state == LegState::Answered {
                self.state = LegState::Confirmed;
                out.push(Out::Event(Event::Acked));
            }
        }
        self.refresh_target(message);
        self.server = Some(ServerInvite::new(inbound, false, &message.sdp()));
        out.push(Out::Event(Event::Reinvite { sdp: message.sdp().to_vec() }));
    }

    fn on_update(&mut self, message: &Message, inbound: Inbound, equal: bool, out: &mut Vec<Out>) {
        if matches!(self.state, LegState::Ending | LegState::Ended) {
            return self.turn_away(&inbound, 481, &[], out);
        }
        if message.sdp().is_empty() {
            self.refresh_target(message);
            return self.give(inbound, 200, &[], None, out);
        }
        if let Some(status) = self.offer_refusal() {
            return self.turn_away_offer(inbound, status, out);
        }
        if equal {
            return self.repeat_success(&inbound, out);
        }
        self.refresh_target(message);
        match self.server.as_ref().map(|server| server.phase) {
            // The 2xx of an INVITE still repeats: it keeps its place until acknowledged (RFC 3311 section 5.2).
            Some(Phase::Succeeded) => self.turn_away_offer(inbound, 500, out),
            _ => {
                self.server = Some(ServerInvite::new(inbound, false, &message.sdp()));
                out.push(Out::Event(Event::Reinvite { sdp: message.sdp().to_vec() }));
            }
        }
    }

    /// An equal CSeq with no transaction to match: an earlier owner of this leg answered it. It gets a repeat of
    /// the success that was committed, without demanding another ACK.
    fn repeat_success(&self, inbound: &Inbound, out: &mut Vec<Out>) {
        let bytes = self.answer(inbound, 200, &[], Some((SDP, self.row.local_sdp.as_bytes())));
        out.push(Out::Send { to: inbound.destination, bytes });
    }

    /// Why an offer cannot be looked at now: 491 if it meets ours, 500 if it meets one of its own sender's
    /// (RFC 3261 section 14.2, RFC 3311 section 5.2).
    fn offer_refusal(&self) -> Option<u16> {
        let theirs = self.is_open(true) || self.is_open(false);
        if self.client.is_some() { Some(491) } else { theirs.then_some(500) }
    }

    /// Kept for repeats: with its CSeq now taken, a repeat would look like one of a success.
    fn turn_away_offer(&mut self, inbound: Inbound, status: u16, out: &mut Vec<Out>) {
        let extra = [("Retry-After", OFFER_RETRY_S.to_string())];
        self.give(inbound, status, if status == 500 { &extra } else { &[] }, None, out);
    }

    fn on_bye(&mut self, message: &Message, inbound: Inbound, out: &mut Vec<Out>) {
        match (self.state, self.row.role) {
            // A callee that has not answered has no dialog to end (RFC 3261 section 15).
            (LegState::Early, Role::Uac) => self.turn_away(&inbound, 481, &[], out),
            (LegState::Early, Role::Uas) => self.owe(inbound, Event::Cancelled, out),
            (LegState::Answered | LegState::Confirmed, _) => {
                if let Some(server) = self.server.as_mut().filter(|server| server.phase == Phase::Succeeded) {
                    server.close();
                }
                self.owe(inbound, Event::HungUp { q850: reason::q850(message) }, out);
            }
            // Both hung up: ours needs no answer any more.
            (LegState::Ending, _) => {
                self.give(inbound, 200, &[], None, out);
                self.finish(out);
            }
            (LegState::Ended, _) => self.give(inbound, 200, &[], None, out),
        }
    }

    fn owe(&mut self, inbound: Inbound, event: Event, out: &mut Vec<Out>) {
        if self.owed.replace(inbound).is_none() {
            out.push(Out::Event(event));
        }
    }

    /// RFC 3261 section 12.2.2: INVITE and UPDATE move the target.
    pub(super) fn refresh_target(&mut self, message: &Message) {
        if let Some(uri) = message.contact_uri() {
            self.row.remote_target = uri.to_owned();
        }
    }
}
