use strowger_media::{Op, RelayAnswer, RelayCommand};
use strowger_model::{CallId, Digest, Incarnation, LegNo, Mono};

use super::bench::SHARD;
use crate::{Carried, Courier, Order};

const LIFE: Incarnation = Incarnation(3);

fn order(call: u64, op: Op) -> Order {
    let call = CallId::new(SHARD, call);
    Order { by: call, command: RelayCommand { call, epoch: 1, op } }
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

/// With those orders, taken at 0.
fn courier(orders: &[Order]) -> Courier {
    let mut courier = Courier::default();
    orders.iter().for_each(|order| courier.take(order.clone(), at(0)));
    courier
}

/// The calls of a batch that leaves now; none if none does.
fn leaves(courier: &mut Courier) -> Option<Vec<u64>> {
    Some(courier.carry()?.iter().map(|command| command.call.index()).collect())
}

/// The calls whose orders are given up.
fn given_up(carried: &[Carried]) -> Vec<u64> {
    let call = |carried: &Carried| match carried {
        Carried::Answered { order, answer: None } => order.by.index(),
        other => panic!("not given up: {other:?}"),
    };
    carried.iter().map(call).collect()
}

#[test]
fn one_batch_at_a_time_and_in_order() {
    let mut courier = courier(&[open(1), open(2)]);
    assert_eq!(leaves(&mut courier), Some(vec![1, 2]));
    courier.take(export(1), at(10));
    assert_eq!(leaves(&mut courier), None, "one is under way");
    let carried = courier.answered(LIFE, vec![RelayAnswer::Done, RelayAnswer::Done]);
    let done = |order| Carried::Answered { order, answer: Some((LIFE, RelayAnswer::Done)) };
    assert_eq!(carried, [done(open(1)), done(open(2))]);
    assert_eq!(leaves(&mut courier), Some(vec![1]), "what came meanwhile");
    courier.answered(LIFE, vec![RelayAnswer::Done]);
    assert_eq!(leaves(&mut courier), None);
}

#[test]
fn a_batch_is_no_larger_than_a_message() {
    let orders: Vec<Order> = (0..300).map(export).collect();
    let mut courier = courier(&orders);
    assert_eq!(leaves(&mut courier).map(|calls| calls.len()), Some(256));
    courier.answered(LIFE, vec![RelayAnswer::Done; 256]);
    assert_eq!(leaves(&mut courier), Some((256..300).collect()));
}

#[test]
fn what_failed_is_said_again_before_what_came_later() {
    let mut courier = courier(&[export(1)]);
    leaves(&mut courier);
    courier.take(export(2), at(100));
    assert_eq!(courier.failed(at(500)), []);
    assert_eq!(leaves(&mut courier), Some(vec![1, 2]));
}

#[test]
fn each_order_has_its_own_patience() {
    let mut courier = courier(&[open(1), close(2), export(3)]);
    leaves(&mut courier);
    assert_eq!(courier.failed(at(1000)), []);
    // Behind one that waits for the relay, the clock of a later one runs all the same.
    courier.take(open(4), at(1000));
    leaves(&mut courier);
    assert_eq!(given_up(&courier.failed(at(1001))), [1], "there is no port");
    leaves(&mut courier);
    assert_eq!(given_up(&courier.failed(at(2001))), [2, 4]);
    leaves(&mut courier);
    assert_eq!(courier.failed(at(3_600_000)), [], "what is to be heard waits");
    assert_eq!(leaves(&mut courier), Some(vec![3]));
}

#[test]
fn content_that_is_missing_is_supplied() {
    let content = Digest([7; 32]);
    let mut courier = courier(&[export(1)]);
    leaves(&mut courier);
    let carried = courier.answered(LIFE, vec![RelayAnswer::NeedContent { content }]);
    assert_eq!(carried, [Carried::Supply { content, order: export(1) }]);
    assert_eq!(leaves(&mut courier), None, "it comes again when the relay has the content");
}

#[test]
fn an_order_that_a_relay_left_unanswered_is_given_up() {
    let mut courier = courier(&[open(1), open(2)]);
    leaves(&mut courier);
    let carried = courier.answered(LIFE, vec![RelayAnswer::Done]);
    assert_eq!(given_up(&carried[1..]), [2]);
}
