use strowger_acd::UsableRelay;
use strowger_call::MediaFact;
use strowger_media::{Op, Refusal, RelayAnswer, RelayCommand};
use strowger_model::{CallId, Digest, Incarnation, LegKey, LegNo, Mono, RelayId};
use strowger_table::{Command, Outcome};

use super::bench::{Bench, ME, SHARD};
use super::leading::World;
use crate::Task;
use crate::courier::{
    BATCH, Carried, Courier, GONE, Order, Sight, another, calls_at, elsewhere, has_leg_at, holder, means,
};

const LIFE: Incarnation = Incarnation(3);

fn order(call: u64, op: Op) -> Order {
    let call = CallId::new(SHARD, call);
    Order { by: call, command: RelayCommand { call, epoch: 1, op }, since: Mono::ZERO }
}

fn open(call: u64) -> Order {
    order(call, Op::Open { leg: LegNo(0) })
}

fn close(call: u64) -> Order {
    order(call, Op::CloseLeg { leg: LegNo(0) })
}

fn export(call: u64) -> Order {
    order(call, Op::Export { leg: LegNo(0), to: Vec::new() })
}

fn at(ms: u64) -> Mono {
    Mono::from_millis(ms)
}

/// Of a node that is active; all calls but those have a leg there.
fn without<const N: usize>(calls: [u64; N]) -> Sight<impl Fn(CallId) -> bool> {
    Sight { is_passive: false, has_leg: move |call: CallId| !calls.contains(&call.index()) }
}

/// The calls of what is given up, and of what is said again.
fn left((carried, again): (Vec<Carried>, Vec<Order>)) -> (Vec<u64>, Vec<u64>) {
    let given_up = |carried: &Carried| match carried {
        Carried::Answered { order, answer: None } => order.by.index(),
        other => panic!("not given up: {other:?}"),
    };
    (carried.iter().map(given_up).collect(), again.iter().map(|order| order.by.index()).collect())
}

fn usable(relays: &[(RelayId, &str)]) -> Vec<UsableRelay> {
    relays.iter().map(|(relay, site)| UsableRelay { relay: *relay, site: (*site).to_owned() }).collect()
}

/// A call whose caller is carried by this relay.
fn answered(bench: &mut Bench, call_id: &str, relay: RelayId) -> CallId {
    let admit = bench.admit(call_id);
    let Command::Admit(of) = &admit else { panic!("an admission") };
    let dialog = Box::new(of.dialog.clone());
    let Outcome::Admitted { call, .. } = bench.commit(ME, admit) else { panic!("not admitted") };
    let leg = LegKey { call, leg: LegNo(0) };
    assert_eq!(bench.commit(ME, Command::Answer { leg, dialog, relay }), Outcome::Done);
    call
}

#[test]
fn what_failed_is_said_again_in_its_order() {
    let orders = vec![export(1), open(2), close(3), export(1)];
    assert_eq!(left(Courier::default().failed(orders, &without([]), at(500))), (vec![], vec![1, 2, 3, 1]));
}

#[test]
fn each_order_has_its_own_patience() {
    let orders = |ms| {
        let late = Order { since: at(1000), ..open(4) };
        left(Courier::default().failed(vec![export(3), open(1), close(2), late], &without([]), at(ms)))
    };
    assert_eq!(orders(1000), (vec![], vec![3, 1, 2, 4]));
    assert_eq!(orders(1001), (vec![1], vec![3, 2, 4]), "there is no port");
    // Behind one that waits for the relay, the clock of a later one runs all the same.
    assert_eq!(orders(2001), (vec![1, 2, 4], vec![3]));
    assert_eq!(orders(3_600_000), (vec![1, 2, 4], vec![3]), "what is to be heard waits");
}

#[test]
fn each_order_gets_its_answer() {
    let content = Digest([7; 32]);
    let answers = vec![RelayAnswer::Done, RelayAnswer::NeedContent { content }];
    let mut courier = Courier::default();
    courier.answered(vec![], LIFE, vec![], at(0));
    let carried = courier.answered(vec![close(1), export(2), open(3)], LIFE, answers, at(1));
    let done = Carried::Answered { order: close(1), answer: Some((LIFE, RelayAnswer::Done)) };
    let supply = Carried::Supply { content, order: export(2) };
    assert_eq!(carried, [done, supply, Carried::given_up(open(3))], "one that is left unanswered is given up");
}

