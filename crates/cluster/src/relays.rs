//! Orders to relays and what comes of them. One courier a relay: orders of a call stay in order, what waits travels
//! together.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use strowger_acd::UsableRelay;
use strowger_call::MediaFact;
use strowger_link::{Class, Link, open, seal};
use strowger_media::protocol::{Answers, Commands, ContentAnswer, ContentPut, Events, StatsAsk};
use strowger_media::{Op, RelayAnswer, RelayCommand, RelayStats};
use strowger_model::{CallId, Digest, Incarnation, LegKey, PeerId, RelayId};
use tokio::sync::mpsc;

use crate::calls::CallNews;
use crate::context::{Context, shard_of};

/// Orders in one message: about 20 KiB.
const BATCH: usize = 256;
/// A relay that does not answer a batch within this is tried again.
const ANSWER: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(50);
/// How long a leg waits for a port of a relay out of reach: a connection that is only renewed is back before.
const OPEN_WAIT: Duration = Duration::from_secs(1);

/// The relays of the cluster, as this node speaks to them.
pub struct Relays {
    link: Link,
    couriers: BTreeMap<RelayId, Courier>,
}

struct Courier {
    site: String,
    orders: mpsc::UnboundedSender<Order>,
}

/// A command, and the call whose actor gave it: legs may have been born in another.
#[derive(Clone)]
struct Order {
    by: CallId,
    command: RelayCommand,
}

/// Where the couriers find the context, which is made after them.
pub(crate) type ContextCell = Arc<OnceLock<Arc<Context>>>;

impl Relays {
    /// `relays` with their sites.
    pub(crate) fn start(link: &Link, relays: Vec<(RelayId, String)>, context: &ContextCell) -> Self {
        let couriers = relays
            .into_iter()
            .map(|(relay, site)| {
                let (sender, orders) = mpsc::unbounded_channel();
                tokio::spawn(courier(relay, link.clone(), context.clone(), orders));
                (relay, Courier { site, orders: sender })
            })
            .collect();
        Self { link: link.clone(), couriers }
    }

    /// Those that can be reached now.
    pub fn usable(&self) -> Vec<UsableRelay> {
        let there = |relay: &RelayId| self.link.connected(PeerId::Relay(*relay));
        let couriers = self.couriers.iter().filter(|(relay, _)| there(relay));
        couriers.map(|(relay, courier)| UsableRelay { relay: *relay, site: courier.site.clone() }).collect()
    }

    pub fn all(&self) -> impl Iterator<Item = (RelayId, bool)> {
        self.couriers.keys().map(|relay| (*relay, self.link.connected(PeerId::Relay(*relay))))
    }

    pub(crate) fn order(&self, relay: RelayId, by: CallId, command: RelayCommand) {
        self.send(relay, Order { by, command });
    }

    fn send(&self, relay: RelayId, order: Order) {
        if let Some(courier) = self.couriers.get(&relay) {
            // The courier ends with the node.
            let _stopping = courier.orders.send(order);
        }
    }

    pub async fn stats(&self, relay: RelayId) -> Option<RelayStats> {
        let body = seal(&StatsAsk { reserved: 0 });
        let answer = self.link.ask(PeerId::Relay(relay), Class::Relay, body, ANSWER).await.ok()?;
        open(&answer).ok()
    }
}

