//! Agents: how the configuration makes them, what they keep and lose when it changes, what they say of themselves.

use std::time::Duration;

use strowger_model::config::{Phone, Tenant};
use strowger_model::{AgentId, Cause, Far, Instance, Line, Sealed, TenantId};
use strowger_table::{Agent, Binding, Command, DialTo, Outcome, Presence, Proposer, Refusal, limit};

use crate::bench::{Bench, Doing, dial, not_ready};
use crate::sample::*;

fn without(agent: AgentId) -> Tenant {
    let mut config = tenant();
    config.agents.retain(|other| other.id != agent);
    config
}

fn fixed() -> Phone {
    Phone::Static { uri: "sip:desk@192.0.2.90".into(), far: Far::udp(addr(90)) }
}

fn connected(node: Proposer, host: u8) -> Box<Binding> {
    let line = Some(Line { node: node.node, number: 7 });
    Box::new(Binding { flow: Far { line, ..Far::tcp(addr(host)) }, ..*phone(host, strowger_model::LogTime(1 << 50)) })
}

fn instances(bench: &Bench, agent: AgentId) -> Vec<u64> {
    bench.agent(agent).bindings.iter().map(|binding| binding.instance.0).collect()
}

fn adopt(dead: Proposer, heirs: &[Proposer]) -> Command {
    let heirs = heirs.iter().map(|heir| (heir.node, heir.incarnation)).collect();
    Command::Adopt { node: dead.node, incarnation: dead.incarnation, heirs }
}

/// In a word, as interfaces and metrics have it.
#[test]
fn each_thing_that_an_agent_does_has_its_word() {
    let mut bench = Bench::new();
    let word = |bench: &Bench| {
        let agent = bench.agent(ANNA);
        assert_eq!(agent.state_name(), Agent::STATE_NAMES[agent.state_index()]);
        agent.state_name()
    };
    assert_eq!(word(&bench), "idle");
    bench.import(SPRING, [0]);
    let call = bench.dialling(0, ANNA);
    assert_eq!(word(&bench), "reserved");
    let reached = bench.reached_command(call);
    bench.say(reached);
    assert_eq!(word(&bench), "offered");
    let leg = bench.ringing(call);
    let missed = bench.missed_command(leg, Cause::NO_ANSWER);
    bench.say(missed);
    assert_eq!(word(&bench), "paused");
    bench.pass(MISS_PAUSE_MS);
    bench.expire();
    assert_eq!(word(&bench), "releasing", "her phone has yet to hang up");
    bench.not_ready(ANNA, "lunch");
    assert_eq!((word(&bench), bench.agent(ANNA).reason()), ("not_ready", Some("lunch")));
    bench.ready(ANNA);
    assert_eq!((word(&bench), bench.agent(ANNA).reason()), ("releasing", None));
    bench.say(Command::Unbind { agent: ANNA, instance: None });
    assert_eq!(word(&bench), "logged_out");
}

#[test]
fn a_phone_that_need_not_register_any_more_logs_its_agent_in() {
    let mut bench = Bench::new();
    bench.say(Command::Bind { agent: CARL, binding: phone(50, bench.now + limit::TALK_MAX) });
    bench.not_ready(CARL, "lunch");
    bench.pass(1000);
    let mut config = tenant();
    for agent in [2, 4] {
        config.agents[agent].phone = fixed();
    }
    bench.configure(2, config);
    // Of whom nothing else is known the configuration says what they are ready for.
    assert_eq!(bench.state(EMIL), not_ready("log-in"));
    assert_eq!(bench.agent(EMIL).since, bench.now);
    // Who said something stays with it, and is rung nowhere else.
    assert_eq!((bench.state(CARL), instances(&bench, CARL)), (not_ready("lunch"), vec![0]));
    let binding = bench.agent(CARL).bindings[0].clone();
    assert_eq!((&binding.uri[..], binding.flow, binding.q), ("sip:desk@192.0.2.90", Far::udp(addr(90)), 1000));
    assert_eq!((binding.expires, binding.lost), (strowger_model::LogTime::MAX, None));
    bench.pass(limit::TALK_MAX.as_millis() as u64);
    bench.expire();
    assert_eq!(instances(&bench, CARL), [0], "it goes never");
    bench.ready(EMIL);
    assert!(bench.idle(SALES).contains(&EMIL));
}

