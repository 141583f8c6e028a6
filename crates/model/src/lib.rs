//! The words every other crate speaks: typed ids, time, addresses, outcomes, dialog rows.
//! No behaviour lives here, only shapes and the limits that belong to them.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

pub mod config;
mod destinations;
mod dialog;
mod far;
mod id;
mod log_clock;
mod media;
mod network;
mod number;
mod outcome;
mod secret;
mod time;
mod wire;

pub use destinations::{Caps, Destinations, NotAPrefix, OutboundCaps, Prefix, Prefixes};
pub use dialog::{Dialog, DialogState, PendingInvite, Role};
pub use far::{Far, HIGHEST_Q, Line, Transport};
pub use id::{
    AgentId, CallId, CampaignId, Digest, EndpointId, FlowId, GroupId, Incarnation, Instance, LeadId, LegKey, LegNo,
    NodeId, NotACallId, Owner, PeerId, PlaceId, QueueId, RelayId, ShardId, TenantId, TrunkId,
};
pub use log_clock::{LogClock, LogNow};
pub use media::{Codec, Law, MediaAddr};
pub use network::{Network, NotANetwork};
pub use number::{E164, NotE164};
pub use outcome::{Cause, DialResult, Ended, HangupBy, Outcome};
pub use secret::{Ha1, Hashes, KeyId, Sealed, Whose};
pub use time::{LogTime, Mono, SECOND_US, Wall};
pub use wire::{Wire, schema};
