//! Several voices in one: what a far end hears that hears more than one leg, or one not as it comes.
//!
//! Pure. Packets come in when they come ([`Mix::take`]); every 20 ms a frame of each voice is taken out and added up
//! ([`Mix::frame`]). Each listener has a mix of its own, which leaves its own voice out (N − 1).

use strowger_audio::rtp::Header;
use strowger_audio::{FRAME_SAMPLES, g711};
use strowger_media::{Gain, Law};
use strowger_model::LegKey;

#[derive(Default)]
pub(crate) struct Mix {
    voices: Vec<Voice>,
}

struct Voice {
    source: LegKey,
    gain: Gain,
    lane: Lane,
}

/// A voice between its packets and the frames: evens out their delays. Positions are the sender's RTP timestamps.
struct Lane {
    /// By position, modulo its length; what was taken out is silence again.
    samples: Box<[i16; LANE_SAMPLES]>,
    ssrc: u32,
    /// Position of the next sample to be heard.
    cursor: u32,
    /// Position after the newest sample; at or before `cursor`, nothing waits.
    end: u32,
    /// Frames in a row without a sample; at `ASLEEP_AFTER` the lane sleeps until a packet comes.
    dry: u8,
}

/// What a lane holds: 128 ms. A power of two, so that positions wrap as RTP timestamps do.
const LANE_SAMPLES: usize = 1024;

/// A voice that begins is heard this much later: the packet time and as much again for its variation.
const HEAD_START: u32 = 2 * FRAME_SAMPLES as u32;

/// Silence sent in place of a voice that stopped (200 ms), so that a pause between two words is no break of our stream.
const ASLEEP_AFTER: u8 = 10;

impl Mix {
    pub(crate) fn new(list: &[(LegKey, Gain)]) -> Self {
        Self { voices: list.iter().map(|&(source, gain)| Voice { source, gain, lane: Lane::new() }).collect() }
    }

    /// Another list of voices; those that stay go on without a break.
    pub(crate) fn change(&mut self, list: &[(LegKey, Gain)]) {
        let before = std::mem::take(self);
        let mut kept = before.voices;
        let voice = |&(source, gain)| {
            let at = kept.iter().position(|voice| voice.source == source);
            let lane = at.map_or_else(Lane::new, |at| kept.swap_remove(at).lane);
            Voice { source, gain, lane }
        };
        self.voices = list.iter().map(voice).collect();
    }

    pub(crate) fn sources(&self) -> impl Iterator<Item = LegKey> {
        self.voices.iter().map(|voice| voice.source)
    }

    /// A packet of one of the voices.
    pub(crate) fn take(&mut self, source: LegKey, header: &Header, law: Law, payload: &[u8]) {
        if let Some(voice) = self.voices.iter_mut().find(|voice| voice.source == source) {
            voice.lane.put(header, law, payload);
        }
    }

    /// That voice was interrupted on purpose: what comes next begins anew.
    pub(crate) fn interrupt(&mut self, source: LegKey) {
        self.voices.iter_mut().filter(|voice| voice.source == source).for_each(|voice| voice.lane.sleep());
    }

    /// The next 20 ms of all voices together; false when nobody speaks.
    pub(crate) fn frame(&mut self, law: Law, out: &mut [u8]) -> bool {
        debug_assert_eq!(out.len(), FRAME_SAMPLES);
        let mut sum = [0i32; FRAME_SAMPLES];
        let mut awake = false;
        for voice in &mut self.voices {
            awake |= voice.lane.add_to(&mut sum, voice.gain);
        }
        if awake {
            let bounded = |sum: i32| sum.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
            out.iter_mut().zip(sum).for_each(|(byte, sum)| *byte = g711::encode(law, bounded(sum)));
        }
        awake
    }
}

impl Lane {
    fn new() -> Self {
        Self { samples: Box::new([0; LANE_SAMPLES]), ssrc: 0, cursor: 0, end: 0, dry: ASLEEP_AFTER }
    }

    fn put(&mut self, header: &Header, law: Law, payload: &[u8]) {
        let length = payload.len().min(LANE_SAMPLES - HEAD_START as usize) as u32;
        let last = header.timestamp.wrapping_add(length);
        let ahead = ahead_of(last, self.cursor);
        // Behind what was heard, it is a straggler while newer samples wait; else the way has become longer, or the
        // sender's clock is slower than ours, and without another head start frame after frame would miss its end.
        let lost_its_turn = ahead_of(header.timestamp, self.cursor) < 0 && ahead_of(self.end, self.cursor) <= 0;
        let too_far = ahead > LANE_SAMPLES as i32;
        if self.dry >= ASLEEP_AFTER || self.ssrc != header.ssrc || lost_its_turn || too_far {
            self.begin(header);
        }
        for (at, &byte) in payload[..length as usize].iter().enumerate() {
            let position = header.timestamp.wrapping_add(at as u32);
            if ahead_of(position, self.cursor) >= 0 {
                self.samples[position as usize % LANE_SAMPLES] = g711::decode(law, byte);
            }
        }
        if ahead_of(last, self.end) > 0 {
            self.end = last;
        }
    }

