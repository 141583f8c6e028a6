//! How one leg's far end gets to hear what it was ordered to.

use strowger_media::Gain;
use strowger_model::LegKey;

use crate::mix::Mix;
use crate::play::Play;

#[derive(Default)]
pub(crate) enum Heard {
    #[default]
    Nothing,
    Play(Play),
    /// One leg as it comes.
    Voice(LegKey),
    Mix(Mix),
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
            Heard::Nothing | Heard::Play(_) => Vec::new(),
        }
    }

    /// Whether a frame is due every 20 ms.
    pub(crate) fn ticks(&self) -> bool {
        matches!(self, Heard::Play(_) | Heard::Mix(_))
    }
}
