//! What people and scrapers are shown, made of the table's rows and records: wallboard, service level, campaigns,
//! metrics, and why each call went where it went.
//!
//! Pure: states and moments are arguments. `cluster` gathers them, `api` shows what comes of them. A figure is made
//! here and nowhere else, so that status, wallboard and metrics cannot differ.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

mod agents;
mod board;
mod campaigns;
mod day;
mod decision_log;
mod history;
pub mod metrics;
mod overview;
mod recent;
mod sums;
mod tally;

pub use agents::{AgentFigures, agents};
pub use board::{Board, CampaignOnBoard, GroupFigures, NodeFigures, QueueFigures, RelayFigures, TenantOnBoard};
pub use campaigns::{CampaignFigures, CampaignStatus, StandstillFigures, by_name, campaigns};
pub use day::{CampaignDay, DayFigures};
pub use decision_log::{DecisionLog, Heard, ToWeigh};
pub use history::{Candidates, Dialled, Plan, Step, What};
pub use overview::{Archive, GroupStatus, NodeStatus, Overview};
pub use recent::{Recent, Today};
pub use sums::{Counts, QueueStatus, ShardSums, TenantFigures, Visits};
pub use tally::Tally;
