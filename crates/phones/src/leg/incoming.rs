//! An INVITE that came in and what is said to it: the same for an agent's telephone and for a called number.

use std::time::Instant;

use super::{Leg, LegTimer, Role, Stage};
use crate::report::EndedBy;
use crate::sip::message::Message;
use crate::sip::sdp::{Direction, Sdp};
use crate::sip::wire::{Answer, Source, Wire};
use crate::timers::Timer;

pub(crate) struct Incoming {
    /// Kept for its answers.
    pub invite: Message,
    source: Source,
    offer: Option<Sdp>,
    /// A BYE may not go out before the ACK came in (RFC 3261 section 15).
    hang_up_wanted: Option<EndedBy>,
}

impl Incoming {
    pub fn new(invite: Message, source: Source) -> Self {
        let offer = Sdp::parse(&invite.body);
        Self { invite, source, offer, hang_up_wanted: None }
    }
}

/// False: it offers no audio that these phones could speak.
pub(super) fn is_speakable(invite: &Message) -> bool {
    invite.body.is_empty() || Sdp::parse(&invite.body).is_some_and(|sdp| !sdp.laws.is_empty())
}

impl Role {
    pub fn incoming(&self) -> Option<&Incoming> {
        match self {
            Role::Caller(_) => None,
            Role::Agent(side) => Some(&side.incoming),
            Role::Called(side) => Some(&side.incoming),
        }
    }

    fn incoming_mut(&mut self) -> Option<&mut Incoming> {
        match self {
            Role::Caller(_) => None,
            Role::Agent(side) => Some(&mut side.incoming),
            Role::Called(side) => Some(&mut side.incoming),
        }
    }
}

impl Leg {
    pub fn is_cancelled_by(&self, cancel: &Message) -> bool {
        let of_branch = |incoming: &Incoming| incoming.invite.branch == cancel.branch;
        self.dialog.call_id == cancel.call_id && self.role.incoming().is_some_and(of_branch)
    }

    /// Another call comes to the same telephone. True, and written down: this one is still going on.
    pub fn meets_another(&mut self) -> bool {
        let occupied = matches!(self.stage, Stage::Ringing | Stage::Answered | Stage::Talking);
        match &mut self.role {
            Role::Caller(_) => {}
            Role::Agent(side) => side.overlapped |= occupied,
            Role::Called(side) => side.overlapped |= occupied,
        }
        occupied
    }

    pub(super) fn pick_up(&mut self, wire: &mut Wire, now: Instant) {
        if self.stage != Stage::Ringing {
            return;
        }
        let Some(incoming) = self.role.incoming() else { return };
        let sdp = match &incoming.offer {
            Some(offer) => {
                self.audio.hear(wire, offer);
                self.audio.answer(offer)
            }
            None => {
                self.awaits_sdp_in_ack = true;
                self.audio.offer(Direction::SendRecv)
            }
        };
        self.answered_at = Some(now);
        self.final_status = 200;
        self.stage = Stage::Answered;
        self.answer_invite(wire, 200, Some(sdp), now);
        if let Some((after, timer)) = self.once_answered() {
            wire.timers.set(now + after, Timer::Leg(self.key, timer));
        }
    }

    /// What whoever answers does later of its own accord.
    fn once_answered(&self) -> Option<(std::time::Duration, LegTimer)> {
        match &self.role {
            Role::Caller(_) => None,
            Role::Agent(side) => side.once_answered(),
            Role::Called(side) => side.once_answered(),
        }
    }

    /// CANCEL: 200 to it, 487 to the INVITE; nothing more if it was answered already (RFC 3261 section 9.2).
    pub fn on_cancel(&mut self, wire: &mut Wire, cancel: &Message, source: Source, now: Instant) {
        if self.stage == Stage::Dead {
            return;
        }
        let to_tag = Some(self.dialog.local_tag.clone());
        wire.answer(cancel, source, Answer { to_tag, ..Answer::status(200) }, now);
        if self.stage == Stage::Ringing {
            self.decline(wire, 487, EndedBy::Far, now);
        }
    }

    pub(super) fn decline(&mut self, wire: &mut Wire, status: u16, by: EndedBy, now: Instant) {
        self.answer_invite(wire, status, None, now);
        self.final_status = status;
        self.end(now, by);
        // A telephone's report is the agent's business, which is over; a carrier's says whether the ACK came too.
        self.stage = if matches!(self.role, Role::Called(_)) { Stage::Refused } else { Stage::Over };
    }

    pub(super) fn hang_up_after_ack(&mut self, by: EndedBy) {
        if let Some(incoming) = self.role.incoming_mut() {
            incoming.hang_up_wanted = Some(by);
        }
    }

    /// The ACK of this side's final answer.
    pub fn on_ack(&mut self, wire: &mut Wire, ack: &Message, now: Instant) {
        if self.stage == Stage::Refused {
            self.stage = Stage::Over;
            return;
        }
        if self.awaits_sdp_in_ack {
            self.awaits_sdp_in_ack = false;
            if let Some(sdp) = Sdp::parse(&ack.body) {
                self.audio.hear(wire, &sdp);
            }
        }
        if self.stage != Stage::Answered {
            return;
        }
        self.stage = Stage::Talking;
        if let Some(by) = self.role.incoming_mut().and_then(|incoming| incoming.hang_up_wanted.take()) {
            self.bye(wire, by, now);
        }
    }

    pub(super) fn answer_invite(&mut self, wire: &mut Wire, status: u16, sdp: Option<String>, now: Instant) {
        let Some(incoming) = self.role.incoming() else { return };
        let answer = Answer {
            status,
            // 100 makes no dialog (RFC 3261 section 8.2.6.2).
            to_tag: (status > 100).then(|| self.dialog.local_tag.clone()),
            contact: (101..300).contains(&status).then(|| self.dialog.contact().to_owned()),
            cause: if let Role::Called(side) = &self.role { side.cause_of(status) } else { None },
            sdp,
            leg: Some(self.key),
        };
        wire.answer(&incoming.invite, incoming.source, answer, now);
    }
}
