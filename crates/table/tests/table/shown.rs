//! What people and pacers are shown of a call, in words that outlive its layout.

use strowger_model::{DialResult, Outcome as CallOutcome};
use strowger_table::{Command, Then, limit};

use crate::bench::{Bench, answer, enqueue, failure};
use crate::sample::*;

#[test]
fn an_inbound_call_is_shown_as_it_goes_on() {
    let mut bench = Bench::new();
    let call = bench.admitted();
    let stage = |bench: &Bench| bench.call(call).stage_name();
    assert_eq!(stage(&bench), "admitted");
    let row = bench.call(call);
    assert!(!row.is_answered() && row.has_customer() && !row.holds_place() && !row.is_dialling());
    bench.say(answer(call));
    assert_eq!((stage(&bench), bench.call(call).flow_step()), ("flow", Some(0)));
    assert!(bench.call(call).is_answered() && bench.call(call).has_duties());
    bench.done(call, strowger_table::DutyKind::Answer { leg: bench.customer(call) });
    assert!(!bench.call(call).has_duties());
    bench.say(enqueue(call, SALES, Then::End));
    let row = bench.call(call);
    assert_eq!((row.stage_name(), row.flow_step()), ("queued", None));
    assert!(row.holds_place() && row.is_waiting() && !row.is_served());
    let leg = bench.offer(call, ANNA);
    let row = bench.call(call);
    assert_eq!((row.stage_name(), row.rung_leg(), row.rung_agent()), ("offered", Some(leg), Some(ANNA)));
    assert!(row.holds_place() && !row.is_waiting() && row.serving_agent().is_none());
    let connect = bench.connect_command(call, leg);
    bench.say(connect);
    let row = bench.call(call);
    assert_eq!((row.stage_name(), row.serving_agent(), bench.shard.serving(call)), ("talking", Some(ANNA), Some(ANNA)));
    assert!(row.is_served() && !row.holds_place() && row.rung_leg().is_none());
    assert_eq!((row.outcome(), row.ended()), (None, None));
    bench.end(call, AGENT_LEFT);
    let row = bench.call(call);
    assert_eq!(
        (row.stage_name(), row.outcome(), row.ended()),
        ("ended", Some(CallOutcome::Answered), Some(AGENT_LEFT))
    );
    assert!(!row.is_served() && !row.is_waiting());
}

#[test]
fn an_outbound_call_is_shown_as_it_goes_on() {
    let mut bench = Bench::new();
    bench.import(SPRING, [0]);
    let call = bench.dialling(0, ANNA);
    let row = bench.call(call);
    assert_eq!((row.stage_name(), row.reserved_agent(), row.dial_result()), ("dialling", Some(ANNA), None));
    assert!(row.is_dialling() && !row.has_customer() && !row.is_answered());
    let reached = bench.reached_command(call);
    bench.say(reached);
    let row = bench.call(call);
    assert!(row.has_customer() && row.is_answered() && !row.is_dialling());
    assert_eq!((row.stage_name(), row.reserved_agent()), ("offered", None));
    let customer = bench.customer(call);
    let left = Command::Left {
        leg: customer,
        cause: strowger_model::Cause::NORMAL,
        told_by: strowger_table::ToldBy::FarEnd,
        observed: bench.now,
    };
    bench.say(left);
    assert_eq!(bench.call(call).dial_result(), Some(DialResult::Abandoned));

    // An agent who asks is rung first.
    let (call, leg) = bench.asked_for(BY_HAND, 7, BERT);
    let row = bench.call(call);
    assert_eq!((row.stage_name(), row.reserved_agent(), row.rung_agent()), ("offered", None, Some(BERT)));
    assert!(!row.is_dialling());
    let connect = bench.connect_command(call, leg);
    bench.say(connect);
    let row = bench.call(call);
    assert_eq!((row.stage_name(), row.reserved_agent()), ("dialling", None));
    bench.not_reached(call, failure(DialResult::Busy, 486, strowger_model::Cause::BUSY));
    assert_eq!(bench.call(call).dial_result(), Some(DialResult::Busy));
}

#[test]
fn a_call_tells_whether_its_owner_is_the_first() {
    let mut bench = Bench::new();
    let call = bench.flowing();
    assert!(!bench.call(call).was_adopted());
    let heirs = vec![(TWO.node, TWO.incarnation)];
    bench.say_as(TWO, Command::Adopt { node: ONE.node, incarnation: ONE.incarnation, heirs });
    assert!(bench.call(call).was_adopted());
}

#[test]
fn an_agent_is_free_since_the_last_work_and_only_when_free() {
    let mut bench = Bench::new();
    let since = bench.now;
    bench.pass(1000);
    assert_eq!(bench.agent(ANNA).free_since(), Some(since));
    assert_eq!(bench.agent(CARL).free_since(), None);
    let call = bench.talking(ANNA);
    assert_eq!((bench.agent(ANNA).free_since(), bench.agent(ANNA).call()), (None, Some(call)));
    assert_eq!(bench.agent(ANNA).slot_of(call).map(|slot| slot.no), Some(0));
    bench.end(call, CALLER_LEFT);
    bench.hung_up(call);
    assert_eq!((bench.agent(ANNA).wrapping(), bench.agent(ANNA).call()), (Some(call), None));
    bench.pass(WRAP_UP_MS);
    bench.expire();
    assert_eq!((bench.agent(ANNA).free_since(), bench.agent(ANNA).wrapping()), (Some(bench.now), None));
}

/// Whoever brings a configuration says what is missing of it, one piece after the other, and then that it is in force.
#[test]
fn a_configuration_is_brought_piece_by_piece_and_once() {
    use strowger_table::{Content, Outcome};
    let mut config = tenant();
    let agent = config.agents[4].clone();
    for no in 10..2000 {
        config.agents.push(strowger_model::config::Agent {
            id: strowger_model::AgentId(no),
            name: format!("agent-{no}"),
            ..agent.clone()
        });
    }
    let mut bench = Bench::bare();
    let content = Content::of(&config, bench.shard.layout()).expect("a known layout");
    assert!(content.bytes.len() > 2 * limit::PART_BYTES, "several pieces");
    let mut pieces = 0;
    while let Some(command) = content.next(&bench.shard, 3, ACME) {
        pieces += 1;
        assert!(pieces < 100, "it comes to an end");
        assert_eq!(bench.say(command), Outcome::Done);
    }
    assert_eq!(pieces, content.bytes.len().div_ceil(limit::PART_BYTES) + 1);
    assert_eq!((bench.shard.config_version(ACME), bench.shard.config_digest(ACME)), (Some(3), Some(content.digest)));
    // The same content as a later version needs no pieces; another one needs all of its own, also when some are there.
    assert!(matches!(content.next(&bench.shard, 4, ACME), Some(Command::Configure { version: 4, .. })));
    assert!(content.next(&bench.shard, 2, ACME).is_none());
    config.agents[0].name = "annabel".into();
    let other = Content::of(&config, bench.shard.layout()).expect("a known layout");
    let first = other.next(&bench.shard, 4, ACME).expect("a piece");
    assert!(matches!(&first, Command::Part(part) if part.no == 0));
    bench.say(first);
    assert!(matches!(other.next(&bench.shard, 4, ACME), Some(Command::Part(part)) if part.no == 1));
    config.agents[0].name = "annabella".into();
    let third = Content::of(&config, bench.shard.layout()).expect("a known layout");
    assert!(matches!(third.next(&bench.shard, 4, ACME), Some(Command::Part(part)) if part.no == 0));
}
