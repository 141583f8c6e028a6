//! A prompt or music on its way to one far end.

use std::sync::Arc;

use strowger_audio::g711;
use strowger_media::Law;

/// Each leg has a position of its own.
pub(crate) struct Play {
    /// µ-law, never empty.
    content: Arc<[u8]>,
    at: usize,
    repeat: bool,
}

impl Play {
    /// The content is never empty: the cache keeps no such piece.
    pub(crate) fn new(content: Arc<[u8]>, repeat: bool) -> Self {
        debug_assert!(!content.is_empty());
        Self { content, at: 0, repeat }
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
            if end && self.repeat {
                self.at = 0;
            }
            if samples.is_empty() || (end && !self.repeat) {
                samples.fill(g711::silence(Law::Mu));
                return end && !self.repeat;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use strowger_audio::FRAME_SAMPLES;

    use super::*;

    #[test]
    fn a_play_fills_frames_over_its_end() {
        let content: Arc<[u8]> = (1..=100).collect();
        let mut music = Play::new(content.clone(), true);
        let mut frame = [0; FRAME_SAMPLES];
        assert!(!music.fill(&mut frame));
        assert_eq!((frame[99], frame[100], frame[159]), (100, 1, 60));
        assert!(!music.fill(&mut frame));
        assert_eq!((frame[0], frame[39], frame[40]), (61, 100, 1));
        let mut prompt = Play::new(content, false);
        assert!(prompt.fill(&mut frame));
        assert_eq!((frame[99], frame[100], frame[159]), (100, 0xff, 0xff));
        let mut exact = Play::new(vec![7; FRAME_SAMPLES].into(), false);
        assert!(exact.fill(&mut frame));
        assert_eq!(frame, [7; FRAME_SAMPLES]);
    }
}
