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
/// Senders exist that move it with each packet, or with the end: what goes on is told by its duration, which grows, and by its
/// end. Others leave it where it was: there another key, or the same after its end in a packet that is marked as the first of
/// an event (RFC 4733, 2.5.1.1), is another press.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DtmfReceiver {
    last: Option<Press>,
    /// Events that have begun under the timestamp of the last press, a bit each.
    under_it: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Press {
    ssrc: u32,
    timestamp: u32,
    event: u8,
    /// In samples, so far.
    duration: u16,
    ended: bool,
}

/// An event packet whose timestamp lies this far or less behind the last press is a late copy; one further back comes from
/// a sender that started its clock anew. In samples: 5 s.
const LATE_SAMPLES: u32 = 5 * RATE_HZ;

/// A press too long for 16 bits goes on as a new segment that starts this much later (RFC 4733, 2.5.1.3). In samples.
const SEGMENT_SAMPLES: u32 = 0xffff;

/// How much further a sender moves the timestamp within a press than the press has lasted: two packets, for one may be lost.
/// No key is pressed twice within it. In samples: 40 ms.
const MOVED_SAMPLES: u32 = RATE_HZ / 25;

impl DtmfReceiver {
    /// Takes one packet of the telephone-event payload type; gives the ASCII digit if the packet begins a press.
    pub fn receive(&mut self, ssrc: u32, timestamp: u32, marker: bool, payload: &[u8]) -> Option<u8> {
        let event = Event::parse(payload)?;
        if self.is_another(ssrc, timestamp, marker, event) {
            return self.begin(ssrc, timestamp, event);
        }
        if let Some(press) = self.last.as_mut().filter(|press| press.ssrc == ssrc) {
            let is_late = timestamp != press.timestamp && press.timestamp.wrapping_sub(timestamp) <= LATE_SAMPLES;
            if is_late {
                return None;
            }
            if timestamp == press.timestamp || press.goes_on(event, timestamp.wrapping_sub(press.timestamp)) {
                *press = Press { timestamp, duration: event.duration, ended: press.ended | event.end, ..*press };
                return None;
            }
        }
        self.begin(ssrc, timestamp, event)
    }

    /// Whether it begins another press under the timestamp of the last. Late copies of what was pressed before do not.
    fn is_another(&self, ssrc: u32, timestamp: u32, marker: bool, event: Event) -> bool {
        let Some(press) = self.last.filter(|press| (press.ssrc, press.timestamp) == (ssrc, timestamp)) else {
            return false;
        };
        let is_new = bit(event.event) & self.under_it == 0;
        is_new || marker && !event.end && press.ended
    }

    fn begin(&mut self, ssrc: u32, timestamp: u32, event: Event) -> Option<u8> {
        let is_same_time = self.last.is_some_and(|press| (press.ssrc, press.timestamp) == (ssrc, timestamp));
        self.under_it = if is_same_time { self.under_it } else { 0 } | bit(event.event);
        let Event { event: code, duration, end, .. } = event;
        self.last = Some(Press { ssrc, timestamp, event: code, duration, ended: end });
        event.digit()
    }
}

/// 0 for what is no digit.
fn bit(event: u8) -> u16 {
    1_u16.checked_shl(event.into()).unwrap_or(0)
}

