//! SIP without a socket: messages, SDP, digest, and the leg, which is one dialog with its transactions.
//!
//! Nothing here sends, sleeps or looks at a clock. Bytes and the time come in as arguments, bytes and events go
//! out as values. Every call owns its legs and a leg can be rebuilt on any node from its committed row, so there
//! is no transaction layer shared by a node's calls.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

mod body;
mod caller;
mod compose;
mod description;
mod digest;
mod display;
mod fault;
mod leg;
mod message;
mod number;
mod reason;
mod register;
mod reply;
mod screen;
mod sdp;
mod stray;
mod text;
mod token;
mod uri;
mod user;
mod via;

pub use digest::{Algorithm, Claim, DigestFault, NONCE_LIFE_S, Proof, challenge, claim, ha1, verify};
pub use fault::{ParseFault, Problem};
pub use leg::{Event, LINGER, Leg, LegState, Local, Out, Outgoing, Reached};
pub use message::{MAX_DATAGRAM_BYTES, MAX_HEADERS, Message, is_keepalive, is_sip};
pub use reason::{ELSEWHERE, phrase, q850};
pub use register::{Binding, Contact, Contacts, ContactsFault, contacts, ok as register_ok};
pub use reply::{reply, reply_destination};
pub use screen::{ALLOW, Refusal, screen};
pub use sdp::{Direction, LocalMedia, RemoteMedia, SdpFault, answer_sdp, offer_sdp, parse_answer, parse_sdp};
pub use stray::dismiss;
pub use token::{TokenKeys, salt};
pub use uri::{identity, literal, names, reach};
