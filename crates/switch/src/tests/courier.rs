use strowger_media::{Op, RelayAnswer, RelayCommand};
use strowger_model::{CallId, Digest, Incarnation, LegNo, Mono};

use super::bench::SHARD;
use crate::courier::{Carried, Courier, Order};

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

/// The calls of what is given up, and of what is said again.
fn left((carried, again): (Vec<Carried>, Vec<Order>)) -> (Vec<u64>, Vec<u64>) {
    let given_up = |carried: &Carried| match carried {
        Carried::Answered { order, answer: None } => order.by.index(),
        other => panic!("not given up: {other:?}"),
    };
    (carried.iter().map(given_up).collect(), again.iter().map(|order| order.by.index()).collect())
}

#[test]
fn what_failed_is_said_again_in_its_order() {
    let orders = vec![export(1), open(2), close(3), export(1)];
    assert_eq!(left(Courier::default().failed(orders, at(500))), (vec![], vec![1, 2, 3, 1]));
}

#[test]
fn each_order_has_its_own_patience() {
    let orders = |ms| {
        let late = Order { since: at(1000), ..open(4) };
        left(Courier::default().failed(vec![export(3), open(1), close(2), late], at(ms)))
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
    assert_eq!(courier.failed(vec![], at(1510)), (vec![], vec![]));
    assert_eq!((courier.asks_at(), courier.carry(&[], at(2000))), (at(2510), None), "one that is gone is not pressed");
    assert_eq!(courier.answered(vec![], LIFE, vec![], at(2520)), []);
    assert_eq!(courier.answered(vec![], Incarnation(4), vec![], at(3520)), met(Incarnation(4)));
}
