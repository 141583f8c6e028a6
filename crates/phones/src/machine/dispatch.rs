//! Which leg or agent is a message or a timer for?

use std::time::Instant;

use super::*;
use crate::leg::{in_dialog_refusal, refusal, refuses};
use crate::sip::client::Purpose;
use crate::sip::wire::Answer;

impl Machine {
    pub(super) fn on_datagram(&mut self, datagram: &[u8], source: Source, now: Instant) {
        // Keep-alives and nonsense have nobody to answer to.
        let Some(message) = Message::parse(datagram) else { return };
        match message.start.clone() {
            Start::Response { status } => self.on_answer(message, status, now),
            Start::Request { method, user } => self.on_request(message, &method, &user, source, now),
        }
    }

    pub(super) fn on_timer(&mut self, timer: Timer, now: Instant) {
        let overdue = match timer {
            Timer::Request(id) => self.wire.on_request_timer(id, now),
            Timer::Answer(name) => self.wire.on_answer_timer(name, now),
            Timer::Leg(key, timer) => {
                self.with_leg(key, now, |leg, wire| leg.on_timer(wire, timer, now));
                None
            }
            Timer::Register(index) => {
                if let Some(agent) = self.agents.get_mut(index) {
                    agent.register(&mut self.wire, now);
                }
                None
            }
        };
        match overdue {
            None => {}
            Some(Overdue::Repeated(key)) => self.with_leg(key, now, |leg, _| leg.retransmits += 1),
            Some(Overdue::Unacknowledged(key)) => {
                self.with_leg(key, now, |leg, wire| leg.on_unacknowledged(wire, now));
            }
            Some(Overdue::Unanswered(Owner::Leg(key, purpose))) => {
                self.with_leg(key, now, |leg, wire| leg.on_unanswered(wire, purpose, now));
            }
            Some(Overdue::Unanswered(Owner::Registration(index))) => {
                if let Some(agent) = self.agents.get_mut(index) {
                    agent.on_unanswered(&mut self.wire, now);
                }
            }
        }
    }

    fn on_answer(&mut self, answer: Message, status: u16, now: Instant) {
        match self.wire.on_answer(&answer, now) {
            Some(Owner::Leg(key, purpose)) => {
                // The dialog's other half may speak up only through the same Call-ID and tag.
                let own = answer.tag_in_from().and_then(|tag| self.leg_of(&answer.call_id, tag));
                if own == Some(key) || matches!(purpose, Purpose::Cancel) {
                    self.with_leg(key, now, |leg, wire| leg.on_answer(wire, purpose, &answer, now));
                }
            }
            Some(Owner::Registration(index)) => {
                if let Some(agent) = self.agents.get_mut(index) {
                    agent.on_answer(&mut self.wire, &answer, now);
                }
            }
            // Nobody's answer: a 2xx to an INVITE is repeated until the ACK arrives.
            None if (200..300).contains(&status) && answer.cseq_method == "INVITE" => {
                if let Some(key) = answer.tag_in_from().and_then(|tag| self.leg_of(&answer.call_id, tag)) {
                    self.with_leg(key, now, |leg, wire| leg.acknowledge_again(wire, &answer));
                }
            }
            None => {}
        }
    }

    fn on_request(&mut self, request: Message, method: &str, user: &str, source: Source, now: Instant) {
        if method == "ACK" {
            return self.on_ack(request, now);
        }
        if method != request.cseq_method {
            return self.wire.answer(&request, source, Answer::status(400), now);
        }
        if self.wire.answered_before(&request) {
            return;
        }
        let in_dialog = request.tag_in_to().map(|tag| self.leg_of(&request.call_id, tag));
        match (method, in_dialog) {
            ("CANCEL", _) => self.on_cancel(request, source, now),
            (_, Some(Some(key))) => {
                self.with_leg(key, now, |leg, wire| leg.on_request(wire, &request, source, now));
            }
            ("INVITE" | "BYE" | "UPDATE" | "OPTIONS", Some(None)) | ("BYE" | "UPDATE", None) => {
                self.refuse(&request, source, 481, now);
            }
            ("INVITE", None) => self.on_invite(request, user, source, now),
            ("OPTIONS", None) => self.refuse(&request, source, 200, now),
            (other, _) => self.refuse(&request, source, in_dialog_refusal(other), now),
        }
    }

    fn on_ack(&mut self, ack: Message, now: Instant) {
        if !self.wire.on_ack(&ack) {
            return;
        }
        if let Some(key) = ack.tag_in_to().and_then(|tag| self.leg_of(&ack.call_id, tag)) {
            self.with_leg(key, now, |leg, wire| leg.on_ack(wire, &ack, now));
        }
    }

    fn on_cancel(&mut self, cancel: Message, source: Source, now: Instant) {
        let cancelled = self.legs.values().find(|leg| leg.is_cancelled_by(&cancel));
        match cancelled.map(|leg| leg.key) {
            Some(key) => self.with_leg(key, now, |leg, wire| leg.on_cancel(wire, &cancel, source, now)),
            None => self.refuse(&cancel, source, 481, now),
        }
    }

    fn on_invite(&mut self, invite: Message, user: &str, source: Source, now: Instant) {
        let Some(&index) = self.by_user.get(user) else {
            return self.on_dialled(invite, user, source, now);
        };
        let spec = self.agents[index].spec.clone();
        // Two offers for one telephone: the very thing a router must never do, so it is written down.
        let before = self.agents[index].current.and_then(|key| self.legs.get_mut(&key));
        let overlapped = before.is_some_and(Leg::meets_another);
        if let Some(status) = overlapped.then_some(486).or_else(|| refuses(&spec, &invite)) {
            self.refuse(&invite, source, status, now);
            return self.enter(Report::Agent(refusal(&spec, &invite, status, now)));
        }
        let key = self.new_key();
        match Leg::ring(&mut self.wire, key, spec.clone(), invite.clone(), source, now) {
            Ok(leg) => {
                self.agents[index].current = Some(key);
                self.admit(leg);
            }
            Err(error) => {
                tracing::error!(%error, "a phone cannot ring");
                self.refuse(&invite, source, 480, now);
                self.enter(Report::Agent(refusal(&spec, &invite, 480, now)));
            }
        }
    }

    pub(super) fn refuse(&mut self, request: &Message, source: Source, status: u16, now: Instant) {
        let to_tag = Some(self.wire.random.token());
        self.wire.answer(request, source, Answer { to_tag, ..Answer::status(status) }, now);
    }

    fn leg_of(&self, call_id: &str, local_tag: &str) -> Option<LegKey> {
        self.dialogs.get(&(call_id.to_owned(), local_tag.to_owned())).copied()
    }
}
