//! Relays: a courier for each, which every node has. Orders of a call stay in order, what waits travels together.

use std::sync::Arc;
use std::time::Instant;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use strowger_model::RelayId;

use super::registry::{BROKEN_MAX, News, Registry, Ticket, Wake, sit};
use crate::context::Context;
use crate::relays::{BATCH, Order, PAUSE, conclude, deliver, give_up, release_waiting};

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
        let start = Desk { context: context.clone(), relay, ticket, under_way: None };
        let ended = sit(couriers, (relay, ticket), (Courier, start), || context.now()).await;
        let Some(times) = ended else { return };
        tracing::error!(%relay, times, "the courier of a relay broke");
        if times >= BROKEN_MAX {
            let batch = couriers.peek(relay, ticket, BATCH);
            couriers.settle(relay, ticket, batch.len(), Vec::new());
            return give_up(&context, relay, &batch);
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
    /// How many orders are being delivered, and since when: what comes meanwhile waits for the next batch.
    under_way: Option<(usize, Instant)>,
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
    /// False if there is nothing to deliver.
    async fn deliver(&mut self) -> bool {
        let (context, relay) = (&self.context, self.relay);
        let couriers = &context.relays.couriers;
        let most = self.under_way.map_or(BATCH, |(count, _)| count);
        let mut batch = couriers.peek(relay, self.ticket, most);
        if batch.is_empty() {
            return false;
        }
        let count = batch.len();
        let (_, begun) = *self.under_way.get_or_insert((count, Instant::now()));
        if context.test_break.is_some_and(|fault| fault.breaks_courier(couriers.breaks(relay), &batch)) {
            panic!("a fault that was planted");
        }
        // An order given up would leave a call silent for ever: the relay gets it when it can be reached again.
        let answers = deliver(context, relay, batch.iter().map(|order| order.command.clone()).collect()).await;
        match answers {
            Some(answers) => {
                conclude(context, relay, batch, answers);
                couriers.settle(relay, self.ticket, count, Vec::new());
                self.under_way = None;
            }
            None => {
                release_waiting(context, relay, &mut batch, begun.elapsed());
                self.under_way = (!batch.is_empty()).then_some((batch.len(), begun));
                couriers.settle(relay, self.ticket, count, batch);
                tokio::time::sleep(PAUSE).await;
            }
        }
        true
    }
}
