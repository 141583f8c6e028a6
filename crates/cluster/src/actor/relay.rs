//! Relays: a courier for each, which every node has. It runs the switch's rules; the registry keeps the orders.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use strowger_media::protocol::Answers;
use strowger_model::{CallId, RelayId};
use strowger_raft::View;
use strowger_switch::courier::{self, BATCH, Carried, Order, PAUSE, has_leg_at};

use super::registry::{News, Registry, Ticket, Wake, follow};
use crate::context::{Context, shard_of};
use crate::relays::{conclude, deliver};

impl News for Order {
    /// A lost order would leave a call silent.
    fn lasts(&self) -> bool {
        true
    }
}

pub(crate) type Couriers = Registry<RelayId, Order, ActorRef<CourierMail>>;

#[derive(Clone, Copy, Debug)]
pub(crate) enum CourierMail {
    Wake,
    /// The relay may have been quiet for long.
    Tick,
}

impl From<Wake> for CourierMail {
    fn from(_: Wake) -> Self {
        CourierMail::Wake
    }
}

/// Begins a courier, unless there is one.
pub(crate) fn begin(context: &Arc<Context>, relay: RelayId) {
    if let Some(ticket) = context.relays.couriers.begin(relay, 0, None) {
        context.begun.acting.spawn(run(context.clone(), relay, ticket));
    }
}

/// What a courier that breaks has not settled is repeated by the next. Orders that break them again and again are given
/// up, as if the relay had not answered.
async fn run(context: Arc<Context>, relay: RelayId, ticket: Ticket) {
    let couriers = &context.relays.couriers;
    let start = |ticket| {
        let courier = courier::Courier::default();
        (Courier, Driver { context: context.clone(), relay, ticket, courier, armed: false })
    };
    let Some(last) = follow(couriers, (relay, ticket), start, || context.now()).await else { return };
    let batch = couriers.peek(relay, last, BATCH);
    couriers.settle(relay, last, batch.len(), Vec::new());
    batch.into_iter().for_each(|order| conclude(&context, relay, Carried::given_up(order)));
}

struct Courier;

struct Driver {
    context: Arc<Context>,
    relay: RelayId,
    ticket: Ticket,
    courier: courier::Courier,
    /// A `Tick` is on its way.
    armed: bool,
}

impl Actor for Courier {
    type Msg = CourierMail;
    type State = Driver;
    type Arguments = Driver;

    async fn pre_start(&self, me: ActorRef<CourierMail>, mut driver: Driver) -> Result<Driver, ActorProcessingErr> {
        driver.arm(&me);
        Ok(driver)
    }

    async fn handle(
        &self,
        me: ActorRef<CourierMail>,
        mail: CourierMail,
        driver: &mut Driver,
    ) -> Result<(), ActorProcessingErr> {
        driver.armed &= !matches!(mail, CourierMail::Tick);
        while driver.deliver().await {}
        driver.arm(&me);
        Ok(())
    }
}

fn is_there(view: &View, call: CallId, relay: RelayId) -> bool {
    shard_of(view).is_some_and(|table| has_leg_at(table, call, relay))
}

impl Driver {
    /// False if there is nothing to deliver. What is concluded is settled afterwards: should the courier break
    /// meanwhile, the next one repeats it.
    async fn deliver(&mut self) -> bool {
        let (context, relay) = (&self.context, self.relay);
        let couriers = &context.relays.couriers;
        let batch = couriers.peek(relay, self.ticket, BATCH);
        let Some(commands) = self.courier.carry(&batch, context.now()) else { return false };
        if context.test_break.is_some_and(|fault| fault.breaks_courier(couriers.breaks(relay), &batch)) {
            panic!("a fault that was planted");
        }
        match deliver(context, relay, commands).await {
            Some(Answers { incarnation, list }) => {
                let count = batch.len();
                let carried = self.courier.answered(batch, incarnation, list, context.now());
                carried.into_iter().for_each(|carried| conclude(context, relay, carried));
                couriers.settle(relay, self.ticket, count, Vec::new());
            }
            None => {
                let waiting = couriers.peek(relay, self.ticket, usize::MAX);
                let count = waiting.len();
                let has_leg =
                    |call: CallId| context.shard_view(call.shard()).is_some_and(|view| is_there(&view, call, relay));
                let around = courier::Sight { is_passive: context.edge.is_passive(), has_leg };
                let (given_up, again) = self.courier.failed(waiting, &around, context.now());
                given_up.into_iter().for_each(|carried| conclude(context, relay, carried));
                couriers.settle(relay, self.ticket, count, again);
                tokio::time::sleep(PAUSE).await;
            }
        }
        true
    }

    fn arm(&mut self, me: &ActorRef<CourierMail>) {
        if !std::mem::replace(&mut self.armed, true) {
            me.send_after(self.courier.asks_at().since(self.context.now()), || CourierMail::Tick);
        }
    }
}
