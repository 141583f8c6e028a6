//! Agents' phones, what agents say of themselves, and since when: what an agent and a supervisor see.

use std::time::Duration;

use strowger_model::{Cause, Far, Instance, Line, LogTime};
use strowger_table::{Binding, Command, Outcome, Presence, Refusal, limit};

use crate::bench::{Bench, Doing, not_ready};
use crate::sample::*;

fn bind(bench: &mut Bench, host: u8) {
    let binding = phone(host, bench.now + limit::TALK_MAX);
    assert_eq!(bench.say(Command::Bind { agent: CARL, binding }), Outcome::Done);
}

fn phones(bench: &Bench) -> Vec<u64> {
    bench.agent(CARL).bindings.iter().map(|binding| binding.instance.0).collect()
}

#[test]
fn an_agent_has_so_many_phones_and_one_more_takes_the_place_of_the_oldest() {
    let mut bench = Bench::new();
    let most = limit::BINDINGS as u64;
    (1..=most).for_each(|host| bind(&mut bench, host as u8));
    assert_eq!(phones(&bench), (1..=most).collect::<Vec<_>>());
    // One that is known needs no place.
    bind(&mut bench, 3);
    assert_eq!(phones(&bench), (1..=most).collect::<Vec<_>>());
    bind(&mut bench, most as u8 + 1);
    assert_eq!(phones(&bench), (2..=most + 1).collect::<Vec<_>>());
}

#[test]
fn a_phone_that_goes_leaves_the_others_and_only_the_last_logs_out() {
    let mut bench = Bench::new();
    bind(&mut bench, 50);
    bind(&mut bench, 51);
    let unbind = |instance| Command::Unbind { agent: CARL, instance: Some(Instance(instance)) };
    assert_eq!(bench.say(unbind(51)), Outcome::Done);
    assert_eq!((phones(&bench), bench.state(CARL)), (vec![50], Doing::Idle));
    assert_eq!(bench.say(unbind(77)), Outcome::Done);
    assert_eq!((phones(&bench), bench.state(CARL)), (vec![50], Doing::Idle));
    assert_eq!(bench.say(unbind(50)), Outcome::Done);
    assert_eq!((phones(&bench), bench.state(CARL)), (vec![], Doing::LoggedOut));
}

#[test]
fn a_second_phone_changes_nothing_of_what_the_agent_said() {
    let mut bench = Bench::new();
    bind(&mut bench, 50);
    let since = bench.idle_since(CARL);
    bench.pass(1000);
    bind(&mut bench, 51);
    assert_eq!((bench.state(CARL), bench.idle_since(CARL)), (Doing::Idle, since));
    bench.not_ready(CARL, "lunch");
    bind(&mut bench, 52);
    assert_eq!(bench.state(CARL), not_ready("lunch"));
}

/// A registration that came in over one node and is entered by another says nothing of where its connection is.
#[test]
fn an_agent_goes_only_to_the_node_that_has_the_connection_and_says_so() {
    let mut bench = Bench::new();
    let line = Some(Line { node: TWO.node, number: 7 });
    let binding = Binding { flow: Far { line, ..Far::tcp(addr(50)) }, ..*phone(50, LogTime(1 << 50)) };
    bench.say_as(THREE, Command::Bind { agent: CARL, binding: Box::new(binding.clone()) });
    assert_eq!(bench.agent(CARL).owner, None);
    bench.say_as(TWO, Command::Bind { agent: CARL, binding: Box::new(binding) });
    assert_eq!(bench.agent(CARL).owner, Some((TWO.node, TWO.incarnation)));
    bench.say(Command::Unbind { agent: CARL, instance: None });
    assert_eq!(bench.agent(CARL).owner, None, "who has no phone has no actor");
}

