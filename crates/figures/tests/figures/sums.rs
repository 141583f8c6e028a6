//! One shard's sums, its campaigns, and the metrics made of them and of calls that ended.

use std::time::Duration;

use strowger_figures::metrics::{Counters, Families};
use strowger_figures::{ShardSums, Visits, campaigns};
use strowger_table::{DialTo, RowKey};

use crate::bench::{Bench, dial};
use crate::sample::*;

#[test]
fn sums_say_what_agents_and_calls_do() {
    let mut bench = Bench::new();
    bench.talking(ANNA);
    bench.offered(BERT);
    let first = bench.waiting(SALES);
    bench.pass(1_500);
    bench.waiting(SALES);
    bench.flowing();
    let sums = ShardSums::new(&bench.shard, bench.now);
    assert_eq!(sums.shard, SHARD);
    assert_eq!(sums.tenants.len(), 1);
    assert_eq!(sums.tenants[&ACME].tenant, "acme");
    let agents = [("idle", 1), ("logged_out", 2), ("offered", 1), ("talking", 1)];
    assert_eq!(sums.agents().into_iter().collect::<Vec<_>>(), agents);
    let calls = [("flow", 1), ("offered", 1), ("queued", 2), ("talking", 1)];
    assert_eq!(sums.calls().into_iter().collect::<Vec<_>>(), calls);
    let sales = &sums.queues[0];
    assert_eq!((sales.queue, sales.name.as_str(), sales.waiting, sales.idle), (SALES, "sales", 2, 0));
    assert_eq!(sales.longest_wait, Duration::from_millis(1_500), "{first} waits longest");
    assert_eq!(sales.visits, Visits { served: 1, left: 0, open: 3, late: 0 });
    assert_eq!((sums.queues[1].queue, sums.queues[1].waiting, sums.queues[1].idle), (SUPPORT, 0, 1));
    assert!(sums.stuck.is_empty());
}

#[test]
fn a_lease_is_stuck_a_second_after_its_deadline() {
    let mut bench = Bench::new();
    bench.waiting(SALES);
    let deadline = bench.shard.next_lease().expect("a wait has an end");
    let stuck = |after_ms| ShardSums::new(&bench.shard, deadline + Duration::from_millis(after_ms)).stuck;
    assert!(stuck(1_000).is_empty());
    let more = stuck(1_001);
    assert_eq!(more.get(RowKey::KINDS[2]), Some(&1), "{more:?}");
}

#[test]
fn campaigns_say_how_far_they_are() {
    let mut bench = Bench::new();
    bench.import(SPRING, [1, 2, 3]);
    bench.dialling(0, ANNA);
    let reached = bench.dialling(1, BERT);
    let command = bench.reached_command(reached);
    bench.say(command);
    bench.dial_refused(dial(SPRING, DialTo::Lead(strowger_model::LeadId::new(SPRING, 1)), ANNA));
    let all = campaigns(&bench.shard);
    assert_eq!(all.iter().map(|campaign| campaign.campaign).collect::<Vec<_>>(), [SPRING, SUMMER, BY_HAND]);
    let spring = &all[0].figures;
    assert_eq!((spring.tenant.as_str(), spring.name.as_str(), spring.mode), ("acme", "spring", "progressive"));
    assert_eq!((spring.running, spring.leads, spring.done, spring.dialled), (true, 3, 0, 2));
    assert_eq!((spring.reserved, spring.ringing, spring.talking), (1, 1, 1));
    assert_eq!(spring.results.values().sum::<u64>(), 0);
    assert_eq!(spring.results.len(), strowger_model::DialResult::ALL.len());
}

#[test]
fn metrics_say_what_the_sums_say() {
    let mut bench = Bench::new();
    bench.talking(ANNA);
    bench.waiting(SALES);
    bench.pass(250);
    let sums = [ShardSums::new(&bench.shard, bench.now)];
    let mut families = Families::default();
    families.shards(&sums);
    families.queues(sums.iter().flat_map(|sums| &sums.queues));
    families.campaigns(&campaigns(&bench.shard));
    let text = families.text();
    for line in [
        "strowger_calls{shard=\"3\",stage=\"talking\"} 1",
        "strowger_calls{shard=\"3\",stage=\"ended\"} 0",
        "strowger_agents{shard=\"3\",state=\"talking\"} 1",
        "strowger_agents{shard=\"3\",state=\"paused\"} 0",
        "strowger_stuck_leases{kind=\"call\",shard=\"3\"} 0",
        "strowger_stuck_leases{kind=\"agent\",shard=\"3\"} 0",
        "strowger_queue_waiting{tenant=\"acme\",queue=\"sales\"} 1",
        "strowger_queue_longest_wait_seconds{tenant=\"acme\",queue=\"sales\"} 0.25",
        "strowger_queue_idle_agents{tenant=\"acme\",queue=\"support\"} 1",
        "strowger_campaign_running{tenant=\"acme\",campaign=\"spring\"} 1",
        "strowger_campaign_results_total{tenant=\"acme\",campaign=\"by-hand\",result=\"busy\"} 0",
    ] {
        assert!(text.lines().any(|other| other == line), "no `{line}` in {text}");
    }
}

