//! The state of a group as its readers see it.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use strowger_model::{LogClock, LogNow, LogTime, Mono, Wall};
use strowger_table::Machine;

use crate::clock;

/// A group's state after a batch of entries. Published whole, never changed: a reader keeps it as long as it likes.
#[derive(Debug)]
pub struct View {
    /// The table: of a shard, or of the control group.
    pub machine: Machine,
    /// Index of the last entry applied, the consensus's own entries included; 0 also before the first.
    pub applied: u64,
    /// This process's time when the last *stamped* entry was applied here.
    pub(crate) received: Mono,
    pub(crate) clock: Arc<Clock>,
}

impl View {
    /// What the calendar says now, by the last stamp and what has passed here since: the same on all nodes but for how long
    /// an entry travels, whatever their own clocks say.
    pub fn wall_now(&self) -> Wall {
        let since = clock::boottime().since(self.received);
        Wall(self.machine.last().wall.0.saturating_add(since.as_millis() as u64))
    }

    /// What the log time is now, as far as this node can tell.
    pub fn log_now(&self) -> LogNow {
        self.clock.now(clock::boottime())
    }
}

/// A group's log time on this node: what entries tell of it, and what its leader answers between them.
#[derive(Debug)]
pub(crate) struct Clock(Mutex<LogClock>);

impl Clock {
    fn new(at: LogTime, now: Mono) -> Self {
        Self(Mutex::new(LogClock::new(at, now)))
    }

    fn now(&self, now: Mono) -> LogNow {
        self.locked(|clock| clock.now(now))
    }

    pub fn hear(&self, stamp: LogTime, now: Mono) {
        self.locked(|clock| clock.hear(stamp, now));
    }

    pub fn told(&self, time: LogTime, asked: Mono, now: Mono) {
        self.locked(|clock| clock.told(time, asked, now));
    }

    fn locked<T>(&self, with: impl FnOnce(&mut LogClock) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Where the newest view stands.
#[derive(Debug)]
pub(crate) struct ViewCell(RwLock<Arc<View>>);

impl ViewCell {
    pub fn new(machine: Machine) -> Self {
        let received = clock::boottime();
        let clock = Arc::new(Clock::new(machine.last().time, received));
        Self(RwLock::new(Arc::new(View { machine, applied: 0, received, clock })))
    }

    pub fn get(&self) -> Arc<View> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn publish(&self, view: View) -> Arc<View> {
        let view = Arc::new(view);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = view.clone();
        view
    }
}
