//! Queues that left the configuration: they are emptied, and remembered while a call can know them.

use strowger_model::config::{Queue, Tenant};
use strowger_model::{LogTime, PlaceId, QueueId, TenantId};

use super::Shard;
use super::apply::Entry;
use crate::{RowKey, limit};

/// A queue that is no more, with its last content. Nobody enters it; those who wait are taken out.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Closing {
    pub tenant: TenantId,
    pub queue: Queue,
    pub since: LogTime,
    /// When no call can know it any more; none while somebody may be waiting in it.
    pub forget: Option<LogTime>,
}

impl Closing {
    /// Calls that wait are taken out at once.
    fn lease(&self) -> LogTime {
        self.forget.unwrap_or(self.since)
    }
}

impl Shard {
    /// Whether a queue has left the configuration and is not forgotten yet.
    pub fn is_closing(&self, queue: QueueId) -> bool {
        self.closing.get(&queue).is_some()
    }

    /// Queues of `old` that `new` lacks begin to close. `new` is none when the tenant goes.
    pub(super) fn close_queues(&mut self, entry: Entry, old: &Tenant, new: Option<&Tenant>) {
        let is_gone = |queue: &&Queue| new.is_none_or(|new| new.queue(queue.id).is_none());
        for queue in old.queues.iter().filter(is_gone) {
            let closing = Closing { tenant: old.id, queue: queue.clone(), since: entry.now(), forget: None };
            self.put_closing(closing);
        }
    }

    /// Queues that are in the configuration again: who still waits keeps the place.
    pub(super) fn reopen_queues(&mut self, new: &Tenant) {
        new.queues.iter().for_each(|queue| self.remove_closing(queue.id));
    }

    /// What a queue was before it closed.
    pub(super) fn closing_queue(&self, id: QueueId) -> Option<&Queue> {
        self.closing.get(&id).map(|closing| &closing.queue)
    }

    /// Takes at most `most` places out of a closing queue, as its own limits would; returns how many.
    pub(super) fn expire_queue(&mut self, entry: Entry, id: QueueId, most: usize) -> usize {
        let places: Vec<PlaceId> = self.waiting(id).take(most).map(|place| place.id).collect();
        for place in &places {
            let taken = self.wait_over(entry, *place);
            debug_assert!(taken.is_ok(), "who waits can always leave: {taken:?}");
        }
        let Some(closing) = self.closing.get(&id).filter(|_| self.waiting_length(id) == 0).cloned() else {
            return places.len();
        };
        match closing.forget {
            Some(_) => self.remove_closing(id),
            None => {
                let forget = Some(entry.now() + limit::CLOSING_KEPT);
                self.put_closing(Closing { forget, ..(*closing).clone() });
            }
        }
        places.len()
    }

    /// A place comes back into a closing queue, because its offer failed: it is taken out at once.
    pub(super) fn empty_again(&mut self, id: QueueId) {
        let Some(closing) = self.closing.get(&id).filter(|closing| closing.forget.is_some()).cloned() else { return };
        self.put_closing(Closing { forget: None, ..(*closing).clone() });
    }

    pub(super) fn put_closing(&mut self, closing: Closing) {
        let id = closing.queue.id;
        let before = self.closing.get(&id).map(|old| old.lease());
        self.move_lease(before, Some(closing.lease()), RowKey::Queue(id));
        self.closing.put(id, closing);
    }

    fn remove_closing(&mut self, id: QueueId) {
        if let Some(old) = self.closing.remove(&id) {
            self.move_lease(Some(old.lease()), None, RowKey::Queue(id));
        }
    }
}
