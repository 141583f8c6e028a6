//! Whose is a message? The owner's actor here, the owner's node elsewhere, or nobody's yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use strowger_acd::RelayChoice;
use strowger_link::{Class, open, seal};
use strowger_model::config::Trunk;
use strowger_model::{CallId, Far, LegKey, LegNo, Mono, Owner, PeerId, ShardId, TrunkId};
use strowger_raft::ProposeError;
use strowger_sip::{Leg, Message, phrase, reply, reply_destination};
use strowger_table::{Admit, AdmitKey, Body, Call, Command, Outcome, Refusal, Shard, Source, Target};
use strowger_trunk::{Gate, Incoming, Kind};

use crate::calls::CallNews;
use crate::context::{Context, shard_of};
use crate::directory::Destination;
use crate::limit;
use crate::observer::Watcher;
use crate::registrar;
use crate::wire::Forward;

/// How a message came here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Via {
    Edge,
    Node,
}

/// Takes messages from the edge and from other nodes.
pub(crate) struct Intake {
    context: Arc<Context>,
    watcher: Arc<Watcher>,
    gates: Mutex<HashMap<TrunkId, Gate>>,
    max_calls: usize,
    door: Mutex<Gate>,
}

impl Intake {
    /// `limits`: calls at once, and new ones a second.
    pub fn new(context: Arc<Context>, watcher: Arc<Watcher>, limits: (usize, u32)) -> Self {
        let door = Mutex::new(Gate::new(limits.1, context.now()));
        Self { context, watcher, gates: Mutex::default(), max_calls: limits.0, door }
    }

    pub fn take(self: &Arc<Self>, incoming: Incoming) {
        if self.context.edge.is_passive() {
            return;
        }
        let Incoming { message, source, kind } = incoming;
        match kind {
            Kind::Leg(leg) => self.for_leg(leg, message, source, Via::Edge),
            Kind::Invite => self.invite(message, source),
            Kind::Cancel => self.cancel(message, source),
            Kind::Register => registrar::register(self.context.clone(), message, source),
        }
    }

    /// From another node that did not own it.
    pub fn forwarded(self: &Arc<Self>, body: &[u8]) {
        let Ok(Forward { source, datagram }) = open::<Forward>(body) else { return };
        let Ok(message) = Message::parse(&datagram) else { return };
        let invited = || Some(first_leg(self.row_of(&message)?.1.id));
        if let Some(leg) = strowger_sip::leg_of(&message).or_else(invited) {
            self.for_leg(leg, message, source, Via::Node);
        }
    }

    fn for_leg(self: &Arc<Self>, leg: LegKey, message: Message, source: Far, via: Via) {
        let Some(view) = self.context.shard_view(leg.call.shard()) else { return };
        match shard_of(&view).and_then(|table| call_of(table, leg)) {
            // Two nodes with different views of the owner must not pass a message to and fro.
            Some(row) if via == Via::Node && !self.context.owns(row.owner) => self.hold(leg, message, source, via),
            Some(row) => self.route(row, leg, message, source),
            // The id is the index of its entry: a row that is not there yet can be told from one that is gone.
            None if leg.call.index() > view.applied => self.hold(leg, message, source, via),
            None => self.gone(&message, source),
        }
    }

    fn route(self: &Arc<Self>, row: &Arc<Call>, leg: LegKey, message: Message, source: Far) {
        let context = &self.context;
        if !context.owns(row.owner) {
            self.forward(row, &message, source);
            if source.transport.is_reliable() {
                self.stand_by(row.owner, leg, message, source);
            }
            return;
        }
        // A call that is over and done has no actor: late repeats are answered from the row.
        if !context.calls.has(row.id) {
            return self.gone(&message, source);
        }
        context.calls.tell(row.id, sip(leg, message, source));
    }

    fn forward(&self, row: &Call, message: &Message, source: Far) {
        self.context.figures.forwarded();
        let body = seal(&Forward { source, datagram: message.bytes() });
        // Lost with the connection: the far end repeats it, or over TCP this node.
        let _lost = self.context.link.cast(PeerId::Node(row.owner.node), Class::Sip, body);
    }

