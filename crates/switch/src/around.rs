//! What the rules ask of the node around them.

use std::sync::Arc;

use strowger_model::{CallId, Far, FlowId, LegKey, LogNow, Mono, Owner, RelayId, ShardId, TenantId, TrunkId};
use strowger_sip::Local;
use strowger_table::{AdmitKey, Call};

/// A call's row, as far as this node's replica knows.
pub enum Row {
    /// It is here, whoever owns it.
    Here(Arc<Call>),
    /// The id is the index of its entry: a row that is not there yet can be told from one that is gone.
    NotYet,
    /// It ended and was forgotten, or never was.
    Gone,
    /// The id names a shard that the cluster has not.
    NoShard,
}

/// Where calls to a number go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Destination {
    /// Whose number it is.
    pub tenant: TenantId,
    /// Where its calls begin.
    pub flow: FlowId,
    /// Where its calls live.
    pub shard: ShardId,
}

/// A trunk, as far as the door looks at it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Door {
    /// Which.
    pub trunk: TrunkId,
    /// Its site; empty for none.
    pub site: String,
    /// Lines of it, of the whole cluster, beyond which a call over it is turned away.
    pub max_calls: u32,
    /// New ones over this trunk.
    pub max_calls_per_second: u32,
}

/// The node: its replicas, its actors, its configuration, its clocks.
pub trait Around {
    /// The process's own clock.
    fn now(&self) -> Mono;
    /// What an entry of that shard would be stamped now.
    fn log_now(&self, shard: ShardId) -> LogNow;
    /// What our messages say of this node from now on; whoever began with another one goes on with that.
    fn local(&self) -> Arc<Local>;
    /// Whether this start of this node is meant.
    fn owns(&self, owner: Owner) -> bool;
    /// The row that has a leg. What comes for one that is gone is for the call it was born in, whose owner may know more
    /// than its row.
    fn row(&self, leg: LegKey) -> Row;
    /// The call that an INVITE was admitted as.
    fn row_by_key(&self, shard: ShardId, key: &AdmitKey) -> Option<Arc<Call>>;
    /// Whether an actor here has that call.
    fn has_actor(&self, call: CallId) -> bool;
    /// Calls that have an actor here.
    fn calls(&self) -> usize;
    /// Lines of a trunk that calls of the whole cluster take, as far as this node's replicas know.
    fn lines(&self, trunk: TrunkId) -> usize;
    /// Where calls to it go; none if nobody has it. Numbers here are in the one form of `Message::called_number`.
    fn number(&self, number: &str) -> Option<Destination>;
    /// The trunk that sends from there.
    fn door(&self, source: Far) -> Option<Door>;
    /// Whether the tenant, or the cluster, bars this caller.
    fn is_unwanted(&self, to: Destination, from: &str) -> bool;
    /// A relay for the first leg of a call.
    fn relay(&self, shard: ShardId, site: &str) -> Option<RelayId>;
}
