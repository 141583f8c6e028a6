//! A far end asks for other media (hold, resume, a new port): answered once the row has it.

use std::net::SocketAddr;

use strowger_media::Op;
use strowger_model::{Cause, Dialog, LegKey, LogNow, Mono};
use strowger_sip::{Direction, LegState, RemoteMedia, answer_sdp, offer_sdp, parse_answer, parse_sdp};
use strowger_table::{Command, ToldBy};

use crate::machine::Machine;
use crate::side::Side;

/// What the row is to say of a leg's media, by this proposal.
pub(crate) struct Reinvite {
    number: u64,
    then: Then,
}

/// What is done once the row has it.
enum Then {
    /// The far end is told our description, and its relay what it offered; nothing where it only asked for ours.
    Answer(String, Option<Op>),
    /// It has answered already: its relay is told.
    Direct(Op),
    Nothing,
}

impl Machine {
    pub(crate) fn reinvited(&mut self, key: LegKey, sdp: &[u8], now: Mono) {
        let Some(side) = self.sides.get(&key) else { return };
        let Some(mut changed) = side.sip.clone() else { return };
        let current = changed.dialog();
        let described = self.ours(key).ok_or(500).and_then(|rtp| {
            let local = self.local_media(key, rtp, current.sdp_version + 1);
            // Without an offer of theirs we make one, and the ACK answers it (RFC 3261, 14.2).
            if sdp.is_empty() {
                return Ok((offer_sdp(&local, &current.local_sdp), None));
            }
            answer_sdp(sdp, &local).map(|(answer, remote)| (answer, Some(remote_op(key, &remote)))).map_err(|_| 488)
        });
        match described {
            Err(status) => {
                let outs = self.sip(key).map(|sip| sip.answer_reinvite(Err(status), now)).unwrap_or_default();
                self.sent(key, outs, LogNow::default(), now);
            }
            Ok((sdp, media)) => {
                changed.answer_reinvite(Ok(sdp.clone()), now);
                // Of an offer that was cancelled meanwhile the answer is nobody's.
                self.redialog(key, changed.dialog(), Then::Answer(sdp, media));
            }
        }
    }

    /// The far end answered our offer in its ACK: one that cannot be used is heard by nobody.
    pub(crate) fn offer_answered(&mut self, key: LegKey, sdp: &[u8], log_now: LogNow) {
        let Some(remote) = self.read_answer(key, sdp) else {
            return self.leave(key, Cause::NOT_IMPLEMENTED, ToldBy::Silence, log_now.at_most);
        };
        if let Some(dialog) = self.sip(key).map(|sip| sip.dialog()) {
            self.redialog(key, dialog, Then::Direct(remote_op(key, &remote)));
        }
    }

    fn redialog(&mut self, key: LegKey, dialog: Dialog, then: Then) {
        let holds = holds(&dialog.remote_sdp);
        let number = self.propose(Command::Redialog { leg: key, dialog: Box::new(dialog), relay: None, holds });
        if let Some(side) = self.sides.get_mut(&key) {
            side.reinvite = Some(Reinvite { number, then });
        }
    }

    /// The leg as it is now gives the answer: one that was hung up meanwhile, or whose BYE waits, gives none.
    pub(crate) fn redialog_proposed(&mut self, number: u64, accepted: bool, now: Mono) {
        let asked = |reinvite: &mut Reinvite| reinvite.number == number;
        let found = self.sides.iter_mut().find_map(|(key, side)| {
            let reinvite = side.reinvite.take_if(asked)?;
            (!side.has_hung_up()).then_some((*key, reinvite))
        });
        match found {
            Some((key, Reinvite { then: Then::Answer(sdp, media), .. })) => {
                let answer = if accepted { Ok(sdp) } else { Err(500) };
                let outs = self.sip(key).map(|sip| sip.answer_reinvite(answer, now)).unwrap_or_default();
                match (accepted, outs.is_empty()) {
                    (true, false) => media.into_iter().for_each(|media| self.media_of(key, media)),
                    (true, true) => self.put_right(key),
                    (false, _) => {}
                }
                self.sent(key, outs, LogNow::default(), now);
            }
            Some((key, Reinvite { then: Then::Direct(media), .. })) => {
                self.media_of(key, media);
                // Both sides agreed on it, whatever became of the entry.
                if !accepted {
                    self.put_right(key);
                }
            }
            Some((_, Reinvite { then: Then::Nothing, .. })) | None => {}
        }
    }

    /// A row may have an offer that was cancelled, or that its far end was told is refused, for the entry came later
    /// than anybody waited for it: then it is told what stands between the two (RFC 3261, 14.1).
    pub(crate) fn put_right(&mut self, key: LegKey) {
        let rests = |side: &Side| side.reinvite.is_none() && side.moving.is_none() && side.leaving.is_none();
        let sip = self.sides.get(&key).filter(|side| rests(side)).and_then(|side| side.sip.as_ref());
        let Some(sip) = sip.filter(|sip| sip.state() == LegState::Confirmed) else { return };
        if self.rows.dialog(key).is_none_or(|row| row.remote_sdp == sip.remote_sdp()) {
            return;
        }
        let dialog = sip.dialog();
        self.redialog(key, dialog, Then::Nothing);
    }

    /// The address at which a leg's relay hears its far end.
    fn ours(&self, key: LegKey) -> Option<SocketAddr> {
        let side = self.sides.get(&key)?;
        let described = || parse_sdp(side.sip.as_ref()?.dialog().local_sdp.as_bytes()).ok().map(|media| media.addr.rtp);
        side.rtp.or_else(described)
    }

    /// What a far end answered to our offer; none if that cannot be used. Of an offer that an earlier owner made the heir
    /// may not know the address.
    pub(crate) fn read_answer(&self, key: LegKey, sdp: &[u8]) -> Option<RemoteMedia> {
        match self.ours(key) {
            Some(ours) => parse_answer(sdp, ours).ok(),
            None => parse_sdp(sdp).ok(),
        }
    }

    /// Tells the relay where a leg's media goes, as the committed dialog has it.
    pub(crate) fn direct_media(&mut self, key: LegKey) {
        let remote = self.rows.dialog(key).and_then(|dialog| parse_sdp(dialog.remote_sdp.as_bytes()).ok());
        if let Some(remote) = remote {
            self.media_of(key, remote_op(key, &remote));
        }
    }
}

/// Whether a far end's description holds us (RFC 3264, 8.4).
pub(crate) fn holds(sdp: &str) -> bool {
    parse_sdp(sdp.as_bytes()).is_ok_and(|remote| remote.on_hold())
}

/// Where a far end's media goes, by its own SDP. Who holds is heard by nobody and may be silent for as long as it holds,
/// also where it says that it sends: desk phones without music of their own send nothing.
fn remote_op(key: LegKey, remote: &RemoteMedia) -> Op {
    let (send, receive) = match remote.direction {
        Direction::SendRecv => (true, true),
        Direction::RecvOnly => (true, false),
        Direction::SendOnly | Direction::Inactive => (false, false),
    };
    Op::Remote { leg: key.leg, media: remote.addr, send, receive }
}
