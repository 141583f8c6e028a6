use strowger_media::{Op, RelayAnswer, RelayCommand};
use strowger_model::{CallId, Digest, Incarnation, LegNo, Mono};

use super::bench::SHARD;
use crate::courier::{Carried, Order, answered, failed};

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
    assert_eq!(left(failed(orders, at(500))), (vec![], vec![1, 2, 3, 1]));
}

#[test]
fn each_order_has_its_own_patience() {
    let orders = |ms| {
        let late = Order { since: at(1000), ..open(4) };
        left(failed(vec![export(3), open(1), close(2), late], at(ms)))
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
    let carried = answered(vec![close(1), export(2), open(3)], LIFE, answers);
    let done = Carried::Answered { order: close(1), answer: Some((LIFE, RelayAnswer::Done)) };
    let supply = Carried::Supply { content, order: export(2) };
    assert_eq!(carried, [done, supply, Carried::given_up(open(3))], "one that is left unanswered is given up");
}
