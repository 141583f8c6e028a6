//! The replicated routing table: a deterministic state machine, the only arbiter of who gets which call.
//!
//! `apply` reads its own state and the entry, nothing else: no clock, no randomness, no floats, no hash-map order.
//! What must be done afterwards stands in the rows as *duties*; the owner of a row performs them.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

// Tests that lay rows by hand speak in the words of those that use the public face only.
#[cfg(test)]
extern crate self as strowger_table;
#[cfg(test)]
#[path = "../tests/table/bench.rs"]
#[expect(dead_code, reason = "shared with the tests of the public face, which use all of it")]
mod bench;
#[cfg(test)]
#[path = "../tests/table/sample.rs"]
#[expect(dead_code, reason = "shared with the tests of the public face, which use all of it")]
mod sample;

mod act;
mod command;
mod content;
mod control;
mod hash;
pub mod layout;
mod machine;
mod outcome;
mod proposal;
mod record;
mod row;
mod rowmap;
mod sessions;
mod shard;
mod ticks;
mod token;

pub use act::{Act, ActResult, Intent};
pub use command::{
    Admit, BarList, Command, ControlCommand, Dial, DialFailure, DialTo, Miss, NewLead, Offer, Part, Plan, Scope,
    TenantRef, ToldBy,
};
pub use content::Content;
pub(crate) use control::ControlImage;
pub use control::{ConfigVersion, Control, Node};
pub use layout::{Later, LayoutFault, Written};
pub use machine::{Applied, At, BadSnapshot, Machine, Touched};
pub use outcome::{Outcome, Refusal};
pub use proposal::{Body, Proposal, Proposer};
pub use record::{DialRecord, Record};
pub use row::RowKey;
pub use row::agent::{Agent, Binding, BindingKind, Medium, Offered, Presence, Reserver, Slot, SlotState, VOICE_SLOT};
pub use row::call::{Call, CallTimes, Duty, DutyKind, FlowPosition, Next, Stage};
pub use row::campaign::{Carrier, CarrierPause, Ledger, Window};
pub use row::data::{Change, Data, Value};
pub use row::kept::Kept;
pub use row::lead::{Attempt, Lead, LeadSource, LeadState, LeadTurn, Tried};
pub use row::leg::{ASIDE, Asked, Leg, LegRole, LegState, Reach, Released, Screen, WITH_CUSTOMER, Watch, Watched};
pub use row::origin::{AdmitKey, Began, Origin, Outbound, Source, Target};
pub use row::place::{Place, PlaceOf, PlaceState, Rank, Relax, Then};
pub use row::segment::{How, Segment, SegmentKind};
pub use row::tap::{Tap, TapKind, TapState};
pub(crate) use shard::ShardImage;
pub use shard::{After, Busy, Shard, Staff, after, heir_of};
pub use ticks::Ticks;
pub use token::{ADMIN, Grant, Token};

/// Limits of the table, each with its unit and reason.
pub mod limit {
    use std::time::Duration;

