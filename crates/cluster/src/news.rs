//! What the leader of a shard has not looked at yet.

use std::sync::{Mutex, PoisonError};

use strowger_switch::Heard;
use tokio::sync::Notify;

/// Filled by those who hear the log, emptied by the one task that leads.
#[derive(Default)]
pub(crate) struct News {
    changed: Mutex<Heard>,
    wake: Notify,
}

impl News {
    /// Something has changed, or only the time has come to look.
    pub fn tell(&self, change: impl FnOnce(&mut Heard)) {
        change(&mut self.changed.lock().unwrap_or_else(PoisonError::into_inner));
        self.wake.notify_one();
    }

    pub fn take(&self) -> Heard {
        std::mem::take(&mut self.changed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns at once if something was told since it last did.
    pub async fn told(&self) {
        self.wake.notified().await;
    }
}