    /// Adds 20 ms to a sum; false while the lane sleeps.
    fn add_to(&mut self, sum: &mut [i32; FRAME_SAMPLES], gain: Gain) -> bool {
        if self.dry >= ASLEEP_AFTER {
            return false;
        }
        let waits = ahead_of(self.end, self.cursor) > 0;
        self.dry = if waits { 0 } else { self.dry + 1 };
        for (at, sum) in sum.iter_mut().enumerate() {
            let position = self.cursor.wrapping_add(at as u32);
            let sample = std::mem::take(&mut self.samples[position as usize % LANE_SAMPLES]);
            *sum += gain.of(sample);
        }
        self.cursor = self.cursor.wrapping_add(FRAME_SAMPLES as u32);
        true
    }

    fn begin(&mut self, header: &Header) {
        self.samples.fill(0);
        self.ssrc = header.ssrc;
        self.cursor = header.timestamp.wrapping_sub(HEAD_START);
        self.end = self.cursor;
        self.dry = 0;
    }

    fn sleep(&mut self) {
        self.dry = ASLEEP_AFTER;
    }
}

/// How far a position is ahead of another; negative behind it.
fn ahead_of(position: u32, other: u32) -> i32 {
    position.wrapping_sub(other) as i32
}

#[cfg(test)]
mod tests {
    use strowger_model::{CallId, LegNo};

    use super::*;

    fn key(leg: u16) -> LegKey {
        LegKey { call: CallId(1), leg: LegNo(leg) }
    }

    fn header(timestamp: u32) -> Header {
        Header { marker: false, payload_type: 0, sequence: 0, timestamp, ssrc: 5 }
    }

    fn payload(level: i16) -> [u8; FRAME_SAMPLES] {
        [g711::encode(Law::Mu, level); FRAME_SAMPLES]
    }

    /// The level of the next frame's first and last sample.
    fn next(mix: &mut Mix) -> Option<(i16, i16)> {
        let mut frame = [0; FRAME_SAMPLES];
        let level = |byte| g711::decode(Law::Mu, byte);
        mix.frame(Law::Mu, &mut frame).then(|| (level(frame[0]), level(frame[FRAME_SAMPLES - 1])))
    }

    /// A mix past the head start of its voices, each of which said one frame of a level.
    fn after_head_start(voices: &[(Gain, i16)]) -> Mix {
        let list: Vec<_> = voices.iter().zip(1..).map(|(&(gain, _), leg)| (key(leg), gain)).collect();
        let mut mix = Mix::new(&list);
        for (&(_, level), leg) in voices.iter().zip(1..) {
            mix.take(key(leg), &header(u32::from(leg) * 7777), Law::Mu, &payload(level));
        }
        assert_eq!((next(&mut mix), next(&mut mix)), (Some((0, 0)), Some((0, 0))));
        mix
    }

    fn near(level: Option<(i16, i16)>, wanted: i16) -> bool {
        let close =
            |level: i16| (i32::from(level) - i32::from(wanted)).abs() <= i32::from(wanted.unsigned_abs() / 20 + 8);
        level.is_some_and(|(first, last)| close(first) && close(last))
    }

    #[test]
    fn voices_add_up() {
        let mut mix = after_head_start(&[(Gain::UNITY, 4000), (Gain::UNITY, -1000), (Gain(128), 2000)]);
        let level = next(&mut mix);
        assert!(near(level, 4000), "{level:?}");
    }

    #[test]
    fn a_sum_saturates_and_does_not_wrap() {
        let mut mix = after_head_start(&[(Gain::UNITY, 30_000), (Gain::UNITY, 30_000)]);
        assert_eq!(next(&mut mix), Some((32_124, 32_124)), "the loudest there is in µ-law");
        let mut mix = after_head_start(&[(Gain(u16::MAX), -30_000); 15]);
        assert_eq!(next(&mut mix), Some((-32_124, -32_124)));
    }

    #[test]
    fn gain_nought_is_silence() {
        let mut mix = after_head_start(&[(Gain(0), 30_000)]);
        assert_eq!(next(&mut mix), Some((0, 0)));
    }

