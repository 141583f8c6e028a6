//! What this node has begun: it ends with the node.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};

/// All that a node has begun.
pub(crate) struct Begun {
    /// Broken off when the node stops.
    pub tasks: Tasks,
    /// Each sits beside an actor, and ends with it.
    pub acting: Tasks,
    /// What calls have proposed, until its outcome is told.
    pub proposing: Tasks,
}

impl Begun {
    pub fn new() -> Self {
        Self { tasks: Tasks::new(), acting: Tasks::new(), proposing: Tasks::new() }
    }
}

/// A task that breaks whenever it begins must not fill the log.
const BEGINS_ANEW: Duration = Duration::from_secs(1);

/// None: they have ended, and none is begun any more.
pub(crate) struct Tasks(Mutex<Option<JoinSet<()>>>);

impl Tasks {
    pub fn new() -> Self {
        Self(Mutex::new(Some(JoinSet::new())))
    }

    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut running = self.lock();
        let Some(running) = running.as_mut() else { return };
        while let Some(ended) = running.try_join_next() {
            tell(ended);
        }
        running.spawn(task);
    }

    /// A task that the node needs as long as it lives, and that knows nothing which its next beginning could not find
    /// out: one that breaks begins anew after a second.
    pub fn keep<F>(&self, name: &'static str, task: impl Fn() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn(async move {
            loop {
                // Ends with this task.
                let mut running = JoinSet::new();
                running.spawn(task());
                match running.join_next().await {
                    Some(Err(fault)) if fault.is_panic() => {
                        tracing::error!(task = name, %fault, "a task of this node broke, and begins anew");
                    }
                    _ => return,
                }
                tokio::time::sleep(BEGINS_ANEW).await;
            }
        });
    }

    /// Breaks all of them off; returns when they have let go of what they held.
    pub async fn end(&self) {
        if let Some(mut running) = self.take() {
            running.shutdown().await;
        }
    }

    /// Returns when each has come to its own end.
    pub async fn ended(&self) {
        let Some(mut running) = self.take() else { return };
        while let Some(ended) = running.join_next().await {
            tell(ended);
        }
    }

    fn take(&self) -> Option<JoinSet<()>> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<JoinSet<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that was broken off is no news.
fn tell(ended: Result<(), JoinError>) {
    if let Err(fault) = ended
        && fault.is_panic()
    {
        tracing::error!(%fault, "a task of this node broke");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn what_waits_for_ever_ends_and_nothing_is_begun_afterwards() {
        let (tasks, held) = (Tasks::new(), Arc::new(()));
        let hold = |held: Arc<()>| async move {
            std::future::pending::<()>().await;
            drop(held);
        };
        tasks.spawn(hold(held.clone()));
        tokio::task::yield_now().await;
        tasks.end().await;
        assert_eq!(Arc::strong_count(&held), 1);
        tasks.spawn(hold(held.clone()));
        assert_eq!(Arc::strong_count(&held), 1);
        tasks.end().await;
    }

    #[tokio::test]
    async fn what_is_kept_begins_anew_when_it_breaks_until_it_comes_to_its_end() {
        let (tasks, begun) = (Tasks::new(), Arc::new(Mutex::new(0)));
        let count = begun.clone();
        tasks.keep("test", move || {
            let count = count.clone();
            async move {
                let mut begun = count.lock().unwrap_or_else(PoisonError::into_inner);
                *begun += 1;
                assert!(*begun == 3, "it breaks twice");
            }
        });
        tasks.ended().await;
        assert_eq!(*begun.lock().unwrap_or_else(PoisonError::into_inner), 3);
    }

    #[tokio::test]
    async fn what_has_an_end_of_its_own_is_waited_for() {
        let (tasks, done) = (Tasks::new(), Arc::new(Mutex::new(false)));
        let set = done.clone();
        tasks.spawn(async move {
            tokio::task::yield_now().await;
            *set.lock().unwrap() = true;
        });
        tasks.spawn(async { panic!("one that breaks holds up nobody") });
        tasks.ended().await;
        assert!(*done.lock().unwrap());
    }
}
