//! Keys pressed: RFC 4733 named events in the place of audio.

use std::collections::VecDeque;

use crate::tone::FRAME;

/// A key is held for 100 ms, and so long is the pause: what people and dialling machines do.
const HOLD_TICKS: u16 = 5;
const PAUSE_TICKS: u16 = 5;
/// RFC 4733 section 2.5.1.4: the end is said three times, in case one is lost.
const END_TICKS: u16 = 3;
const VOLUME_MINUS_10_DBM0: u8 = 10;
const END_BIT: u8 = 0x80;

#[derive(Default)]
pub(super) struct Keys {
    waiting: VecDeque<u8>,
    tick: u16,
    /// RTP time at which the key under way was pressed: all its packets carry it.
    pressed_at: u32,
    pub sent: u32,
}

pub(super) struct KeyPacket {
    pub payload: [u8; 4],
    pub timestamp: u32,
    pub marker: bool,
}

impl Keys {
    /// What cannot be pressed is left out.
    pub fn new(digits: &str) -> Self {
        Self { waiting: digits.chars().filter_map(event_code).collect(), ..Self::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Called once per 20 ms; `None`: audio is due.
    pub fn tick(&mut self, timestamp: u32) -> Option<KeyPacket> {
        let event = *self.waiting.front()?;
        if self.tick == 0 {
            self.pressed_at = timestamp;
        }
        self.tick += 1;
        if self.tick > HOLD_TICKS + END_TICKS {
            if self.tick == HOLD_TICKS + END_TICKS + PAUSE_TICKS {
                self.tick = 0;
                self.waiting.pop_front();
            }
            return None;
        }
        if self.tick == HOLD_TICKS + END_TICKS {
            self.sent += 1;
        }
        let end = if self.tick > HOLD_TICKS { END_BIT } else { 0 };
        let duration = (self.tick.min(HOLD_TICKS) * FRAME as u16).to_be_bytes();
        Some(KeyPacket {
            payload: [event, end | VOLUME_MINUS_10_DBM0, duration[0], duration[1]],
            timestamp: self.pressed_at,
            marker: self.tick == 1,
        })
    }
}

fn event_code(digit: char) -> Option<u8> {
    match digit.to_ascii_uppercase() {
        '*' => Some(10),
        '#' => Some(11),
        digit @ '0'..='9' => Some(digit as u8 - b'0'),
        digit @ 'A'..='D' => Some(digit as u8 - b'A' + 12),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_keys_make_two_events_with_a_pause_between() {
        let mut keys = Keys::new("5 #");
        let packets: Vec<_> = (0..40u32).map(|n| keys.tick(1000 + n * 160)).collect();
        let events: Vec<_> = packets.iter().flatten().collect();
        assert_eq!(events.len(), 16);
        assert_eq!(events[0].payload, [5, 10, 0, 160]);
        assert!(events[0].marker && !events[1].marker);
        assert_eq!(events[7].payload, [5, 0x8A, 3, 32]);
        assert!(events[..8].iter().all(|event| event.timestamp == 1000));
        assert_eq!(events[8].payload[0], 11);
        assert_eq!(events[8].timestamp, 1000 + 13 * 160);
        assert!(keys.is_empty());
        assert_eq!(keys.sent, 2);
    }
}
