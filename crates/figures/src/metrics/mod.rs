//! What Prometheus reads. Labels are bounded: no call, no agent, no number.

mod counters;
mod families;
mod scrape;

pub use counters::Counters;
pub use families::{Families, Sample};
pub use scrape::Distribution;