/// Metrics that a node has only once something happened; those it has from its start are listed beside the API's tests.
#[test]
fn what_happens_is_counted_under_names_that_stay() {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    bench.pass(20_000);
    let leg = bench.offer(call, ANNA);
    let connect = bench.connect_command(call, leg);
    bench.say(connect);
    bench.pass(90_000);
    bench.end(call, CALLER_LEFT);
    let counters = Counters::default();
    counters.ended(bench.outcome(call), &bench.call(call));
    counters.planned(1, 1);
    counters.dialled(true);
    let mut families = counters.families();
    families.relays([("relay-1", true)]);
    let text = families.text();
    for line in [
        "# HELP strowger_calls_ended_total Calls this node owned that ended, by direction and outcome.",
        "# TYPE strowger_calls_ended_total counter",
        "strowger_calls_ended_total{direction=\"inbound\",outcome=\"answered\"} 1",
        "# HELP strowger_queue_wait_seconds From the queue, or a called party's answer, to an agent's answer (outcome answered) or to leaving without one.",
        "# TYPE strowger_queue_wait_seconds histogram",
        "strowger_queue_wait_seconds_bucket{direction=\"inbound\",outcome=\"answered\",le=\"10\"} 0",
        "strowger_queue_wait_seconds_bucket{direction=\"inbound\",outcome=\"answered\",le=\"20\"} 1",
        "strowger_queue_wait_seconds_sum{direction=\"inbound\",outcome=\"answered\"} 20",
        "strowger_talk_seconds_bucket{direction=\"inbound\",le=\"60\"} 0",
        "strowger_talk_seconds_bucket{direction=\"inbound\",le=\"120\"} 1",
        "# HELP strowger_offers_total Offers planned by this node as leader, by what the log said.",
        "# TYPE strowger_offers_total counter",
        "# HELP strowger_dials_total Outbound calls begun by this node as leader, by what the log said.",
        "# TYPE strowger_dials_total counter",
        "# HELP strowger_relay_connected 1 while this node reaches the relay.",
        "# TYPE strowger_relay_connected gauge",
        "strowger_relay_connected{relay=\"relay-1\"} 1",
    ] {
        assert!(text.lines().any(|other| other == line), "no `{line}` in {text}");
    }
}

/// Callers and called parties share a queue's agents, and no figure.
#[test]
fn called_parties_are_no_callers() {
    let mut bench = Bench::new();
    bench.import(SPRING, [1]);
    let called = bench.dialling(0, ANNA);
    let reached = bench.reached_command(called);
    bench.say(reached);
    let leg = bench.ringing(called);
    let missed = bench.missed_command(leg, strowger_model::Cause::BUSY);
    bench.say(missed);
    let caller = bench.waiting(SALES);
    bench.pass(3000);
    let sums = ShardSums::new(&bench.shard, bench.now);
    let sales = sums.queues.iter().find(|queue| queue.queue == SALES).expect("a queue");
    assert_eq!((sales.waiting, sales.called_waiting, sales.longest_wait), (1, 1, Duration::from_secs(3)));
    let acme = &sums.tenants[&ACME];
    assert_eq!((acme.calls["queued"], acme.called["queued"]), (2, 1), "{acme:?}");
    bench.end(called, CALLER_LEFT);
    bench.end(caller, CALLER_LEFT);
    let counters = Counters::default();
    [called, caller].into_iter().for_each(|call| counters.ended(bench.outcome(call), &bench.call(call)));
    let text = counters.families().text();
    for direction in ["inbound", "outbound"] {
        let line = format!("strowger_queue_wait_seconds_count{{direction=\"{direction}\",outcome=\"abandoned\"}} 1");
        assert!(text.lines().any(|other| other == line), "no `{line}` in {text}");
    }
}
