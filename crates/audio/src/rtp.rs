//! RTP packets (RFC 3550, 5.1), read and written in place.

use std::ops::Range;

/// The fixed header. CSRC lists and extensions are skipped on reading and never written: a relay is a far end of its
/// own and names no contributors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// For audio, the first packet after a silence (RFC 3551, 4.1).
    pub marker: bool,
    /// 7 bits, as agreed in SDP.
    pub payload_type: u8,
    /// Counts packets, and wraps.
    pub sequence: u16,
    /// Of the first sample, in units of the clock; begins anywhere and wraps.
    pub timestamp: u32,
    /// Chosen by the source at random.
    pub ssrc: u32,
}

/// Length of the fixed header in bytes.
pub const HEADER_BYTES: usize = 12;

const VERSION: u8 = 2;

/// A datagram that was read: its header, and where in the datagram its payload lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// Without contributors or extensions.
    pub header: Header,
    /// Starts at `HEADER_BYTES` or later, so a header can always be written right before it.
    pub payload: Range<usize>,
}

/// A datagram that is no RTP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotRtp {
    /// Shorter than its own header says.
    #[error("shorter than its headers say")]
    Short,
    /// The first two bits are not 2.
    #[error("version is not 2")]
    Version,
    /// More padding than payload, or none where it says some.
    #[error("padding is longer than the payload")]
    Padding,
}

/// Reads a datagram. A payload may be empty: some far ends keep NAT bindings open that way.
pub fn parse(bytes: &[u8]) -> Result<Packet, NotRtp> {
    let fixed: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(NotRtp::Short)?;
    if fixed[0] >> 6 != VERSION {
        return Err(NotRtp::Version);
    }
    let contributors = usize::from(fixed[0] & 0x0f) * 4;
    let mut start = HEADER_BYTES + contributors;
    if fixed[0] & 0x10 != 0 {
        let extension: &[u8; 4] = bytes.get(start..).and_then(<[u8]>::first_chunk).ok_or(NotRtp::Short)?;
        start += 4 + usize::from(u16::from_be_bytes([extension[2], extension[3]])) * 4;
    }
    let mut end = bytes.len();
    if start > end {
        return Err(NotRtp::Short);
    }
    if fixed[0] & 0x20 != 0 {
        // The last byte counts the padding and itself (RFC 3550, 5.1).
        let padding = usize::from(bytes[end - 1]);
        if padding == 0 || padding > end - start {
            return Err(NotRtp::Padding);
        }
        end -= padding;
    }
    Ok(Packet { header: Header::read(fixed), payload: start..end })
}

/// Whether a datagram on an RTP port is RTCP: far ends that multiplex both send it there (RFC 5761, 4).
pub fn is_rtcp(bytes: &[u8]) -> bool {
    bytes.len() >= 8 && bytes[0] >> 6 == VERSION && (192..=223).contains(&bytes[1])
}

impl Header {
    fn read(fixed: &[u8; HEADER_BYTES]) -> Self {
        let [_, kind, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3] = *fixed;
        Self {
            marker: kind & 0x80 != 0,
            payload_type: kind & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([r0, r1, r2, r3]),
        }
    }

    /// The header as it goes on the wire: no padding, no extension, no contributors.
    pub fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[0] = VERSION << 6;
        out[1] = u8::from(self.marker) << 7 | self.payload_type & 0x7f;
        out[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        out[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        out[8..].copy_from_slice(&self.ssrc.to_be_bytes());
        out
    }

    /// Writes the header right before `payload` and gives the datagram's place: forwarding copies no payload.
    ///
    /// # Panics
    /// If `payload` starts before `HEADER_BYTES` or ends beyond `bytes`; what `parse` gave never does.
    pub fn write_before(self, bytes: &mut [u8], payload: Range<usize>) -> &[u8] {
        let start = payload.start - HEADER_BYTES;
        bytes[start..payload.start].copy_from_slice(&self.to_bytes());
        &bytes[start..payload.end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: [u8; 16] = [0x80, 0x88, 0x12, 0x34, 0, 0, 0, 160, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4];

    #[test]
    fn reads_what_it_writes() {
        let packet = parse(&PLAIN).unwrap();
        let header = Header { marker: true, payload_type: 8, sequence: 0x1234, timestamp: 160, ssrc: 0xdead_beef };
        assert_eq!(packet, Packet { header, payload: 12..16 });
        assert_eq!(header.to_bytes(), PLAIN[..12]);
    }

    #[test]
    fn skips_contributors_extension_and_padding() {
        let mut bytes = PLAIN[..12].to_vec();
        bytes[0] = 0x80 | 0x20 | 0x10 | 2;
        bytes.extend([9; 8]); // two contributors
        bytes.extend([0xbe, 0xde, 0, 1, 7, 7, 7, 7]); // extension of one word
        bytes.extend([1, 2, 3, 0, 0, 3]); // three bytes of payload, three of padding
        assert_eq!(parse(&bytes).unwrap().payload, 28..31);
        let at = parse(&bytes).unwrap();
        let out = at.header.write_before(&mut bytes, at.payload).to_vec();
        assert_eq!(out.len(), 15);
        assert_eq!(parse(&out).unwrap().header, at.header);
        assert_eq!(out[12..], [1, 2, 3]);
    }

    #[test]
    fn refuses_nonsense() {
        assert_eq!(parse(&[]), Err(NotRtp::Short));
        assert_eq!(parse(&PLAIN[..11]), Err(NotRtp::Short));
        assert_eq!(parse(&[0; 12]), Err(NotRtp::Version));
        let mut contributors = PLAIN;
        contributors[0] = 0x8f;
        assert_eq!(parse(&contributors), Err(NotRtp::Short));
        let mut extension = PLAIN;
        extension[0] = 0x90;
        assert_eq!(parse(&extension), Err(NotRtp::Short));
        let mut padding = PLAIN;
        padding[0] = 0xa0;
        padding[15] = 5;
        assert_eq!(parse(&padding), Err(NotRtp::Padding));
        padding[15] = 0;
        assert_eq!(parse(&padding), Err(NotRtp::Padding));
    }

    #[test]
    fn every_cut_and_flag_is_read_without_panic() {
        for first in 0..=255u8 {
            for length in 0..40usize {
                let mut bytes: Vec<u8> = (0..length as u8).collect();
                if let Some(byte) = bytes.first_mut() {
                    *byte = first;
                }
                if let Ok(packet) = parse(&bytes) {
                    assert!(packet.payload.start >= HEADER_BYTES && packet.payload.end <= length);
                }
            }
        }
    }

    #[test]
    fn tells_rtcp_from_rtp() {
        assert!(is_rtcp(&[0x80, 200, 0, 6, 0, 0, 0, 1]));
        assert!(!is_rtcp(&PLAIN));
    }
}
