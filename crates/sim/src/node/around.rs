//! What the switch asks of a node here.

use std::sync::Arc;

use strowger_acd::{RelayChoice, UsableRelay};
use strowger_model::{CallId, Far, LegKey, LogNow, Mono, Owner, RelayId, ShardId, TrunkId};
use strowger_sip::Local;
use strowger_switch::{Around, Destination, Door, Row};
use strowger_table::{AdmitKey, Call};

use super::Node;
use crate::asked::Asked;
use crate::scenario::Limits;
use crate::tenant::{SHARD, trunk_of};
use crate::world::World;

/// A node at an instant.
pub(crate) struct Surroundings<'a> {
    pub node: &'a Node,
    pub now: Mono,
    pub asked: &'a Asked,
    pub usable: &'a [UsableRelay],
    /// Of the trunks.
    pub sites: &'a [&'static str; 2],
    pub limits: [Limits; 2],
    pub local: Arc<Local>,
}

impl Around for Surroundings<'_> {
    fn now(&self) -> Mono {
        self.now
    }

    fn log_now(&self, _: ShardId) -> LogNow {
        self.node.log_now(self.now)
    }

    fn local(&self) -> Arc<Local> {
        self.local.clone()
    }

    fn owns(&self, owner: Owner) -> bool {
        self.node.owns(owner)
    }

    fn row(&self, leg: LegKey) -> Row {
        if leg.call.shard() != SHARD {
            return Row::NoShard;
        }
        match self.node.replica.shard.row_of_leg(leg) {
            Some(row) => Row::Here(row.clone()),
            None if leg.call.index() > self.node.replica.applied => Row::NotYet,
            None => Row::Gone,
        }
    }

    fn row_by_key(&self, _: ShardId, key: &AdmitKey) -> Option<Arc<Call>> {
        self.node.replica.shard.call_by_key(key).cloned()
    }

    fn has_actor(&self, call: CallId) -> bool {
        self.node.actors.contains_key(&call)
    }

    fn calls(&self) -> usize {
        self.node.actors.len()
    }

    fn lines(&self, trunk: TrunkId) -> usize {
        self.node.replica.shard.lines(trunk)
    }

    fn number(&self, number: &str) -> Option<Destination> {
        let (tenant, flow) = self.asked.number(number)?;
        Some(Destination { tenant, flow, shard: SHARD })
    }

    fn door(&self, source: Far) -> Option<Door> {
        let trunk = trunk_of(source.addr);
        let at = trunk.0 as usize - 1;
        let (site, Limits { calls, rate }) = (self.sites[at].to_owned(), self.limits[at]);
        Some(Door { trunk, site, max_calls: calls, max_calls_per_second: rate })
    }

    fn is_unwanted(&self, to: Destination, from: &str) -> bool {
        self.node.replica.shard.is_unwanted(to.tenant, from)
    }

    fn relay(&self, _: ShardId, site: &str) -> Option<RelayId> {
        RelayChoice::new(&self.node.replica.shard, self.usable).choose(site, None)
    }
}

impl World {
    /// The newest configuration that a node knows of.
    pub(crate) fn directory(&self, node: usize) -> &Asked {
        static NOTHING: Asked = Asked::NOTHING;
        match self.nodes[node].control.table.version() {
            0 => &NOTHING,
            version => self.version(version),
        }
    }
}

/// The switch of a process that has just begun.
pub(crate) fn intake(limits: Limits, now: Mono) -> strowger_switch::Intake {
    strowger_switch::Intake::new(limits.calls as usize, limits.rate, now)
}
