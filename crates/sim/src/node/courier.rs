//! Runs the switch's couriers: batches to relays and back, each of which may be lost on its way.

use std::rc::Rc;

use strowger_acd::UsableRelay;
use strowger_call::MediaFact;
use strowger_media::protocol::Answers;
use strowger_media::{Hears, Op, RelayAnswer, RelayCommand, RelayEvent, What};
use strowger_model::{CallId, Incarnation, LegKey, RelayId};
use strowger_switch::courier::{
    ANSWER, Carried, Order, PAUSE, Sight, another, calls_at, elsewhere, has_leg_at, holder, means,
};

use super::{News, Node};
use crate::happening::{Happening, Task, Who};
use crate::plant::Plant;
use crate::relay::{Effects, Report};
use crate::tenant::site_of;
use crate::trace::About;
use crate::world::World;

impl World {
    /// Of the actor of `by`.
    pub(crate) fn order(&mut self, node: usize, relay: RelayId, by: CallId, command: RelayCommand) {
        if !matches!(command.op, Op::Ack { .. } | Op::Remote { .. }) {
            self.say(About::Call(command.call), || format!("n{} → {relay}: {}", node + 1, op_name(&command.op)));
        }
        let (now, relay) = (self.now, usize::from(relay.0));
        let place = &mut self.nodes[node];
        let who = place.who;
        let way = &mut place.ways[relay];
        way.waiting.push_back(Order { by, command, since: now });
        if way.waiting.len() == 1 && way.under_way.is_none() {
            self.timeline.plan(now, Happening::In(who, Task::Courier { relay }));
        }
    }

    pub(crate) fn courier_goes(&mut self, node: usize, relay: usize) {
        let now = self.now;
        let place = &mut self.nodes[node];
        let (from, way) = (place.who, &mut place.ways[relay]);
        if way.under_way.is_some() {
            return;
        }
        let Some(orders) = way.courier.carry(way.waiting.make_contiguous(), now) else { return };
        way.under_way = Some(orders.len());
        way.batch += 1;
        let opens = orders.iter().any(|order| matches!(order.op, Op::Open { .. }));
        let (batch, orders) = (way.batch, Rc::new(orders));
        if !(self.nodes[node].cut || self.drops()) {
            let at = self.after_hop() + self.relays[relay].slow;
            self.timeline.plan(at, Happening::AtRelay { relay, from, batch, orders });
        }
        self.timeline.plan(self.now + ANSWER, Happening::In(from, Task::CourierAgain { relay, batch }));
        if opens {
            self.awaits(node);
        }
    }

    pub(crate) fn courier_again(&mut self, node: usize, relay: usize, batch: u64) {
        let now = self.now;
        let way = &mut self.nodes[node].ways[relay];
        if way.arrived(batch).is_none() {
            return;
        }
        let waiting: Vec<Order> = way.waiting.drain(..).collect();
        let is_passive = self.is_passive(node);
        let Node { ways, replica, .. } = &mut self.nodes[node];
        let has_leg = |call| has_leg_at(&replica.shard, call, RelayId(relay as u16));
        let (given_up, again) = ways[relay].courier.failed(waiting, &Sight { is_passive, has_leg }, now);
        ways[relay].waiting.extend(again);
        self.conclude(node, relay, given_up);
        self.timeline.plan(now + PAUSE, Happening::In(self.nodes[node].who, Task::Courier { relay }));
        self.arm_courier(node, relay);
    }

    pub(crate) fn relay_answered(&mut self, node: usize, relay: usize, batch: u64, answers: Answers) {
        let now = self.now;
        let way = &mut self.nodes[node].ways[relay];
        let Some(count) = way.arrived(batch) else { return };
        let orders = way.waiting.drain(..count).collect();
        let carried = way.courier.answered(orders, answers.incarnation, answers.list, now);
        self.conclude(node, relay, carried);
        self.courier_goes(node, relay);
        self.arm_courier(node, relay);
    }

    /// Of a process that has begun.
    pub(crate) fn begin_couriers(&mut self, node: usize) {
        (0..self.relays.len()).for_each(|relay| self.arm_courier(node, relay));
    }

    /// It looks again then, whatever comes before.
    fn arm_courier(&mut self, node: usize, relay: usize) {
        let place = &self.nodes[node];
        let at = place.ways[relay].courier.asks_at().max(self.now);
        self.timeline.plan(at, Happening::In(place.who, Task::Courier { relay }));
    }

