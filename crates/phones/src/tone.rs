//! The tones by which phones tell each other apart, as ready G.711 frames.

use std::f64::consts::TAU;

use crate::law::Law;

/// How many tones there are.
pub const TONES: u16 = 110;
/// Samples in a 20 ms frame at 8 kHz.
pub(crate) const FRAME: usize = 160;
pub(crate) const SAMPLE_RATE_HZ: f32 = 8_000.0;

const LOWEST_HZ: u16 = 350;
const STEP_HZ: u16 = 25;
/// About -12 dBFS: loud enough to stand above any noise, far from clipping.
const AMPLITUDE: f64 = 8_000.0;

/// Index 0..=109 is 350..=3075 Hz; larger indices wrap around.
pub fn tone_hz(tone: u16) -> u16 {
    LOWEST_HZ + STEP_HZ * (tone % TONES)
}

/// Agents play odd tones, callers even ones.
pub fn is_agent_tone(tone: u16) -> bool {
    tone % 2 == 1
}

/// The tone whose frequency is nearest to `hz`.
pub(crate) fn nearest_tone(hz: f32) -> u16 {
    let index = ((hz - f32::from(LOWEST_HZ)) / f32::from(STEP_HZ)).round();
    index.clamp(0.0, f32::from(TONES - 1)) as u16
}

/// Two frames a tone: every tone is a multiple of 25 Hz, so its wave repeats after 40 ms without a seam.
pub(crate) struct ToneFrames {
    frames: Vec<[u8; FRAME]>,
}

impl ToneFrames {
    pub fn new() -> Self {
        let mut frames = Vec::with_capacity(usize::from(TONES) * 4);
        for law in [Law::Pcmu, Law::Pcma] {
            for tone in 0..TONES {
                let radians = TAU * f64::from(tone_hz(tone)) / f64::from(SAMPLE_RATE_HZ);
                for half in 0..2 {
                    frames.push(std::array::from_fn(|n| {
                        let phase = radians * (half * FRAME + n) as f64;
                        law.encode((AMPLITUDE * phase.sin()) as i16)
                    }));
                }
            }
        }
        Self { frames }
    }

    /// `half` is 0 or 1, in turns.
    pub fn frame(&self, law: Law, tone: u16, half: usize) -> &[u8; FRAME] {
        let law = usize::from(law == Law::Pcma);
        &self.frames[(law * usize::from(TONES) + usize::from(tone % TONES)) * 2 + half % 2]
    }
}
