//! The state of a group as its readers see it.

use std::sync::{Arc, PoisonError, RwLock};

use strowger_model::{LogClock, LogTime, Mono};
use strowger_table::Machine;

use crate::clock;

/// A group's state after a batch of entries. Published whole, never changed: a reader keeps it as long as it likes.
#[derive(Debug)]
pub struct View {
    pub machine: Machine,
    /// Index of the last entry applied, the consensus's own entries included; 0 also before the first.
    pub applied: u64,
    /// This process's time when the last *stamped* entry was applied here.
    pub received: Mono,
    pub(crate) clock: LogClock,
}

impl View {
    /// What the log time is now, as far as this node can tell.
    pub fn log_now(&self) -> LogTime {
        self.clock.now(clock::boottime())
    }
}

/// Where the newest view stands.
#[derive(Debug)]
pub(crate) struct ViewCell(RwLock<Arc<View>>);

impl ViewCell {
    pub fn new(machine: Machine) -> Self {
        let received = clock::boottime();
        let clock = LogClock::new(machine.last().time, received);
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