    /// A batch reaches its relay.
    pub(crate) fn at_relay(&mut self, relay: usize, from: Who, batch: u64, orders: &[RelayCommand]) {
        if self.relays[relay].is_dead {
            return;
        }
        for order in orders {
            // Of an owner that was away, or late: a relay that never had the leg does not know that it is gone, or has its
            // port at another that was asked meanwhile.
            let key = LegKey { call: order.call, leg: order.op.leg() };
            let row = self.truth.call_of_leg(key);
            let here = Some(RelayId(relay as u16));
            let is_there = row.and_then(|row| row.leg(key)).is_some_and(|leg| {
                leg.is_live() && (leg.relay.is_none() || [leg.relay, leg.next_relay].contains(&here))
            });
            if matches!(order.op, Op::Open { .. }) && !is_there {
                self.promises.closed.given_up(relay, key);
            }
        }
        for order in orders {
            if let Op::Hear { what: Hears::Content { digest, .. }, .. } = &order.op {
                self.promises.apart.plays(order.call, *digest);
            }
        }
        let mut effects = Effects::default();
        let incarnation = self.relays[relay].life;
        let mut perform = |order: &RelayCommand| {
            let answer = self.relays[relay].perform(from.node, order, self.now, &mut effects);
            self.promises.voice.ordered(relay, incarnation, order, &answer);
            answer
        };
        let list = orders.iter().map(&mut perform).collect();
        let answers = Answers { incarnation, list };
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
        if self.plant == Some(Plant::SilenceUnheard) && matches!(event.what, What::DeadMedia { .. }) {
            return;
        }
        let leg = LegKey { call: event.call, leg: event.leg };
        let call = holder(Some(&self.nodes[node].replica.shard), leg);
        self.tell(node, call, News::Media(MediaFact::of_event(relay, event)));
        self.tell(node, call, News::Acknowledge { relay, leg, event: event.seq });
    }

    fn conclude(&mut self, node: usize, relay: usize, carried: Vec<Carried>) {
        for carried in carried {
            match carried {
                Carried::Answered { order, answer } => self.order_answered(node, relay, order, answer),
                Carried::Met { incarnation } => self.relay_met(node, RelayId(relay as u16), incarnation),
                Carried::Gone => self.relay_gone(node, RelayId(relay as u16)),
                // A world's relays have all content.
                Carried::Supply { .. } => {}
            }
        }
    }

    fn order_answered(&mut self, node: usize, relay: usize, order: Order, answer: Option<(Incarnation, RelayAnswer)>) {
        if let (Op::CloseLeg { leg }, None) = (&order.command.op, &answer) {
            self.promises.closed.given_up(relay, LegKey { call: order.command.call, leg: *leg });
        }
        let (here, shard) = (RelayId(relay as u16), &self.nodes[node].replica.shard);
        let instead = || another(shard, &self.usable, (here, site_of(relay)));
        for fact in means(here, &order, answer.as_ref(), instead) {
            if let MediaFact::Unavailable { instead: Some(_), .. } = fact {
                let is_near = |other: &UsableRelay| other.relay != here && other.site == site_of(relay);
                if !self.usable.iter().any(is_near) {
                    self.promises.rules.site_has_no_port(order.by);
                }
            }
            self.tell(node, order.by, News::Media(fact));
        }
    }

    fn relay_met(&mut self, node: usize, relay: RelayId, incarnation: Incarnation) {
        if self.plant == Some(Plant::AnewUnheard) {
            return;
        }
        let calls: Vec<CallId> = calls_at(&self.nodes[node].replica.shard, relay).collect();
        for call in calls {
            self.tell(node, call, News::Media(MediaFact::Met { relay, incarnation }));
        }
    }

    fn relay_gone(&mut self, node: usize, relay: RelayId) {
        if self.plant == Some(Plant::GoneUnheard) {
            return;
        }
        let gone = (relay, site_of(usize::from(relay.0)));
        for (call, instead) in elsewhere(&self.nodes[node].replica.shard, &self.usable, gone) {
            self.tell(node, call, News::Media(MediaFact::Gone { relay, instead }));
        }
    }
}

fn op_name(op: &Op) -> String {
    match op {
        Op::Hear { leg, what: Hears::Content { repeat, play, .. }, .. } => {
            format!("{leg} hears play {play:x}{}", if *repeat { ", repeated" } else { "" })
        }
        other => format!("{other:?}"),
    }
}