#[test]
fn since_when_an_agent_does_what_is_counted_from_the_last_change() {
    let mut bench = Bench::new();
    let since = |bench: &Bench| bench.now.since(bench.agent(ANNA).state_since()).as_millis() as u64;
    bench.pass(5000);
    assert_eq!((bench.agent(ANNA).state_name(), since(&bench)), ("idle", 5000));
    bench.not_ready(ANNA, "lunch");
    bench.pass(2000);
    assert_eq!((bench.agent(ANNA).state_name(), since(&bench)), ("not_ready", 2000));
    bench.ready(ANNA);
    bench.pass(300);
    assert_eq!((bench.agent(ANNA).state_name(), since(&bench)), ("idle", 300));
    let (call, leg) = bench.offered(ANNA);
    bench.pass(4000);
    assert_eq!((bench.agent(ANNA).state_name(), since(&bench)), ("offered", 4000));
    let connect = bench.connect_command(call, leg);
    bench.say(connect);
    bench.pass(60_000);
    assert_eq!((bench.agent(ANNA).state_name(), since(&bench)), ("talking", 60_000));
    bench.end(call, CALLER_LEFT);
    bench.hung_up(call);
    bench.pass(700);
    assert_eq!((bench.agent(ANNA).state_name(), since(&bench)), ("wrap_up", 700));
    bench.pass(WRAP_UP_MS);
    bench.expire();
    bench.pass(40);
    assert_eq!((bench.agent(ANNA).state_name(), since(&bench)), ("idle", 40));
}

/// What a ring-all goes by.
#[test]
fn when_an_agent_was_offered_something_last_outlives_the_offer() {
    let mut bench = Bench::new();
    let last = |bench: &Bench| bench.agent(ANNA).voice().expect("a slot for calls").last_offer;
    assert_eq!(last(&bench), LogTime::ZERO);
    bench.pass(1000);
    let at = bench.now;
    let (call, leg) = bench.offered(ANNA);
    assert_eq!(last(&bench), at);
    bench.pass(1000);
    let missed = bench.missed_command(leg, Cause::BUSY);
    bench.say(missed);
    bench.end(call, CALLER_LEFT);
    bench.pass(MISS_PAUSE_MS);
    bench.expire();
    assert_eq!(last(&bench), at);
}

#[test]
fn who_says_ready_once_more_keeps_the_place_among_those_who_are_idle() {
    let mut bench = Bench::new();
    bench.pass(1000);
    assert_eq!(bench.ready(ANNA), Outcome::Done);
    assert_eq!(bench.idle(SALES), [ANNA, BERT]);
    bench.not_ready(ANNA, "lunch");
    bench.pass(1000);
    bench.ready(ANNA);
    assert_eq!(bench.idle(SALES), [BERT, ANNA], "who was away stands last");
}

#[test]
fn whoever_speaks_up_in_the_pause_after_a_miss_is_paused_no_longer() {
    let paused = || {
        let mut bench = Bench::new();
        let (call, leg) = bench.offered(ANNA);
        let missed = bench.missed_command(leg, Cause::BUSY);
        bench.say(missed);
        bench.end(call, CALLER_LEFT);
        assert!(matches!(bench.state(ANNA), Doing::Paused { .. }));
        bench.pass(1000);
        bench
    };
    let mut bench = paused();
    assert_eq!(bench.ready(ANNA), Outcome::Done);
    assert_eq!((bench.state(ANNA), bench.idle(SALES)), (Doing::Idle, vec![BERT, ANNA]));

    let mut bench = paused();
    assert_eq!(bench.not_ready(ANNA, "lunch"), Outcome::Done);
    assert_eq!(bench.state(ANNA), not_ready("lunch"));
    bench.ready(ANNA);
    assert_eq!(bench.state(ANNA), Doing::Idle, "nothing is left of the pause");

    let mut bench = paused();
    bench.say(Command::Unbind { agent: ANNA, instance: None });
    assert_eq!(bench.state(ANNA), Doing::LoggedOut);
}

#[test]
fn who_has_no_phone_can_say_nothing_of_taking_work() {
    let mut bench = Bench::new();
    assert_eq!(bench.not_ready(CARL, "lunch"), Refusal::AgentBusy.into());
    assert_eq!(bench.ready(CARL), Refusal::AgentBusy.into());
    bind(&mut bench, 50);
    assert_eq!(bench.say(Command::Presence { agent: CARL, presence: Presence::Out }), Outcome::Done);
    assert_eq!((bench.state(CARL), phones(&bench)), (Doing::LoggedOut, vec![]));
}

