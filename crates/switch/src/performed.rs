//! Duties performed, on their way to the log: gathered for a moment, then said in one entry of a shard, of which one is
//! under way at a time. So a call's duties travel with those of others.

use std::collections::BTreeMap;

use strowger_model::{CallId, Mono, ShardId};
use strowger_table::Command;

use crate::limit::GATHER;

/// Duties in one entry: 64 KiB at the most, so that calls' entries do not wait long behind it.
const PER_ENTRY: usize = 4096;

type Duty = (CallId, u32);

/// Nobody waits for what is said here, and it must not be lost: a duty that stays open is performed again by the next
/// owner, or keeps its row until its time is over.
#[derive(Debug, Default)]
pub struct Performed(BTreeMap<ShardId, Line>);

#[derive(Debug, Default)]
struct Line {
    waiting: Vec<Duty>,
    /// When what waits is said, unless an entry is under way then.
    due: Mono,
    /// In the entry that is under way; empty: none is.
    said: Vec<Duty>,
}

impl Performed {
    /// What actors here have done: call and number of the duty.
    pub fn take(&mut self, duties: impl IntoIterator<Item = Duty>, now: Mono) {
        for duty in duties {
            let line = self.0.entry(duty.0.shard()).or_default();
            if line.waiting.is_empty() {
                line.due = now + GATHER;
            }
            line.waiting.push(duty);
        }
    }

    /// When an entry begins next, if nothing happens before.
    pub fn due(&self) -> Option<Mono> {
        self.0.values().filter(|line| line.is_next()).map(|line| line.due).min()
    }

    /// The entries that begin now; what became of each goes to `answered`.
    pub fn say(&mut self, now: Mono) -> Vec<(ShardId, Command)> {
        let lines = self.0.iter_mut().filter(|(_, line)| line.is_next() && line.due <= now);
        lines.map(|(shard, line)| (*shard, line.next())).collect()
    }

    /// Whether a shard's entry was committed; if nobody knows, it is said again: doing it twice changes nothing.
    pub fn answered(&mut self, shard: ShardId, committed: bool) {
        let Some(line) = self.0.get_mut(&shard) else { return };
        let said = std::mem::take(&mut line.said);
        if !committed {
            line.waiting.splice(..0, said);
            line.due = Mono::ZERO;
        }
    }
}

impl Line {
    fn is_next(&self) -> bool {
        !self.waiting.is_empty() && self.said.is_empty()
    }

    fn next(&mut self) -> Command {
        debug_assert!(self.is_next(), "one entry of a shard is under way at a time, and none without a duty");
        let many = self.waiting.len().min(PER_ENTRY);
        self.said = self.waiting.drain(..many).collect();
        debug_assert!(self.said.iter().all(|duty| duty.0.shard() == self.said[0].0.shard()), "of one shard");
        Command::Done { duties: self.said.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARD: ShardId = ShardId(0);
    const OTHER: ShardId = ShardId(1);
    const START: Mono = Mono::ZERO;

    fn duty(shard: ShardId, number: u32) -> Duty {
        (CallId::new(shard, 7), number)
    }

    fn done(shard: ShardId, numbers: impl IntoIterator<Item = u32>) -> (ShardId, Command) {
        (shard, Command::Done { duties: numbers.into_iter().map(|number| duty(shard, number)).collect() })
    }

    #[test]
    fn what_is_performed_within_the_time_to_gather_is_one_entry() {
        let mut performed = Performed::default();
        performed.take([duty(SHARD, 1)], START);
        performed.take([duty(SHARD, 2)], START + GATHER / 2);
        assert_eq!((performed.due(), performed.say(START + GATHER / 2)), (Some(START + GATHER), Vec::new()));
        assert_eq!(performed.say(START + GATHER), [done(SHARD, [1, 2])]);
        assert_eq!(performed.due(), None);
    }

    #[test]
    fn what_is_performed_while_an_entry_is_under_way_waits_for_its_answer() {
        let (mut performed, later) = (Performed::default(), START + GATHER);
        performed.take([duty(SHARD, 1)], START);
        assert_eq!(performed.say(later), [done(SHARD, [1])]);
        performed.take([duty(SHARD, 2)], START + GATHER);
        assert_eq!((performed.due(), performed.say(later + GATHER)), (None, Vec::new()));
        performed.answered(SHARD, true);
        assert_eq!((performed.due(), performed.say(later + GATHER)), (Some(later + GATHER), vec![done(SHARD, [2])]));
        performed.answered(SHARD, true);
        assert_eq!(performed.due(), None);
    }

    #[test]
    fn shards_do_not_wait_for_one_another() {
        let (mut performed, later) = (Performed::default(), START + GATHER);
        performed.take([duty(OTHER, 1), duty(SHARD, 2), duty(OTHER, 3)], START);
        assert_eq!(performed.say(later), [done(SHARD, [2]), done(OTHER, [1, 3])]);
        performed.take([duty(SHARD, 4), duty(OTHER, 5)], START);
        performed.take([duty(ShardId(2), 6)], START + GATHER / 2);
        assert_eq!(performed.due(), Some(START + GATHER + GATHER / 2), "the others have an entry under way");
        performed.answered(OTHER, true);
        assert_eq!(performed.due(), Some(later), "the first of all");
        assert_eq!(performed.say(later), [done(OTHER, [5])]);
    }

    #[test]
    fn what_was_lost_is_said_again_at_once_and_first() {
        let (mut performed, later) = (Performed::default(), START + GATHER);
        performed.take([duty(SHARD, 1)], START);
        performed.say(later);
        performed.take([duty(SHARD, 2)], later);
        performed.answered(SHARD, false);
        assert_eq!(performed.say(later), [done(SHARD, [1, 2])]);
    }

    #[test]
    fn an_entry_has_its_size() {
        let (mut performed, later) = (Performed::default(), START + GATHER);
        let many = PER_ENTRY as u32 + 1;
        performed.take((0..many).map(|number| duty(SHARD, number)), START);
        assert_eq!(performed.say(later), [done(SHARD, 0..PER_ENTRY as u32)]);
        performed.answered(SHARD, true);
        assert_eq!(performed.say(later), [done(SHARD, PER_ENTRY as u32..many)]);
    }
}
