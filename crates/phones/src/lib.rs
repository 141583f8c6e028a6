//! The far ends of the demo and of the tests: agents' telephones, callers, and called numbers
//! behind a carrier, that speak SIP and RTP.
//!
//! They keep the books from which the product is judged, so they share none of its code: messages are parsed by
//! `rsip`, everything else (transactions, dialogs, SDP, RTP, G.711, tones) is written here, and small.
//!
//! Two threads do all the work, because the machine is shared with the product under test. One speaks SIP
//! ([`Phones`] hands it commands); the other moves RTP for every leg in 5 ms steps. Each phone plays a tone of its
//! own and notes which tones it hears: who was connected with whom is thus heard, not believed.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::unwrap_used)]

mod called;
mod carrier;
mod ear;
mod law;
mod leg;
mod machine;
mod mailbox;
mod media;
mod options;
mod phones;
mod random;
mod registration;
mod report;
mod sip;
mod timers;
mod tone;

pub use called::{CalledRole, CalledSpec, Dialled};
pub use ear::tones_in;
pub use law::Law;
pub use options::{AgentBehaviour, AgentSpec, CallSpec, PhonesOptions};
pub use phones::{CallRef, Phones};
pub use report::{AgentReport, CalledReport, CallerReport, EndedBy, Live, Report, RtpCounts};
pub use tone::{TONES, is_agent_tone, tone_hz};
