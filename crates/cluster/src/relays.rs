//! Orders to relays over the link, content that they lack, and what comes of it to the calls. A relay's actor delivers
//! them by the switch's rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use strowger_acd::UsableRelay;
use strowger_call::MediaFact;
use strowger_link::{Class, Link, open, seal};
use strowger_media::protocol::{Answers, Commands, ContentAnswer, ContentPut, Events, StatsAsk};
use strowger_media::{RelayAnswer, RelayCommand, RelayStats};
use strowger_model::{CallId, Digest, LegKey, Mono, PeerId, RelayId};
use strowger_switch::Heard;
use strowger_switch::courier::{ANSWER, Carried, Order, another, calls_at, elsewhere, holder, means};

use crate::actor::{CallNews, Couriers, relay as courier};
use crate::content::time_for;
use crate::context::{Context, shard_of};

/// Content that could not be brought is tried again after this: a caller hears silence meanwhile, and each of them says
/// so in the log.
const SUPPLY_AGAIN: Duration = Duration::from_secs(2);

/// The relays of the cluster, as this node speaks to them.
pub struct Relays {
    link: Link,
    /// With their sites.
    relays: BTreeMap<RelayId, String>,
    pub(crate) couriers: Couriers,
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

    /// Empty if nobody said where it stands.
    fn site(&self, relay: RelayId) -> &str {
        self.relays.get(&relay).map_or("", String::as_str)
    }

    pub fn all(&self) -> impl Iterator<Item = (RelayId, bool)> {
        self.relays.keys().map(|relay| (*relay, self.link.connected(PeerId::Relay(*relay))))
    }

    pub(crate) fn order(&self, relay: RelayId, by: CallId, command: RelayCommand, now: Mono) {
        self.send(relay, Order { by, command, since: now });
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

/// What came of an order, for the call that gave it.
pub(crate) fn conclude(context: &Arc<Context>, relay: RelayId, carried: Carried) {
    match carried {
        Carried::Answered { order, answer } => {
            let by = order.by;
            if let Some((_, RelayAnswer::Refused { why })) = &answer {
                tracing::warn!(%relay, call = %by, op = ?order.command.op, ?why, "a relay refused an order");
            }
            let instead = || {
                let view = context.shard_view(by.shard())?;
                let site = context.relays.site(relay);
                another(shard_of(&view)?, &context.relays.usable(), (relay, site))
            };
            for fact in means(relay, &order, answer.as_ref(), instead) {
                if let MediaFact::Unavailable { leg, instead, .. } = &fact {
                    tracing::warn!(%relay, call = %by, leg = %leg.leg, another = ?instead, "a relay opens no port");
                }
                context.calls.tell(by, CallNews::Media(fact));
            }
        }
        Carried::Supply { content, order } => {
            context.spawn(supply(context.clone(), relay, content, order));
        }
        Carried::Met { incarnation } => {
            for view in context.shards().filter_map(|shard| context.shard_view(shard)) {
                for call in shard_of(&view).into_iter().flat_map(|table| calls_at(table, relay)) {
                    context.calls.tell(call, CallNews::Media(MediaFact::Met { relay, incarnation }));
                }
            }
        }
        Carried::Gone => {
            let usable = context.relays.usable();
            let gone = (relay, context.relays.site(relay));
            for view in context.shards().filter_map(|shard| context.shard_view(shard)) {
                for (call, instead) in shard_of(&view).into_iter().flat_map(|table| elsewhere(table, &usable, gone)) {
                    tracing::info!(%relay, %call, %instead, "a relay has answered nothing for long");
                    context.calls.tell(call, CallNews::Media(MediaFact::Gone { relay, instead }));
                }
            }
        }
    }
}

/// None if the relay gave no answer.
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

/// The relay has not this prompt yet: it gets it, and the order again. So it does after a failure, a moment later: only
/// the relay knows whether the far end is still to hear it, and a step of a flow waits for its end.
async fn supply(context: Arc<Context>, relay: RelayId, digest: Digest, order: Order) {
    if !bring(&context, relay, digest).await {
        tokio::time::sleep(SUPPLY_AGAIN).await;
    }
    context.relays.send(relay, order);
}

/// Whether the relay has that content now.
async fn bring(context: &Context, relay: RelayId, digest: Digest) -> bool {
    let Some(bytes) = context.content.get(&context.link, digest).await else {
        tracing::error!(%digest, "no node has this content; apply the configuration again");
        return false;
    };
    let within = time_for(bytes.len());
    let put = seal(&ContentPut { digest, bytes });
    let answer = context.link.ask(PeerId::Relay(relay), Class::Content, put, within).await;
    match answer.map(|answer| open::<ContentAnswer>(&answer)) {
        Ok(Ok(ContentAnswer { refused: None })) => true,
        other => {
            tracing::warn!(%relay, %digest, ?other, "a relay did not take content");
            false
        }
    }
}

/// Tells the leaders when others can be reached than before. Ends with the link.
pub(crate) async fn watch(context: Arc<Context>) {
    let mut changes = context.link.changes();
    let mut known = BTreeSet::new();
    loop {
        let usable = context.relays.usable().into_iter().map(|usable| usable.relay).collect();
        if std::mem::replace(&mut known, usable) != known {
            context.tell_all_shards(Heard::relays);
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
        let view = context.shard_view(event.call.shard());
        let leg = LegKey { call: event.call, leg: event.leg };
        let call = holder(view.as_ref().and_then(|view| shard_of(view)), leg);
        context.calls.tell(call, CallNews::Media(MediaFact::of_event(relay, &event)));
        context.calls.tell(call, CallNews::Acknowledge { relay, leg, event: event.seq });
    }
}
