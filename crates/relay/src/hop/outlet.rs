//! One media thread's way out to other relays.

use std::sync::Arc;
use std::time::Duration;

use strowger_media::Refusal;
use strowger_model::{Mono, PeerId, RelayId};

use super::Hops;
use super::meter::Meter;
use super::parcel::{self, Packet, Parcel};

pub(crate) struct Outlet {
    hops: Arc<Hops>,
    /// The thread's number.
    lane: u16,
    lines: Vec<Line>,
    /// When the next flush is due.
    due: Option<Mono>,
}

struct Line {
    to: RelayId,
    meter: Arc<Meter>,
    parcel: Parcel,
    /// Of the next packet. Starts anywhere, so that a restart does not look like loss.
    number: u32,
}

/// How long a packet waits for others that go the same way. One wake-up of the link for each packet costs fourteen times
/// as much as a full datagram's share; 2 ms of a conversation's 150 are not heard.
const TICK: Duration = Duration::from_millis(2);

impl Outlet {
    pub(crate) fn new(hops: Arc<Hops>, thread: usize) -> Self {
        Self { hops, lane: thread as u16, lines: Vec::new(), due: None }
    }

    pub(crate) fn hops(&self) -> &Hops {
        &self.hops
    }

    /// The way to a relay, opened if need be; to this relay itself, to its other threads, and none if there are none.
    pub(crate) fn line(&mut self, to: RelayId) -> Result<Option<usize>, Refusal> {
        let own = to == self.hops.me();
        if own && self.hops.threads() == 1 {
            return Ok(None);
        }
        let opened = own || self.hops.carrier().is_some_and(|carrier| carrier.open(to));
        if !opened {
            return Err(Refusal::BadRelay);
        }
        if let Some(at) = self.lines.iter().position(|line| line.to == to) {
            return Ok(Some(at));
        }
        let number = getrandom::u32().map_err(|_| Refusal::BadRelay)?;
        self.lines.push(Line { to, meter: self.hops.meter(to), parcel: Parcel::default(), number });
        Ok(Some(self.lines.len() - 1))
    }

    /// Takes a packet; it leaves within a tick.
    pub(crate) fn send(&mut self, line: usize, packet: &Packet<'_>, now: Mono) {
        let Some(line) = self.lines.get_mut(line) else { return };
        if !parcel::carries(packet.payload.len()) {
            return line.meter.drop_packets(1);
        }
        if !line.parcel.fits(packet.payload.len()) {
            line.flush(&self.hops, self.lane, now);
        }
        line.parcel.push(packet);
        self.due.get_or_insert(now + TICK);
    }

    /// Sends what has waited long enough.
    pub(crate) fn flush(&mut self, now: Mono) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        self.due = None;
        for line in &mut self.lines {
            line.flush(&self.hops, self.lane, now);
        }
    }

    /// Time until something is to be sent.
    pub(crate) fn wait(&self, now: Mono) -> Option<Duration> {
        self.due.map(|due| due.since(now))
    }
}

impl Line {
    fn flush(&mut self, hops: &Hops, lane: u16, now: Mono) {
        let packets = self.parcel.packets();
        if packets == 0 {
            return;
        }
        let datagram = self.parcel.seal(lane, self.number, now.0 as u32);
        let taken = if self.to == hops.me() {
            hops.take(PeerId::Relay(self.to), &datagram, now);
            true
        } else {
            hops.carrier().is_some_and(|carrier| carrier.carry(self.to, datagram))
        };
        if taken {
            self.number = self.number.wrapping_add(packets.into());
            self.meter.sent(packets);
        } else {
            self.meter.drop_packets(packets);
        }
    }
}
