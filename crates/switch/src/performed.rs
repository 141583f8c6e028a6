//! Duties performed, on their way to the log: one entry of a shard is under way at a time, what is performed meanwhile
//! goes with the next. So a quiet node's duties wait for nothing, and a busy one's travel together.

use std::collections::BTreeMap;

use strowger_model::{CallId, ShardId};
use strowger_table::Command;

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
    /// In the entry that is under way; empty: none is.
    said: Vec<Duty>,
}

impl Performed {
    /// The entries that begin now; what became of each goes to `answered`.
    pub fn say(&mut self, duties: impl IntoIterator<Item = Duty>) -> Vec<(ShardId, Command)> {
        let mut lines = Vec::new();
        for duty in duties {
            let shard = duty.0.shard();
            self.0.entry(shard).or_default().waiting.push(duty);
            lines.push(shard);
        }
        lines.sort_unstable();
        lines.dedup();
        lines.into_iter().filter_map(|shard| Some((shard, self.next(shard)?))).collect()
    }

    /// Whether a shard's entry was committed; if nobody knows, it is said again: doing it twice changes nothing. Gives
    /// the next entry.
    pub fn answered(&mut self, shard: ShardId, committed: bool) -> Option<Command> {
        let line = self.0.get_mut(&shard)?;
        let said = std::mem::take(&mut line.said);
        if !committed {
            line.waiting.splice(..0, said);
        }
        self.next(shard)
    }

    fn next(&mut self, shard: ShardId) -> Option<Command> {
        let line = self.0.get_mut(&shard)?;
        if line.waiting.is_empty() || !line.said.is_empty() {
            return None;
        }
        let many = line.waiting.len().min(PER_ENTRY);
        line.said = line.waiting.drain(..many).collect();
        Some(Command::Done { duties: line.said.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARD: ShardId = ShardId(0);
    const OTHER: ShardId = ShardId(1);

    fn duty(shard: ShardId, number: u32) -> Duty {
        (CallId::new(shard, 7), number)
    }

    fn done(shard: ShardId, numbers: impl IntoIterator<Item = u32>) -> Command {
        Command::Done { duties: numbers.into_iter().map(|number| duty(shard, number)).collect() }
    }

    #[test]
    fn what_is_performed_while_an_entry_is_under_way_goes_with_the_next() {
        let mut performed = Performed::default();
        assert_eq!(performed.say([duty(SHARD, 1), duty(SHARD, 2)]), [(SHARD, done(SHARD, [1, 2]))]);
        assert_eq!(performed.say([duty(SHARD, 3)]), []);
        assert_eq!(performed.say([duty(SHARD, 4)]), []);
        assert_eq!(performed.answered(SHARD, true), Some(done(SHARD, [3, 4])));
        assert_eq!(performed.answered(SHARD, true), None);
        assert_eq!(performed.say([duty(SHARD, 5)]), [(SHARD, done(SHARD, [5]))], "nothing is under way");
    }

    #[test]
    fn shards_do_not_wait_for_one_another() {
        let mut performed = Performed::default();
        let both = performed.say([duty(OTHER, 1), duty(SHARD, 2), duty(OTHER, 3)]);
        assert_eq!(both, [(SHARD, done(SHARD, [2])), (OTHER, done(OTHER, [1, 3]))]);
        assert_eq!(performed.say([duty(SHARD, 4), duty(OTHER, 5)]), []);
        assert_eq!(performed.answered(OTHER, true), Some(done(OTHER, [5])));
    }

    #[test]
    fn what_was_lost_is_said_again_first() {
        let mut performed = Performed::default();
        performed.say([duty(SHARD, 1)]);
        performed.say([duty(SHARD, 2)]);
        assert_eq!(performed.answered(SHARD, false), Some(done(SHARD, [1, 2])));
        assert_eq!(performed.answered(SHARD, true), None);
    }

    #[test]
    fn an_entry_has_its_size() {
        let mut performed = Performed::default();
        let many = PER_ENTRY as u32 + 1;
        let first = performed.say((0..many).map(|number| duty(SHARD, number)));
        assert_eq!(first, [(SHARD, done(SHARD, 0..PER_ENTRY as u32))]);
        assert_eq!(performed.answered(SHARD, true), Some(done(SHARD, PER_ENTRY as u32..many)));
    }
}
