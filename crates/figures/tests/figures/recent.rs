//! The window and the day, at their edges.

use strowger_figures::{Recent, Tally};
use strowger_model::Wall;

use crate::bench::Bench;
use crate::sample::*;

const SERVICE_LEVEL_MS: u64 = 20_000;
const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// A caller who is answered after so long, and leaves.
fn answered_after(bench: &mut Bench, wait_ms: u64) {
    let call = bench.waiting(SALES);
    bench.pass(wait_ms);
    let leg = bench.offer(call, ANNA);
    let connect = bench.connect_command(call, leg);
    bench.say(connect);
    bench.end(call, CALLER_LEFT);
    bench.hung_up(call);
    bench.pass(WRAP_UP_MS);
    bench.expire();
}

fn of_sales(recent: &Recent) -> Tally {
    recent.queues().get(&SALES).copied().unwrap_or_default()
}

#[test]
fn exactly_the_service_level_is_in_time() {
    let mut bench = Bench::new();
    answered_after(&mut bench, SERVICE_LEVEL_MS);
    answered_after(&mut bench, SERVICE_LEVEL_MS + 1);
    let mut recent = Recent::default();
    recent.read(&bench.shard, bench.wall());
    assert_eq!(of_sales(&recent), Tally { answered: 2, in_time: 1, ..Tally::default() });
    assert_eq!(of_sales(&recent).service_level(), Some(0.5));
}

#[test]
fn a_record_is_counted_once_however_often_it_is_read_and_written() {
    let mut bench = Bench::new();
    let mut recent = Recent::default();
    let call = bench.talking(ANNA);
    bench.end(call, CALLER_LEFT);
    recent.read(&bench.shard, bench.wall());
    recent.read(&bench.shard, bench.wall());
    // The end of the wrap-up writes the record once more.
    bench.pass(WRAP_UP_MS);
    bench.expire();
    assert_eq!(bench.records(call).len(), 2);
    recent.read(&bench.shard, bench.wall());
    assert_eq!(of_sales(&recent).answered, 1);
    assert_eq!(recent.today()["answered"], 1);
}

#[test]
fn the_window_forgets_by_the_minute_and_the_day_at_midnight() {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    bench.end(call, CALLER_LEFT);
    let ended = bench.wall();
    let mut recent = Recent::default();
    recent.read(&bench.shard, ended);
    let last = Wall((ended.0 / MINUTE_MS + Recent::WINDOW_MIN) * MINUTE_MS - 1);
    recent.forget(last);
    assert_eq!(of_sales(&recent).abandoned, 1, "the last moment of the window");
    recent.forget(Wall(last.0 + 1));
    assert_eq!(of_sales(&recent), Tally::default(), "the first moment after it");
    assert_eq!(recent.today()["abandoned"], 1);
    recent.read(&bench.shard, Wall(DAY_MS - 1));
    assert_eq!(recent.today()["abandoned"], 1, "the last moment of the day");
    recent.read(&bench.shard, Wall(DAY_MS));
    assert!(recent.today().values().all(|calls| *calls == 0), "{:?}", recent.today());
    assert_eq!(recent.today().len(), strowger_model::Outcome::ALL.len(), "each outcome is said, also if none was");
}

#[test]
fn a_new_process_counts_only_what_lies_in_the_window() {
    let mut bench = Bench::new();
    let old = bench.waiting(SALES);
    bench.end(old, CALLER_LEFT);
    bench.pass(Recent::WINDOW_MIN * MINUTE_MS);
    let new = bench.waiting(SALES);
    bench.end(new, CALLER_LEFT);
    let mut recent = Recent::default();
    recent.read(&bench.shard, bench.wall());
    assert_eq!((of_sales(&recent).abandoned, recent.today()["abandoned"]), (1, 2));
}

#[test]
fn called_parties_are_no_callers_of_the_queue() {
    let mut bench = Bench::new();
    bench.import(SPRING, [1]);
    let call = bench.dialling(0, ANNA);
    bench.not_reached(call, crate::bench::failure(strowger_model::DialResult::Busy, 486, strowger_model::Cause::BUSY));
    let mut recent = Recent::default();
    recent.read(&bench.shard, bench.wall());
    assert!(recent.queues().is_empty(), "{:?}", recent.queues());
    assert_eq!(recent.today()["not_reached"], 1);
}
