//! Orders about what a far end hears.

use strowger_media::{Hears, MAX_SOURCES, Refusal, RelayAnswer, What};
use strowger_model::{LegKey, Mono};

use crate::hearing::{Heard, Verdict};
use crate::play::{Play, Tune};
use crate::roster::Slot;
use crate::worker::Worker;

impl Worker {
    pub(crate) fn hear(&mut self, key: LegKey, what: Hears, no: u64, now: Mono) -> Result<RelayAnswer, Refusal> {
        let slot = self.slot(key)?;
        check(key, &what)?;
        let verdict = self.roster.get_mut(slot).ok_or(Refusal::NoSuchLeg)?.hearing.judge(&what, no);
        if matches!(verdict, Verdict::Known | Verdict::Same) {
            return Ok(RelayAnswer::Done);
        }
        match what {
            Hears::Nothing => self.tune(slot, |_| Heard::Nothing, now),
            Hears::Legs(list) => self.tune(slot, |before| before.change(&list), now),
            Hears::Content { digest, repeat, play } => {
                return Ok(self.play(slot, Tune { digest, repeat, play }, verdict, now));
            }
        }
        Ok(RelayAnswer::Done)
    }

    fn play(&mut self, slot: Slot, tune: Tune, verdict: Verdict, now: Mono) -> RelayAnswer {
        if verdict == Verdict::Over {
            self.tune(slot, |_| Heard::Over(tune), now);
            let key = self.roster.get(slot).map(|leg| leg.key);
            self.tally.news.extend(key.map(|key| (key, What::PlayDone { play: tune.play })));
            return RelayAnswer::Done;
        }
        match self.shelf.get(tune.digest) {
            Some(samples) => {
                self.tune(slot, |_| Heard::Play(Play::new(tune, samples)), now);
                RelayAnswer::Done
            }
            None => {
                self.tune(slot, |_| Heard::Awaited(tune), now);
                RelayAnswer::NeedContent { content: tune.digest }
            }
        }
    }

    /// Lets a leg hear something else.
    pub(crate) fn tune(&mut self, slot: Slot, next: impl FnOnce(Heard) -> Heard, now: Mono) {
        let Some(leg) = self.roster.get_mut(slot) else { return };
        let before = std::mem::take(&mut leg.hearing.now);
        let (ticked, old) = (before.ticks(), before.sources());
        leg.hearing.now = next(before);
        let (ticks, new) = (leg.hearing.now.ticks(), leg.hearing.now.sources());
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
        self.roster.get_mut(slot).into_iter().for_each(|leg| leg.audience = audience.clone());
    }
}

/// Whether a leg can hear that at all.
fn check(key: LegKey, what: &Hears) -> Result<(), Refusal> {
    let sources: Vec<LegKey> = what.sources().collect();
    if sources.contains(&key) {
        return Err(Refusal::SameLeg);
    }
    let twice = sources.iter().enumerate().any(|(at, source)| sources[..at].contains(source));
    if twice || sources.len() > MAX_SOURCES { Err(Refusal::BadSources) } else { Ok(()) }
}
