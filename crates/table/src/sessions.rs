//! What each proposer was answered, so that a repeat under the same number gets the first answer.

use imbl::OrdMap;
use strowger_model::LogTime;

use crate::{Outcome, Proposer, limit};

#[derive(Clone, Debug, Default)]
pub(crate) struct Sessions {
    answers: OrdMap<(Proposer, u64), Outcome>,
    /// Incarnations that are over, and since when: their answers are dropped after `SESSION_LINGER`.
    ended: OrdMap<Proposer, LogTime>,
}

impl Sessions {
    pub fn answer(&self, from: Proposer, seq: u64) -> Option<&Outcome> {
        self.answers.get(&(from, seq))
    }

    pub fn remember(&mut self, from: Proposer, seq: u64, outcome: Outcome) {
        self.answers.insert((from, seq), outcome);
        if let Some(old) = seq.checked_sub(limit::REPEAT_WINDOW) {
            self.answers.remove(&(from, old));
        }
    }

    pub fn end(&mut self, from: Proposer, now: LogTime) {
        self.ended.entry(from).or_insert(now);
    }

    pub fn forget_old(&mut self, now: LogTime) {
        let over: Vec<Proposer> = self
            .ended
            .iter()
            .filter(|(_, since)| now.since(**since) >= limit::SESSION_LINGER)
            .map(|(from, _)| *from)
            .collect();
        for from in over {
            self.ended.remove(&from);
            let keys: Vec<_> = self.answers.range((from, 0)..=(from, u64::MAX)).map(|(key, _)| *key).collect();
            for key in keys {
                self.answers.remove(&key);
            }
        }
    }

    pub fn image(&self) -> SessionsImage {
        SessionsImage {
            answers: self.answers.iter().map(|((from, seq), outcome)| (*from, *seq, outcome.clone())).collect(),
            ended: self.ended.iter().map(|(from, since)| (*from, *since)).collect(),
        }
    }

    pub fn from_image(image: SessionsImage) -> Self {
        Self {
            answers: image.answers.into_iter().map(|(from, seq, outcome)| ((from, seq), outcome)).collect(),
            ended: image.ended.into_iter().collect(),
        }
    }
}

#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub(crate) struct SessionsImage {
    answers: Vec<(Proposer, u64, Outcome)>,
    ended: Vec<(Proposer, LogTime)>,
}