#[test]
fn a_relay_with_nothing_to_do_is_asked_once_a_second_which_start_of_it_this_is() {
    let mut courier = Courier::default();
    let met = |incarnation| vec![Carried::Met { incarnation }];
    assert_eq!(courier.carry(&[], at(0)), Some(vec![]));
    assert_eq!(courier.answered(vec![], LIFE, vec![], at(10)), met(LIFE), "whoever asked before may have met another");
    assert_eq!((courier.carry(&[], at(1009)), courier.carry(&[], at(1010))), (None, Some(vec![])));
    assert_eq!(courier.carry(&[close(1)], at(11)), Some(vec![close(1).command]), "what waits travels at once");
    assert_eq!(courier.failed(vec![], &without([]), at(1510)), (vec![], vec![]));
    assert_eq!((courier.asks_at(), courier.carry(&[], at(2000))), (at(2510), None), "one that is gone is not pressed");
    assert_eq!(courier.answered(vec![], LIFE, vec![], at(2520)), []);
    assert_eq!(courier.answered(vec![], Incarnation(4), vec![], at(3520)), met(Incarnation(4)));
}

#[test]
fn what_is_to_be_heard_waits_no_longer_than_its_call_is_there() {
    let orders = vec![export(1), export(2)];
    assert_eq!(left(Courier::default().failed(orders, &without([1]), at(500))), (vec![1], vec![2]));
}

#[test]
fn a_relay_that_answers_nothing_for_long_is_gone_and_that_is_said_again() {
    let mut courier = Courier::default();
    let gone = |courier: &mut Courier, ms, is_passive| {
        let sight = Sight { is_passive, has_leg: |_| true };
        let (carried, _) = courier.failed(vec![], &sight, at(ms));
        assert!(carried.iter().all(|carried| *carried == Carried::Gone));
        carried.len() == 1
    };
    let long = GONE.as_millis() as u64;
    courier.answered(vec![], LIFE, vec![], at(0));
    // From the first question that it did not answer.
    let first = 1500;
    assert!(!gone(&mut courier, first, false));
    assert!(!gone(&mut courier, first + long - 1, false));
    assert!(gone(&mut courier, first + long, false));
    assert!(!gone(&mut courier, first + 2 * long - 1, false));
    assert!(gone(&mut courier, first + 2 * long, false));
    // A node that nobody answers hears nothing of anybody.
    assert!(!gone(&mut courier, first + 3 * long, true));
    assert!(!gone(&mut courier, first + 3 * long + 1, false));
    assert!(!gone(&mut courier, first + 4 * long, false));
    courier.answered(vec![], LIFE, vec![], at(first + 4 * long));
    assert!(!gone(&mut courier, first + 6 * long, false), "it was back meanwhile");
}

#[test]
fn calls_of_a_relay_that_is_gone_go_to_others_of_its_site() {
    let mut bench = Bench::new();
    let (gone, here, there) = (RelayId(1), RelayId(2), RelayId(3));
    let [first, second, other] =
        [("a", gone), ("b", gone), ("c", here)].map(|(call_id, relay)| answered(&mut bench, call_id, relay));
    let all = usable(&[(gone, "east"), (here, "east"), (there, "west")]);
    assert_eq!(elsewhere(&bench.shard, &all, (gone, "east")), [(first, here), (second, here)]);
    // Anywhere, they are spread: there is one call at the first of the others.
    assert_eq!(elsewhere(&bench.shard, &all, (gone, "")), [(first, there), (second, here)]);
    assert_eq!(elsewhere(&bench.shard, &usable(&[(gone, "east")]), (gone, "east")), [], "there is no other yet");
    assert!(has_leg_at(&bench.shard, first, gone) && !has_leg_at(&bench.shard, other, gone));
    // The relay that they were on their way to is gone as well.
    let leg = LegKey { call: first, leg: LegNo(0) };
    assert_eq!(bench.commit(ME, Command::Rehome { legs: vec![(leg, here)] }), Outcome::Done);
    let goes: Vec<CallId> = elsewhere(&bench.shard, &all, (here, "")).into_iter().map(|(call, _)| call).collect();
    assert_eq!(goes, [first, other]);
}

/// Before a call is answered no relay is in its row: another may open what this one does not.
#[test]
fn a_port_that_a_relay_does_not_open_is_had_of_another_of_its_site() {
    let mut bench = Bench::new();
    let (silent, here, there) = (RelayId(1), RelayId(2), RelayId(3));
    answered(&mut bench, "a", here);
    let all = usable(&[(silent, "east"), (here, "east"), (there, "west")]);
    assert_eq!(another(&bench.shard, &all, (silent, "east")), Some(here), "of its site, whatever it carries");
    assert_eq!(another(&bench.shard, &all, (silent, "")), Some(there), "anywhere, the idle one");
    assert_eq!(another(&bench.shard, &usable(&[(silent, "east")]), (silent, "east")), None);
}

