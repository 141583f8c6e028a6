//! What operators write, turned into what the cluster runs: TOML files are read, checked as a whole, given ids and
//! compared with the configuration in force. Every fault is found at once, with its file and line and what to do.
//!
//! ```text
//! read_dir ──► Files ──► parse ──► Draft ──► resolve ──► Resolved { tenants, trunks, changes }
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

mod agent;
mod campaign;
mod change;
mod diff;
mod draft;
mod fault;
mod files;
mod flow;
mod hours;
mod limits;
mod names;
mod page;
mod phone;
pub mod process;
mod prompts;
mod queue;
mod resolve;
mod section;
mod shown;
mod tenant;
mod trunk;

pub use change::{Change, Kind, What};
pub use diff::differences;
pub use draft::{Draft, parse};
pub use fault::Fault;
pub use files::{Files, ReadFault, read_dir};
pub use limits::{LIMITS, Limit};
pub use phone::{Seal, sealed_for_check};
pub use resolve::{Resolved, resolve};
pub use shown::{tenant_file, trunks_file};
pub use strowger_model::config::NextIds;
