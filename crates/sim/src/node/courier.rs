//! Orders to relays: one courier a relay, one batch under way, tried again until it is answered or given up.

use std::rc::Rc;
use std::time::Duration;

use strowger_call::MediaFact;
use strowger_media::{Hears, Op, RelayAnswer, RelayCommand, RelayEvent};
use strowger_model::{LegKey, RelayId};

use super::News;
use crate::happening::{Happening, Task, Who};
use crate::relay::{Effects, LIFE, Report};
use crate::trace::About;
use crate::world::World;

/// As the product's couriers have it: an answer that takes longer is lost, and after so many tries given up.
const ANSWER: Duration = Duration::from_millis(550);
const TRIES: u32 = 4;

impl World {
    pub(crate) fn order(&mut self, node: usize, relay: RelayId, order: RelayCommand) {
        if !matches!(order.op, Op::Ack { .. } | Op::Remote { .. }) {
            self.say(About::Call(order.call), || format!("n{} → {relay}: {}", node + 1, op_name(&order.op)));
        }
        let place = &mut self.nodes[node];
        let who = place.who;
        let courier = &mut place.couriers[usize::from(relay.0)];
        courier.backlog.push_back(order);
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
        let (given_up, kept): (Vec<RelayCommand>, Vec<RelayCommand>) = orders.iter().cloned().partition(may_fail);
        // What is to be heard and is lost for good leaves the call hanging: it waits for the relay, in its place.
        for order in kept.into_iter().rev() {
            self.nodes[node].couriers[relay].backlog.push_front(order);
        }
        for order in given_up {
            self.tell_answer(node, relay, &order, None);
        }
        self.courier_goes(node, relay);
    }

    pub(crate) fn relay_answered(&mut self, node: usize, relay: usize, batch: u64, answers: Vec<RelayAnswer>) {
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
    pub(crate) fn at_relay(&mut self, relay: usize, from: Who, batch: u64, orders: &[RelayCommand]) {
        for (order, leg) in orders.iter().filter_map(|order| Some((order, order.op.leg()?))) {
            // Of an owner that was away: a relay that never had the leg does not know that it is gone.
            let key = LegKey { call: order.call, leg };
            let row = self.truth.call_of_leg(key);
            let is_there = row.and_then(|row| row.leg(key)).is_some_and(|leg| leg.is_live());
            if matches!(order.op, Op::Open { .. }) && !is_there {
                self.promises.closed.given_up(relay, key);
            }
        }
        let mut effects = Effects::default();
        let answers: Vec<RelayAnswer> =
            orders.iter().map(|order| self.relays[relay].perform(from.node, order, self.now, &mut effects)).collect();
        for play in effects.plays {
            self.timeline.plan(play.over, Happening::PlayOver { relay, play });
        }
        for report in effects.reports {
            self.relay_reports(Some(report));
        }
        if !self.drops() {
            let at = self.after_hop();
            self.timeline.plan(at, Happening::In(from, Task::RelayAnswers { relay, batch, answers }));
        }
    }

    /// What a relay says unasked goes to the node that commands the call; a dead one never hears it.
    pub(crate) fn relay_reports(&mut self, report: Option<Report>) {
        let Some(Report { relay, node, event }) = report else { return };
        self.say(About::Call(event.call), || format!("{relay} → n{}: {:?}", node + 1, event.what));
        let (who, at) = (self.nodes[node].who, self.after_hop());
        self.timeline.plan(at, Happening::In(who, Task::RelayEvent { relay, event }));
    }

    pub(crate) fn relay_event(&mut self, node: usize, relay: RelayId, event: &RelayEvent) {
        if let Some(fact) = MediaFact::of_event(event) {
            self.tell(node, event.call, News::Media(fact));
        }
        self.tell(node, event.call, News::Acknowledge { relay, event: event.seq });
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

    fn tell_answer(&mut self, node: usize, relay: usize, order: &RelayCommand, answer: Option<&RelayAnswer>) {
        if let (Op::CloseLeg { leg }, None) = (&order.op, answer) {
            self.promises.closed.given_up(relay, LegKey { call: order.call, leg: *leg });
        }
        let facts =
            MediaFact::of_answer(RelayId(relay as u16), order.call, &order.op, answer.map(|answer| (LIFE, answer)));
        for fact in facts {
            self.tell(node, order.call, News::Media(fact));
        }
    }
}

/// Orders whose failure the call hears of.
fn may_fail(order: &RelayCommand) -> bool {
    matches!(order.op, Op::Open { .. } | Op::CloseLeg { .. } | Op::Close)
}

fn op_name(op: &Op) -> String {
    match op {
        Op::Hear { leg, what: Hears::Content { repeat, play, .. }, .. } => {
            format!("{leg} hears play {play:x}{}", if *repeat { ", repeated" } else { "" })
        }
        other => format!("{other:?}"),
    }
}