impl Press {
    /// Whether an event that begins so many samples later is still this press.
    fn goes_on(&self, event: Event, later: u32) -> bool {
        let grown = event.duration.checked_sub(self.duration).map(u32::from);
        let moved_with_it = match (self.ended, event.end) {
            // Each packet says the time at which it was sent.
            (false, false) => grown.is_some_and(|grown| grown > 0 && later <= grown + MOVED_SAMPLES),
            // It begins where it ends, and may have no length of its own.
            (false, true) => later <= u32::from(event.duration.max(self.duration)) + MOVED_SAMPLES,
            // One of three ends.
            (true, true) => grown == Some(0) && later <= MOVED_SAMPLES,
            (true, false) => false,
        };
        event.event == self.event && (moved_with_it || later == SEGMENT_SAMPLES && !self.ended)
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
        updates.chain(ends).filter_map(|bytes| receiver.receive(1, timestamp, false, &bytes)).collect()
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

    /// Senders exist whose clock stands still behind an event.
    #[test]
    fn keys_under_one_timestamp_are_told_apart() {
        let mut receiver = DtmfReceiver::default();
        assert_eq!(press(&mut receiver, 1, 1000), b"1");
        assert_eq!(press(&mut receiver, 2, 1000), b"2");
        assert_eq!(receiver.receive(1, 1000, false, &packet(1, true, 800)), None, "a late copy");
        assert_eq!(receiver.receive(1, 1000, false, &packet(2, true, 800)), None, "a late copy");
        assert_eq!(receiver.receive(1, 1000, true, &packet(2, false, 160)), Some(b'2'), "marked, behind its end");
        assert_eq!(receiver.receive(1, 1000, true, &packet(2, false, 320)), None, "not behind its end");
        assert_eq!(press(&mut receiver, 1, 9000), b"1");
    }

    #[test]
    fn lost_packets_lose_no_digit() {
        let mut receiver = DtmfReceiver::default();
        // Only an end arrives; then a press whose end is lost; then the same digit again.
        assert_eq!(receiver.receive(1, 100, false, &packet(7, true, 800)), Some(b'7'));
        assert_eq!(receiver.receive(1, 2000, false, &packet(7, false, 160)), Some(b'7'));
        assert_eq!(receiver.receive(1, 4000, false, &packet(7, false, 160)), Some(b'7'));
    }

    #[test]
    fn a_late_copy_is_no_digit() {
        let mut receiver = DtmfReceiver::default();
        assert_eq!(receiver.receive(1, 1000, false, &packet(1, false, 160)), Some(b'1'));
        assert_eq!(receiver.receive(1, 3000, false, &packet(2, false, 160)), Some(b'2'));
        assert_eq!(receiver.receive(1, 1000, false, &packet(1, true, 800)), None);
        assert_eq!(receiver.receive(1, 3000, false, &packet(2, true, 800)), None);
    }

    #[test]
    fn a_long_press_is_one_digit() {
        let mut receiver = DtmfReceiver::default();
        assert_eq!(receiver.receive(1, 0, false, &packet(3, false, 0xffff)), Some(b'3'));
        assert_eq!(receiver.receive(1, 0xffff, false, &packet(3, false, 160)), None);
        assert_eq!(receiver.receive(1, 0xffff, false, &packet(3, true, 320)), None);
        assert_eq!(receiver.receive(1, 0x1_fffe, false, &packet(3, true, 320)), Some(b'3'));
    }

    /// One press was two digits, and callers came into a wrong queue.
    #[test]
    fn a_press_whose_timestamp_moves_is_one_digit() {
        let digits = |packets: &[(u32, bool, u16)]| {
            let mut receiver = DtmfReceiver::default();
            let heard = packets
                .iter()
                .filter_map(|(at, end, duration)| receiver.receive(1, *at, false, &packet(5, *end, *duration)));
            heard.count()
        };
        let each = [
            (1000, false, 160),
            (1160, false, 320),
            (1320, false, 480),
            (1480, true, 640),
            (1640, true, 640),
            (1800, true, 640),
        ];
        assert_eq!(digits(&each), 1);
        assert_eq!(digits(&[each[0], each[2], each[4]]), 1, "with loss");
        assert_eq!(digits(&[each[0], each[1], each[3], each[2], each[5]]), 1, "out of order");
        let ends = [(1000, false, 160), (1000, false, 320), (1480, true, 480), (1480, true, 480), (1480, true, 480)];
        assert_eq!(digits(&ends), 1);
        let bare = [(1000, false, 160), (1000, false, 320), (1320, true, 0), (1320, true, 0), (1320, true, 0)];
        assert_eq!(digits(&bare), 1, "the ends are presses of no length");
        // Pressed twice: the second begins anew, however little later, and whatever of it is lost.
        let again = |from: u32, packets: &[(u32, bool, u16)]| {
            packets.iter().map(|(at, end, lasts)| (at + from, *end, *lasts)).collect::<Vec<_>>()
        };
        for (first, second) in [
            (&each[..], &each[..]),
            (&ends, &ends),
            (&bare, &bare),
            (&bare, &bare[2..]),
            (&bare[..2], &bare[2..]),
            (&each[..4], &each[..]),
            (&each[..2], &each[..]),
            (&each[..], &each[3..]),
        ] {
            assert_eq!(digits(&[first.to_vec(), again(1200, second)].concat()), 2);
        }
    }

    #[test]
    fn a_new_source_starts_anew_and_tones_are_no_digits() {
        let mut receiver = DtmfReceiver::default();
        assert_eq!(receiver.receive(1, 1000, false, &packet(4, true, 800)), Some(b'4'));
        assert_eq!(receiver.receive(2, 1000, false, &packet(4, true, 800)), Some(b'4'));
        assert_eq!(receiver.receive(2, 90_000, false, &packet(16, true, 800)), None);
        assert_eq!(receiver.receive(2, 99_000, false, &[1, 2]), None);
    }
}
