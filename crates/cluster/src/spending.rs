//! What calls to numbers outside have come to lately, as this node hears it from the log; and the alarm when that is much.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strowger_dialer::{Capped, Payer, Spending, Ticket};
use strowger_model::{CallId, Mono, OutboundCaps, ShardId};
use strowger_table::{Call, Shard};

use crate::context::Context;

/// The sums of a node. A lock and no actor, because the appliers of all shards write them at the entry that they are about,
/// and whoever asks for a call has to be counted before the next one is judged. It is held for one call's sums: whoever plans
/// takes a copy, which is cheap.
pub(crate) struct Spent {
    /// Without caps no rows are counted.
    is_on: AtomicBool,
    sums: Arc<Mutex<Spending>>,
}

/// A call that is under way into the log. Dropped without an answer it counts no more: whoever asked for it went away, and
/// if it comes all the same the log counts it.
pub(crate) struct Begun {
    ticket: Option<Ticket>,
    sums: Arc<Mutex<Spending>>,
}

impl Spent {
    pub(crate) fn new(caps: OutboundCaps) -> Self {
        let is_on = AtomicBool::new(caps != OutboundCaps::default());
        Self { is_on, sums: Arc::new(Mutex::new(Spending::new(caps))) }
    }

    fn is_on(&self) -> bool {
        self.is_on.load(Relaxed)
    }

    /// Other caps: what was counted stays, and where there were none counting begins.
    pub(crate) fn cap(&self, caps: OutboundCaps) {
        let mut sums = lock(&self.sums);
        self.is_on.store(caps != OutboundCaps::default(), Relaxed);
        sums.cap(caps);
    }

    /// As it is now.
    pub(crate) fn copy(&self) -> Spending {
        lock(&self.sums).clone()
    }

    /// A call is about to be proposed; it is judged once more, as others may have begun since it was planned.
    pub(crate) fn begin(&self, payers: [Payer; 3], now: Mono) -> Result<Begun, Capped> {
        let ticket = lock(&self.sums).begin(payers, now)?;
        Ok(Begun { ticket: Some(ticket), sums: self.sums.clone() })
    }

    /// All rows of a shard are told up to this entry.
    pub(crate) fn heard(&self, shard: ShardId, index: u64) {
        lock(&self.sums).heard(shard, index);
    }

    pub(crate) fn lines_under_way(&self, trunk: &str) -> usize {
        lock(&self.sums).lines_under_way(trunk)
    }

    pub(crate) fn forget(&self, call: CallId, now: Mono) {
        if self.is_on() {
            lock(&self.sums).forget(call, now);
        }
    }

    /// Of a shard only these calls are left.
    pub(crate) fn keep(&self, table: &Shard, now: Mono) {
        if self.is_on() {
            lock(&self.sums).keep(table.id(), |id| table.call(id).is_some(), now);
        }
    }
}

impl Begun {
    /// It was granted.
    pub(crate) fn granted(mut self, call: CallId) {
        if let Some(ticket) = self.ticket.take() {
            lock(&self.sums).answered(ticket, Some(call));
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            lock(&self.sums).answered(ticket, None);
        }
    }
}

fn lock(sums: &Mutex<Spending>) -> MutexGuard<'_, Spending> {
    sums.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A call's row has changed.
pub(crate) fn see(context: &Context, table: &Shard, call: &Call) {
    if !context.spending.is_on() || call.outbound().is_none() {
        return;
    }
    let directory = context.directory();
    let trunk = directory.trunks.iter().find(|trunk| Some(trunk.id) == call.trunk());
    let names = (table.tenant(call.tenant).map_or("", |tenant| &tenant.name), trunk.map_or("", |trunk| &trunk.name));
    let reached = lock(&context.spending.sums).see(call, names, context.now());
    for capped in reached {
        let whose = match capped.payer {
            Payer::Agent(_) => "agent",
            Payer::Tenant(_) => "tenant",
            Payer::Trunk(_) => "trunk",
        };
        context.figures.capped(whose);
        tracing::warn!(call = %call.id, why = %capped, "a cap on outbound calls is reached: nothing more is dialled for it");
    }
}

#[cfg(test)]
mod tests {
    use strowger_model::{AgentId, Caps};

    use super::*;

    const NOW: Mono = Mono::ZERO;

    fn begin(spent: &Spent) -> Result<Begun, Capped> {
        spent.begin(Payer::all(AgentId(1), "acme", "carrier"), NOW)
    }

    /// An agent's application may hang up while it waits for its call.
    #[test]
    fn who_asked_for_a_call_and_went_away_holds_no_room() {
        let each_trunk = Caps { calls: Some(1), ..Caps::default() };
        let spent = Spent::new(OutboundCaps { each_trunk, ..OutboundCaps::default() });
        let asked = begin(&spent);
        assert_eq!((begin(&spent).is_err(), spent.lines_under_way("carrier")), (true, 1));
        drop(asked);
        let granted = begin(&spent).expect("there is room again");
        granted.granted(CallId::new(ShardId(0), 7));
        assert_eq!(spent.lines_under_way("carrier"), 1, "its row is not here yet");
        spent.heard(ShardId(0), 7);
        assert_eq!(spent.lines_under_way("carrier"), 0);
    }

    /// Lines are counted whether or not there are caps.
    #[test]
    fn without_caps_a_call_under_way_takes_a_line_all_the_same() {
        let spent = Spent::new(OutboundCaps::default());
        let _asked = begin(&spent);
        assert_eq!((spent.lines_under_way("carrier"), spent.copy().lines_under_way("carrier")), (1, 1));
    }
}
