//! A datagram between relays, or threads of one: packets of many legs. Version 1; numbers are little endian.
//!
//! ```text
//! head   : version u8 = 1 · packets u8 · lane u16 · number u32 · stamp u32                              12 bytes
//! packet : call u64 · leg u16 · kind u8 · sequence u16 · timestamp u32 · ssrc u32 · length u16 · payload   23 bytes + payload
//! ```
//!
//! `call` and `leg` say whose voice it is; who hears it is for the receiver to know. `lane`: the sender's media thread. `number`: running count of packets in that lane to this peer, of the first packet
//! here. `stamp`: the sender's clock in µs. `kind`: bits 0–1 what it is (0 µ-law, 1 A-law, 2 telephone event), bit 2 the
//! RTP marker, bit 3 that the stream was interrupted on purpose before it. RTP payload types do not cross: each side has its
//! own.

use bytes::{BufMut, Bytes, BytesMut};
use strowger_audio::rtp::Header;
use strowger_link::MEDIA_DATAGRAM_BYTES;
use strowger_model::{CallId, Law, LegKey, LegNo};

const VERSION: u8 = 1;
const HEAD_BYTES: usize = 12;
const PACKET_HEAD_BYTES: usize = 23;
/// Longest payload that fits alone: 140 ms of G.711, and nobody makes packets longer than 60.
const MAX_PAYLOAD_BYTES: usize = MEDIA_DATAGRAM_BYTES - HEAD_BYTES - PACKET_HEAD_BYTES;
/// Memory is taken in pieces of this size and not for each datagram.
const SLAB_BYTES: usize = 32 * 1024;

const KIND_MASK: u8 = 0b11;
const MARKER: u8 = 0b100;
const FRESH: u8 = 0b1000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sound {
    Voice(Law),
    Event,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Packet<'a> {
    /// Whose voice it is.
    pub(crate) source: LegKey,
    pub(crate) sound: Sound,
    /// Packets before it were left out on purpose (hold); the receiver begins anew.
    pub(crate) fresh: bool,
    /// Its payload type means nothing.
    pub(crate) header: Header,
    pub(crate) payload: &'a [u8],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    pub(crate) packets: u8,
    pub(crate) lane: u16,
    pub(crate) number: u32,
    pub(crate) stamp: u32,
}

/// A datagram that is being filled.
#[derive(Default)]
pub(crate) struct Parcel {
    bytes: BytesMut,
    packets: u8,
}

impl Parcel {
    pub(crate) fn packets(&self) -> u8 {
        self.packets
    }

    /// Whether a payload of this length goes in beside what is there.
    pub(crate) fn fits(&self, payload_bytes: usize) -> bool {
        let filled = if self.packets == 0 { HEAD_BYTES } else { self.bytes.len() };
        self.packets < u8::MAX && filled + PACKET_HEAD_BYTES + payload_bytes <= MEDIA_DATAGRAM_BYTES
    }

    /// Puts a packet in; it must fit.
    pub(crate) fn push(&mut self, packet: &Packet<'_>) {
        debug_assert!(self.fits(packet.payload.len()));
        if self.packets == 0 {
            if self.bytes.capacity() < MEDIA_DATAGRAM_BYTES {
                self.bytes = BytesMut::with_capacity(SLAB_BYTES);
            }
            self.bytes.put_bytes(0, HEAD_BYTES);
        }
        self.packets += 1;
        let kind = match packet.sound {
            Sound::Voice(Law::Mu) => 0,
            Sound::Voice(Law::A) => 1,
            Sound::Event => 2,
        };
        let marker = if packet.header.marker { MARKER } else { 0 };
        let fresh = if packet.fresh { FRESH } else { 0 };
        let out = &mut self.bytes;
        out.put_u64_le(packet.source.call.0);
        out.put_u16_le(packet.source.leg.0);
        out.put_u8(kind | marker | fresh);
        out.put_u16_le(packet.header.sequence);
        out.put_u32_le(packet.header.timestamp);
        out.put_u32_le(packet.header.ssrc);
        out.put_u16_le(packet.payload.len() as u16);
        out.put_slice(packet.payload);
    }

    /// Gives the datagram and begins the next.
    pub(crate) fn seal(&mut self, lane: u16, number: u32, stamp: u32) -> Bytes {
        let [lane, number, stamp] = [u32::from(lane), number, stamp].map(u32::to_le_bytes);
        let head = [VERSION, self.packets, lane[0], lane[1]];
        self.packets = 0;
        let mut bytes = self.bytes.split();
        bytes[..4].copy_from_slice(&head);
        bytes[4..8].copy_from_slice(&number);
        bytes[8..HEAD_BYTES].copy_from_slice(&stamp);
        bytes.freeze()
    }
}

/// Whether a payload can cross at all.
pub(crate) fn carries(payload_bytes: usize) -> bool {
    payload_bytes <= MAX_PAYLOAD_BYTES
}

