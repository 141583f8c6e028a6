//! Relays: a courier for each, which every node has. It runs the switch's rules; the registry keeps the orders.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use strowger_media::protocol::Answers;
use strowger_model::RelayId;
use strowger_switch::courier::{BATCH, Carried, Order, PAUSE, answered, failed};

use super::registry::{BROKEN_MAX, News, Registry, Ticket, Wake, sit};
use crate::context::Context;
use crate::relays::{conclude, deliver};

impl News for Order {
    /// A lost order would leave a call silent.
    fn lasts(&self) -> bool {
        true
    }
}

pub(crate) type Couriers = Registry<RelayId, Order, ActorRef<Wake>>;

/// Begins a courier, unless there is one.
pub(crate) fn begin(context: &Arc<Context>, relay: RelayId) {
    if let Some(ticket) = context.relays.couriers.begin(relay, 0, None) {
        context.acting.spawn(run(context.clone(), relay, ticket));
    }
}

/// One courier after another, as long as they break: what they have not settled is repeated. Orders that break them
/// again and again are given up, as if the relay had not answered, and then the sweep begins the next.
async fn run(context: Arc<Context>, relay: RelayId, mut ticket: Ticket) {
    let couriers = &context.relays.couriers;
    loop {
        let start = Desk { context: context.clone(), relay, ticket };
        let ended = sit(couriers, (relay, ticket), (Courier, start), || context.now()).await;
        let Some(times) = ended else { return };
        tracing::error!(%relay, times, "the courier of a relay broke");
        if times >= BROKEN_MAX {
            let batch = couriers.peek(relay, ticket, BATCH);
            couriers.settle(relay, ticket, batch.len(), Vec::new());
            return batch.into_iter().for_each(|order| conclude(&context, relay, Carried::given_up(order)));
        }
        match couriers.begin(relay, 0, None) {
            Some(next) => ticket = next,
            None => return,
        }
    }
}

struct Courier;

struct Desk {
    context: Arc<Context>,
    relay: RelayId,
    ticket: Ticket,
}

impl Actor for Courier {
    type Msg = Wake;
    type State = Desk;
    type Arguments = Desk;

    async fn pre_start(&self, _: ActorRef<Wake>, desk: Desk) -> Result<Desk, ActorProcessingErr> {
        Ok(desk)
    }

    async fn handle(&self, _: ActorRef<Wake>, _: Wake, desk: &mut Desk) -> Result<(), ActorProcessingErr> {
        while desk.deliver().await {}
        Ok(())
    }
}

impl Desk {
    /// False if there is nothing to deliver. What is concluded is settled afterwards: should the courier break
    /// meanwhile, the next one repeats it.
    async fn deliver(&mut self) -> bool {
        let (context, relay) = (&self.context, self.relay);
        let couriers = &context.relays.couriers;
        let batch = couriers.peek(relay, self.ticket, BATCH);
        if batch.is_empty() {
            return false;
        }
        if context.test_break.is_some_and(|fault| fault.breaks_courier(couriers.breaks(relay), &batch)) {
            panic!("a fault that was planted");
        }
        let answers = deliver(context, relay, batch.iter().map(|order| order.command.clone()).collect()).await;
        match answers {
            Some(Answers { incarnation, list }) => {
                let count = batch.len();
                let carried = answered(batch, incarnation, list);
                carried.into_iter().for_each(|carried| conclude(context, relay, carried));
                couriers.settle(relay, self.ticket, count, Vec::new());
            }
            None => {
                let waiting = couriers.peek(relay, self.ticket, usize::MAX);
                let count = waiting.len();
                let (given_up, again) = failed(waiting, context.now());
                given_up.into_iter().for_each(|carried| conclude(context, relay, carried));
                couriers.settle(relay, self.ticket, count, again);
                tokio::time::sleep(PAUSE).await;
            }
        }
        true
    }
}
