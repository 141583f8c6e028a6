//! The window and the day, at their edges.

use strowger_figures::{Board, DayFigures, Overview, Recent, ShardSums, Tally, agents, campaigns};
use strowger_model::{NodeId, Wall};

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

fn board(bench: &Bench, recent: &Recent, midnight: Wall) -> Board {
    let mut overview = Overview { campaigns: campaigns(&bench.shard), ..Overview::default() };
    overview.add([ShardSums::new(&bench.shard, bench.now)]);
    Board::new(NodeId(1), overview, agents(&bench.shard, bench.now), recent, &recent.today(midnight))
}

fn today(bench: &Bench, recent: &Recent, midnight: Wall) -> DayFigures {
    board(bench, recent, midnight).today
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
    assert_eq!(of_sales(&recent).service_level(0), Some(0.5));
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
    assert_eq!(today(&bench, &recent, Wall(0)).inbound["answered"], 1);
}

#[test]
fn the_window_forgets_by_the_minute() {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    bench.pass(5_000);
    bench.end(call, CALLER_LEFT);
    let ended = bench.wall();
    let mut recent = Recent::default();
    recent.read(&bench.shard, ended);
    let last = Wall((ended.0 / MINUTE_MS + Recent::WINDOW_MIN) * MINUTE_MS - 1);
    recent.forget(last);
    assert_eq!(of_sales(&recent).abandoned, 1, "the last moment of the window");
    recent.forget(Wall(last.0 + 1));
    assert_eq!(of_sales(&recent), Tally::default(), "the first moment after it");
    assert_eq!(today(&bench, &recent, Wall(0)).inbound["abandoned"], 1);
}

#[test]
fn a_call_counts_into_the_day_in_which_it_began() {
    let mut bench = Bench::new();
    let until_midnight = DAY_MS - bench.wall().0 % DAY_MS;
    bench.pass(until_midnight - 1);
    let call = bench.waiting(SALES);
    bench.pass(1);
    let midnight = bench.wall();
    let next = bench.waiting(SALES);
    bench.pass(MINUTE_MS);
    bench.end(call, CALLER_LEFT);
    bench.end(next, CALLER_LEFT);
    let mut recent = Recent::default();
    recent.read(&bench.shard, bench.wall());
    let abandoned = |recent: &Recent, since| today(&bench, recent, since).inbound["abandoned"];
    assert_eq!(abandoned(&recent, midnight), 1, "the one that began at midnight");
    assert_eq!(abandoned(&recent, Wall(midnight.0 - DAY_MS)), 2, "of who lives a day west of it");
    let day = today(&bench, &recent, Wall(midnight.0 + DAY_MS));
    assert!(day.inbound.values().chain(day.outbound.values()).all(|calls| *calls == 0), "{day:?}");
    assert_eq!(day.inbound.len(), strowger_model::Outcome::ALL.len() - 1, "each outcome is said, also if none was");
    assert_eq!(day.outbound.len(), strowger_model::DialResult::ALL.len());
    // The longest day has 25 hours.
    recent.forget(Wall(midnight.0 + 25 * 60 * MINUTE_MS));
    assert_eq!(abandoned(&recent, midnight), 1);
    recent.forget(Wall(midnight.0 + 25 * 60 * MINUTE_MS + 15 * MINUTE_MS));
    assert_eq!(abandoned(&recent, midnight), 0);
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
    let board = board(&bench, &recent, Wall(0));
    assert_eq!((of_sales(&recent).abandoned, board.today.inbound["abandoned"], board.today_whole), (1, 2, true));
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
    let board = board(&bench, &recent, Wall(0));
    assert_eq!((board.today.outbound["busy"], board.today.inbound.values().sum::<u64>()), (1, 0), "{:?}", board.today);
    let spring = &board.campaigns[0];
    assert_eq!((spring.today.attempts, spring.today.connect_rate, spring.figures.dialled), (1, Some(0.0), 1));
    assert_eq!(board.campaigns[1].today.attempts, 0);
    assert_eq!(board.tenants[0].today, board.today, "there is one tenant");
}

#[test]
fn why_callers_were_turned_away_is_said() {
    let mut bench = Bench::new();
    for cause in [strowger_model::Cause::TEMPORARY_FAILURE, strowger_model::Cause::TEMPORARY_FAILURE] {
        let call = bench.waiting(SALES);
        bench.end(call, strowger_model::Ended { by: strowger_model::HangupBy::System, cause });
    }
    let left = bench.waiting(SALES);
    bench.end(left, CALLER_LEFT);
    let mut recent = Recent::default();
    recent.read(&bench.shard, bench.wall());
    let today = today(&bench, &recent, Wall(0));
    assert_eq!((today.inbound["failed"], today.inbound["abandoned"]), (2, 1), "{today:?}");
    assert_eq!(today.causes.into_iter().collect::<Vec<_>>(), [(strowger_model::Cause::TEMPORARY_FAILURE.0, 2)]);
}

/// Longest first, by name, with reasons; who is logged out is not there.
#[test]
fn agents_are_named_by_the_time_in_their_state() {
    let mut bench = Bench::new();
    bench.talking(ANNA);
    bench.pass(3_000);
    bench.offered(BERT);
    bench.pass(2_999);
    let board = board(&bench, &Recent::default(), Wall(0));
    let first = &board.present[0];
    let named: Vec<_> = board.present.iter().map(|agent| (agent.state, agent.for_s)).collect();
    assert_eq!(named, [("talking", 5), ("idle", 5), ("offered", 2)]);
    assert_eq!((first.tenant.as_str(), first.reason.as_deref()), ("acme", None));
    assert_eq!((board.agents["logged_out"], board.agents.values().sum::<usize>()), (2, 5));
}

/// A level that is reached by those who are answered is missed by those who are not answered yet.
#[test]
fn who_waits_too_long_counts_before_being_answered() {
    let mut bench = Bench::new();
    answered_after(&mut bench, 1_000);
    bench.waiting(SALES);
    bench.pass(SERVICE_LEVEL_MS);
    let mut recent = Recent::default();
    recent.read(&bench.shard, bench.wall());
    let sales = |bench: &Bench| board(bench, &recent, Wall(0)).queues.remove(0);
    let now = sales(&bench);
    assert_eq!((now.late, now.service_level, now.staffed), (0, Some(1.0), 2));
    bench.pass(1);
    let late = sales(&bench);
    assert_eq!((late.late, late.service_level, late.today_service_level), (1, Some(0.5), Some(0.5)));
    assert_eq!(late.today, Tally { answered: 1, in_time: 1, ..Tally::default() });
}
