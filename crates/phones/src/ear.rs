//! Which tone is that? Looks at 200 ms of audio at a time, cheaply: there are 900 ears on a shared machine.

use std::f32::consts::TAU;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::law::Law;
use crate::tone::{SAMPLE_RATE_HZ, TONES, nearest_tone, tone_hz};

/// 200 ms: every tone has whole waves in it, and its neighbours fall on zeros of its Goertzel filter.
const WINDOW: usize = 1600;
const WINDOW_LENGTH: Duration = Duration::from_millis(200);
/// Share of a window's energy that has to lie in one tone, or in all of several that sound together.
const PURITY: f32 = 0.8;
/// Share that each of several has at least: four of equal strength have a quarter.
const PART: f32 = 0.1;
/// Mean square below which a window is silence: about -48 dBFS, above comfort noise and G.711's idle steps.
const SILENCE: f32 = 1.6e-5;

pub(crate) struct ToneEar {
    window: Box<[f32; WINDOW]>,
    filled: usize,
    opened_at: Option<Instant>,
    /// Tones heard for the first time, in one window only: a note of some music may do that by chance.
    rumours: Vec<(u16, Instant)>,
    last: Option<u16>,
    heard: Vec<(u16, u32)>,
    checked: u32,
    /// Tones that may sound together.
    voices: Arc<[u16]>,
    /// What the newest window had, and what it had in two that followed each other.
    newest: Vec<u16>,
    now: Vec<u16>,
}

impl ToneEar {
    /// One that tells `voices` apart when they sound together, and any tone that sounds alone.
    pub fn new(voices: Arc<[u16]>) -> Self {
        Self {
            window: Box::new([0.0; WINDOW]),
            filled: 0,
            opened_at: None,
            rumours: Vec::new(),
            last: None,
            heard: Vec::new(),
            checked: 0,
            voices,
            newest: Vec::new(),
            now: Vec::new(),
        }
    }

    /// Takes one packet's audio. Returns the tones, and since when they sound, that this made certain for the first time.
    pub fn hear(&mut self, law: Law, payload: &[u8], at: Instant) -> Vec<(u16, Instant)> {
        let samples = law.samples();
        let mut news = Vec::new();
        for &code in payload {
            if self.filled == 0 {
                self.opened_at = Some(at);
            }
            self.window[self.filled] = samples[usize::from(code)];
            self.filled += 1;
            if self.filled == WINDOW {
                news.append(&mut self.close_window(at));
            }
        }
        news
    }

    /// The stream has a hole: what follows does not continue the wave.
    pub fn interrupt(&mut self) {
        self.filled = 0;
    }

    pub fn heard(&self) -> Vec<(u16, Duration)> {
        self.heard.iter().map(|&(tone, windows)| (tone, WINDOW_LENGTH * windows)).collect()
    }

    /// What sounds now, of the voices that may sound together.
    pub fn now(&self) -> &[u16] {
        &self.now
    }

    pub fn checked(&self) -> Duration {
        WINDOW_LENGTH * self.checked
    }

    fn close_window(&mut self, now: Instant) -> Vec<(u16, Instant)> {
        self.filled = 0;
        self.checked += 1;
        let opened_at = self.opened_at.unwrap_or(now);
        let alone = tone_in(&self.window, self.last);
        self.last = alone.or(self.last);
        let tones = match alone {
            Some(tone) => vec![tone],
            None => voices_in(&self.window, &self.voices),
        };
        self.settle(&tones);
        let rumours = std::mem::take(&mut self.rumours);
        let mut news = Vec::new();
        for tone in tones {
            if let Some(known) = self.heard.iter_mut().find(|(heard, _)| *heard == tone) {
                known.1 += 1;
            } else if let Some(&(_, since)) = rumours.iter().find(|(rumour, _)| *rumour == tone) {
                self.heard.push((tone, 2));
                news.push((tone, since));
            } else {
                self.rumours.push((tone, opened_at));
            }
        }
        news
    }

    /// Takes what one window has for what sounds now if the one before had the same.
    fn settle(&mut self, tones: &[u16]) {
        if self.voices.is_empty() {
            return;
        }
        let newest: Vec<u16> = tones.iter().copied().filter(|tone| self.voices.contains(tone)).collect();
        if newest == self.newest {
            self.now.clone_from(&newest);
        }
        self.newest = newest;
    }
}

