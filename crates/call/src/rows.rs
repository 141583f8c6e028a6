//! What the table has of one call: its row, and the rows beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use strowger_model::config::Flow;
use strowger_model::{CallId, Dialog, LegKey};
use strowger_table::{Call, Place, Shard};

use crate::reinvite::holds;

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
    /// Legs whose far end holds, as its description says.
    held: BTreeSet<LegKey>,
}

impl Rows {
    /// None once the call is forgotten.
    pub fn of(shard: &Shard, id: CallId) -> Option<Self> {
        let call = shard.call(id)?.clone();
        let place = shard.place_of(id).cloned();
        let dialogs = call.legs.iter().filter_map(|leg| Some((leg.key, shard.dialog(leg.key)?.clone()))).collect();
        let changed = call.flow.filter(|at| shard.flow_version(at.flow) != Some(at.version));
        let kept_flow = changed.and_then(|at| shard.flow(call.tenant, at.flow, at.version)).cloned();
        Some(Self { call, place, kept_flow, dialogs, held: BTreeSet::new() })
    }

    /// Reads who holds. Rows change at every entry and descriptions seldom: of legs whose description is that of the rows
    /// before, those say it.
    pub(crate) fn read_holds(&mut self, before: Option<&Rows>) {
        let is_held = |(leg, dialog): (&LegKey, &Arc<Dialog>)| {
            let known = before
                .filter(|rows| rows.dialogs.get(leg).is_some_and(|earlier| earlier.remote_sdp == dialog.remote_sdp));
            known.map_or_else(|| holds(&dialog.remote_sdp), |rows| rows.is_held(*leg)).then_some(*leg)
        };
        self.held = self.dialogs.iter().filter_map(is_held).collect();
    }

    /// Whether the far end's own description holds the call there.
    pub(crate) fn is_held(&self, leg: LegKey) -> bool {
        self.held.contains(&leg)
    }

    pub(crate) fn dialog(&self, leg: LegKey) -> Option<&Dialog> {
        self.dialogs.get(&leg).map(|dialog| &**dialog)
    }
}
