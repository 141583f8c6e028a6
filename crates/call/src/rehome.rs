//! A relay that began anew has nothing of the call left, and one that is gone can be told nothing: legs are put on a relay
//! again, on the same or on another. The row goes first
//! (`Rehome`), so that an heir goes on with it; then a port is opened, the far end is asked to send there (re-INVITE,
//! RFC 3261, 14.1), and the row says that it does (`Redialog`), which closes what was left.

use std::net::SocketAddr;

use strowger_media::Op;
use strowger_model::{Cause, Incarnation, LegKey, LogNow, Mono, RelayId};
use strowger_sip::{LegState, offer_sdp, parse_answer};
use strowger_table as table;
use strowger_table::{Command, ToldBy};

use crate::limit;
use crate::machine::Machine;
use crate::reinvite::holds;

/// How far a leg is on its way to a relay, and what of it is said again when its time comes.
pub(crate) struct Moving {
    relay: RelayId,
    stage: Stage,
    again: Option<Mono>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The row is asked for, by this proposal.
    Proposed(u64),
    /// The row has it; a port is asked for.
    Opening,
    /// The far end is asked to send to this port.
    Asking(SocketAddr),
    /// It does; the row is told, by this proposal.
    Agreed(SocketAddr, u64),
}

impl Moving {
    pub fn deadline(&self) -> Option<Mono> {
        self.again
    }

    fn is_proposed(&self) -> bool {
        matches!(self.stage, Stage::Proposed(_))
    }
}

impl Machine {
    /// One that began anew has nothing of the legs that it had.
    pub(crate) fn meet_relay(&mut self, relay: RelayId, incarnation: Incarnation) {
        if self.told.met(relay, incarnation) {
            let row = self.rows.call.clone();
            self.lost_by_relay(relay, row.live_legs().map(|leg| leg.key));
        }
    }

    /// A relay has nothing of these legs. They are put there anew: it is of their site, and it answers.
    pub(crate) fn lost_by_relay(&mut self, relay: RelayId, lost: impl IntoIterator<Item = LegKey>) {
        self.rehome(relay, lost, relay);
    }

    /// Of these legs, those that are at one relay, or on their way there, go to another.
    pub(crate) fn rehome(&mut self, from: RelayId, legs: impl IntoIterator<Item = LegKey>, to: RelayId) {
        let goes = |key: &LegKey| {
            let Some(leg) = self.row_leg(*key).filter(|leg| leg.is_answered()) else { return false };
            let Some(side) = self.sides.get(key).filter(|side| side.leaving.is_none()) else { return false };
            match &side.moving {
                None => leg.relay == Some(from),
                Some(moving) => moving.relay == from && from != to && moving.stage == Stage::Opening,
            }
        };
        let legs: Vec<LegKey> = legs.into_iter().filter(goes).collect();
        if !legs.is_empty() && !self.is_ending() {
            self.propose_rehome(legs, to);
        }
    }

    fn propose_rehome(&mut self, legs: Vec<LegKey>, relay: RelayId) {
        let number = self.propose(Command::Rehome { legs: legs.iter().map(|key| (*key, relay)).collect() });
        for key in legs {
            self.set_moving(key, relay, Stage::Proposed(number), None);
        }
    }

    fn set_moving(&mut self, key: LegKey, relay: RelayId, stage: Stage, again: Option<Mono>) {
        if let Some(side) = self.sides.get_mut(&key) {
            side.moving = Some(Moving { relay, stage, again });
        }
    }

    /// What the row says of a leg's way: it begins, or it is at its end.
    pub(crate) fn move_leg(&mut self, leg: &table::Leg, now: Mono) {
        let key = leg.key;
        let Some(side) = self.sides.get_mut(&key) else { return };
        match (leg.next_relay, &side.moving) {
            (Some(relay), Some(moving)) if moving.relay == relay && !moving.is_proposed() => {}
            // The row is asked for another already.
            (Some(relay), Some(moving)) if moving.relay != relay && moving.is_proposed() => {}
            (Some(relay), _) => {
                side.give_up.get_or_insert(now + limit::MOVE_WITHIN);
                self.set_moving(key, relay, Stage::Opening, None);
                self.order(relay, key.call, Op::Open { leg: key.leg });
            }
            (None, Some(moving)) if !moving.is_proposed() => {
                let (relay, stage) = (moving.relay, moving.stage);
                side.moving = None;
                side.give_up = None;
                if let Stage::Agreed(rtp, _) = stage {
                    side.rtp = Some(rtp);
                    self.told.forget(key, relay);
                    self.direct_media(key);
                }
            }
            (None, _) => {}
        }
    }

    /// The port of a leg that moves there is open. False: it is another one's.
    pub(crate) fn moves_to(&mut self, key: LegKey, relay: RelayId, rtp: SocketAddr, now: Mono) -> bool {
        let opening = |moving: &Moving| moving.relay == relay && moving.stage == Stage::Opening;
        let Some(side) = self.sides.get_mut(&key).filter(|side| side.moving.as_ref().is_some_and(opening)) else {
            return false;
        };
        side.give_up = None;
        self.ask_to_move(key, relay, rtp, now);
        true
    }

