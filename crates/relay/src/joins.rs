//! Legs whose other half is on another relay.

use std::collections::VecDeque;

use strowger_audio::rtp::HEADER_BYTES;
use strowger_model::{CallId, LegNo, Mono, RelayId};

use crate::hop::Arrival;
use crate::hop::parcel::{Flow, Packet, Sound, packets};
use crate::leg::{Leg, Voice};
use crate::protocol::{Refusal, RelayAnswer};
use crate::socket::DATAGRAM_BYTES;
use crate::worker::Worker;

/// The leg on the other relay that hears this one and is heard by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Far {
    pub(crate) peer: RelayId,
    pub(crate) with: LegNo,
    /// The peer's place in the thread's outlet.
    pub(crate) line: usize,
    /// Nothing was sent yet since it began or went on after a hold.
    pub(crate) fresh: bool,
    pub(crate) heard: Option<Mono>,
}

impl Worker {
    pub(crate) fn join(&mut self, id: CallId, no: LegNo, with: LegNo, peer: RelayId) -> Result<RelayAnswer, Refusal> {
        if no == with {
            return Err(Refusal::SameLeg);
        }
        let slot = self.slot(id, no)?;
        let line = self.outlet.line(peer).ok_or(Refusal::BadRelay)?;
        self.silence(slot);
        let leg = self.roster.get(slot).ok_or(Refusal::NoSuchLeg)?;
        if leg.far.is_some_and(|far| (far.peer, far.with) == (peer, with)) {
            return Ok(RelayAnswer::Done);
        }
        self.part(slot);
        let leg = self.roster.get_mut(slot).ok_or(Refusal::NoSuchLeg)?;
        leg.far = Some(Far { peer, with, line, fresh: true, heard: None });
        leg.out.pause();
        Ok(RelayAnswer::Done)
    }

    pub(crate) fn leave(&mut self, id: CallId, no: LegNo) -> Result<RelayAnswer, Refusal> {
        let slot = self.slot(id, no)?;
        if self.roster.get(slot).is_some_and(|leg| leg.far.is_some()) {
            self.part(slot);
        }
        Ok(RelayAnswer::Done)
    }

    /// Lets legs hear what came from other relays.
    pub(crate) fn hear_hops(&mut self, buffer: &mut [u8; DATAGRAM_BYTES], now: Mono) {
        let mut arrivals: VecDeque<Arrival> = std::mem::take(&mut self.arrivals);
        self.outlet.hops().inbox(self.thread).swap(&mut arrivals);
        for arrival in arrivals.drain(..) {
            for packet in packets(&arrival.datagram) {
                let of_other_thread = self.outlet.hops().thread_of(packet.flow.call) != self.thread;
                if !of_other_thread && self.hear(arrival.from, &packet, buffer, now).is_none() {
                    arrival.meter.drop_packets(1);
                }
            }
        }
        self.arrivals = arrivals;
    }

    /// None if no leg is joined with the packet's.
    fn hear(&mut self, from: RelayId, packet: &Packet<'_>, buffer: &mut [u8; DATAGRAM_BYTES], now: Mono) -> Option<()> {
        let flow = packet.flow;
        let slot = self.calls.get(&flow.call)?.slot(flow.to).ok()?;
        let leg = self.roster.get_mut(slot)?;
        let far = leg.far.as_mut().filter(|far| (far.peer, far.with) == (from, flow.from))?;
        far.heard = Some(now);
        if packet.fresh {
            leg.out.pause();
        }
        let payload = HEADER_BYTES..HEADER_BYTES + packet.payload.len();
        buffer.get_mut(payload.clone())?.copy_from_slice(packet.payload);
        let (law, event) = match packet.sound {
            Sound::Voice(law) => (law, false),
            // Not transcoded, so no law is as good as any.
            Sound::Event => (strowger_model::Law::Mu, true),
        };
        leg.forward(buffer, Voice { header: packet.header, payload, law, event }, now, &mut self.tally);
        Some(())
    }
}

impl Leg {
    /// What this leg's voice is on its way to another relay, and by which line; none if it stays here.
    pub(crate) fn outward<'a>(&mut self, voice: &Voice, bytes: &'a [u8]) -> Option<(usize, Packet<'a>)> {
        let far = self.far.as_mut()?;
        let fresh = std::mem::replace(&mut far.fresh, false);
        let flow = Flow { call: self.call, to: far.with, from: self.no };
        let sound = if voice.event { Sound::Event } else { Sound::Voice(voice.law) };
        let payload = bytes.get(voice.payload.clone())?;
        Some((far.line, Packet { flow, sound, fresh, header: voice.header, payload }))
    }
}
