//! What the table has of one call: its row, and the rows beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use strowger_model::config::Flow;
use strowger_model::{CallId, Dialog, LegKey};
use strowger_table::{Call, Place, Shard};

/// What the table has of a call.
#[derive(Clone, Debug)]
pub struct Rows {
    /// The call's own row.
    pub call: Arc<Call>,
    /// Where it waits, or is served from.
    pub place: Option<Arc<Place>>,
    /// Its flow as it began it, where the configuration in force has another by now.
    pub(crate) kept_flow: Option<Flow>,
    dialogs: BTreeMap<LegKey, Arc<Dialog>>,
}

impl Rows {
    /// None once the call is forgotten.
    pub fn of(shard: &Shard, id: CallId) -> Option<Self> {
        let call = shard.call(id)?.clone();
        let place = shard.place_of(id).cloned();
        let dialogs = call.legs.iter().filter_map(|leg| Some((leg.key, shard.dialog(leg.key)?.clone()))).collect();
        let changed = call.flow.filter(|at| shard.flow_version(at.flow) != Some(at.version));
        let kept_flow = changed.and_then(|at| shard.flow(call.tenant, at.flow, at.version)).cloned();
        Some(Self { call, place, kept_flow, dialogs })
    }

    pub(crate) fn dialog(&self, leg: LegKey) -> Option<&Dialog> {
        self.dialogs.get(&leg).map(|dialog| &**dialog)
    }
}
