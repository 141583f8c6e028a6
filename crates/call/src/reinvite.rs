//! A far end asks for other media (hold, resume, a new port): answered once the row has it.

use strowger_media::Op;
use strowger_model::{LegKey, LogTime, Mono};
use strowger_sip::{Leg, answer_sdp, parse_sdp};
use strowger_table::Command;

use crate::machine::Machine;
use crate::ports::{receives, sends};

/// A far end's offer, and what it is told once the row has it.
pub(crate) struct Reinvite {
    number: u64,
    leg: LegKey,
    sdp: String,
    media: Op,
}

impl Machine {
    pub(crate) fn reinvited(&mut self, leg: LegKey, sdp: &[u8], now: Mono) {
        let Some(changed) = self.sides.get(&leg).and_then(|side| side.sip.clone()) else { return };
        match self.answer_to(leg, &changed, sdp) {
            Err(status) => self.act(leg, LogTime::ZERO, now, |sip| sip.answer_reinvite(Err(status), now)),
            Ok((answer, media, holds)) => self.propose_redialog(leg, changed, (answer, media, holds), now),
        }
    }

    /// Our description, what the relay is told then, and whether the far end holds us.
    fn answer_to(&self, leg: LegKey, sip: &Leg, sdp: &[u8]) -> Result<(String, Op, bool), u16> {
        let current = sip.dialog();
        let opened = self.sides.get(&leg).and_then(|side| side.rtp);
        let told = || parse_sdp(current.local_sdp.as_bytes()).ok().map(|media| media.addr.rtp);
        let rtp = opened.or_else(told).ok_or(500_u16)?;
        // Without an offer of theirs we offer what we have (RFC 3261 14.2).
        let offer = if sdp.is_empty() { current.remote_sdp.as_bytes() } else { sdp };
        let local = self.local_media(leg, rtp, current.sdp_version + 1);
        let (answer, media, direction) = answer_sdp(offer, &local).map_err(|_| 488_u16)?;
        let holds = parse_sdp(offer).is_ok_and(|remote| remote.on_hold());
        let (send, receive) = (sends(direction), receives(direction));
        Ok((answer, Op::Remote { leg: leg.leg, media, send, receive }, holds))
    }

    fn propose_redialog(&mut self, leg: LegKey, mut changed: Leg, (sdp, media, holds): (String, Op, bool), now: Mono) {
        changed.answer_reinvite(Ok(sdp.clone()), now);
        let dialog = Box::new(changed.dialog());
        let number = self.propose(Command::Redialog { leg, dialog, relay: None, holds });
        // Of an offer that was cancelled meanwhile the answer is nobody's.
        self.reinvites.retain(|earlier| earlier.leg != leg);
        self.reinvites.push(Reinvite { number, leg, sdp, media });
    }

    /// The leg as it is now gives the answer: one that was hung up meanwhile, or whose BYE waits, gives none.
    pub(crate) fn redialog_proposed(&mut self, number: u64, accepted: bool, now: Mono) {
        let Some(at) = self.reinvites.iter().position(|reinvite| reinvite.number == number) else { return };
        let Reinvite { leg, sdp, media, .. } = self.reinvites.remove(at);
        let Some(side) = self.sides.get_mut(&leg).filter(|side| side.leaving.is_none()) else { return };
        let answer = if accepted { Ok(sdp) } else { Err(500) };
        let outs = side.with_sip(|sip| sip.answer_reinvite(answer, now));
        if accepted && !outs.is_empty() {
            self.order_of(leg, media);
        }
        self.sent(leg, outs, LogTime::ZERO, now);
    }
}
