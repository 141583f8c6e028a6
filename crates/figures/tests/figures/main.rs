//! Figures of seeded tables, against a slow second opinion.

#[path = "../../../table/tests/table/bench.rs"]
#[allow(dead_code, reason = "the table's own bench; each program uses its own part")]
mod bench;
mod conservation;
#[path = "../../../table/tests/table/dice.rs"]
mod dice;
mod history;
mod recent;
#[path = "../../../table/tests/table/sample.rs"]
#[allow(dead_code, reason = "the table's own sample; each program uses its own part")]
mod sample;
mod sums;