    /// Passes a message on once more if who it was passed to dies: what it did with it then shows in the row, and a
    /// repetition is known by its number (RFC 3261 section 12.2.2).
    fn stand_by(self: &Arc<Self>, passed_to: Owner, leg: LegKey, message: Message, source: Far) {
        let intake = self.clone();
        tokio::spawn(async move {
            let give_up = intake.context.now() + limit::STAND_BY;
            while intake.context.now() < give_up {
                tokio::time::sleep(limit::STAND_BY_STEP).await;
                let Some(view) = intake.context.shard_view(leg.call.shard()) else { return };
                let Some(row) = shard_of(&view).and_then(|table| call_of(table, leg)) else { return };
                if row.owner != passed_to {
                    return intake.route(row, leg, message, source);
                }
            }
        });
    }

    /// Waits until the row, or its new owner, is applied here; after `HOLD` the message is nobody's. Over TCP it is kept
    /// for longer: the far end says it once.
    fn hold(self: &Arc<Self>, leg: LegKey, message: Message, source: Far, via: Via) {
        let intake = self.clone();
        let hold = if source.transport.is_reliable() { limit::STAND_BY } else { limit::HOLD };
        tokio::spawn(async move {
            let give_up = intake.context.now() + hold;
            while intake.context.now() < give_up {
                tokio::time::sleep(limit::HOLD_STEP).await;
                let Some(view) = intake.context.shard_view(leg.call.shard()) else { return };
                let row = shard_of(&view).and_then(|table| call_of(table, leg));
                if let Some(row) = row.filter(|row| via == Via::Edge || intake.context.owns(row.owner)) {
                    return intake.route(row, leg, message, source);
                }
            }
            // A node that lags knows nothing of the call, not even that it is gone; and what another node passed on
            // is that node's to answer. The far end repeats it to whoever it finds.
            let view = intake.context.shard_view(leg.call.shard());
            if via == Via::Edge && view.is_some_and(|view| leg.call.index() <= view.applied) {
                intake.gone(&message, source);
            }
        });
    }

    /// Nobody has this dialog any more. A hang-up is granted, so that the far end comes to rest; a phone that
    /// answers an offer nobody remembers is told goodbye; an INVITE that a proxy tries here after it failed elsewhere
    /// fails here as well; anything else gets 481.
    fn gone(&self, message: &Message, source: Far) {
        if !message.is_request() {
            for bytes in strowger_sip::dismiss(message, source.transport, &self.context.local) {
                self.context.send(source, &bytes);
            }
            return;
        }
        match message.method() {
            "ACK" => {}
            "BYE" => self.reply(message, source, 200),
            "INVITE" if message.to_tag().is_empty() => self.reply(message, source, 503),
            _ => self.reply(message, source, 481),
        }
    }

    fn reply(&self, message: &Message, source: Far, status: u16) {
        let retry = [("Retry-After", strowger_call::limit::RETRY_AFTER_S.to_string())];
        let extra: &[(&str, String)] = if status == 503 { &retry } else { &[] };
        let bytes = reply(message, status, phrase(status), extra, None, None);
        self.context.send(reply_destination(message, source), &bytes);
    }

    fn cancel(self: &Arc<Self>, message: Message, source: Far) {
        let intake = self.clone();
        tokio::spawn(async move {
            let give_up = intake.context.now() + limit::HOLD;
            loop {
                if let Some((_, row)) = intake.row_of(&message) {
                    let leg = first_leg(row.id);
                    return intake.route(&row, leg, message, source);
                }
                if intake.context.now() >= give_up {
                    return intake.reply(&message, source, 481);
                }
                tokio::time::sleep(limit::HOLD_STEP).await;
            }
        });
    }

    /// The call of an INVITE, its repetition or its CANCEL, by the INVITE's key.
    fn row_of(&self, message: &Message) -> Option<(ShardId, Arc<Call>)> {
        let shard = self.context.directory().number(message.request_uri_user())?.shard;
        let view = self.context.shard_view(shard)?;
        let row = shard_of(&view)?.call_by_key(&key_of(message))?.clone();
        Some((shard, row))
    }