/// The agent's own word is the one that everybody reads.
#[test]
fn a_break_asked_for_while_ringing_is_not_called_missed_calls() {
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    for round in 1..=MAX_MISSES {
        bench.pass(MISS_PAUSE_MS);
        bench.expire();
        let leg = bench.offer(call, ANNA);
        if round == MAX_MISSES {
            bench.not_ready(ANNA, "lunch");
            assert_eq!(bench.agent(ANNA).reason(), Some("lunch"), "known as soon as it is asked for");
        }
        let missed = bench.missed_command(leg, Cause::BUSY);
        bench.say(missed);
    }
    assert_eq!(bench.state(ANNA), not_ready("lunch"));
}

#[test]
fn an_agent_who_logs_out_at_work_finishes_it_and_is_out_then() {
    let mut bench = Bench::new();
    bind(&mut bench, 50);
    let call = bench.talking(CARL);
    assert_eq!(bench.say(Command::Unbind { agent: CARL, instance: None }), Outcome::Done);
    assert_eq!(bench.state(CARL), Doing::Talking { call });
    bench.end(call, CALLER_LEFT);
    bench.hung_up(call);
    assert!(matches!(bench.state(CARL), Doing::WrapUp { .. }));
    bench.pass(WRAP_UP_MS);
    bench.expire();
    assert_eq!(bench.state(CARL), Doing::LoggedOut);
    // A phone that comes back begins anew.
    bind(&mut bench, 51);
    assert_eq!(bench.state(CARL), Doing::Idle);
}

#[test]
fn a_phone_that_renews_itself_stays_and_one_that_does_not_goes_alone() {
    let mut bench = Bench::new();
    let until = |bench: &Bench, s| bench.now + Duration::from_secs(s);
    let first = phone(50, until(&bench, 60));
    let second = phone(51, until(&bench, 60));
    bench.say(Command::Bind { agent: CARL, binding: first });
    bench.say(Command::Bind { agent: CARL, binding: second });
    bench.pass(30_000);
    let renewed = phone(50, until(&bench, 60));
    bench.say(Command::Bind { agent: CARL, binding: renewed });
    bench.pass(30_000);
    bench.expire();
    assert_eq!((phones(&bench), bench.state(CARL)), (vec![50], Doing::Idle));
    bench.pass(30_000);
    bench.expire();
    assert_eq!((phones(&bench), bench.state(CARL)), (vec![], Doing::LoggedOut));
}

#[test]
fn what_the_configuration_says_of_an_agent_holds_at_once() {
    let mut bench = Bench::new();
    let call = bench.talking(ANNA);
    let mut config = tenant();
    config.agents[0].name = "annabel".into();
    config.agents[0].queues = vec![SALES, SUPPORT];
    config.agents[1].queues.clear();
    bench.configure(2, config);
    assert_eq!(bench.agent(ANNA).name, "annabel");
    assert_eq!(bench.state(ANNA), Doing::Talking { call });
    assert!(bench.idle(SALES).is_empty());
    bench.end(call, AGENT_LEFT);
    bench.pass(WRAP_UP_MS);
    bench.expire();
    assert_eq!((bench.idle(SALES), bench.idle(SUPPORT)), (vec![ANNA], vec![DORA, ANNA]));
}

/// A registration is the phone's own word; a fixed phone is where the configuration says, whoever is logged in.
#[test]
fn a_fixed_phone_that_moved_is_rung_where_it_is_now() {
    let mut bench = Bench::new();
    let mut config = tenant();
    let phone = ("sip:anna@192.0.2.77", Far::udp(addr(77)));
    config.agents[0].phone = strowger_model::config::Phone::Static { uri: phone.0.into(), far: phone.1 };
    bench.configure(2, config);
    assert_eq!(bench.state(ANNA), Doing::Idle, "nobody is logged out for it");
    let (call, leg) = bench.offered(ANNA);
    assert_eq!(bench.call(call).leg(leg).and_then(|leg| leg.contact()), Some(phone));
}
