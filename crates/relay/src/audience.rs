//! Who hears whom on one thread.

use std::collections::HashMap;

use strowger_model::LegKey;

use crate::slab::Slot;

/// The legs of one thread that hear a leg of it. Nearly always one, which is found without a look elsewhere.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub(crate) struct Audience {
    pub(crate) first: Option<Slot>,
    pub(crate) more: Vec<Slot>,
}

/// The hearers on one thread, by whom they hear: a leg of this thread, of another, or of another relay. The source need not
/// be there yet.
#[derive(Default)]
pub(crate) struct Ears(HashMap<LegKey, Vec<Slot>>);

impl Ears {
    pub(crate) fn of(&self, source: LegKey) -> &[Slot] {
        self.0.get(&source).map_or(&[], |slots| slots)
    }

    pub(crate) fn audience(&self, source: LegKey) -> Audience {
        match self.of(source) {
            [] => Audience::default(),
            [first, more @ ..] => Audience { first: Some(*first), more: more.to_vec() },
        }
    }

    /// True if it is the first.
    pub(crate) fn add(&mut self, source: LegKey, hearer: Slot) -> bool {
        let slots = self.0.entry(source).or_default();
        debug_assert!(!slots.contains(&hearer), "a leg hears another one once");
        slots.push(hearer);
        slots.len() == 1
    }

    /// True if it was the last.
    pub(crate) fn remove(&mut self, source: LegKey, hearer: Slot) -> bool {
        let Some(slots) = self.0.get_mut(&source) else { return false };
        slots.retain(|slot| *slot != hearer);
        let last = slots.is_empty();
        if last {
            self.0.remove(&source);
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use strowger_model::{CallId, LegNo};

    use super::*;

    #[test]
    fn hearers_come_and_go() {
        let key = LegKey { call: CallId(1), leg: LegNo(0) };
        let mut ears = Ears::default();
        assert_eq!(ears.audience(key), Audience::default());
        assert!(ears.add(key, Slot(4)) && !ears.add(key, Slot(5)));
        assert_eq!(ears.audience(key), Audience { first: Some(Slot(4)), more: vec![Slot(5)] });
        assert!(!ears.remove(key, Slot(4)) && ears.remove(key, Slot(5)) && !ears.remove(key, Slot(5)));
        assert!(ears.0.is_empty());
    }
}
