//! The log as a model: one order of entries, a leader that may be lost with what it has not committed.

use std::collections::VecDeque;
use std::rc::Rc;

use strowger_model::{LogTime, Mono, Wall};
use strowger_switch::Task;
use strowger_table::{At, Proposal, Ticks};

use crate::happening::Who;

pub(crate) struct Entry {
    pub at: At,
    /// None for the first entry of a term.
    pub proposal: Option<Rc<Proposal>>,
}

/// Who waits for an entry's outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Waiter {
    Nobody,
    Process {
        who: Who,
        seq: u64,
    },
    /// The leader's own: its errands wait for one another.
    Errand(Errand),
    /// The new leader, for the first entry of its term.
    Seat,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Errand {
    /// One of the switch's rules.
    Rule(Task),
    Tick,
}

pub(crate) struct Pending {
    pub entry: Entry,
    pub waiter: Waiter,
}

/// Who leads, since when it may propose, and how it stamps.
#[derive(Clone, Debug)]
pub(crate) struct Leader {
    pub who: Who,
    pub seated: Option<Seat>,
}

#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub since: Mono,
    /// Log time and own clock at the last entry before its own.
    anchor: (LogTime, Mono),
    pub ticks: Ticks,
}

#[derive(Default)]
pub(crate) struct Log {
    /// What the clocks on the walls showed as the world began.
    began: Wall,
    pub term: u64,
    pub leader: Option<Leader>,
    committed: Vec<Entry>,
    pending: VecDeque<Pending>,
    /// Commits come one after the other.
    pub next_commit: Mono,
    /// Who is to lead next.
    pub heir: Option<usize>,
    /// When the shard last lost its leader.
    pub lost: Mono,
}

impl Log {
    pub fn new(began: Wall) -> Self {
        Self { began, ..Self::default() }
    }

    /// What every clock on a wall shows.
    pub fn wall(&self, now: Mono) -> Wall {
        Wall(self.began.0 + now.0 / 1000)
    }

    /// Index of the last committed entry.
    pub fn last(&self) -> u64 {
        self.committed.len() as u64
    }

    pub fn entry(&self, index: u64) -> &Entry {
        &self.committed[index as usize - 1]
    }

    pub fn seat(&self) -> Option<(Who, &Seat)> {
        let leader = self.leader.as_ref()?;
        Some((leader.who, leader.seated.as_ref()?))
    }

    pub fn seat_mut(&mut self) -> Option<&mut Seat> {
        self.leader.as_mut()?.seated.as_mut()
    }

    /// Stamps a proposal and writes it behind the others; it is not committed yet. Gives its index.
    pub fn write(&mut self, proposal: Option<Rc<Proposal>>, waiter: Waiter, now: Mono) -> u64 {
        let index = self.last() + self.pending.len() as u64 + 1;
        let time = match self.seat_mut() {
            Some(seat) => {
                seat.ticks.wrote(now);
                seat.log_now(now)
            }
            None => LogTime::ZERO,
        };
        let at = At { index, time, wall: self.wall(now) };
        self.pending.push_back(Pending { entry: Entry { at, proposal }, waiter });
        index
    }

    /// The oldest entry that is not committed becomes so.
    pub fn commit(&mut self) -> Option<Waiter> {
        let Pending { entry, waiter } = self.pending.pop_front()?;
        self.committed.push(entry);
        Some(waiter)
    }

    /// The leader is gone. Of what it had written, the first few entries were on a majority's disks.
    pub fn lose(&mut self, survive: u64, now: Mono) {
        self.leader = None;
        self.heir = None;
        self.term += 1;
        self.lost = now;
        self.pending.truncate(survive as usize);
        // Whoever waits asks again.
        self.pending.iter_mut().for_each(|pending| pending.waiter = Waiter::Nobody);
    }

    pub fn under_way(&self) -> u64 {
        self.pending.len() as u64
    }
}

impl Seat {
    pub fn new(anchor: (LogTime, Mono), now: Mono) -> Self {
        Self { since: now, anchor, ticks: Ticks::new(now) }
    }

    pub fn log_now(&self, now: Mono) -> LogTime {
        self.anchor.0 + now.since(self.anchor.1)
    }
}