/// The tones in a recording at 8 kHz, in order of first hearing, with how long: what a phone would have heard.
pub fn tones_in(samples: &[i16]) -> Vec<(u16, Duration)> {
    let codes: Vec<u8> = samples.iter().map(|sample| Law::Pcma.encode(*sample)).collect();
    let mut ear = ToneEar::new(Arc::default());
    ear.hear(Law::Pcma, &codes, Instant::now());
    ear.heard()
}

/// The tone that makes up this window, if one does. `expected` is tried first.
fn tone_in(window: &[f32; WINDOW], expected: Option<u16>) -> Option<u16> {
    let energy = lagged(window, 0);
    if energy < SILENCE * WINDOW as f32 {
        return None;
    }
    if let Some(tone) = expected.filter(|tone| share(window, *tone, energy) >= PURITY) {
        return Some(tone);
    }
    // A bank of 110 filters costs 110 passes. The frequency of a sine in noise can be computed from two lags of its
    // autocorrelation (Pisarenko), which white noise does not disturb; only the filters around it are then asked.
    let guess = nearest_tone(pisarenko_hz(lagged(window, 1), lagged(window, 2)));
    let (best, share) = (guess.saturating_sub(1)..=(guess + 1).min(TONES - 1))
        .map(|tone| (tone, share(window, tone, energy)))
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    (share >= PURITY).then_some(best)
}

/// Which of these tones make up this window together, if they do.
fn voices_in(window: &[f32; WINDOW], voices: &[u16]) -> Vec<u16> {
    let energy = lagged(window, 0);
    if voices.is_empty() || energy < SILENCE * WINDOW as f32 {
        return Vec::new();
    }
    let parts = voices.iter().map(|tone| (*tone, share(window, *tone, energy))).filter(|(_, part)| *part >= PART);
    let parts: Vec<(u16, f32)> = parts.collect();
    let whole: f32 = parts.iter().map(|(_, part)| part).sum();
    if whole < PURITY {
        return Vec::new();
    }
    parts.into_iter().map(|(tone, _)| tone).collect()
}

/// Solves r2/r1 = cos 2w / cos w for w.
fn pisarenko_hz(r1: f32, r2: f32) -> f32 {
    let cosine = if r1.abs() < f32::EPSILON { 0.0 } else { (r2 + (r2 * r2 + 8.0 * r1 * r1).sqrt()) / (4.0 * r1) };
    cosine.clamp(-1.0, 1.0).acos() / TAU * SAMPLE_RATE_HZ
}

fn lagged(window: &[f32; WINDOW], lag: usize) -> f32 {
    // Eight sums side by side, so that the compiler may use vector instructions.
    let mut sums = [0.0f32; 8];
    for (a, b) in window.chunks_exact(8).zip(window[lag..].chunks_exact(8)) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum()
}

