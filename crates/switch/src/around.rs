//! What the rules ask of the node around them.

use std::sync::Arc;

use strowger_model::{CallId, Far, FlowId, LegKey, LogTime, Mono, Owner, RelayId, ShardId, TenantId, TrunkId};
use strowger_sip::Local;
use strowger_table::{AdmitKey, Call};

/// A call's row, as far as this node's replica knows.
pub enum Row {
    Here(Arc<Call>),
    /// The id is the index of its entry: a row that is not there yet can be told from one that is gone.
    NotYet,
    Gone,
    /// The id names a shard that the cluster has not.
    NoShard,
}

/// Where calls to a number go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Destination {
    pub tenant: TenantId,
    pub flow: FlowId,
    pub shard: ShardId,
}

/// A trunk, as far as the door looks at it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Door {
    pub trunk: TrunkId,
    pub site: String,
    pub max_calls: u32,
    pub max_calls_per_second: u32,
}

/// The node: its replicas, its actors, its configuration, its clocks.
pub trait Around {
    fn now(&self) -> Mono;
    fn log_now(&self, shard: ShardId) -> LogTime;
    fn local(&self) -> &Local;
    fn owns(&self, owner: Owner) -> bool;
    /// The row that has a leg. What comes for one that is gone is for the call it was born in, whose owner may know more
    /// than its row.
    fn row(&self, leg: LegKey) -> Row;
    fn row_by_key(&self, shard: ShardId, key: &AdmitKey) -> Option<Arc<Call>>;
    fn has_actor(&self, call: CallId) -> bool;
    /// Calls that have an actor here.
    fn calls(&self) -> usize;
    fn number(&self, number: &str) -> Option<Destination>;
    /// The trunk that sends from there.
    fn door(&self, source: Far) -> Option<Door>;
    fn is_unwanted(&self, to: Destination, from: &str) -> bool;
    /// A relay for the first leg of a call.
    fn relay(&self, shard: ShardId, site: &str) -> Option<RelayId>;
}