    fn ask_to_move(&mut self, key: LegKey, relay: RelayId, rtp: SocketAddr, now: Mono) {
        let Some(sip) = self.sip(key) else { return };
        let (dialog, is_confirmed) = (sip.dialog(), sip.state() == LegState::Confirmed);
        // Before its first exchange is over it takes no other offer (RFC 3261, 14.1).
        let again = (!is_confirmed).then(|| now + limit::REINVITE_AGAIN);
        self.set_moving(key, relay, Stage::Asking(rtp), again);
        let sdp = offer_sdp(&self.local_media(key, rtp, dialog.sdp_version + 1), &dialog.local_sdp);
        let outs = self.sip(key).map(|sip| sip.reinvite(sdp, now)).unwrap_or_default();
        self.sent(key, outs, LogNow::default(), now);
    }

    /// What the far end said to it.
    pub(crate) fn reinvite_done(&mut self, key: LegKey, answer: Result<Vec<u8>, u16>, log_now: LogNow, now: Mono) {
        let Some(side) = self.sides.get_mut(&key) else { return };
        let Some(moving) = side.moving.as_mut() else { return };
        let Stage::Asking(rtp) = moving.stage else { return };
        let relay = moving.relay;
        match answer {
            Ok(sdp) if parse_answer(&sdp, rtp).is_ok() => self.agreed_to_move(key, relay, rtp),
            // An offer of its own is open, or what an earlier owner asked it is not over for it (RFC 3261, 14.2), or the way
            // to it broke (8.1.3.1), and it may come by another.
            Err(491 | 500 | 503) => {
                moving.again = Some(now + limit::REINVITE_AGAIN);
                side.give_up.get_or_insert(now + limit::MOVE_WITHIN);
            }
            // That its dialog is gone follows.
            Err(481) => {}
            Err(408) => self.leave(key, Cause::RECOVERY_ON_TIMER, ToldBy::Silence, log_now.at_most),
            Ok(_) | Err(_) => self.not_moved(key, log_now),
        }
    }

    fn agreed_to_move(&mut self, key: LegKey, relay: RelayId, rtp: SocketAddr) {
        let Some(dialog) = self.sip(key).map(|sip| Box::new(sip.dialog())) else { return };
        let holds = holds(&dialog.remote_sdp);
        let number = self.propose(Command::Redialog { leg: key, dialog, relay: Some(relay), holds });
        if let Some(side) = self.sides.get_mut(&key) {
            side.give_up = None;
        }
        self.set_moving(key, relay, Stage::Agreed(rtp, number), None);
    }

    /// No port was had, so far.
    pub(crate) fn opens_again(&mut self, key: LegKey, now: Mono) {
        let moving = self.sides.get_mut(&key).and_then(|side| side.moving.as_mut());
        if let Some(moving) = moving.filter(|moving| moving.stage == Stage::Opening) {
            moving.again = Some(now + limit::OPEN_AGAIN);
        }
    }

    /// It cannot be put on a relay: nobody would hear it ever again.
    pub(crate) fn not_moved(&mut self, key: LegKey, log_now: LogNow) {
        self.leave(key, Cause::TEMPORARY_FAILURE, ToldBy::DeadMedia, log_now.at_most);
    }

    /// A proposal that was lost is said again; one that is entered comes with its row.
    pub(crate) fn rehome_proposed(&mut self, number: u64, accepted: bool, now: Mono) {
        for side in self.sides.values_mut() {
            let Some(moving) = &mut side.moving else { continue };
            match moving.stage {
                Stage::Proposed(proposed) if proposed == number && accepted => side.moving = None,
                Stage::Proposed(proposed) | Stage::Agreed(_, proposed) if proposed == number && !accepted => {
                    moving.again = Some(now + limit::SAY_AGAIN);
                }
                _ => {}
            }
        }
    }

    pub(crate) fn tick_moves(&mut self, now: Mono) {
        let is_due = |moving: &mut Moving| moving.again.take_if(|at| *at <= now).is_some();
        let due = self.sides.iter_mut().filter_map(|(key, side)| {
            let stays = side.leaving.is_none();
            let moving = side.moving.as_mut()?;
            (is_due(moving) && stays).then_some((*key, moving.relay, moving.stage))
        });
        for (key, relay, stage) in due.collect::<Vec<_>>() {
            match stage {
                Stage::Proposed(_) => self.propose_rehome(vec![key], relay),
                Stage::Opening => self.order(relay, key.call, Op::Open { leg: key.leg }),
                Stage::Asking(rtp) => self.ask_to_move(key, relay, rtp, now),
                Stage::Agreed(rtp, _) => self.agreed_to_move(key, relay, rtp),
            }
        }
    }
}
