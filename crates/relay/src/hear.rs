//! Orders about what a far end hears.

use strowger_media::{Hears, MAX_SOURCES, Refusal, RelayAnswer, Verdict, What};
use strowger_model::{LegKey, Mono};

use crate::heard::Heard;
use crate::play::Play;
use crate::slab::Slot;
use crate::worker::Worker;

impl Worker {
    pub(crate) fn hear(&mut self, key: LegKey, what: Hears, no: u64, now: Mono) -> Result<RelayAnswer, Refusal> {
        let slot = self.slot(key)?;
        check(key, &what)?;
        let leg = self.legs.get_mut(slot).ok_or(Refusal::NoSuchLeg)?;
        match (leg.hearing.judge(&what, no), what) {
            (Verdict::Known | Verdict::Same, _) => {}
            (Verdict::Over { play }, _) => {
                self.tune(slot, |_| Heard::Nothing, now);
                self.tally.news.push((key, What::PlayDone { play }));
            }
            (Verdict::Change, Hears::Nothing) => self.tune(slot, |_| Heard::Nothing, now),
            (Verdict::Change, Hears::Legs(list)) => self.tune(slot, |before| before.change(&list), now),
            (Verdict::Change, Hears::Content { digest, repeat, .. }) => {
                let Some(samples) = self.contents.get(digest) else {
                    leg.hearing.lacks_content();
                    self.tune(slot, |_| Heard::Nothing, now);
                    return Ok(RelayAnswer::NeedContent { content: digest });
                };
                self.tune(slot, |_| Heard::Play(Play::new(samples, repeat)), now);
            }
        }
        Ok(RelayAnswer::Done)
    }

    /// Lets a leg hear something else.
    pub(crate) fn tune(&mut self, slot: Slot, next: impl FnOnce(Heard) -> Heard, now: Mono) {
        let Some(leg) = self.legs.get_mut(slot) else { return };
        let before = std::mem::take(&mut leg.heard);
        let (ticked, old) = (before.ticks(), before.sources());
        leg.heard = next(before);
        let (ticks, new) = (leg.heard.ticks(), leg.heard.sources());
        if !(ticked && ticks) {
            leg.out.pause();
        }
        match (ticked, ticks) {
            (false, true) => self.wheel.add(slot, now),
            (true, false) => self.wheel.remove(slot),
            _ => {}
        }
        let hops = self.outlet.hops();
        for &source in old.iter().filter(|source| !new.contains(source)) {
            if self.ears.remove(source, slot) {
                hops.listen(self.thread, source, false);
            }
        }
        for &source in new.iter().filter(|source| !old.contains(source)) {
            if self.ears.add(source, slot) {
                hops.listen(self.thread, source, true);
            }
        }
        old.into_iter().chain(new).for_each(|source| self.gather(source));
    }

    /// Tells a leg of this thread who hears it here.
    pub(crate) fn gather(&mut self, source: LegKey) {
        let Ok(slot) = self.slot(source) else { return };
        let audience = self.ears.audience(source);
        self.legs.get_mut(slot).into_iter().for_each(|leg| leg.audience = audience.clone());
    }
}

/// Whether a leg can hear that at all.
fn check(key: LegKey, what: &Hears) -> Result<(), Refusal> {
    let sources: Vec<LegKey> = what.sources().collect();
    if sources.contains(&key) {
        return Err(Refusal::SameLeg);
    }
    // Counted first: a message has room for a million.
    let twice = || sources.iter().enumerate().any(|(at, source)| sources[..at].contains(source));
    if sources.len() > MAX_SOURCES || twice() { Err(Refusal::BadSources) } else { Ok(()) }
}
