//! Tones: made by sines, found by Goertzel's filter.

use std::f32::consts::TAU;

use crate::RATE_HZ;

/// Makes one tone or a sum of two (dial, ring and DTMF tones are pairs). Endless.
#[derive(Clone, Debug)]
pub struct Tone {
    frequencies_hz: [f32; 2],
    amplitude: f32,
    at: u32,
}

impl Tone {
    /// `amplitude` is the peak of the sum, 0–32767.
    pub fn single(frequency_hz: f32, amplitude: f32) -> Self {
        Self::pair([frequency_hz, frequency_hz], amplitude)
    }

    /// Two at equal strength; `amplitude` is the peak of the sum, 0–32767.
    pub fn pair(frequencies_hz: [f32; 2], amplitude: f32) -> Self {
        Self { frequencies_hz, amplitude: amplitude.clamp(0.0, 32767.0), at: 0 }
    }
}

impl Iterator for Tone {
    type Item = i16;

    fn next(&mut self) -> Option<i16> {
        let seconds = f64::from(self.at) / f64::from(RATE_HZ);
        self.at = self.at.wrapping_add(1);
        // The whole turns are cut off in f64, so a long tone stays pure.
        let sine = |frequency: f32| ((f64::from(frequency) * seconds).fract() as f32 * TAU).sin();
        let sum: f32 = self.frequencies_hz.into_iter().map(sine).sum();
        Some((sum * 0.5 * self.amplitude) as i16)
    }
}

/// Measures the share of a few frequencies in a stretch of samples.
#[derive(Clone, Debug)]
pub struct Bank<const N: usize> {
    filters: [Filter; N],
    energy: f32,
    samples: u32,
}

#[derive(Clone, Copy, Debug)]
struct Filter {
    coefficient: f32,
    newer: f32,
    older: f32,
}

impl<const N: usize> Bank<N> {
    /// For these frequencies, each below 4000 Hz.
    pub fn new(frequencies_hz: [f32; N]) -> Self {
        let filter = |hz: f32| Filter { coefficient: 2.0 * (TAU * hz / RATE_HZ as f32).cos(), newer: 0.0, older: 0.0 };
        Self { filters: frequencies_hz.map(filter), energy: 0.0, samples: 0 }
    }

    /// One 16-bit linear sample at 8 kHz.
    pub fn feed(&mut self, sample: i16) {
        let sample = f32::from(sample);
        self.energy += sample * sample;
        self.samples += 1;
        for filter in &mut self.filters {
            let next = sample + filter.coefficient * filter.newer - filter.older;
            filter.older = filter.newer;
            filter.newer = next;
        }
    }

    /// For each frequency its part of the whole energy, 0.0–1.0, and starts a new stretch.
    pub fn finish(&mut self) -> [f32; N] {
        // A pure tone of n samples has |X|² = n/2 times its energy.
        let whole = self.energy * self.samples as f32 / 2.0;
        let shares = self.filters.map(|Filter { coefficient, newer, older }| {
            let power = newer * newer + older * older - coefficient * newer * older;
            if whole > 0.0 { (power / whole).clamp(0.0, 1.0) } else { 0.0 }
        });
        self.energy = 0.0;
        self.samples = 0;
        for filter in &mut self.filters {
            (filter.newer, filter.older) = (0.0, 0.0);
        }
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares<const N: usize>(bank: &mut Bank<N>, tone: Tone, samples: usize) -> [f32; N] {
        tone.take(samples).for_each(|sample| bank.feed(sample));
        bank.finish()
    }

    #[test]
    fn a_tone_is_found_where_it_is() {
        let mut bank = Bank::new([440.0, 1000.0]);
        let [low, high] = shares(&mut bank, Tone::single(1000.0, 8000.0), 800);
        assert!(high > 0.95 && low < 0.01, "{low} {high}");
        let [low, high] = shares(&mut bank, Tone::single(440.0, 500.0), 800);
        assert!(low > 0.95 && high < 0.01, "{low} {high}");
    }

    #[test]
    fn a_pair_is_half_and_half() {
        // The digit 1: 697 Hz and 1209 Hz (ITU-T Q.23).
        let mut bank = Bank::new([697.0, 1209.0, 770.0]);
        let [low, high, other] = shares(&mut bank, Tone::pair([697.0, 1209.0], 16000.0), 800);
        assert!((0.4..0.6).contains(&low) && (0.4..0.6).contains(&high) && other < 0.05);
    }

    #[test]
    fn silence_has_no_tone() {
        let mut bank = Bank::new([1000.0]);
        (0..160).for_each(|_| bank.feed(0));
        assert_eq!(bank.finish(), [0.0]);
        assert_eq!(bank.finish(), [0.0]);
    }
}
