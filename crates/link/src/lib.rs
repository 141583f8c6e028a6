//! The one link between all processes of a cluster: QUIC with mutual TLS, one stream per traffic class,
//! bounded backlogs, and the envelope that every message, log entry and snapshot travels in.
//!
//! A message from end to end: [`Link::ask`] → `connection` (who, which class) → `lane` (bounded backlog, one
//! writer) → `frame` on a QUIC stream → the peer's reader → [`Handler`] → [`Reply`] → back the same way.
//!
//! Media has a connection of its own to each peer that wants one, so that it shares no window with commands:
//! [`Link::send_media`] → `media_connection` (bounded, oldest dropped) → a QUIC datagram → [`Handler::on_media`].
#![warn(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

mod accept;
mod asks;
mod class;
mod connection;
mod development;
mod dial;
mod distrusted;
mod envelope;
mod frame;
mod handler;
mod handshakes;
mod hello;
mod identity;
mod lane;
mod link;
mod media;
mod media_connection;
mod media_connections;
mod peers;
mod steady;
mod transport;

pub use asks::AskFault;
pub use class::{Class, Limits};
pub use envelope::{EnvelopeFault, HEADER_BYTES, Header, WIRE_VERSION, check, open, peek, seal};
pub use handler::{Handler, Reply};
pub use identity::{Identity, IdentityError, server_name};
pub use lane::SendFault;
pub use link::{Link, LinkError, Options};
pub use media::{MEDIA_DATAGRAM_BYTES, MediaOptions, MediaStats};
pub use peers::PeerStats;
/// Said where the words are; sealed here.
pub use strowger_model::{Wire, schema};