/// Reads a datagram; none if it is not whole and of this version to its last byte.
pub(crate) fn read(bytes: &[u8]) -> Option<Head> {
    let [VERSION, packets, l0, l1, n0, n1, n2, n3, s0, s1, s2, s3, ..] = *bytes else { return None };
    let mut rest = Packets { rest: bytes.get(HEAD_BYTES..)? };
    let whole = rest.by_ref().count() == usize::from(packets) && rest.rest.is_empty();
    let head = Head {
        packets,
        lane: u16::from_le_bytes([l0, l1]),
        number: u32::from_le_bytes([n0, n1, n2, n3]),
        stamp: u32::from_le_bytes([s0, s1, s2, s3]),
    };
    (whole && packets > 0).then_some(head)
}

/// The packets of a datagram that `read` found whole.
pub(crate) fn packets(bytes: &[u8]) -> Packets<'_> {
    Packets { rest: bytes.get(HEAD_BYTES..).unwrap_or_default() }
}

pub(crate) struct Packets<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Packets<'a> {
    type Item = Packet<'a>;

    fn next(&mut self) -> Option<Packet<'a>> {
        let (head, rest) = self.rest.split_first_chunk::<PACKET_HEAD_BYTES>()?;
        let [c0, c1, c2, c3, c4, c5, c6, c7, f0, f1, kind, q0, q1, m0, m1, m2, m3, r0, r1, r2, r3, b0, b1] = *head;
        let (payload, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([b0, b1])))?;
        let sound = match kind & KIND_MASK {
            0 => Sound::Voice(Law::Mu),
            1 => Sound::Voice(Law::A),
            2 => Sound::Event,
            _ => return None,
        };
        self.rest = rest;
        let source = LegKey {
            call: CallId(u64::from_le_bytes([c0, c1, c2, c3, c4, c5, c6, c7])),
            leg: LegNo(u16::from_le_bytes([f0, f1])),
        };
        let header = Header {
            marker: kind & MARKER != 0,
            payload_type: 0,
            sequence: u16::from_le_bytes([q0, q1]),
            timestamp: u32::from_le_bytes([m0, m1, m2, m3]),
            ssrc: u32::from_le_bytes([r0, r1, r2, r3]),
        };
        Some(Packet { source, sound, fresh: kind & FRESH != 0, header, payload })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn packet(call: u64, payload: &[u8]) -> Packet<'_> {
        let source = LegKey { call: CallId(call), leg: LegNo(2) };
        let header = Header { marker: true, payload_type: 0, sequence: 3, timestamp: 4, ssrc: 5 };
        Packet { source, sound: Sound::Event, fresh: true, header, payload }
    }

    #[test]
    fn golden_bytes() {
        let mut parcel = Parcel::default();
        parcel.push(&packet(0x0102, &[9, 8]));
        let bytes = parcel.seal(0x0a0b, 6, 7);
        let expected = [
            &[1, 1, 0x0b, 0x0a, 6, 0, 0, 0, 7, 0, 0, 0][..],
            &[2, 1, 0, 0, 0, 0, 0, 0, 2, 0, 0b1110, 3, 0, 4, 0, 0, 0, 5, 0, 0, 0, 2, 0, 9, 8],
        ];
        assert_eq!(bytes, expected.concat());
    }

    #[test]
    fn six_frames_of_voice_go_in_one_and_come_back() {
        let frame = [7; 160];
        let mut parcel = Parcel::default();
        for round in 0..2 {
            let mut sent = Vec::new();
            while parcel.fits(frame.len()) {
                let voice = Packet { sound: Sound::Voice(Law::A), fresh: false, ..packet(sent.len() as u64, &frame) };
                parcel.push(&voice);
                sent.push(voice);
            }
            assert_eq!((sent.len(), parcel.packets()), (6, 6));
            let bytes = parcel.seal(1, round, 9);
            assert!(bytes.len() <= MEDIA_DATAGRAM_BYTES);
            assert_eq!(read(&bytes), Some(Head { packets: 6, lane: 1, number: round, stamp: 9 }));
            assert_eq!(packets(&bytes).collect::<Vec<_>>(), sent);
        }
        assert!(parcel.fits(MAX_PAYLOAD_BYTES) && !parcel.fits(MAX_PAYLOAD_BYTES + 1));
    }

    #[test]
    fn damage_is_noticed_and_never_panics() {
        let mut parcel = Parcel::default();
        parcel.push(&packet(1, &[1; 20]));
        parcel.push(&packet(2, &[]));
        let whole = parcel.seal(0, 0, 0);
        assert!(read(&whole).is_some());
        for cut in 0..whole.len() {
            assert_eq!(read(&whole[..cut]), None, "{cut}");
        }
        for at in 0..whole.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut bytes = whole.to_vec();
                bytes[at] ^= flip;
                read(&bytes);
                packets(&bytes).count();
            }
        }
        assert_eq!(read(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(read(&[&whole[..], &[0]].concat()), None);
    }
}