#[test]
fn who_is_configured_anew_keeps_the_phones_that_registered() {
    let mut bench = Bench::new();
    bench.say_as(TWO, Command::Bind { agent: CARL, binding: connected(TWO, 50) });
    let since = bench.idle_since(CARL);
    bench.pass(1000);
    let mut config = tenant();
    config.agents[2].name = "charles".into();
    bench.configure(2, config);
    assert_eq!((instances(&bench, CARL), bench.idle_since(CARL)), (vec![50], since));
    assert_eq!(bench.agent(CARL).owner, Some((TWO.node, TWO.incarnation)));
}

/// The phone that was always there must register; the work under way is finished first.
#[test]
fn who_must_register_from_now_on_is_out_when_the_work_is_over() {
    let mut bench = Bench::new();
    let call = bench.talking(ANNA);
    let mut config = tenant();
    config.agents[0].phone = Phone::Registers { ha1: Sealed::default() };
    bench.configure(2, config);
    assert_eq!((bench.state(ANNA), instances(&bench, ANNA)), (Doing::Talking { call }, vec![]));
    bench.end(call, AGENT_LEFT);
    bench.pass(WRAP_UP_MS);
    bench.expire();
    assert_eq!(bench.state(ANNA), Doing::LoggedOut);
}

#[test]
fn a_dismissed_agent_at_work_serves_no_queue_and_can_bind_no_phone() {
    let mut bench = Bench::new();
    bench.say_as(TWO, Command::Bind { agent: CARL, binding: connected(TWO, 50) });
    let call = bench.talking(CARL);
    bench.configure(2, without(CARL));
    let agent = bench.agent(CARL);
    assert_eq!((agent.queues, agent.bindings, agent.owner), (vec![], vec![], None));
    assert_eq!(bench.shard.staff(SALES).iter().sum::<usize>(), 3);
    let bind = Command::Bind { agent: CARL, binding: phone(51, bench.now + limit::TALK_MAX) };
    assert_eq!(bench.refused(bind), Refusal::NoSuchAgent);
    assert_eq!(bench.state(CARL), Doing::Talking { call });

    // Configured again before the work is over, the agent is there again.
    bench.configure(3, tenant());
    assert_eq!(bench.shard.staff(SALES).iter().sum::<usize>(), 4);
    bench.say(Command::Bind { agent: CARL, binding: phone(51, bench.now + limit::TALK_MAX) });
    bench.end(call, CALLER_LEFT);
    bench.hung_up(call);
    bench.pass(WRAP_UP_MS);
    bench.expire();
    assert!(bench.idle(SALES).contains(&CARL));
}

#[test]
fn nobody_binds_a_phone_of_an_agent_who_is_not_there() {
    let mut bench = Bench::new();
    let until = bench.now + limit::TALK_MAX;
    let nobody = AgentId(99);
    assert_eq!(bench.refused(Command::Bind { agent: nobody, binding: phone(50, until) }), Refusal::NoSuchAgent);
    assert_eq!(bench.refused(Command::Unbind { agent: nobody, instance: None }), Refusal::NoSuchAgent);
    assert_eq!(bench.not_ready(nobody, "lunch"), Refusal::NoSuchAgent.into());
    let call = bench.admitted();
    let code = String::new();
    assert_eq!(bench.refused(Command::Dispose { agent: nobody, call, code }), Refusal::NoSuchAgent);
}

/// A connection may come and go while the agent talks.
#[test]
fn who_loses_the_phone_at_work_and_has_it_again_before_the_end_stays_logged_in() {
    let mut bench = Bench::new();
    let until = bench.now + limit::TALK_MAX;
    bench.say(Command::Bind { agent: CARL, binding: phone(50, until) });
    let call = bench.talking(CARL);
    bench.say(Command::Unbind { agent: CARL, instance: None });
    bench.say(Command::Bind { agent: CARL, binding: phone(50, until) });
    bench.end(call, CALLER_LEFT);
    bench.hung_up(call);
    bench.pass(WRAP_UP_MS);
    bench.expire();
    assert_eq!(bench.state(CARL), Doing::Idle);
}

