//! What the table has of one call: its row, and the rows beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use strowger_model::{CallId, Dialog, LegKey};
use strowger_table::{Call, Place, Shard};

#[derive(Clone, Debug)]
pub struct Rows {
    pub call: Arc<Call>,
    /// Where it waits, or is served from.
    pub place: Option<Arc<Place>>,
    dialogs: BTreeMap<LegKey, Arc<Dialog>>,
}

impl Rows {
    /// None once the call is forgotten.
    pub fn of(shard: &Shard, id: CallId) -> Option<Self> {
        let call = shard.call(id)?.clone();
        let place = shard.place_of(id).cloned();
        let dialogs = call.legs.iter().filter_map(|leg| Some((leg.key, shard.dialog(leg.key)?.clone()))).collect();
        Some(Self { call, place, dialogs })
    }

    pub(crate) fn dialog(&self, leg: LegKey) -> Option<&Dialog> {
        self.dialogs.get(&leg).map(|dialog| &**dialog)
    }
}