/// Goertzel: how much of the window's energy lies in `tone`.
fn share(window: &[f32; WINDOW], tone: u16, energy: f32) -> f32 {
    let coefficient = 2.0 * (TAU * f32::from(tone_hz(tone)) / SAMPLE_RATE_HZ).cos();
    let (mut before, mut last) = (0.0f32, 0.0f32);
    for &sample in window {
        (before, last) = (last, sample + coefficient * last - before);
    }
    let power = last * last + before * before - coefficient * last * before;
    2.0 * power / (WINDOW as f32 * energy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::tone::{FRAME, ToneFrames};

    fn play(ear: &mut ToneEar, law: Law, samples: &[f32]) -> Option<(u16, Instant)> {
        let codes: Vec<u8> = samples.iter().map(|s| law.encode((s * 32_767.0) as i16)).collect();
        let at = Instant::now();
        codes.chunks(FRAME).flat_map(|frame| ear.hear(law, frame, at)).next()
    }

    fn sine(hz: f32, amplitude: f32, n: usize) -> f32 {
        amplitude * (TAU * hz / SAMPLE_RATE_HZ * n as f32).sin()
    }

    #[test]
    fn hears_every_tone_through_both_laws_and_a_transcoder() {
        let frames = ToneFrames::new();
        for tone in 0..TONES {
            let mut ear = ToneEar::new(Arc::default());
            let mut first = None;
            for packet in 0..50 {
                let law = if tone % 3 == 0 { Law::Pcmu } else { Law::Pcma };
                let frame = frames.frame(law, tone, packet);
                let decoded: Vec<f32> = frame.iter().map(|c| law.samples()[usize::from(*c)]).collect();
                first = first.or(play(&mut ear, law.other(), &decoded));
            }
            assert_eq!(first.map(|f| f.0), Some(tone));
            assert_eq!(ear.heard(), [(tone, Duration::from_secs(1))]);
            assert_eq!(ear.checked(), Duration::from_secs(1));
        }
    }

    #[test]
    fn hears_a_tone_in_noise_and_at_a_sixteenth_of_its_strength() {
        let mut random = Random::new(5);
        for (tone, amplitude) in [(0u16, 0.25), (57, 0.25), (66, 0.25), (109, 0.25), (31, 0.016)] {
            // White noise of 12 % of the energy.
            let noise = amplitude * 0.45;
            let samples: Vec<f32> = (0..4 * WINDOW)
                .map(|n| {
                    let white = (random.next() % 2001) as f32 / 1000.0 - 1.0;
                    sine(f32::from(tone_hz(tone)), amplitude, n) + white * noise
                })
                .collect();
            let mut ear = ToneEar::new(Arc::default());
            assert_eq!(play(&mut ear, Law::Pcmu, &samples).map(|f| f.0), Some(tone), "tone {tone}");
        }
    }

    #[test]
    fn noise_chords_silence_and_tunes_are_no_tones() {
        let mut random = Random::new(7);
        let noise: Vec<f32> = (0..50 * WINDOW).map(|_| (random.next() % 1000) as f32 / 2000.0 - 0.25).collect();
        let chord: Vec<f32> =
            (0..20 * WINDOW).map(|n| sine(450.0, 0.1, n) + sine(575.0, 0.1, n) + sine(700.0, 0.1, n)).collect();
        let two_phones: Vec<f32> = (0..20 * WINDOW).map(|n| sine(400.0, 0.2, n) + sine(1475.0, 0.2, n)).collect();
        let silence = vec![0.0; 20 * WINDOW];
        // A scale in pure sines, four notes a second, in equal temperament.
        let tune: Vec<f32> =
            (0..60 * WINDOW).map(|n| sine(261.63 * 2f32.powf(((n / 2000) % 24) as f32 / 12.0), 0.2, n)).collect();
        for audio in [noise, chord, two_phones, silence, tune] {
            let mut ear = ToneEar::new(Arc::default());
            assert_eq!(play(&mut ear, Law::Pcma, &audio), None);
            assert!(ear.heard().is_empty());
        }
    }

    #[test]
    fn voices_that_are_listened_for_are_told_apart_and_others_are_not() {
        let chord = |parts: &[(f32, f32)]| -> Vec<f32> {
            (0..10 * WINDOW).map(|n| parts.iter().map(|(hz, loud)| sine(*hz, *loud, n)).sum()).collect()
        };
        // Tones 2, 11 and 45.
        let (low, middle, high) = (400.0, 625.0, 1475.0);
        let mut ear = ToneEar::new([2, 11, 45].into());
        play(&mut ear, Law::Pcma, &chord(&[(low, 0.2), (high, 0.1)]));
        assert_eq!((ear.now(), ear.heard().len()), (&[2, 45][..], 2));
        play(&mut ear, Law::Pcma, &chord(&[(low, 0.2), (middle, 0.2), (high, 0.2)]));
        assert_eq!(ear.now(), [2, 11, 45]);
        play(&mut ear, Law::Pcma, &chord(&[(middle, 0.2)]));
        assert_eq!(ear.now(), [11]);
        // A stranger among them: whose voices these are cannot be said.
        play(&mut ear, Law::Pcma, &chord(&[(low, 0.2), (2000.0, 0.2)]));
        assert_eq!(ear.now(), []);
        let heard: Vec<u16> = ear.heard().into_iter().map(|(tone, _)| tone).collect();
        assert_eq!(heard, [2, 45, 11]);
    }

    #[test]
    fn a_recording_is_heard_as_a_call_is() {
        let silence = vec![0; WINDOW];
        let tone: Vec<i16> =
            (0..5 * WINDOW).map(|n| (sine(f32::from(tone_hz(21)), 0.2, n) * 32_767.0) as i16).collect();
        assert_eq!(tones_in(&[silence.clone(), tone].concat()), [(21, Duration::from_secs(1))]);
        assert_eq!(tones_in(&silence), []);
    }

    #[test]
    fn a_second_tone_is_noted_beside_the_first() {
        let frames = ToneFrames::new();
        let mut ear = ToneEar::new(Arc::default());
        for (tone, packets) in [(11, 100), (13, 50), (11, 50)] {
            for packet in 0..packets {
                ear.hear(Law::Pcmu, frames.frame(Law::Pcmu, tone, packet), Instant::now());
            }
        }
        assert_eq!(ear.heard(), [(11, Duration::from_secs(3)), (13, Duration::from_secs(1))]);
    }
}
