//! A far end asks for other media (hold, resume, a new port): answered once the row has it.

use std::net::SocketAddr;

use strowger_media::Op;
use strowger_model::{LegKey, LogNow, Mono};
use strowger_sip::{Direction, LegState, RemoteMedia, answer_sdp, parse_answer, parse_sdp};
use strowger_table::Command;

use crate::machine::Machine;
use crate::side::Side;

/// What the row is to say of a leg's media, by this proposal.
pub(crate) struct Reinvite {
    number: u64,
    /// What the far end who offered it is told once the row has it, and its relay.
    answer: Option<(String, Op)>,
}

impl Machine {
    pub(crate) fn reinvited(&mut self, key: LegKey, sdp: &[u8], now: Mono) {
        let Some(side) = self.sides.get(&key) else { return };
        let Some(mut changed) = side.sip.clone() else { return };
        let current = changed.dialog();
        // Without an offer of theirs we offer what we have (RFC 3261 14.2).
        let offer = if sdp.is_empty() { current.remote_sdp.as_bytes() } else { sdp };
        let answer = self
            .ours(key)
            .ok_or(500)
            .and_then(|rtp| answer_sdp(offer, &self.local_media(key, rtp, current.sdp_version + 1)).map_err(|_| 488));
        match answer {
            Err(status) => {
                let outs = self.sip(key).map(|sip| sip.answer_reinvite(Err(status), now)).unwrap_or_default();
                self.sent(key, outs, LogNow::default(), now);
            }
            Ok((sdp, remote)) => {
                changed.answer_reinvite(Ok(sdp.clone()), now);
                let dialog = Box::new(changed.dialog());
                let holds = holds(&dialog.remote_sdp);
                let number = self.propose(Command::Redialog { leg: key, dialog, relay: None, holds });
                let media = remote_op(key, &remote);
                if let Some(side) = self.sides.get_mut(&key) {
                    // Of an offer that was cancelled meanwhile the answer is nobody's.
                    side.reinvite = Some(Reinvite { number, answer: Some((sdp, media)) });
                }
            }
        }
    }

    /// The leg as it is now gives the answer: one that was hung up meanwhile, or whose BYE waits, gives none.
    pub(crate) fn redialog_proposed(&mut self, number: u64, accepted: bool, now: Mono) {
        let asked = |reinvite: &mut Reinvite| reinvite.number == number;
        let found = self.sides.iter_mut().find_map(|(key, side)| {
            let reinvite = side.reinvite.take_if(asked)?;
            (!side.has_hung_up()).then_some((*key, reinvite))
        });
        let Some((key, Reinvite { answer: Some((sdp, media)), .. })) = found else { return };
        let answer = if accepted { Ok(sdp) } else { Err(500) };
        let outs = self.sip(key).map(|sip| sip.answer_reinvite(answer, now)).unwrap_or_default();
        match (accepted, outs.is_empty()) {
            (true, false) => self.media_of(key, media),
            (true, true) => self.put_right(key),
            (false, _) => {}
        }
        self.sent(key, outs, LogNow::default(), now);
    }

    /// A row may have an offer that was cancelled, or that its far end was told is refused, for the entry came later
    /// than anybody waited for it: then it is told what stands between the two (RFC 3261, 14.1).
    pub(crate) fn put_right(&mut self, key: LegKey) {
        let rests = |side: &&Side| side.reinvite.is_none() && side.moving.is_none() && side.leaving.is_none();
        let sip = self.sides.get(&key).filter(rests).and_then(|side| side.sip.as_ref());
        let Some(sip) = sip.filter(|sip| sip.state() == LegState::Confirmed) else { return };
        if self.rows.dialog(key).is_none_or(|row| row.remote_sdp == sip.remote_sdp()) {
            return;
        }
        let dialog = Box::new(sip.dialog());
        let holds = holds(&dialog.remote_sdp);
        let number = self.propose(Command::Redialog { leg: key, dialog, relay: None, holds });
        if let Some(side) = self.sides.get_mut(&key) {
            side.reinvite = Some(Reinvite { number, answer: None });
        }
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