    fn invite(self: &Arc<Self>, message: Message, source: Far) {
        let context = &self.context;
        let key = key_of(&message);
        if self.watcher.pending.has(&key) {
            return;
        }
        if let Some((_, row)) = self.row_of(&message) {
            let leg = first_leg(row.id);
            return self.route(&row, leg, message, source);
        }
        let directory = context.directory();
        let Some(trunk) = directory.trunk(source) else {
            // A scanner learns nothing, not even that somebody is here.
            return context.figures.stranger();
        };
        if !self.admits(trunk, context.now()) {
            context.figures.turned_away();
            return self.reply(&message, source, 503);
        }
        let Some(to) = directory.number(message.request_uri_user()) else { return self.reply(&message, source, 404) };
        let Some(view) = context.shard_view(to.shard) else { return self.reply(&message, source, 503) };
        let Some(table) = shard_of(&view) else { return self.reply(&message, source, 503) };
        if table.is_unwanted(to.tenant, message.from_user()) {
            context.figures.unwanted();
            return self.reply(&message, source, 603);
        }
        let usable = context.relays.usable();
        let Some(relay) = RelayChoice::new(table, &usable).choose(&trunk.site, None) else {
            return self.reply(&message, source, 503);
        };
        let trunk = trunk.id;
        if self.watcher.pending.add(key.clone(), message.clone(), source, relay) {
            tokio::spawn(self.clone().admit(key, message, source, to, trunk));
        }
    }

    /// The node's own limits and the trunk's. A trunk's `max_calls` is held by each node for the calls it drives.
    fn admits(&self, trunk: &Trunk, now: Mono) -> bool {
        let calls = self.context.calls.len();
        if calls >= self.max_calls || calls >= trunk.max_calls as usize {
            return false;
        }
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = gates.entry(trunk.id).or_insert_with(|| Gate::new(trunk.max_calls_per_second, now));
        gate.admit(now) && self.door.lock().unwrap_or_else(PoisonError::into_inner).admit(now)
    }

    /// Proposes the call. Once committed, the log itself starts the actor; here only refusals are left.
    async fn admit(self: Arc<Self>, key: AdmitKey, message: Message, source: Far, to: Destination, trunk: TrunkId) {
        let context = &self.context;
        let unborn = first_leg(CallId::new(to.shard, 0));
        let dialog = Leg::incoming(unborn, &message, source, &context.local, context.now()).dialog();
        let command = Command::Admit(Box::new(Admit {
            key: key.clone(),
            tenant: to.tenant,
            source: Source::Trunk(trunk),
            target: Target::Flow(to.flow),
            from: message.from_user().to_owned(),
            to: message.request_uri_user().to_owned(),
            dialog,
            observed: context.log_now(to.shard),
        }));
        let outcome = context.groups.propose(to.shard.group(), Body::Shard(command), limit::ADMIT).await;
        match outcome {
            Ok(Outcome::Admitted { .. }) => {}
            Ok(Outcome::Already { call, .. }) => {
                self.watcher.pending.take(&key);
                let leg = first_leg(call);
                self.hold(leg, message, source, Via::Edge)
            }
            Ok(Outcome::Refused(Refusal::NoSuchTenant)) | Ok(_) => {
                self.watcher.pending.take(&key);
                self.reply(&message, source, 503);
            }
            Err(fault) => self.withdraw(key, message, source, to.shard, fault).await,
        }
    }

    /// Not committed in time: the caller is sent away, and if the entry comes after all, it ends.
    async fn withdraw(
        self: &Arc<Self>,
        key: AdmitKey,
        message: Message,
        source: Far,
        shard: ShardId,
        why: ProposeError,
    ) {
        tracing::warn!(%why, "a call was not admitted in time");
        // Only the answer was lost: the call lives, here or elsewhere.
        if let Some((_, row)) = self.row_of(&message) {
            let leg = first_leg(row.id);
            return self.hold(leg, message, source, Via::Edge);
        }
        self.watcher.pending.take(&key);
        self.context.figures.turned_away();
        self.reply(&message, source, 503);
        if let Err(fault) = self.context.command(shard, Command::Withdraw { key }, limit::PROPOSE).await {
            tracing::warn!(%fault, "a withdrawal was not committed");
        }
    }
}

fn key_of(message: &Message) -> AdmitKey {
    AdmitKey { call_id: message.call_id().to_owned(), from_tag: message.from_tag().to_owned(), cseq: message.cseq() }
}

/// The leg that an INVITE came on: the first that is born in its call.
fn first_leg(call: CallId) -> LegKey {
    LegKey { call, leg: LegNo(0) }
}

/// The call that a leg is in. What comes for one that is gone is for the call it was born in, whose owner may know more
/// than its row.
fn call_of(table: &Shard, leg: LegKey) -> Option<&Arc<Call>> {
    table.call_of_leg(leg).or_else(|| table.call(leg.call))
}

fn sip(leg: LegKey, message: Message, source: Far) -> CallNews {
    CallNews::Sip { leg, message: Box::new(message), source }
}