#[test]
fn who_logs_out_asks_for_nothing_any_more() {
    let mut bench = Bench::new();
    bench.say(Command::Bind { agent: CARL, binding: phone(50, bench.now + limit::TALK_MAX) });
    bench.not_ready(CARL, "lunch");
    bench.pass(1000);
    bench.say(Command::Presence { agent: CARL, presence: Presence::Out });
    let agent = bench.agent(CARL);
    assert_eq!((agent.presence, agent.next, agent.since), (Presence::Out, None, bench.now));
    // Out already: since then, not since it is said again.
    bench.pass(1000);
    bench.say(Command::Presence { agent: CARL, presence: Presence::Out });
    assert_eq!(bench.agent(CARL).since, agent.since);
    bench.say(Command::Bind { agent: CARL, binding: phone(50, bench.now + limit::TALK_MAX) });
    assert_eq!((bench.state(CARL), bench.idle_since(CARL)), (Doing::Idle, bench.now));
}

#[test]
fn a_break_gets_another_name_when_the_agent_says_so() {
    let mut bench = Bench::new();
    bench.not_ready(ANNA, "lunch");
    bench.pass(1000);
    bench.not_ready(ANNA, "tea");
    assert_eq!((bench.state(ANNA), bench.agent(ANNA).since), (not_ready("tea"), bench.now));
    bench.ready(ANNA);
    // At work the last word counts as well.
    let call = bench.talking(ANNA);
    bench.not_ready(ANNA, "lunch");
    bench.not_ready(ANNA, "tea");
    bench.end(call, AGENT_LEFT);
    bench.pass(WRAP_UP_MS);
    bench.expire();
    assert_eq!((bench.state(ANNA), bench.agent(ANNA).next), (not_ready("tea"), None));
}

#[test]
fn who_is_back_from_a_break_is_idle_since_then_and_who_never_was_away_since_before() {
    let mut bench = Bench::new();
    bench.pass(1000);
    let before = bench.agent(ANNA);
    bench.ready(ANNA);
    assert_eq!(bench.agent(ANNA), before, "nothing has changed");
    bench.not_ready(ANNA, "lunch");
    bench.pass(1000);
    bench.ready(ANNA);
    assert_eq!((bench.idle_since(ANNA), bench.agent(ANNA).since), (bench.now, bench.now));
}

#[test]
fn a_lost_connection_that_comes_back_makes_its_phone_the_newest() {
    let mut bench = Bench::new();
    bench.say_as(TWO, Command::Bind { agent: CARL, binding: connected(TWO, 50) });
    bench.say(Command::Bind { agent: CARL, binding: phone(51, bench.now + limit::TALK_MAX) });
    bench.say(adopt(TWO, &[]));
    let again = Proposer { incarnation: strowger_model::Incarnation(TWO.incarnation.0 + 1), ..TWO };
    bench.say_as(again, Command::Bind { agent: CARL, binding: connected(TWO, 50) });
    assert_eq!(instances(&bench, CARL), [51, 50]);
    assert_eq!(bench.agent(CARL).bindings[1].lost, None);
}

/// It has so long to come back, and no longer than its registration lasts; another death gives it no more.
#[test]
fn a_phone_whose_connection_died_goes_in_its_time() {
    let lost_ms = limit::BINDING_LOST.as_millis() as u64;
    for lasts_ms in [lost_ms / 2, lost_ms * 2] {
        let mut bench = Bench::new();
        let expires = bench.now + Duration::from_millis(lasts_ms);
        let binding = Box::new(Binding { expires, ..*connected(TWO, 50) });
        bench.say_as(TWO, Command::Bind { agent: CARL, binding });
        let goes = expires.min(bench.now + limit::BINDING_LOST);
        bench.say(adopt(TWO, &[]));
        bench.pass(10);
        let again = Proposer { incarnation: strowger_model::Incarnation(TWO.incarnation.0 + 1), ..TWO };
        bench.say(adopt(again, &[]));
        assert_eq!(bench.shard.next_lease(), Some(goes));
        bench.now = goes - Duration::from_millis(1);
        bench.expire();
        assert_eq!(instances(&bench, CARL), [50]);
        bench.expire_next();
        assert_eq!((instances(&bench, CARL), bench.state(CARL)), (vec![], Doing::LoggedOut));
    }
}

