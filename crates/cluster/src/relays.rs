//! Runs the switch's couriers, one a relay: orders over the link, content they lack, what comes of them to the actors.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use strowger_acd::UsableRelay;
use strowger_call::MediaFact;
use strowger_link::{Class, Link, open, seal};
use strowger_media::protocol::{Answers, Commands, ContentAnswer, ContentPut, Events, StatsAsk};
use strowger_media::{RelayCommand, RelayStats};
use strowger_model::{CallId, Digest, LegKey, PeerId, RelayId};
use strowger_raft::clock;
use strowger_switch::{ANSWER, Carried, Courier, Order, PAUSE, holder};
use tokio::sync::mpsc;

use crate::calls::CallNews;
use crate::context::{Context, shard_of};

/// The relays of the cluster, as this node speaks to them.
pub struct Relays {
    link: Link,
    ways: BTreeMap<RelayId, Way>,
}

/// To one relay.
struct Way {
    site: String,
    orders: mpsc::UnboundedSender<Order>,
}

/// Where the couriers find the context, which is made after them.
pub(crate) type ContextCell = Arc<OnceLock<Arc<Context>>>;

impl Relays {
    /// `relays` with their sites.
    pub(crate) fn start(link: &Link, relays: Vec<(RelayId, String)>, context: &ContextCell) -> Self {
        let ways = relays
            .into_iter()
            .map(|(relay, site)| {
                let (sender, orders) = mpsc::unbounded_channel();
                tokio::spawn(carry(relay, link.clone(), context.clone(), orders));
                (relay, Way { site, orders: sender })
            })
            .collect();
        Self { link: link.clone(), ways }
    }

    /// Those that can be reached now.
    pub fn usable(&self) -> Vec<UsableRelay> {
        let there = |relay: &RelayId| self.link.connected(PeerId::Relay(*relay));
        let ways = self.ways.iter().filter(|(relay, _)| there(relay));
        ways.map(|(relay, way)| UsableRelay { relay: *relay, site: way.site.clone() }).collect()
    }

    pub fn all(&self) -> impl Iterator<Item = (RelayId, bool)> {
        self.ways.keys().map(|relay| (*relay, self.link.connected(PeerId::Relay(*relay))))
    }

    pub(crate) fn order(&self, relay: RelayId, by: CallId, command: RelayCommand) {
        self.send(relay, Order { by, command });
    }

    fn send(&self, relay: RelayId, order: Order) {
        if let Some(way) = self.ways.get(&relay) {
            // The courier ends with the node.
            let _stopping = way.orders.send(order);
        }
    }

    pub async fn stats(&self, relay: RelayId) -> Option<RelayStats> {
        let body = seal(&StatsAsk { reserved: 0 });
        let answer = self.link.ask(PeerId::Relay(relay), Class::Relay, body, ANSWER).await.ok()?;
        open(&answer).ok()
    }
}

async fn carry(relay: RelayId, link: Link, context: ContextCell, mut orders: mpsc::UnboundedReceiver<Order>) {
    let mut courier = Courier::default();
    while let Some(order) = orders.recv().await {
        courier.take(order, clock::boottime());
        loop {
            // What came meanwhile travels with it.
            while let Ok(order) = orders.try_recv() {
                courier.take(order, clock::boottime());
            }
            let Some(batch) = courier.carry() else { break };
            let answers = deliver(relay, &link, batch).await;
            let has_failed = answers.is_none();
            let carried = match answers {
                Some(Answers { incarnation, list }) => courier.answered(incarnation, list),
                None => courier.failed(clock::boottime()),
            };
            // Nobody gives orders before there is a context.
            if let Some(context) = context.get() {
                carried.into_iter().for_each(|carried| conclude(context, relay, carried));
            }
            if has_failed {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// What came of an order, for the call.
fn conclude(context: &Arc<Context>, relay: RelayId, carried: Carried) {
    match carried {
        Carried::Answered { order, answer } => {
            let Order { by, command } = order;
            let answer = answer.as_ref().map(|(incarnation, answer)| (*incarnation, answer));
            for fact in MediaFact::of_answer(relay, command.call, &command.op, answer) {
                context.calls.tell(by, CallNews::Media(fact));
            }
        }
        Carried::Supply { content, order } => {
            tokio::spawn(supply(context.clone(), relay, content, order));
        }
    }
}

/// None if the relay gave no answer.
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
        let view = context.shard_view(event.call.shard());
        let table = view.as_ref().and_then(|view| shard_of(view));
        let call = holder(table, LegKey { call: event.call, leg: event.leg });
        if let Some(fact) = MediaFact::of_event(&event) {
            context.calls.tell(call, CallNews::Media(fact));
        }
        context.calls.tell(call, CallNews::Acknowledge { relay, born_in: event.call, event: event.seq });
    }
}
