//! A prompt or music on its way to one far end.

use std::sync::Arc;

use strowger_audio::g711;
use strowger_model::{Digest, Law};

/// Each leg has a position of its own.
pub(crate) struct Play {
    pub(crate) tune: Tune,
    /// µ-law, never empty.
    content: Arc<[u8]>,
    at: usize,
}

/// What plays, and which playing of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tune {
    pub(crate) digest: Digest,
    pub(crate) repeat: bool,
    pub(crate) play: u64,
}

impl Play {
    /// The content is never empty: the shelf keeps no such piece.
    pub(crate) fn new(tune: Tune, content: Arc<[u8]>) -> Self {
        debug_assert!(!content.is_empty());
        Self { tune, content, at: 0 }
    }

    /// The next samples; true when they were the last. What is missing at the end is silence.
    pub(crate) fn fill(&mut self, mut samples: &mut [u8]) -> bool {
        loop {
            let take = samples.len().min(self.content.len() - self.at);
            let (now, later) = samples.split_at_mut(take);
            now.copy_from_slice(&self.content[self.at..self.at + take]);
            self.at += take;
            samples = later;
            let end = self.at == self.content.len();
            if end && self.tune.repeat {
                self.at = 0;
            }
            if samples.is_empty() || (end && !self.tune.repeat) {
                samples.fill(g711::silence(Law::Mu));
                return end && !self.tune.repeat;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use strowger_audio::FRAME_SAMPLES;

    use super::*;

    fn play(repeat: bool, content: Arc<[u8]>) -> Play {
        Play::new(Tune { digest: Digest([1; 32]), repeat, play: 1 }, content)
    }

    #[test]
    fn a_play_fills_frames_over_its_end() {
        let content: Arc<[u8]> = (1..=100).collect();
        let mut music = play(true, content.clone());
        let mut frame = [0; FRAME_SAMPLES];
        assert!(!music.fill(&mut frame));
        assert_eq!((frame[99], frame[100], frame[159]), (100, 1, 60));
        assert!(!music.fill(&mut frame));
        assert_eq!((frame[0], frame[39], frame[40]), (61, 100, 1));
        let mut prompt = play(false, content);
        assert!(prompt.fill(&mut frame));
        assert_eq!((frame[99], frame[100], frame[159]), (100, 0xff, 0xff));
        let mut exact = play(false, vec![7; FRAME_SAMPLES].into());
        assert!(exact.fill(&mut frame));
        assert_eq!(frame, [7; FRAME_SAMPLES]);
    }
}