async fn courier(relay: RelayId, link: Link, context: ContextCell, mut orders: mpsc::UnboundedReceiver<Order>) {
    let mut batch = Vec::new();
    while orders.recv_many(&mut batch, BATCH).await > 0 {
        let begun = Instant::now();
        // An order given up would leave a call silent for ever: the relay gets it when it can be reached again.
        while !batch.is_empty() {
            let answers = deliver(relay, &link, batch.iter().map(|order| order.command.clone()).collect()).await;
            let Some(context) = context.get() else { break };
            match answers {
                Some(answers) => conclude(context, relay, batch.drain(..), answers),
                None => {
                    release_waiting(context, relay, &mut batch, begun.elapsed());
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

fn conclude(context: &Arc<Context>, relay: RelayId, orders: impl Iterator<Item = Order>, answers: Answers) {
    let Answers { incarnation, list } = answers;
    let mut answers = list.into_iter();
    for order in orders {
        match answers.next() {
            Some(RelayAnswer::NeedContent { content }) => {
                tokio::spawn(supply(context.clone(), relay, content, order));
            }
            answer => tell(context, relay, &order, answer.as_ref().map(|answer| (incarnation, answer))),
        }
    }
}

/// While the relay is out of reach: who waits for a port hears soon that there is none, and a call that is over waits
/// for nothing (a relay that comes back closes what nobody wants any more).
fn release_waiting(context: &Context, relay: RelayId, batch: &mut Vec<Order>, waited: Duration) {
    let mut kept = Vec::new();
    for order in batch.drain(..) {
        match order.command.op {
            Op::Open { .. } if waited > OPEN_WAIT => tell(context, relay, &order, None),
            Op::CloseLeg { .. } | Op::Close => tell(context, relay, &order, None),
            _ => kept.push(order),
        }
    }
    *batch = kept;
}

/// None if the relay gave no answer; every order may be repeated, so trying again costs nothing but time.
async fn deliver(relay: RelayId, link: &Link, list: Vec<RelayCommand>) -> Option<Answers> {
    let body = seal(&Commands { list });
    let answer = match link.ask(PeerId::Relay(relay), Class::Relay, body, ANSWER).await {
        Ok(answer) => answer,
        Err(fault) => {
            tracing::debug!(%relay, %fault, "a relay did not answer");
            return None;
        }
    };
    match open::<Answers>(&answer) {
        Ok(answers) => Some(answers),
        Err(fault) => {
            tracing::error!(%relay, %fault, "a relay's answer does not decode");
            None
        }
    }
}

/// What an answer means to the call.
fn tell(context: &Context, relay: RelayId, order: &Order, answer: Option<(Incarnation, &RelayAnswer)>) {
    for fact in MediaFact::of_answer(relay, order.command.call, &order.command.op, answer) {
        context.calls.tell(order.by, CallNews::Media(fact));
    }
}

/// The relay has not this prompt yet: it gets it, and the order again.
async fn supply(context: Arc<Context>, relay: RelayId, digest: Digest, order: Order) {
    let Some(bytes) = context.content.get(&context.link, digest).await else {
        tracing::error!(%digest, "no node has this content; apply the configuration again");
        return;
    };
    let put = seal(&ContentPut { digest, bytes });
    let answer = context.link.ask(PeerId::Relay(relay), Class::Content, put, Duration::from_secs(5)).await;
    match answer.map(|answer| open::<ContentAnswer>(&answer)) {
        Ok(Ok(ContentAnswer { refused: None })) => context.relays.send(relay, order),
        other => tracing::warn!(%relay, %digest, ?other, "a relay did not take content"),
    }
}

/// What a relay says unasked.
pub(crate) fn on_events(context: &Context, relay: RelayId, body: &[u8]) {
    let Ok(events) = open::<Events>(body) else {
        tracing::error!(%relay, "events of a relay do not decode");
        return;
    };
    for event in events.list {
        let call = holder(context, LegKey { call: event.call, leg: event.leg });
        if let Some(fact) = MediaFact::of_event(&event) {
            context.calls.tell(call, CallNews::Media(fact));
        }
        context.calls.tell(call, CallNews::Acknowledge { relay, born_in: event.call, event: event.seq });
    }
}

/// The call that has a leg now; what is known of none is told to the one it was born in.
fn holder(context: &Context, leg: LegKey) -> CallId {
    let view = context.shard_view(leg.call.shard());
    let row = view.as_ref().and_then(|view| shard_of(view)?.call_of_leg(leg));
    row.map_or(leg.call, |row| row.id)
}