    /// Offers in one plan: one log entry stays below 2 KiB, and a plan never holds the shard longer than 64 refusals.
    pub const OFFERS_PER_PLAN: usize = 64;
    /// Phones that ring at once for one place; the rest of its queue rings in the next round.
    pub const RING_ALL: usize = 8;
    /// Legs of a call that ring or talk: a conference with its supervisors.
    pub const LEGS: usize = 16;
    /// Taps of a call that are not sealed yet.
    pub const TAPS: usize = 8;
    /// Pieces that a call's story has; what rings or holds beyond is added to the last of its kind, so that a place
    /// left for the conversation stays (`SEGMENTS_SPARE`).
    pub const SEGMENTS: usize = 64;
    /// Of these, kept for conversations and the work after them.
    pub const SEGMENTS_SPARE: usize = 16;
    /// Bytes of what a flow may learn of a call.
    pub const DATA: usize = 4096;
    /// Phones of an agent.
    pub const BINDINGS: usize = 8;
    /// Slots of an agent.
    pub const SLOTS: usize = 16;
    /// Legs in one entry that moves them to other relays.
    pub const LEGS_PER_REHOME: usize = 64;
    /// Rows named one by one as touched by an entry, a full plan among them; more are told as `Many`.
    pub const TOUCHED_FEW: usize = 256;
    /// A phone whose node died has so long to come back before it is taken off.
    pub const BINDING_LOST: Duration = Duration::from_secs(30);
    /// Bytes of a configuration in one entry: calls' entries do not wait long behind it.
    pub const PART_BYTES: usize = 64 << 10;
    /// Staged parts are dropped so long after the last one came: whoever staged them is gone by then, and the next
    /// leader begins again.
    pub const PARTS_KEPT: Duration = Duration::from_secs(60);
    /// Configurations that can be shown and rolled back to.
    pub const VERSIONS_KEPT: usize = 20;
    /// Leases ended by one `Expire`, and places taken out of closing queues: bounds the time `apply` takes for one
    /// entry.
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
    /// A lead whose call the carrier took to nobody is tried again after this, if the campaign names no time for it.
    pub const CARRIER_RETRY: Duration = Duration::from_secs(5 * 60);
    /// So often in a row a lead is brought to nobody by a carrier that takes other calls: then it was an attempt, for
    /// there are numbers that a carrier answers with 503 for ever.
    pub const CARRIER_TRIES: u8 = 5;
    /// Calls in a row that a carrier failed after which its campaign pauses. One or two may be the numbers' fault.
    pub const CARRIER_FAILURES: u16 = 5;
    /// The first pause after that; each that follows is twice as long.
    pub const CARRIER_PAUSE: Duration = Duration::from_secs(5);
    /// The longest: so late, at most, is it seen that the carrier is back.
    pub const CARRIER_PAUSE_MOST: Duration = Duration::from_secs(5 * 60);
    /// Leads in one entry of an import: a number, a zone's name and a line each, far below the largest entry of 1 MiB.
    pub const LEADS_PER_IMPORT: usize = 1000;
    /// Numbers in one entry that bars them.
    pub const NUMBERS_PER_BAR: usize = 1000;
    /// The longest conversation.
    pub const TALK_MAX: Duration = Duration::from_secs(4 * 60 * 60);
    /// A queue that left the configuration is remembered for so long: the longest that a call which once waited in it can
    /// live, with its flow before and after, its wrap-up of an hour at most, and its row's time after the end. Who is in a
    /// question beside it for longer has no wrap-up after it.
    pub const CLOSING_KEPT: Duration = Duration::from_secs(8 * 60 * 60);
    /// A hang-up nobody acknowledged is given up after the life of a SIP transaction.
    pub const HANG_UP_MAX: Duration = Duration::from_secs(32);
    /// A recording that no relay has said to be complete is given up after this, and its call's row goes: a relay that broke
    /// has had the time to be brought back and to look at what it has.
    pub const SEAL_MAX: Duration = Duration::from_secs(60 * 60);
    /// What an offer gets beyond the ring time before the leader ends it: the owner's own timer and its proposal
    /// come first unless the owner is gone.
    pub const OFFER_GRACE: Duration = Duration::from_secs(2);
    /// Records kept in the outbox of a shard for voters that were away; older ones are only in the records database.
    pub const OUTBOX: usize = 50_000;
    /// Administrative acts kept in the control group for voters that were away; older ones are only in the records
    /// databases. Some 3 MB: a day of one act every ten seconds.
    pub const ACTS: usize = 8192;
    /// Tokens of a cluster: each person and program of hundreds of tenants has its own.
    pub const TOKENS: usize = 1000;
    /// Bytes of a token's name: it is in every line of the audit log.
    pub const TOKEN_NAME: usize = 64;
    /// How exactly the last use of a token is known: who asks for it wants to know whether it is in use, and a request
    /// must not cost an entry.
    pub const TOKEN_USE: Duration = Duration::from_secs(10 * 60);
}
