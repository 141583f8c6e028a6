//! RTP's fixed header (RFC 3550 section 5.1), written and read.

pub(super) const HEADER: usize = 12;
const VERSION_2: u8 = 0x80;

pub(super) struct Header {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
}

impl Header {
    pub fn write(&self, packet: &mut [u8; HEADER]) {
        packet[0] = VERSION_2;
        packet[1] = self.payload_type & 0x7F | if self.marker { 0x80 } else { 0 };
        packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        packet[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
    }
}

/// The header and the payload, or nothing if this is no RTP packet.
pub(super) fn parse(packet: &[u8]) -> Option<(Header, &[u8])> {
    let &[first, second, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3, ..] = packet else { return None };
    if first & 0xC0 != VERSION_2 {
        return None;
    }
    let mut start = HEADER + usize::from(first & 0x0F) * 4;
    if first & 0x10 != 0 {
        let words = u16::from_be_bytes([*packet.get(start + 2)?, *packet.get(start + 3)?]);
        start += 4 + usize::from(words) * 4;
    }
    let mut end = packet.len();
    if first & 0x20 != 0 {
        end = end.checked_sub(usize::from(*packet.last()?))?;
    }
    let header = Header {
        marker: second & 0x80 != 0,
        payload_type: second & 0x7F,
        sequence: u16::from_be_bytes([s0, s1]),
        timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
        ssrc: u32::from_be_bytes([i0, i1, i2, i3]),
    };
    Some((header, packet.get(start..end)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let mut packet = [7u8; 172];
        let header = Header { marker: true, payload_type: 8, sequence: 65_535, timestamp: 1 << 31, ssrc: 42 };
        header.write((&mut packet[..HEADER]).try_into().unwrap());
        let (read, payload) = parse(&packet).unwrap();
        assert!(read.marker);
        assert_eq!((read.payload_type, read.sequence, read.timestamp, read.ssrc), (8, 65_535, 1 << 31, 42));
        assert_eq!(payload.len(), 160);
    }

    #[test]
    fn short_and_lying_packets_are_refused() {
        let padded_beyond = [0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 200];
        let extension_missing = [0x90u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let many_sources = [0x8Fu8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for bad in [&[][..], &[0x80; 11], &[0x40; 40], &padded_beyond, &extension_missing, &many_sources] {
            assert!(parse(bad).is_none(), "{bad:?}");
        }
    }
}
