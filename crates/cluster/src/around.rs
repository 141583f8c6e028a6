//! What the switch asks of this node.

use std::sync::Arc;

use strowger_acd::RelayChoice;
use strowger_model::{CallId, Far, LegKey, LogNow, Mono, Owner, RelayId, ShardId, TrunkId};
use strowger_sip::Local;
use strowger_switch::{Around, Destination, Door, Row};
use strowger_table::{AdmitKey, Call};

use crate::context::{Context, shard_of};

impl Around for Context {
    fn now(&self) -> Mono {
        Context::now(self)
    }

    fn log_now(&self, shard: ShardId) -> LogNow {
        Context::log_now(self, shard)
    }

    fn local(&self) -> Arc<Local> {
        self.keyring.local()
    }

    fn owns(&self, owner: Owner) -> bool {
        Context::owns(self, owner)
    }

    fn row(&self, leg: LegKey) -> Row {
        let Some(view) = self.shard_view(leg.call.shard()) else { return Row::NoShard };
        match shard_of(&view).and_then(|table| table.row_of_leg(leg)) {
            Some(row) => Row::Here(row.clone()),
            None if leg.call.index() > view.applied => Row::NotYet,
            None => Row::Gone,
        }
    }

    fn row_by_key(&self, shard: ShardId, key: &AdmitKey) -> Option<Arc<Call>> {
        shard_of(&*self.shard_view(shard)?)?.call_by_key(key).cloned()
    }

    fn has_actor(&self, call: CallId) -> bool {
        self.calls.has(call)
    }

    fn calls(&self) -> usize {
        self.calls.len()
    }

    fn lines(&self, trunk: TrunkId) -> usize {
        self.lines_of(trunk)
    }

    fn number(&self, number: &str) -> Option<Destination> {
        self.directory().number(number)
    }

    fn door(&self, source: Far) -> Option<Door> {
        self.directory().trunk(source).map(|trunk| Door {
            trunk: trunk.id,
            site: trunk.site.clone(),
            max_calls: trunk.max_calls,
            max_calls_per_second: trunk.max_calls_per_second,
        })
    }

    fn is_unwanted(&self, to: Destination, from: &str) -> bool {
        let view = self.shard_view(to.shard);
        view.is_some_and(|view| shard_of(&view).is_some_and(|table| table.is_unwanted(to.tenant, from)))
    }

    fn relay(&self, shard: ShardId, site: &str) -> Option<RelayId> {
        let view = self.shard_view(shard)?;
        RelayChoice::new(shard_of(&view)?, &self.relays.usable()).choose(site, None)
    }
}