/// A relay that does not answer, or has no room, is not the only one; a call that it rightly turns away is wrong
/// everywhere.
#[test]
fn another_relay_is_asked_where_it_is_the_relay_that_fails() {
    let instead = |op: Op, answer: Option<RelayAnswer>| {
        let answer = answer.map(|answer| (LIFE, answer));
        let facts = means(RelayId(1), &order(1, op), answer.as_ref(), || Some(RelayId(2)));
        facts.iter().any(|fact| matches!(fact, MediaFact::Unavailable { instead: Some(RelayId(2)), .. }))
    };
    let open = || Op::Open { leg: LegNo(0) };
    let refused = |why| Some(RelayAnswer::refused(why));
    assert!(instead(open(), None), "it is silent");
    for why in [Refusal::NoPorts, Refusal::NoSockets, Refusal::TooManyLegs, Refusal::Stopping] {
        assert!(instead(open(), refused(why.clone())), "{why:?}");
    }
    for why in [Refusal::Fenced { epoch: 2 }, Refusal::Ended] {
        assert!(!instead(open(), refused(why.clone())), "{why:?}");
    }
    assert!(!instead(Op::CloseLeg { leg: LegNo(0) }, None), "what is closed is closed");
}

/// The far end's relay takes what fits into one batch; the rest travels next.
#[test]
fn a_batch_has_its_size() {
    let orders: Vec<Order> = (0..BATCH as u64 + 10).map(open).collect();
    let batch = Courier::default().carry(&orders, at(0)).expect("they wait");
    let commands: Vec<RelayCommand> = orders[..BATCH].iter().map(|order| order.command.clone()).collect();
    assert_eq!(batch, commands, "the oldest, in their order");
}

/// What a call has at a relay is given up only when nobody needs it: a port soon, what ends a call a little later, all
/// else never.
#[test]
fn only_what_opens_or_closes_is_given_up_in_time() {
    let leg = LegNo(0);
    let waits = [
        (Op::Open { leg }, Some(1000)),
        (Op::CloseLeg { leg }, Some(2000)),
        (Op::Adopt { leg }, None),
        (Op::Export { leg, to: Vec::new() }, None),
    ];
    for (op, longest) in waits {
        let given_up = |ms| left(Courier::default().failed(vec![order(1, op.clone())], &without([]), at(ms))).0;
        match longest {
            Some(longest) => assert_eq!((given_up(longest), given_up(longest + 1)), (vec![], vec![1]), "{op:?}"),
            None => assert_eq!(given_up(3_600_000), [0; 0], "{op:?}"),
        }
    }
}

/// A leg that moves has a port at both until its far end has agreed.
#[test]
fn a_leg_on_its_way_to_a_relay_is_there_as_well() {
    let mut bench = Bench::new();
    let (old, new) = (RelayId(1), RelayId(2));
    let call = answered(&mut bench, "a", old);
    let leg = LegKey { call, leg: LegNo(0) };
    bench.commit(ME, Command::Rehome { legs: vec![(leg, new)] });
    assert!(has_leg_at(&bench.shard, call, old) && has_leg_at(&bench.shard, call, new));
    assert_eq!(calls_at(&bench.shard, old).collect::<Vec<_>>(), [call]);
    assert_eq!(
        calls_at(&bench.shard, new).collect::<Vec<_>>(),
        [call],
        "if that is gone as well, it goes on to another"
    );
    bench.ended(ME, call);
    assert!(!has_leg_at(&bench.shard, call, old), "it is over");
    assert!(!has_leg_at(&bench.shard, CallId::new(SHARD, 999), old), "nobody knows it");
}

/// Media of one call over one relay needs no way between two.
#[test]
fn a_leg_goes_where_the_other_leg_of_its_call_is() {
    let mut world = World::new();
    world.relays = usable(&[(RelayId(3), "")]);
    world.waits("a");
    let Command::Plan(plan) = world.commits(Task::Plan) else { panic!("a plan") };
    assert_eq!(plan.offers[0].relay, RelayId(3));
    let call = world.bench.shard.calls().next().expect("it rings").id;
    let all = usable(&[(RelayId(1), ""), (RelayId(2), ""), (RelayId(3), "")]);
    assert_eq!(elsewhere(&world.bench.shard, &all, (RelayId(1), "")), [(call, RelayId(3))], "not the idle one");
}

/// What a relay says of a leg is for the call that has it now: rows are merged.
#[test]
fn of_a_leg_that_nobody_has_the_call_it_was_born_in_hears() {
    let mut bench = Bench::new();
    let call = answered(&mut bench, "a", RelayId(1));
    let leg = LegKey { call, leg: LegNo(0) };
    assert_eq!(holder(Some(&bench.shard), leg), call);
    let gone = LegKey { call: CallId::new(SHARD, 999), leg: LegNo(0) };
    assert_eq!((holder(Some(&bench.shard), gone), holder(None, leg)), (gone.call, call));
}
