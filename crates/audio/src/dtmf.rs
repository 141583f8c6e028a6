//! Digits as telephone-events (RFC 4733).

use crate::RATE_HZ;

/// Payload of one telephone-event packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// 0–15 are the DTMF digits (RFC 4733, table 3); others (tones, flash) are none.
    pub event: u8,
    /// The E bit: the key is up again; such a packet is sent three times (RFC 4733, 2.5.1.4).
    pub end: bool,
    /// Below 0 dBm0, in dB, 0–63.
    pub volume: u8,
    /// So far, in samples.
    pub duration: u16,
}

/// Length of an event's payload in bytes.
pub const EVENT_BYTES: usize = 4;

const DIGITS: &[u8; 16] = b"0123456789*#ABCD";

impl Event {
    /// None if it is too short; bytes beyond the fourth are passed over.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let [event, flags, high, low] = *payload.first_chunk()?;
        Some(Self { event, end: flags & 0x80 != 0, volume: flags & 0x3f, duration: u16::from_be_bytes([high, low]) })
    }

    /// As it goes on the wire, with the reserved bit zero (RFC 4733, 2.3).
    pub fn to_bytes(self) -> [u8; EVENT_BYTES] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, u8::from(self.end) << 7 | self.volume & 0x3f, high, low]
    }

    /// The digit as ASCII.
    pub fn digit(self) -> Option<u8> {
        DIGITS.get(usize::from(self.event)).copied()
    }
}

/// Turns event packets into digits, one for each key press.
///
/// A digit is given at its *first* packet that arrives, whichever that is: menus react at once, and a lost start or end
/// changes nothing. All packets of a press carry the RTP timestamp of its start (RFC 4733, 2.2), so that tells presses apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DtmfReceiver {
    last: Option<Press>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Press {
    ssrc: u32,
    timestamp: u32,
    event: u8,
    ended: bool,
}

/// An event packet whose timestamp lies this far or less behind the last press is a late copy; one further back comes from
/// a sender that started its clock anew. In samples: 5 s.
const LATE_SAMPLES: u32 = 5 * RATE_HZ;

/// A press too long for 16 bits goes on as a new segment that starts this much later (RFC 4733, 2.5.1.3). In samples.
const SEGMENT_SAMPLES: u32 = 0xffff;

impl DtmfReceiver {
    /// Takes one packet of the telephone-event payload type; gives the ASCII digit if the packet begins a press.
    pub fn receive(&mut self, ssrc: u32, timestamp: u32, payload: &[u8]) -> Option<u8> {
        let event = Event::parse(payload)?;
        if let Some(press) = self.last.as_mut().filter(|press| press.ssrc == ssrc) {
            if timestamp == press.timestamp {
                press.ended |= event.end;
                return None;
            }
            if press.timestamp.wrapping_sub(timestamp) <= LATE_SAMPLES {
                return None;
            }
            let next_segment = press.timestamp.wrapping_add(SEGMENT_SAMPLES) == timestamp;
            if next_segment && press.event == event.event && !press.ended {
                press.timestamp = timestamp;
                press.ended = event.end;
                return None;
            }
        }
        self.last = Some(Press { ssrc, timestamp, event: event.event, ended: event.end });
        event.digit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(event: u8, end: bool, duration: u16) -> [u8; EVENT_BYTES] {
        Event { event, end, volume: 10, duration }.to_bytes()
    }

    /// A whole press as senders make it: updates every 20 ms, the end three times.
    fn press(receiver: &mut DtmfReceiver, event: u8, timestamp: u32) -> Vec<u8> {
        let ends = [800; 3].map(|duration| packet(event, true, duration));
        let updates = (1..5).map(|step| packet(event, false, step * 160));
        updates.chain(ends).filter_map(|bytes| receiver.receive(1, timestamp, &bytes)).collect()
    }

    #[test]
    fn payload_vector() {
        // RFC 4733, figure 1: event 1, end, volume 20, duration 1760.
        let bytes = [1, 0x80 | 20, 0x06, 0xe0];
        let event = Event { event: 1, end: true, volume: 20, duration: 1760 };
        assert_eq!(Event::parse(&bytes), Some(event));
        assert_eq!(event.to_bytes(), bytes);
        assert_eq!(Event::parse(&bytes[..3]), None);
        let digit = |code| Event { event: code, ..event }.digit();
        assert_eq!((digit(11), digit(15), digit(16)), (Some(b'#'), Some(b'D'), None));
    }

    #[test]
    fn one_digit_a_press() {
        let mut receiver = DtmfReceiver::default();
        assert_eq!(press(&mut receiver, 5, 1000), b"5");
        assert_eq!(press(&mut receiver, 5, 3000), b"5");
        assert_eq!(press(&mut receiver, 11, u32::MAX - 50_000), b"#");
        assert_eq!(press(&mut receiver, 0, 3000), b"0");
    }

    #[test]
    fn lost_packets_lose_no_digit() {
        let mut receiver = DtmfReceiver::default();
        // Only an end arrives; then a press whose end is lost; then the same digit again.
        assert_eq!(receiver.receive(1, 100, &packet(7, true, 800)), Some(b'7'));
        assert_eq!(receiver.receive(1, 2000, &packet(7, false, 160)), Some(b'7'));
        assert_eq!(receiver.receive(1, 4000, &packet(7, false, 160)), Some(b'7'));
    }

    #[test]
    fn a_late_copy_is_no_digit() {
        let mut receiver = DtmfReceiver::default();
        assert_eq!(receiver.receive(1, 1000, &packet(1, false, 160)), Some(b'1'));
        assert_eq!(receiver.receive(1, 3000, &packet(2, false, 160)), Some(b'2'));
        assert_eq!(receiver.receive(1, 1000, &packet(1, true, 800)), None);
        assert_eq!(receiver.receive(1, 3000, &packet(2, true, 800)), None);
    }

    #[test]
    fn a_long_press_is_one_digit() {
        let mut receiver = DtmfReceiver::default();
        assert_eq!(receiver.receive(1, 0, &packet(3, false, 0xffff)), Some(b'3'));
        assert_eq!(receiver.receive(1, 0xffff, &packet(3, false, 160)), None);
        assert_eq!(receiver.receive(1, 0xffff, &packet(3, true, 320)), None);
        assert_eq!(receiver.receive(1, 0x1_fffe, &packet(3, true, 320)), Some(b'3'));
    }

    #[test]
    fn a_new_source_starts_anew_and_tones_are_no_digits() {
        let mut receiver = DtmfReceiver::default();
        assert_eq!(receiver.receive(1, 1000, &packet(4, true, 800)), Some(b'4'));
        assert_eq!(receiver.receive(2, 1000, &packet(4, true, 800)), Some(b'4'));
        assert_eq!(receiver.receive(2, 90_000, &packet(16, true, 800)), None);
        assert_eq!(receiver.receive(2, 99_000, &[1, 2]), None);
    }
}
