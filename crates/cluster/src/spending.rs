//! What calls to numbers outside have come to lately, as this node hears it from the log; and the alarm when that is much.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use strowger_dialer::{Payer, Spending};
use strowger_model::{CallId, Mono, OutboundCaps};
use strowger_table::{Call, Shard};

use crate::context::Context;

pub(crate) struct Spent {
    /// Without caps nothing is counted.
    is_on: AtomicBool,
    sums: Mutex<Spending>,
}

impl Spent {
    pub(crate) fn new(caps: OutboundCaps) -> Self {
        Self { is_on: AtomicBool::new(caps != OutboundCaps::default()), sums: Mutex::new(Spending::new(caps)) }
    }

    fn is_on(&self) -> bool {
        self.is_on.load(Relaxed)
    }

    /// Other caps: what was counted stays, and where there were none counting begins.
    pub(crate) fn cap(&self, caps: OutboundCaps) {
        let mut sums = self.lock();
        self.is_on.store(caps != OutboundCaps::default(), Relaxed);
        if self.is_on() { sums.cap(caps) } else { *sums = Spending::new(caps) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Spending> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn forget(&self, call: CallId, now: Mono) {
        if self.is_on() {
            self.lock().forget(call, now);
        }
    }

    /// Of a shard only these calls are left.
    pub(crate) fn keep(&self, table: &Shard, now: Mono) {
        if self.is_on() {
            self.lock().keep(table.id(), |id| table.call(id).is_some(), now);
        }
    }
}

/// A call's row has changed.
pub(crate) fn see(context: &Context, table: &Shard, call: &Call) {
    if !context.spending.is_on() || call.outbound().is_none() {
        return;
    }
    let directory = context.directory();
    let trunk = directory.trunks.iter().find(|trunk| Some(trunk.id) == call.trunk());
    let names = (table.tenant(call.tenant).map_or("", |tenant| &tenant.name), trunk.map_or("", |trunk| &trunk.name));
    for capped in context.spending.lock().see(call, names, context.now()) {
        let whose = match capped.payer {
            Payer::Agent(_) => "agent",
            Payer::Tenant(_) => "tenant",
            Payer::Trunk(_) => "trunk",
        };
        context.figures.capped(whose);
        tracing::warn!(call = %call.id, why = %capped, "a cap on outbound calls is reached: nothing more is dialled for it");
    }
}
