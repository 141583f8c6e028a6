//! What a leg's far end hears.

use strowger_model::{Digest, LegKey};

/// What one far end hears at a time. Whoever owns the call says the whole of it; nothing is added to what was.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum Hears {
    /// No voice and no content.
    #[default]
    Nothing,
    /// A prompt or music.
    Content {
        /// Which piece.
        digest: Digest,
        /// Begins anew at its end, until something else is heard.
        repeat: bool,
        /// Which playing of it, from the row: the log index of the entry that made it. The same number said again, by
        /// whomever, is the same playing and goes on where it is.
        play: u64,
    },
    /// The voices of other legs, each at its gain, at most [`MAX_SOURCES`]; none of them is `Nothing`. One voice at [`Gain::UNITY`] is forwarded as
    /// it comes; everything else is mixed.
    Legs(Vec<(LegKey, Gain)>),
}

/// Voices one far end can hear: the other legs of a call with 16, which is the most a row has.
pub const MAX_SOURCES: usize = 15;

/// How loud a voice is in a mix, in 1/256: 256 leaves it as it is, 0 silences it.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub struct Gain(pub u16);

impl Gain {
    /// As it comes.
    pub const UNITY: Gain = Gain(256);

    /// A sample at this gain, not yet bounded to 16 bits.
    pub fn of(self, sample: i16) -> i32 {
        i32::from(sample) * i32::from(self.0) / i32::from(Gain::UNITY.0)
    }
}

impl Default for Gain {
    fn default() -> Self {
        Gain::UNITY
    }
}

impl Hears {
    /// One voice, as it comes.
    pub fn leg(source: LegKey) -> Self {
        Hears::Legs(vec![(source, Gain::UNITY)])
    }

    /// Whose voices are heard.
    pub fn sources(&self) -> impl Iterator<Item = LegKey> {
        let list = match self {
            Hears::Legs(list) => &list[..],
            Hears::Nothing | Hears::Content { .. } => &[],
        };
        list.iter().map(|&(source, _)| source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gain_is_exact_at_its_ends() {
        assert_eq!((Gain::UNITY.of(i16::MIN), Gain::UNITY.of(i16::MAX)), (-32_768, 32_767));
        assert_eq!((Gain(0).of(i16::MAX), Gain(128).of(-1000), Gain(512).of(1000)), (0, -500, 2000));
        assert_eq!(Gain(u16::MAX).of(i16::MIN), -8_388_480);
    }
}
