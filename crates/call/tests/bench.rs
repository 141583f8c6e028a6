//! The bench of a call: scenarios as text, played against the real table, and compared with what is written there.
//! `SCENARIO=late` plays only those whose path has the word in it; `BLESS=1` writes what happened into the files.

mod rig;

use rig::script;

#[test]
fn inbound_calls() {
    script::play_all("inbound");
}

#[test]
fn hang_ups() {
    script::play_all("hangup");
}

#[test]
fn agents() {
    script::play_all("agent");
}

#[test]
fn adoptions() {
    script::play_all("adoption");
}

#[test]
fn outbound_calls() {
    script::play_all("outbound");
}

#[test]
fn relays_that_begin_anew() {
    script::play_all("rehome");
}

#[test]
fn answers_that_come_late() {
    script::play_all("late");
}

#[test]
fn calls_that_become_one() {
    script::play_all("merge");
}
