//! Ports of relays: asked for, opened, refused, and closed where the row says so.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use strowger_media::{LegSnapshot, Op, SPOKEN};
use strowger_model::{CallId, Cause, LegKey, LegNo, LogTime, Mono, RelayId};
use strowger_sip::{Direction, LocalMedia, RemoteMedia, parse_sdp};
use strowger_table::{Duty, DutyKind, LegState, Reach, ToldBy};

use crate::machine::Machine;

/// What relays were told to close.
#[derive(Default)]
pub(crate) struct Ports {
    /// Whether they have said that they did.
    closing: BTreeMap<(RelayId, LegKey), bool>,
}

impl Machine {
    /// Asks for a port, and gives the relay up after that time.
    pub(crate) fn open_port(&mut self, leg: LegKey, relay: RelayId, within: Duration, now: Mono) {
        let Some(side) = self.sides.get_mut(&leg) else { return };
        side.relay = Some(relay);
        side.ringing.give_up = Some(now + within);
        self.order(relay, leg, Op::Open { leg: leg.leg });
    }

    /// A port is open: who called us is answered, whom we call is called.
    pub(crate) fn port_open(&mut self, leg: LegKey, rtp: SocketAddr, log_now: LogTime, now: Mono) {
        let Some(side) = self.sides.get_mut(&leg) else { return };
        side.rtp = Some(rtp);
        let row = self.rows.call.clone();
        match row.leg(leg) {
            Some(leg) if !leg.is_ringing() || self.is_ending() => {}
            Some(leg) if leg.reach == Reach::Inbound => self.propose_answer(leg.key, rtp, now),
            Some(leg) => self.call_far_end(leg, rtp, log_now, now),
            None => {}
        }
    }

    /// No relay would open one.
    pub(crate) fn no_port(&mut self, leg: LegKey, log_now: LogTime, now: Mono) {
        let Some(row) = self.rows.call.leg(leg) else { return };
        match (row.state, &row.reach) {
            (LegState::Ringing { .. }, Reach::Inbound) => self.cannot_answer(leg, now),
            (LegState::Ringing { .. }, _) => self.cannot_call(leg, log_now),
            _ => {}
        }
    }

    /// The relay that holds a leg, or was asked to.
    pub(crate) fn relay_of(&self, leg: LegKey) -> Option<RelayId> {
        let row = self.rows.call.leg(leg).and_then(|leg| leg.relay);
        row.or_else(|| self.sides.get(&leg).and_then(|side| side.relay))
    }

    /// To the relay of that leg.
    pub(crate) fn order_of(&mut self, leg: LegKey, op: Op) {
        if let Some(relay) = self.relay_of(leg) {
            self.order(relay, leg, op);
        }
    }

    /// Tells the relay where the far end's media goes, as the dialog now has it.
    pub(crate) fn direct_media(&mut self, leg: LegKey) {
        let sdp = self.rows.dialog(leg).map(|dialog| dialog.remote_sdp.as_bytes());
        if let Some(remote) = sdp.and_then(|sdp| parse_sdp(sdp).ok()) {
            self.order_of(leg, remote_op(leg.leg, &remote));
        }
    }

    pub(crate) fn local_media(&self, leg: LegKey, rtp: SocketAddr, version: u32) -> LocalMedia {
        LocalMedia { rtp, laws: SPOKEN.to_vec(), session_id: leg.call.0, version }
    }

    /// Of a leg that is not in the call it says nothing about the call.
    pub(crate) fn media_dead(&mut self, leg: LegKey, log_now: LogTime) {
        if self.rows.live(leg).is_some_and(|leg| leg.is_answered()) {
            self.lose(leg, Cause::TEMPORARY_FAILURE, ToldBy::DeadMedia, log_now);
        }
    }

    /// Performs the duties to close, each once; that it is done is said once more while the row does not have it.
    pub(crate) fn close_where_due(&mut self) {
        let row = self.rows.call.clone();
        let is_open = |(relay, leg): (RelayId, LegKey)| row.duty_to(DutyKind::Close { relay, leg }).is_some();
        self.ports.closing.retain(|port, _| is_open(*port));
        for duty in &row.duties {
            if let DutyKind::Close { relay, leg } = duty.kind {
                self.close_port(duty, relay, leg);
            }
        }
        self.close_unnamed();
    }

    fn close_port(&mut self, duty: &Duty, relay: RelayId, leg: LegKey) {
        match self.ports.closing.get(&(relay, leg)) {
            Some(true) => self.done(duty.id),
            Some(false) => {}
            None => {
                self.ports.closing.insert((relay, leg), false);
                self.close(relay, leg);
            }
        }
    }

    fn close(&mut self, relay: RelayId, leg: LegKey) {
        self.order(relay, leg, Op::CloseLeg { leg: leg.leg });
        self.told.forget(relay, leg);
    }

    /// A port was asked for, and its leg was over before a row could say where.
    fn close_unnamed(&mut self) {
        let is_unnamed = |leg: LegKey, relay| !self.rows.is_live(leg) && !self.rows.names(relay, leg);
        let ports: Vec<(RelayId, LegKey)> = self
            .sides
            .values_mut()
            .filter_map(|side| Some((side.relay.take_if(|relay| is_unnamed(side.key, *relay))?, side.key)))
            .collect();
        for (relay, leg) in ports {
            self.close(relay, leg);
        }
    }

    /// What a relay holds, and no row knows of: a port that an earlier owner asked for, or was told to close.
    pub(crate) fn close_orphans(&mut self, relay: RelayId, call: CallId, legs: &[LegSnapshot]) {
        for leg in legs {
            let key = LegKey { call, leg: leg.leg };
            let is_asked = self.sides.get(&key).is_some_and(|side| side.relay == Some(relay));
            if !is_asked && !self.rows.names(relay, key) {
                self.close(relay, key);
            }
        }
    }

    pub(crate) fn port_closed(&mut self, relay: RelayId, leg: LegKey) {
        let Some(is_closed) = self.ports.closing.get_mut(&(relay, leg)) else { return };
        let before = std::mem::replace(is_closed, true);
        if let Some(duty) = self.rows.call.duty_to(DutyKind::Close { relay, leg }).filter(|_| !before) {
            let duty = duty.id;
            self.done(duty);
        }
    }
}

/// Where a far end's media goes, by its own SDP.
fn remote_op(leg: LegNo, remote: &RemoteMedia) -> Op {
    let send = receives(remote.direction) && !remote.on_hold();
    Op::Remote { leg, media: remote.addr, send, receive: sends(remote.direction) }
}

pub(crate) fn sends(direction: Direction) -> bool {
    matches!(direction, Direction::SendRecv | Direction::SendOnly)
}

pub(crate) fn receives(direction: Direction) -> bool {
    matches!(direction, Direction::SendRecv | Direction::RecvOnly)
}
