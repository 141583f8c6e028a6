//! The replicated routing table: a deterministic state machine, the only arbiter of who gets which call.
//!
//! `apply` reads its own state and the entry, nothing else: no clock, no randomness, no floats, no hash-map order.
//! What must be done afterwards stands in the rows as *duties*; the owner of a row performs them.
#![forbid(unsafe_code)]

mod command;
mod content;
mod control;
mod hash;
mod machine;
mod outcome;
mod proposal;
mod record;
mod row;
mod rowmap;
mod sessions;
mod shard;

pub use command::{
    BarList, Command, ControlCommand, Dial, DialFailure, DialTo, Miss, NewLead, Offer, Part, Plan, Scope, TenantRef,
};
pub use content::{BadContent, Content};
pub use control::{ConfigVersion, Control, Node};
pub use machine::{Applied, At, BadSnapshot, Machine};
pub use outcome::{Outcome, Refusal};
pub use proposal::{Body, Proposal, Proposer};
pub use record::{DialRecord, Record};
pub use row::agent::{Agent, AgentState, Contact};
pub use row::call::{AdmitKey, AgentLeg, Call, CallTimes, Duty, DutyKind, Origin, Outbound, Reserved, Stage};
pub use row::campaign::Ledger;
pub use row::lead::{Attempt, Lead, LeadSource, LeadState};
pub use row::query::{LegView, Place};
pub use shard::{Busy, LeaseKey, Shard, Staff};

/// Limits of the table, each with its unit and reason.
pub mod limit {
    use std::time::Duration;

    /// Offers in one plan: one log entry stays below 2 KiB, and a plan never holds the shard longer than 64 refusals.
    pub const OFFERS_PER_PLAN: usize = 64;
    /// Bytes of a configuration in one entry: calls' entries do not wait long behind it.
    pub const PART_BYTES: usize = 64 << 10;
    /// Staged parts are dropped so long after the last one came: whoever staged them is gone by then, and the next
    /// leader begins again.
    pub const PARTS_KEPT: Duration = Duration::from_secs(60);
    /// Configurations that can be shown and rolled back to.
    pub const VERSIONS_KEPT: usize = 20;
    /// Leases ended by one `Expire`, and calls taken out of closing queues: bounds the time `apply` takes for one entry.
    pub const LEASES_PER_EXPIRE: usize = 256;
    /// Proposals of one proposer remembered for repeats; more than can be under way at once.
    pub const REPEAT_WINDOW: u64 = 4096;
    /// A proposer's memory is kept this long after its incarnation ended: no repeat travels longer.
    pub const SESSION_LINGER: Duration = Duration::from_secs(64);
    /// An ended call's row is kept this long after its end and its agent's wrap-up: twice the life of a SIP transaction (64 × T1, RFC 3261 17.1.1.2),
    /// so that every late repeat finds it.
    pub const ENDED_LINGER: Duration = Duration::from_secs(64);
    /// From `Admit` to the 200: a flow that has not begun by then never will.
    pub const ADMITTED_MAX: Duration = Duration::from_secs(10);
    /// The longest a call may stay in its flow without reaching a queue, or after waiting in one.
    pub const FLOW_MAX: Duration = Duration::from_secs(30 * 60);
    /// From the entry that begins an outbound call to its INVITE: what was not sent by then is never sent, so that a
    /// call of a node that was cut off for a while does not come as a surprise.
    pub const DIAL_WITHIN: Duration = Duration::from_secs(2);
    /// A lead whose call never left us is tried again after this: whatever kept it from being sent needs a moment.
    pub const NOT_DIALLED_RETRY: Duration = Duration::from_secs(60);
    /// A lead that was perhaps called is left alone for so long when the campaign names no time for it: nobody is to
    /// be called twice in a row because a machine died.
    pub const UNKNOWN_RETRY: Duration = Duration::from_secs(60 * 60);
    /// Leads in one entry of an import: a number, a zone's name and a line each, far below the largest entry of 1 MiB.
    pub const LEADS_PER_IMPORT: usize = 1000;
    /// Numbers in one entry that bars them.
    pub const NUMBERS_PER_BAR: usize = 1000;
    /// The longest conversation.
    pub const TALK_MAX: Duration = Duration::from_secs(4 * 60 * 60);
    /// A queue that left the configuration is remembered for so long: the longest that a call which once waited in it can
    /// live, with its flow before and after, its wrap-up of an hour at most, and its row's time after the end.
    pub const CLOSING_KEPT: Duration = Duration::from_secs(8 * 60 * 60);
    /// A hang-up nobody acknowledged is given up after the life of a SIP transaction.
    pub const HANG_UP_MAX: Duration = Duration::from_secs(32);
    /// What an offer gets beyond the ring time before the leader ends it: the owner's own timer and its proposal
    /// come first unless the owner is gone.
    pub const OFFER_GRACE: Duration = Duration::from_secs(2);
    /// Records kept in the outbox of a shard for voters that were away; older ones are only in the records database.
    pub const OUTBOX: usize = 50_000;
}
