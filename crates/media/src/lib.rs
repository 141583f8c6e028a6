//! The one vocabulary of media: who hears what, what relays are asked and say, what prompts are made of.
//!
//! [`Hears`] is what a leg's far end hears; [`Op`] is one order to a relay, [`RelayAnswer`] what comes back, [`What`] what
//! a relay says unasked; they travel in the envelopes of [`protocol`]. What every relay, a simulated one as well, keeps by
//! them is here, too: [`Fence`], [`Hearing`] and [`Journal`]. Where a far end's media is and how it is coded
//! ([`MediaAddr`], [`Codec`]) stands in `model`, because `sip` reads it from SDP and may know nothing of relays; whoever
//! orders passes it on unread.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

/// Prompts and music as files and as bytes.
pub mod content;
mod fence;
mod hearing;
mod hears;
mod journal;
/// What nodes and relays say to each other.
pub mod protocol;
mod snapshot;
mod stats;
mod wire;

pub use fence::{Closed, Fence, LATE};
pub use hearing::{Hearing, Verdict};
pub use hears::{Gain, Hears, MAX_SOURCES};
pub use journal::Journal;
pub use protocol::{Op, Refusal, RelayAnswer, RelayCommand, RelayEvent, What};
pub use snapshot::{LegSnapshot, PlayState};
pub use stats::{LegStats, RelayStats};
pub use strowger_model::{Codec, Law, MediaAddr};

/// How relays can code voice, as offered to far ends.
pub const SPOKEN: [Law; 2] = [Law::Mu, Law::A];
