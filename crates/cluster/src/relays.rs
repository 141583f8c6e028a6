//! Orders to relays and what comes of them. A relay's actor delivers them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use strowger_acd::UsableRelay;
use strowger_call::MediaFact;
use strowger_link::{Class, Link, open, seal};
use strowger_media::protocol::{Answers, Commands, ContentAnswer, ContentPut, Events, StatsAsk};
use strowger_media::{Op, RelayAnswer, RelayCommand, RelayStats};
use strowger_model::{CallId, Digest, Incarnation, LegKey, PeerId, RelayId};
use strowger_switch::Heard;

use crate::actor::{CallNews, Couriers, relay as courier};
use crate::context::{Context, shard_of};

/// Orders in one message: about 20 KiB.
pub(crate) const BATCH: usize = 256;
/// A relay that does not answer a batch within this is tried again.
const ANSWER: Duration = Duration::from_millis(500);
pub(crate) const PAUSE: Duration = Duration::from_millis(50);
/// How long a leg waits for a port of a relay out of reach: a connection that is only renewed is back before.
const OPEN_WAIT: Duration = Duration::from_secs(1);

/// The relays of the cluster, as this node speaks to them.
pub struct Relays {
    link: Link,
    /// With their sites.
    relays: BTreeMap<RelayId, String>,
    pub(crate) couriers: Couriers,
}

/// A command, and the call whose actor gave it: legs may have been born in another.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub by: CallId,
    pub command: RelayCommand,
}

impl Relays {
    /// `relays` with their sites.
    pub(crate) fn new(link: &Link, relays: Vec<(RelayId, String)>) -> Self {
        Self { link: link.clone(), relays: relays.into_iter().collect(), couriers: Couriers::new() }
    }

    /// Begins the couriers that are missing.
    pub(crate) fn begin(context: &Arc<Context>) {
        for relay in context.relays.relays.keys() {
            courier::begin(context, *relay);
        }
    }

    /// Those that can be reached now.
    pub fn usable(&self) -> Vec<UsableRelay> {
        let there = |relay: &RelayId| self.link.connected(PeerId::Relay(*relay));
        let relays = self.relays.iter().filter(|(relay, _)| there(relay));
        relays.map(|(relay, site)| UsableRelay { relay: *relay, site: site.clone() }).collect()
    }

    pub fn all(&self) -> impl Iterator<Item = (RelayId, bool)> {
        self.relays.keys().map(|relay| (*relay, self.link.connected(PeerId::Relay(*relay))))
    }

    pub(crate) fn order(&self, relay: RelayId, by: CallId, command: RelayCommand) {
        self.send(relay, Order { by, command });
    }

    fn send(&self, relay: RelayId, order: Order) {
        // A relay that the cluster has not.
        let _unknown = self.couriers.tell(relay, order);
    }

    pub async fn stats(&self, relay: RelayId) -> Option<RelayStats> {
        let body = seal(&StatsAsk { reserved: 0 });
        let answer = self.link.ask(PeerId::Relay(relay), Class::Relay, body, ANSWER).await.ok()?;
        open(&answer).ok()
    }
}

pub(crate) fn conclude(context: &Arc<Context>, relay: RelayId, orders: Vec<Order>, answers: Answers) {
    let Answers { incarnation, list } = answers;
    let mut answers = list.into_iter();
    for order in orders {
        match answers.next() {
            Some(RelayAnswer::NeedContent { content }) => {
                context.spawn(supply(context.clone(), relay, content, order));
            }
            answer => tell(context, relay, &order, answer.as_ref().map(|answer| (incarnation, answer))),
        }
    }
}

/// Orders that no courier could deliver.
pub(crate) fn give_up(context: &Context, relay: RelayId, orders: &[Order]) {
    orders.iter().for_each(|order| tell(context, relay, order, None));
}

/// While the relay is out of reach: who waits for a port hears soon that there is none, and a call that is over waits
/// for nothing (a relay that comes back closes what nobody wants any more).
pub(crate) fn release_waiting(context: &Context, relay: RelayId, batch: &mut Vec<Order>, waited: Duration) {
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
pub(crate) async fn deliver(context: &Context, relay: RelayId, list: Vec<RelayCommand>) -> Option<Answers> {
    let body = seal(&Commands { list });
    let answer = match context.link.ask(PeerId::Relay(relay), Class::Relay, body, ANSWER).await {
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

/// Tells the leaders when others can be reached than before. Ends with the link.
pub(crate) async fn watch(context: Arc<Context>) {
    let mut changes = context.link.changes();
    let mut known = BTreeSet::new();
    loop {
        let usable = context.relays.usable().into_iter().map(|usable| usable.relay).collect();
        if std::mem::replace(&mut known, usable) != known {
            context.shards().for_each(|shard| context.news(shard).tell(Heard::relays));
        }
        if changes.changed().await.is_err() {
            return;
        }
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
