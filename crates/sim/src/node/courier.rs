//! Orders to relays: one courier a relay, one batch under way, tried again until it is answered or given up.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use strowger_call::{MediaFact, MediaOp};
use strowger_model::{CallId, RelayId};
use strowger_table::Call;

use super::News;
use crate::happening::{Happening, Task, Who};
use crate::relay::{Answer, Order, Play, Report};
use crate::trace::About;
use crate::world::World;

/// As the product's couriers have it: an answer that takes longer is lost, and after so many tries given up.
const ANSWER: Duration = Duration::from_millis(550);
const TRIES: u32 = 4;

impl World {
    pub(crate) fn order(&mut self, node: usize, relay: RelayId, row: &Arc<Call>, op: MediaOp) {
        if !matches!(op, MediaOp::Acknowledge { .. } | MediaOp::Remote { .. }) {
            self.say(About::Call(row.id), || format!("n{} → {relay}: {}", node + 1, op_name(&op)));
        }
        let place = &mut self.nodes[node];
        let who = place.who;
        let courier = &mut place.couriers[usize::from(relay.0)];
        courier.backlog.push_back(Order { call: row.id, epoch: row.owner.epoch, op });
        if courier.batch.is_none() && courier.backlog.len() == 1 {
            self.timeline.plan(self.now, Happening::In(who, Task::Courier { relay: usize::from(relay.0) }));
        }
    }

    pub(crate) fn courier_goes(&mut self, node: usize, relay: usize) {
        let courier = &mut self.nodes[node].couriers[relay];
        if courier.batch.is_some() || courier.backlog.is_empty() {
            return;
        }
        courier.number += 1;
        courier.batch = Some((Rc::new(courier.backlog.drain(..).collect()), 1));
        self.carry_orders(node, relay);
    }

    pub(crate) fn courier_again(&mut self, node: usize, relay: usize, batch: u64) {
        let courier = &mut self.nodes[node].couriers[relay];
        if courier.number != batch {
            return;
        }
        let Some((orders, tries)) = courier.batch.as_mut() else { return };
        if *tries < TRIES {
            *tries += 1;
            return self.carry_orders(node, relay);
        }
        let orders = orders.clone();
        courier.batch = None;
        let (given_up, kept): (Vec<Order>, Vec<Order>) = orders.iter().cloned().partition(may_fail);
        // A play or bridge that is lost for good leaves the call hanging: it waits for the relay, in its place.
        for order in kept.into_iter().rev() {
            self.nodes[node].couriers[relay].backlog.push_front(order);
        }
        for order in given_up {
            self.tell_answer(node, relay, &order, None);
        }
        self.courier_goes(node, relay);
    }

    pub(crate) fn relay_answered(&mut self, node: usize, relay: usize, batch: u64, answers: Vec<Answer>) {
        let courier = &mut self.nodes[node].couriers[relay];
        if courier.number != batch {
            return;
        }
        let Some((orders, _)) = courier.batch.take() else { return };
        for (order, answer) in orders.iter().zip(&answers) {
            self.tell_answer(node, relay, order, Some(answer));
        }
        self.courier_goes(node, relay);
    }

    /// A batch reaches its relay.
    pub(crate) fn at_relay(&mut self, relay: usize, from: Who, batch: u64, orders: &[Order]) {
        for order in orders.iter().filter(|order| matches!(order.op, MediaOp::Open { .. })) {
            // Of an owner that was away: a relay that never had the call does not know that it is over.
            if self.truth.call(order.call).is_none_or(|row| row.is_over()) {
                self.promises.closed.given_up(relay, order.call);
            }
        }
        let mut plays: Vec<Play> = Vec::new();
        let answers: Vec<Answer> =
            orders.iter().map(|order| self.relays[relay].perform(from.node, order, self.now, &mut plays)).collect();
        for play in plays {
            self.timeline.plan(play.over, Happening::PlayOver { relay, play });
        }
        if !self.drops() {
            let at = self.after_hop();
            self.timeline.plan(at, Happening::In(from, Task::RelayAnswers { relay, batch, answers }));
        }
    }

    /// What a relay says unasked goes to the node that commands the call; a dead one never hears it.
    pub(crate) fn relay_reports(&mut self, report: Option<Report>) {
        let Some(Report { relay, node, call, seq, fact }) = report else { return };
        self.say(About::Call(call), || format!("{relay} → n{}: {fact:?}", node + 1));
        let (who, at) = (self.nodes[node].who, self.after_hop());
        self.timeline.plan(at, Happening::In(who, Task::RelayEvent { relay, call, seq, fact }));
    }

    pub(crate) fn relay_event(&mut self, node: usize, relay: RelayId, call: CallId, seq: u64, fact: MediaFact) {
        self.tell(node, call, News::Media(fact));
        self.tell(node, call, News::Acknowledge { relay, event: seq });
    }

    fn carry_orders(&mut self, node: usize, relay: usize) {
        let lost = self.nodes[node].cut || self.drops();
        let place = &self.nodes[node];
        let (from, courier) = (place.who, &place.couriers[relay]);
        let Some((orders, _)) = &courier.batch else { return };
        let (orders, batch) = (orders.clone(), courier.number);
        if !lost {
            let at = self.after_hop() + self.relays[relay].slow;
            self.timeline.plan(at, Happening::AtRelay { relay, from, batch, orders });
        }
        self.timeline.plan(self.now + ANSWER, Happening::In(from, Task::CourierAgain { relay, batch }));
    }

    fn tell_answer(&mut self, node: usize, relay: usize, order: &Order, answer: Option<&Answer>) {
        if matches!((&order.op, answer), (MediaOp::Close, None)) {
            self.promises.closed.given_up(relay, order.call);
        }
        let facts: Vec<MediaFact> = match (&order.op, answer) {
            (MediaOp::Open { leg }, Some(Answer::Opened(rtp))) => vec![MediaFact::Opened { leg: *leg, rtp: *rtp }],
            (MediaOp::Open { leg }, _) => vec![MediaFact::Unavailable { leg: *leg }],
            (MediaOp::Close, _) => vec![MediaFact::Closed { relay: RelayId(relay as u16) }],
            (MediaOp::Adopt, Some(Answer::Snapshot { legs, missed })) => {
                let opened = legs.iter().map(|(leg, rtp)| MediaFact::Opened { leg: *leg, rtp: *rtp });
                opened.chain(missed.iter().map(|(_, fact)| fact.clone())).collect()
            }
            _ => Vec::new(),
        };
        for fact in facts {
            self.tell(node, order.call, News::Media(fact));
        }
    }
}

/// Orders whose failure the call hears of.
fn may_fail(order: &Order) -> bool {
    matches!(order.op, MediaOp::Open { .. } | MediaOp::Close)
}

fn op_name(op: &MediaOp) -> String {
    match op {
        MediaOp::Play { leg, id, repeat, .. } => {
            format!("play {id:x} on {leg}{}", if *repeat { ", repeated" } else { "" })
        }
        other => format!("{other:?}"),
    }
}
