//! What one leg's far end hears now, and by which order.

use strowger_media::{Gain, Hears, PlayState};
use strowger_model::LegKey;

use crate::mix::Mix;
use crate::play::{Play, Tune};

#[derive(Default)]
pub(crate) struct Hearing {
    /// Number of the newest order.
    pub(crate) no: u64,
    pub(crate) now: Heard,
    /// The newest play that came to its end. It is not played again: whoever asks hears that it is over.
    finished: Option<u64>,
}

#[derive(Default)]
pub(crate) enum Heard {
    #[default]
    Nothing,
    /// Nothing until the content is there and the order comes again.
    Awaited(Tune),
    Play(Play),
    /// Nothing any more.
    Over(Tune),
    /// One leg as it comes.
    Voice(LegKey),
    Mix(Mix),
}

/// What an order means to a leg.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It is late, or said again.
    Known,
    /// The order is newer and asks for what is heard already.
    Same,
    /// The same, and it has ended.
    Over,
    Change,
}

impl Hearing {
    /// Judges an order and takes its number.
    pub(crate) fn judge(&mut self, what: &Hears, no: u64) -> Verdict {
        let again = no == self.no && matches!(self.now, Heard::Awaited(_)) && self.now.hears() == *what;
        if no <= self.no && !again {
            return Verdict::Known;
        }
        self.no = no;
        match *what {
            Hears::Content { repeat: false, play, .. } if self.finished == Some(play) => Verdict::Over,
            _ if again => Verdict::Change,
            _ if self.now.hears() == *what && !matches!(self.now, Heard::Awaited(_)) => Verdict::Same,
            _ => Verdict::Change,
        }
    }

    /// The play under way has come to its end; gives its number.
    pub(crate) fn finish(&mut self) -> Option<u64> {
        let Heard::Play(Play { tune, .. }) = self.now else { return None };
        self.finished = Some(tune.play);
        self.now = Heard::Over(tune);
        self.finished
    }
}

impl Heard {
    /// Voices of other legs.
    pub(crate) fn voices(list: &[(LegKey, Gain)]) -> Self {
        match list {
            [] => Heard::Nothing,
            [(source, Gain::UNITY)] => Heard::Voice(*source),
            _ => Heard::Mix(Mix::new(list)),
        }
    }

    /// Other voices from now on; in a mix, those that stay go on without a break.
    pub(crate) fn change(self, list: &[(LegKey, Gain)]) -> Self {
        match (self, Heard::voices(list)) {
            (Heard::Mix(mut mix), Heard::Mix(_)) => {
                mix.change(list);
                Heard::Mix(mix)
            }
            (_, heard) => heard,
        }
    }

    pub(crate) fn sources(&self) -> Vec<LegKey> {
        match self {
            Heard::Voice(source) => vec![*source],
            Heard::Mix(mix) => mix.sources().collect(),
            Heard::Nothing | Heard::Awaited(_) | Heard::Play(_) | Heard::Over(_) => Vec::new(),
        }
    }

    /// Whether a frame is due every 20 ms.
    pub(crate) fn ticks(&self) -> bool {
        matches!(self, Heard::Play(_) | Heard::Mix(_))
    }

    pub(crate) fn hears(&self) -> Hears {
        match self {
            Heard::Nothing => Hears::Nothing,
            Heard::Awaited(tune) | Heard::Over(tune) | Heard::Play(Play { tune, .. }) => {
                Hears::Content { digest: tune.digest, repeat: tune.repeat, play: tune.play }
            }
            Heard::Voice(source) => Hears::leg(*source),
            Heard::Mix(mix) => Hears::Legs(mix.list()),
        }
    }

    pub(crate) fn play(&self) -> Option<PlayState> {
        match self {
            Heard::Awaited(_) => Some(PlayState::Awaited),
            Heard::Play(_) => Some(PlayState::Playing),
            Heard::Over(_) => Some(PlayState::Over),
            Heard::Nothing | Heard::Voice(_) | Heard::Mix(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use strowger_model::{CallId, Digest, LegNo};

    use super::*;

    fn prompt(play: u64) -> Hears {
        Hears::Content { digest: Digest([1; 32]), repeat: false, play }
    }

    fn tune(play: u64) -> Tune {
        Tune { digest: Digest([1; 32]), repeat: false, play }
    }

    fn playing(play: u64) -> Heard {
        Heard::Play(Play::new(tune(play), Arc::from([7; 10])))
    }

    fn voice() -> Hears {
        Hears::leg(LegKey { call: CallId(1), leg: LegNo(2) })
    }

    #[test]
    fn late_and_repeated_orders_change_nothing() {
        let mut hearing = Hearing::default();
        assert_eq!(hearing.judge(&prompt(5), 10), Verdict::Change);
        hearing.now = playing(5);
        assert_eq!(hearing.judge(&prompt(5), 10), Verdict::Known);
        assert_eq!(hearing.judge(&voice(), 9), Verdict::Known);
        assert_eq!(hearing.judge(&voice(), 10), Verdict::Known);
        assert_eq!(hearing.judge(&prompt(5), 11), Verdict::Same);
        assert_eq!(hearing.no, 11);
        assert_eq!(hearing.judge(&prompt(4), 12), Verdict::Change, "a lower play by a newer order");
    }

    #[test]
    fn a_play_that_ended_is_said_to_be_over_by_newer_orders_only() {
        let mut hearing = Hearing { no: 1, now: playing(5), finished: None };
        assert_eq!(hearing.finish(), Some(5));
        assert_eq!(hearing.finish(), None);
        assert_eq!((hearing.now.hears(), hearing.now.play()), (prompt(5), Some(PlayState::Over)));
        assert_eq!(hearing.judge(&prompt(5), 1), Verdict::Known);
        assert_eq!(hearing.judge(&prompt(5), 2), Verdict::Over);
        assert_eq!(hearing.judge(&voice(), 3), Verdict::Change);
        hearing.now = Heard::voices(&[(LegKey { call: CallId(1), leg: LegNo(2) }, Gain::UNITY)]);
        assert_eq!(hearing.judge(&prompt(5), 4), Verdict::Over, "also after something else was heard");
        assert_eq!(hearing.judge(&prompt(6), 5), Verdict::Change);
    }

    #[test]
    fn awaited_content_begins_by_the_same_order() {
        let mut hearing = Hearing { no: 3, now: Heard::Awaited(tune(5)), finished: None };
        assert_eq!(hearing.judge(&prompt(6), 3), Verdict::Known);
        assert_eq!(hearing.judge(&prompt(5), 3), Verdict::Change);
        assert_eq!(hearing.judge(&prompt(5), 4), Verdict::Change);
        hearing.now = Heard::Nothing;
        assert_eq!(hearing.judge(&prompt(5), 4), Verdict::Known, "it was taken back meanwhile");
    }
}
