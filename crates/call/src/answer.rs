//! A call that came to us: media, and the answer, which is committed before it is sent.

use std::net::SocketAddr;

use strowger_media::{Op, SPOKEN};
use strowger_model::{Cause, Ended, HangupBy, LegKey, LogNow, LogTime, Mono, RelayId};
use strowger_sip::{LocalMedia, answer_sdp, offer_sdp};
use strowger_table::{Command, Reach};

use crate::limit;
use crate::machine::Machine;
use crate::side::Side;

impl Machine {
    pub(crate) fn begin_admitted(&mut self, key: LegKey, now: Mono) {
        let Some(side) = self.sides.get_mut(&key).filter(|side| !side.begun) else { return };
        side.begun = true;
        side.give_up = Some(now + limit::MEDIA_OPEN);
        let outs = side.sip.as_mut().map(|sip| sip.trying(now)).unwrap_or_default();
        self.sent(key, outs, LogNow::default(), now);
        self.media_of(key, Op::Open { leg: key.leg });
    }

    /// Its relay opens no port, and another may: once, so that a caller whom nobody can serve hears so soon. The row names
    /// none before the answer is committed, and that names the one whose port it has. False: it is not asked.
    pub(crate) fn opens_at(&mut self, key: LegKey, relay: RelayId, now: Mono) -> bool {
        let is_theirs = self.row_leg(key).is_some_and(|leg| leg.is_ringing() && leg.reach == Reach::Inbound);
        let waits = |side: &&mut Box<Side>| side.begun && !side.asked_another && side.answer_sdp.is_none();
        if !is_theirs || self.is_ending() || self.setting.relay == relay {
            return false;
        }
        let Some(side) = self.sides.get_mut(&key).filter(waits) else { return false };
        side.asked_another = true;
        side.give_up = Some(now + limit::MEDIA_OPEN);
        // It may have opened one, and its answer was lost.
        self.media_of(key, Op::CloseLeg { leg: key.leg });
        self.setting.relay = relay;
        self.media_of(key, Op::Open { leg: key.leg });
        true
    }

    /// A port is open: the answer is made, and proposed before it is sent.
    pub(crate) fn make_answer(&mut self, key: LegKey, rtp: SocketAddr, now: Mono) {
        let Some(side) = self.sides.get_mut(&key).filter(|side| side.answer_sdp.is_none()) else { return };
        side.give_up = None;
        let Some(mut sip) = side.sip.clone() else { return };
        let offer = sip.dialog().remote_sdp;
        let local = self.local_media(key, rtp, 1);
        let sdp = match offer.is_empty() {
            // Its ACK will answer (RFC 3261, 13.2.1).
            true => offer_sdp(&local, ""),
            false => match answer_sdp(offer.as_bytes(), &local) {
                Ok((sdp, _)) => sdp,
                Err(_) => return self.reject(key, 488, Cause::NOT_IMPLEMENTED, now),
            },
        };
        // What the row will have; the leg itself answers once it does.
        sip.accept(sdp.clone(), now);
        self.say_of(key, Command::Answer { leg: key, dialog: Box::new(sip.dialog()), relay: self.setting.relay });
        if let Some(side) = self.sides.get_mut(&key) {
            side.answer_sdp = Some(sdp);
        }
    }

    /// No port: the caller is told so, and may come again.
    pub(crate) fn not_answered(&mut self, key: LegKey, now: Mono) {
        if let Some(side) = self.sides.get_mut(&key) {
            side.give_up = None;
        }
        let is_ringing = self.row_leg(key).is_some_and(strowger_table::Leg::is_ringing);
        if is_ringing && !self.is_ending() {
            self.reject(key, 503, Cause::NO_CIRCUIT, now);
        }
    }

    fn reject(&mut self, key: LegKey, status: u16, cause: Cause, now: Mono) {
        let retry_after = (status == 503).then_some(limit::RETRY_AFTER_S);
        let Some(sip) = self.sip(key) else { return };
        let outs = sip.reject(status, strowger_sip::phrase(status), retry_after, Some(cause), now);
        self.sent(key, outs, LogNow::default(), now);
        self.propose_end(Ended { by: HangupBy::System, cause }, LogTime::MAX);
    }

    /// The answer is committed: out with it, even if whoever waited for the commit was told that it is lost. A CANCEL
    /// that came first wins, and a leg that is refused by now takes no answer.
    pub(crate) fn release_answer(&mut self, key: LegKey, now: Mono) {
        let Some(side) = self.sides.get_mut(&key) else { return };
        let Some(sdp) = side.answer_sdp.take().filter(|_| !side.has_hung_up()) else { return };
        let outs = side.sip.as_mut().map(|sip| sip.accept(sdp, now)).unwrap_or_default();
        self.sent(key, outs, LogNow::default(), now);
    }

    pub(crate) fn local_media(&self, key: LegKey, rtp: SocketAddr, version: u32) -> LocalMedia {
        LocalMedia { rtp, laws: SPOKEN.to_vec(), session_id: key.call.0, version }
    }
}
