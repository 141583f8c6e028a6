//! Outbound dialling: who is called next and for which agent, when people may be called, and lists of whom to call.
//!
//! It makes values and decides nothing: every `Dial` is judged again by the table when its entry is applied.
//!
//! ```text
//! list ──► read_leads ──► Import        shard ──► pace ──► Dial   (one a free agent, every round)
//!                                       agent asks ──► manual ──► Dial
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

mod aside;
mod csv;
mod denial;
mod destination;
mod due;
mod hours;
mod leads;
mod manual;
mod number;
mod pace;
mod parts;
mod placing;
mod spending;
mod standstill;
mod under_way;
mod zone;

pub use aside::Aside;
pub use denial::Denial;
pub use destination::{ForbiddenNumber, Whose, may_reach};
pub use due::next_due;
pub use hours::open_until;
pub use leads::{Header, LineFault, ReadLead, Reading, read_leads};
pub use manual::manual;
pub use number::{NoNumber, read_number};
pub use pace::{Means, PER_ROUND, pace};
pub use parts::{Part, Parts};
pub use spending::{Cap, Capped, Payer, Spending};
pub use standstill::{Standstill, standstill};
pub use under_way::Ticket;
pub use zone::{NoSuchZone, Zone, zone_name};
