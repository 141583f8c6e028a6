//! What each proposer was answered, so that a repeat under the same number gets the first answer.

use std::sync::Arc;

use strowger_model::{Incarnation, LogTime};

use crate::rowmap::RowMap;
use crate::{Outcome, Proposer, limit};

#[derive(Clone, Debug, Default)]
pub(crate) struct Sessions {
    answers: RowMap<(Proposer, u64), Outcome>,
    /// Incarnations that are over, and since when: their answers are dropped after `SESSION_LINGER`.
    ended: RowMap<Proposer, LogTime>,
}

impl Sessions {
    pub fn answer(&self, from: Proposer, seq: u64) -> Option<&Outcome> {
        self.answers.get(&(from, seq)).map(|outcome| &**outcome)
    }

    pub fn remember(&mut self, from: Proposer, seq: u64, outcome: Outcome) {
        self.answers.put((from, seq), outcome);
        if let Some(old) = seq.checked_sub(limit::REPEAT_WINDOW) {
            self.answers.remove(&(from, old));
        }
    }

    pub fn end(&mut self, from: Proposer, now: LogTime) {
        if self.ended.get(&from).is_none() {
            self.ended.put(from, now);
        }
    }

    /// Those of a node's lives up to this one.
    pub fn end_all(&mut self, last: Proposer, now: LogTime) {
        let mut from = (Proposer { incarnation: Incarnation(0), ..last }, 0);
        let next = |from| self.answers.range(from..=(last, u64::MAX)).next().map(|((life, _), _)| *life);
        let mut lives = Vec::new();
        while let Some(life) = next(from) {
            lives.push(life);
            from = (Proposer { incarnation: Incarnation(life.incarnation.0.saturating_add(1)), ..life }, 0);
        }
        lives.into_iter().for_each(|life| self.end(life, now));
    }

    pub fn forget_old(&mut self, now: LogTime) {
        let over: Vec<Proposer> = self
            .ended
            .iter()
            .filter(|(_, since)| now.since(***since) >= limit::SESSION_LINGER)
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

    pub fn hash(&self) -> u64 {
        self.answers.hash().rotate_left(16).wrapping_add(self.ended.hash())
    }

    pub fn image(&self) -> SessionsImage {
        SessionsImage {
            answers: self.answers.iter().map(|((from, seq), outcome)| (*from, *seq, outcome.clone())).collect(),
            ended: self.ended.iter().map(|(from, since)| (*from, **since)).collect(),
        }
    }

    pub fn from_image(image: SessionsImage) -> Self {
        let mut sessions = Self::default();
        for (from, seq, outcome) in image.answers {
            sessions.answers.put((from, seq), Arc::unwrap_or_clone(outcome));
        }
        image.ended.into_iter().for_each(|(from, since)| sessions.ended.put(from, since));
        sessions
    }
}

pub(crate) struct SessionsImage {
    pub answers: Vec<(Proposer, u64, Arc<Outcome>)>,
    pub ended: Vec<(Proposer, LogTime)>,
}

#[cfg(test)]
mod tests {
    use strowger_model::NodeId;

    use super::*;

    #[test]
    fn answers_of_all_lives_up_to_one_are_forgotten_in_time() {
        let life = |node, incarnation| Proposer { node: NodeId(node), incarnation: Incarnation(incarnation) };
        let mut sessions = Sessions::default();
        let lives = [life(1, 9), life(2, 3), life(2, 7), life(2, 8), life(3, 1)];
        for from in lives {
            (1..3).for_each(|seq| sessions.remember(from, seq, Outcome::Done));
        }
        sessions.end_all(life(2, 7), LogTime(5));
        sessions.forget_old(LogTime(4) + limit::SESSION_LINGER);
        assert!(lives.iter().all(|from| sessions.answer(*from, 2).is_some()), "a late repeat is answered");
        sessions.forget_old(LogTime(5) + limit::SESSION_LINGER);
        let kept: Vec<Proposer> = lives.into_iter().filter(|from| sessions.answer(*from, 2).is_some()).collect();
        assert_eq!(kept, [life(1, 9), life(2, 8), life(3, 1)]);
    }

    #[test]
    fn so_many_answers_of_one_proposer_are_remembered_and_no_more() {
        let from = |node| Proposer { node: NodeId(node), incarnation: Incarnation(1) };
        let mut sessions = Sessions::default();
        sessions.remember(from(2), 1, Outcome::Done);
        (1..=limit::REPEAT_WINDOW).for_each(|seq| sessions.remember(from(1), seq, Outcome::Done));
        assert!(sessions.answer(from(1), 1).is_some());
        sessions.remember(from(1), limit::REPEAT_WINDOW + 1, Outcome::Done);
        assert!(sessions.answer(from(1), 1).is_none() && sessions.answer(from(1), 2).is_some());
        assert!(sessions.answer(from(2), 1).is_some(), "each has its own");
    }

    /// A death that is told again does not make the memory of it last for ever.
    #[test]
    fn a_life_is_over_since_it_was_said_first() {
        let from = Proposer { node: NodeId(1), incarnation: Incarnation(1) };
        let mut sessions = Sessions::default();
        sessions.remember(from, 1, Outcome::Done);
        sessions.end(from, LogTime(5));
        sessions.end(from, LogTime(60));
        sessions.forget_old(LogTime(5) + limit::SESSION_LINGER);
        assert!(sessions.answer(from, 1).is_none());
        assert_eq!(sessions.image().ended, []);
    }
}
