//! How a voice gets to all who hear it.

use std::collections::VecDeque;

use strowger_audio::rtp::HEADER_BYTES;
use strowger_media::Law;
use strowger_model::Mono;

use crate::hop::Arrival;
use crate::hop::parcel::{Packet, Sound, packets};
use crate::leg::Voice;
use crate::slab::Slot;
use crate::socket::DATAGRAM_BYTES;
use crate::worker::Worker;

impl Worker {
    /// Voice of a leg of this thread, to the relays and legs that hear it. The buffer is used up.
    pub(crate) fn spread(&mut self, slot: Slot, voice: Voice, buffer: &mut [u8; DATAGRAM_BYTES], now: Mono) {
        let Some(leg) = self.legs.get_mut(slot) else { return };
        let source = leg.key;
        for export in &mut leg.exports {
            if let Some(line) = export.line {
                self.outlet.send(line, &export.packet(source, &voice, buffer), now);
            }
        }
        let Some(first) = leg.audience.first else { return };
        if !leg.audience.more.is_empty() {
            let more = std::mem::take(&mut leg.audience.more);
            let mut copy = [0; DATAGRAM_BYTES];
            for &hearer in &more {
                copy[..voice.payload.end].copy_from_slice(&buffer[..voice.payload.end]);
                if let Some(hearer) = self.legs.get_mut(hearer) {
                    hearer.hear(source, voice.clone(), &mut copy, now, &mut self.tally);
                }
            }
            if let Some(leg) = self.legs.get_mut(slot) {
                leg.audience.more = more;
            }
        }
        if let Some(hearer) = self.legs.get_mut(first) {
            hearer.hear(source, voice, buffer, now, &mut self.tally);
        }
    }

    /// Lets legs hear what came from other relays, and from other threads.
    pub(crate) fn spread_arrivals(&mut self, buffer: &mut [u8; DATAGRAM_BYTES], now: Mono) {
        let mut arrivals: VecDeque<Arrival> = std::mem::take(&mut self.arrivals);
        self.outlet.hops().inbox(self.thread).swap(&mut arrivals);
        for arrival in arrivals.drain(..) {
            for packet in packets(&arrival.datagram) {
                // What this thread's own legs say is heard here already.
                if !self.outlet.hops().is_own(arrival.from, packet.source, self.thread) {
                    self.arrive(&packet, buffer, now);
                }
            }
        }
        self.arrivals = arrivals;
    }

    fn arrive(&mut self, packet: &Packet<'_>, buffer: &mut [u8; DATAGRAM_BYTES], now: Mono) {
        let payload = HEADER_BYTES..HEADER_BYTES + packet.payload.len();
        let (law, event) = match packet.sound {
            Sound::Voice(law) => (law, false),
            // Not transcoded, so no law is as good as any.
            Sound::Event => (Law::Mu, true),
        };
        let voice = Voice { header: packet.header, payload, law, event };
        for &slot in self.ears.of(packet.source) {
            let Some(hearer) = self.legs.get_mut(slot) else { continue };
            let Some(space) = buffer.get_mut(voice.payload.clone()) else { return };
            space.copy_from_slice(packet.payload);
            if packet.fresh {
                hearer.interrupt(packet.source);
            }
            hearer.hear(packet.source, voice.clone(), buffer, now, &mut self.tally);
        }
    }
}