/// Nobody could be rung for the call.
#[test]
fn who_cannot_be_reached_can_ask_for_no_call() {
    let asks = |agent| dial(BY_HAND, DialTo::Number { number: number(7) }, agent);
    let mut bench = Bench::new();
    bench.say_as(TWO, Command::Bind { agent: CARL, binding: connected(TWO, 50) });
    bench.say(adopt(TWO, &[]));
    assert!(bench.agent(CARL).asking_slot().is_none());
    assert_eq!(bench.dial_refused(asks(CARL)), Refusal::AgentBusy);
    assert_eq!(bench.dial_refused(asks(EMIL)), Refusal::AgentBusy, "no phone at all");
    // Who asks need serve no queue of the campaign.
    assert!(matches!(bench.dial(asks(DORA)), Outcome::Dialled { .. }));
}

/// A campaign's agents are its tenant's.
#[test]
fn nobody_is_called_for_an_agent_of_another_tenant() {
    let mut bench = Bench::new();
    let mut other = Tenant { id: TenantId(2), name: "globex".into(), ..tenant() };
    other.agents.truncate(1);
    other.agents[0].id = AgentId(70);
    (other.queues, other.flows, other.campaigns) = (vec![], vec![], vec![]);
    bench.configure(1, other);
    bench.import(SPRING, [0]);
    assert_eq!(bench.agent(AgentId(70)).tenant, TenantId(2));
    let lead = DialTo::Lead(strowger_model::LeadId::new(SPRING, 0));
    assert_eq!(bench.dial_refused(dial(SPRING, lead, AgentId(70))), Refusal::NoSuchAgent);
    let number = DialTo::Number { number: number(7) };
    assert_eq!(bench.dial_refused(dial(BY_HAND, number, AgentId(70))), Refusal::NoSuchAgent);
}

#[test]
fn a_miss_of_who_is_on_a_break_or_gone_is_followed_by_no_pause() {
    // On a break, and asked for a number.
    let mut bench = Bench::new();
    bench.not_ready(ANNA, "lunch");
    let (call, leg) = bench.asked_for(BY_HAND, 7, ANNA);
    let missed = bench.missed_command(leg, Cause::NO_ANSWER);
    bench.say(missed);
    bench.hung_up(call);
    assert_eq!(bench.state(ANNA), not_ready("lunch"));
    // Logged out while the phone rang.
    bench.say(Command::Bind { agent: CARL, binding: phone(50, bench.now + limit::TALK_MAX) });
    let (_, leg) = bench.offered(CARL);
    bench.say(Command::Unbind { agent: CARL, instance: Some(Instance(50)) });
    let missed = bench.missed_command(leg, Cause::BUSY);
    bench.say(missed);
    assert_eq!(bench.state(CARL), Doing::LoggedOut);
}

#[test]
fn an_offer_or_a_reservation_that_came_to_nothing_costs_no_place_in_line() {
    let mut bench = Bench::new();
    let since = bench.idle_since(ANNA);
    bench.pass(5000);
    bench.import(SPRING, [0]);
    let call = bench.dialling(0, ANNA);
    bench.pass(5000);
    bench.not_reached(call, crate::bench::failure(strowger_model::DialResult::Busy, 486, Cause::BUSY));
    assert_eq!((bench.state(ANNA), bench.idle_since(ANNA)), (Doing::Idle, since));
    assert_eq!(bench.agent(ANNA).voice().expect("a slot for calls").since, bench.now);
}

#[test]
fn a_wrap_up_is_ended_only_by_naming_its_call() {
    let mut bench = Bench::new();
    let other = bench.waiting(SALES);
    let call = bench.talking(ANNA);
    bench.end(call, CALLER_LEFT);
    bench.hung_up(call);
    let dispose = |call| Command::Dispose { agent: ANNA, call, code: "sold".into() };
    assert_eq!(bench.refused(dispose(other)), Refusal::WrongStage);
    assert!(matches!(bench.state(ANNA), Doing::WrapUp { .. }));
    assert_eq!(bench.say(dispose(call)), Outcome::Done);
}