    #[test]
    fn packets_that_vary_by_a_frame_are_heard_without_a_hole() {
        let mut mix = Mix::new(&[(key(1), Gain::UNITY)]);
        // Each tick: how many packets came before it.
        let mut sent = 0;
        let mut heard = Vec::new();
        for came in [1, 1, 0, 2, 1, 1, 0, 1, 2, 1] {
            for _ in 0..came {
                mix.take(key(1), &header(sent * 160), Law::Mu, &payload(1000));
                sent += 1;
            }
            heard.push(next(&mut mix));
        }
        assert!(heard[..2].iter().all(|&level| level == Some((0, 0))), "{heard:?}");
        assert!(heard[2..].iter().all(|&level| near(level, 1000)), "{heard:?}");
    }

    #[test]
    fn a_slower_clock_costs_pauses_and_not_a_hole_in_each_frame() {
        let mut mix = Mix::new(&[(key(1), Gain::UNITY)]);
        let mut heard = Vec::new();
        let mut sent = 0;
        for tick in 0..3000u32 {
            // 30 ms of sound in each packet, of which one comes every 30.3.
            while sent * 2424 <= tick * 1600 {
                mix.take(key(1), &header(sent * 240), Law::Mu, &[g711::encode(Law::Mu, 1000); 240]);
                sent += 1;
            }
            heard.push(next(&mut mix));
        }
        // 1 % of 60 s is 600 ms, 30 frames; each pause makes good for two at least, and spoils its own edges.
        let spoiled = heard.iter().filter(|&&level| !near(level, 1000)).count();
        assert!((30..90).contains(&spoiled), "{spoiled}");
    }

    #[test]
    fn order_is_restored_and_stragglers_are_dropped() {
        let mut mix = Mix::new(&[(key(1), Gain::UNITY)]);
        for (timestamp, level) in [(0, 1000), (320, 3000), (160, 2000), (480, 4000)] {
            mix.take(key(1), &header(timestamp), Law::Mu, &payload(level));
        }
        next(&mut mix);
        next(&mut mix);
        for level in [1000, 2000] {
            let heard = next(&mut mix);
            assert!(near(heard, level), "{heard:?}");
        }
        mix.take(key(1), &header(0), Law::Mu, &payload(-9000));
        for level in [3000, 4000] {
            let heard = next(&mut mix);
            assert!(near(heard, level), "{heard:?}");
        }
    }

    #[test]
    fn a_voice_that_stops_sleeps_and_comes_back_at_any_timestamp() {
        let mut mix = after_head_start(&[(Gain::UNITY, 1000)]);
        let frames = std::iter::from_fn(|| next(&mut mix)).count();
        assert_eq!(frames, 1 + usize::from(ASLEEP_AFTER));
        let near_the_end = u32::MAX - 80;
        for timestamp in [near_the_end, near_the_end.wrapping_add(160)] {
            mix.take(key(1), &header(timestamp), Law::Mu, &payload(500));
        }
        assert_eq!((next(&mut mix), next(&mut mix)), (Some((0, 0)), Some((0, 0))));
        let heard = (next(&mut mix), next(&mut mix));
        assert!(near(heard.0, 500) && near(heard.1, 500), "{heard:?}");
    }

    #[test]
    fn a_longer_way_a_jump_and_another_sender_begin_anew() {
        for (timestamp, ssrc) in [(u32::from(7777u16) - 1600, 5), (900_000, 5), (3, 6)] {
            let mut mix = after_head_start(&[(Gain::UNITY, 1000)]);
            next(&mut mix);
            mix.take(key(1), &Header { ssrc, ..header(timestamp) }, Law::Mu, &payload(2000));
            next(&mut mix);
            next(&mut mix);
            let heard = next(&mut mix);
            assert!(near(heard, 2000), "{timestamp} {ssrc}: {heard:?}");
        }
    }

    #[test]
    fn long_and_short_packets_of_both_laws_are_taken() {
        let mut mix = Mix::new(&[(key(1), Gain::UNITY)]);
        mix.take(key(1), &header(0), Law::A, &[g711::encode(Law::A, 1000); 480]);
        mix.take(key(1), &header(480), Law::A, &[g711::encode(Law::A, 1000); 80]);
        mix.take(key(1), &header(560), Law::Mu, &[g711::encode(Law::Mu, 1000); 80]);
        mix.take(key(1), &header(640), Law::Mu, &[0; 2000]);
        next(&mut mix);
        next(&mut mix);
    }

    #[test]
    fn voices_that_stay_go_on() {
        let mut mix = after_head_start(&[(Gain::UNITY, 1000), (Gain::UNITY, 2000)]);
        mix.change(&[(key(3), Gain::UNITY), (key(2), Gain(128))]);
        assert_eq!(mix.sources().collect::<Vec<_>>(), [key(3), key(2)]);
        let heard = next(&mut mix);
        assert!(near(heard, 1000), "{heard:?}");
        mix.interrupt(key(2));
        assert_eq!(next(&mut mix), None);
    }
}
