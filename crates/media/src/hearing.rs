//! What orders to hear something come to: the rule of a relay, which the simulator's relay runs, too.

use crate::{Hears, PlayState};

/// What one far end hears now, and by which order. How it gets to hear it is not told here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hearing {
    no: u64,
    what: Hears,
    play: Option<PlayState>,
    /// The newest play that came to its end. It is not played again: whoever asks for it hears that it is over.
    finished: Option<u64>,
}

/// What an order means to a leg.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is late, or said again.
    Known,
    /// It is newer and asks for what is heard already.
    Same,
    /// It asks for a play that has ended: `PlayDone` is said again, and nothing is heard.
    Over {
        /// As numbered by the `Hear` that began it.
        play: u64,
    },
    /// Something else is heard from now on. If content is missing, [`Hearing::lacks_content`] says so.
    Change,
}

impl Hearing {
    /// Judges an order, and holds to it unless it is late.
    pub fn judge(&mut self, what: &Hears, no: u64) -> Verdict {
        let (same, awaited) = (self.what == *what, self.play == Some(PlayState::Awaited));
        if no < self.no || (no == self.no && !(same && awaited)) {
            return Verdict::Known;
        }
        self.no = no;
        if same && !awaited && self.play != Some(PlayState::Over) {
            return Verdict::Same;
        }
        self.what = what.clone();
        match *what {
            Hears::Content { repeat: false, play, .. } if self.finished == Some(play) => {
                self.play = Some(PlayState::Over);
                return Verdict::Over { play };
            }
            Hears::Content { .. } => self.play = Some(PlayState::Playing),
            Hears::Nothing | Hears::Legs(_) => self.play = None,
        }
        Verdict::Change
    }

    /// The content is not there: nothing is heard until the same order comes again.
    pub fn lacks_content(&mut self) {
        if self.play.is_some() {
            self.play = Some(PlayState::Awaited);
        }
    }

    /// What plays has come to its end; gives its number, once.
    pub fn finish(&mut self) -> Option<u64> {
        match (self.play, &self.what) {
            (Some(PlayState::Playing), &Hears::Content { play, .. }) => {
                self.play = Some(PlayState::Over);
                self.finished = Some(play);
                self.finished
            }
            _ => None,
        }
    }

    /// What the newest order says, played to its end or not.
    pub fn what(&self) -> &Hears {
        &self.what
    }

    /// Number of the newest order; 0 before the first.
    pub fn no(&self) -> u64 {
        self.no
    }

    /// None unless it is content.
    pub fn play(&self) -> Option<PlayState> {
        self.play
    }
}

#[cfg(test)]
mod tests {
    use strowger_model::{CallId, Digest, LegKey, LegNo};

    use super::*;

    fn prompt(play: u64) -> Hears {
        Hears::Content { digest: Digest([1; 32]), repeat: false, play }
    }

    fn voice() -> Hears {
        Hears::leg(LegKey { call: CallId(1), leg: LegNo(2) })
    }

    #[test]
    fn late_and_repeated_orders_change_nothing() {
        let mut hearing = Hearing::default();
        assert_eq!(hearing.judge(&prompt(5), 10), Verdict::Change);
        assert_eq!(hearing.judge(&prompt(5), 10), Verdict::Known);
        assert_eq!(hearing.judge(&voice(), 9), Verdict::Known);
        assert_eq!(hearing.judge(&voice(), 10), Verdict::Known);
        assert_eq!((hearing.what(), hearing.play()), (&prompt(5), Some(PlayState::Playing)));
        assert_eq!(hearing.judge(&prompt(5), 11), Verdict::Same);
        assert_eq!(hearing.no(), 11);
        assert_eq!(hearing.judge(&prompt(4), 12), Verdict::Change, "a lower play by a newer order");
        assert_eq!(hearing.judge(&Hears::Nothing, 13), Verdict::Change);
        assert_eq!(hearing.play(), None);
    }

    #[test]
    fn a_play_that_ended_is_said_to_be_over_by_newer_orders_only() {
        let mut hearing = Hearing::default();
        hearing.judge(&prompt(5), 1);
        assert_eq!((hearing.finish(), hearing.finish()), (Some(5), None));
        assert_eq!((hearing.what(), hearing.play()), (&prompt(5), Some(PlayState::Over)));
        assert_eq!(hearing.judge(&prompt(5), 1), Verdict::Known);
        assert_eq!(hearing.judge(&prompt(5), 2), Verdict::Over { play: 5 });
        assert_eq!(hearing.judge(&voice(), 3), Verdict::Change);
        assert_eq!(hearing.judge(&prompt(5), 4), Verdict::Over { play: 5 }, "also after something else was heard");
        assert_eq!(hearing.judge(&prompt(6), 5), Verdict::Change);
    }

    #[test]
    fn a_play_that_was_interrupted_begins_anew() {
        let mut hearing = Hearing::default();
        hearing.judge(&prompt(5), 1);
        hearing.judge(&voice(), 2);
        assert_eq!(hearing.finish(), None);
        assert_eq!(hearing.judge(&prompt(5), 3), Verdict::Change);
    }

    #[test]
    fn awaited_content_begins_by_the_same_order() {
        let mut hearing = Hearing::default();
        hearing.judge(&prompt(5), 3);
        hearing.lacks_content();
        assert_eq!((hearing.play(), hearing.finish()), (Some(PlayState::Awaited), None));
        assert_eq!(hearing.judge(&prompt(6), 3), Verdict::Known);
        assert_eq!(hearing.judge(&prompt(5), 3), Verdict::Change);
        hearing.lacks_content();
        assert_eq!(hearing.judge(&prompt(5), 4), Verdict::Change);
        hearing.lacks_content();
        hearing.judge(&Hears::Nothing, 5);
        assert_eq!(hearing.judge(&prompt(5), 4), Verdict::Known, "it was taken back meanwhile");
    }
}
