//! Runs the switch's intake: messages and news of the log in, what it says performed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strowger_link::{Class, open, seal};
use strowger_model::{Far, Incarnation, NodeId, PeerId, ShardId, TrunkId};
use strowger_raft::View;
use strowger_sip::Message;
use strowger_switch::{Action, Count, Pending, limit};
use strowger_table::{AdmitKey, Body, Command, Outcome, RowKey};
use strowger_trunk::{Incoming, Kind};
use tokio::sync::Notify;

use crate::actor::CallNews;
use crate::context::Context;
use crate::registrar;
use crate::wire::Forward;

/// Takes messages from the edge and from other nodes.
pub(crate) struct Intake {
    context: Arc<Context>,
    switch: Mutex<strowger_switch::Intake>,
    /// Something waits that may be due earlier than what was there.
    sooner: Notify,
}

impl Intake {
    /// `limits`: calls at once, and new ones a second.
    pub fn new(context: Arc<Context>, limits: (usize, u32)) -> Self {
        let switch = strowger_switch::Intake::new(limits.0, limits.1, context.now());
        Self { context, switch: Mutex::new(switch), sooner: Notify::new() }
    }

    pub fn take(self: &Arc<Self>, incoming: Incoming) {
        if self.context.edge.is_passive() || self.context.is_deaf() {
            return;
        }
        let Incoming { message, source, kind } = incoming;
        let context = &*self.context;
        match kind {
            Kind::Leg(leg) => self.run(|switch| switch.for_leg(leg, message, source, context)),
            Kind::Invite => self.run(|switch| switch.invite(message, source, context)),
            Kind::Cancel => self.run(|switch| switch.cancel(message, source, context)),
            Kind::Register => registrar::register(&self.context, message, source),
        }
    }

    /// From another node that did not own it.
    pub fn forwarded(self: &Arc<Self>, body: &[u8]) {
        if self.context.is_deaf() {
            return;
        }
        let Ok(Forward { source, datagram }) = open::<Forward>(body) else { return };
        let Ok(message) = Message::parse(&datagram) else { return };
        self.run(|switch| switch.forwarded(message, source, &*self.context));
    }

    /// The INVITE of a call that is in the table now.
    pub fn seat(&self, key: &AdmitKey) -> Option<Pending> {
        self.lock().seat(key)
    }

    /// `rows` are those that entries changed and named.
    pub fn applied(self: &Arc<Self>, shard: ShardId, view: &View, rows: &BTreeSet<RowKey>) {
        let calls = rows.iter().filter_map(|row| match row {
            RowKey::Call(call) => Some(*call),
            _ => None,
        });
        self.run(|switch| switch.applied(shard, view.applied, calls, &*self.context));
    }

    /// Anything may have changed.
    pub fn installed(self: &Arc<Self>, shard: ShardId, view: &View) {
        self.run(|switch| switch.installed(shard, view.applied, &*self.context));
    }

    /// For this node's heartbeats.
    pub fn let_in(&self) -> Vec<(TrunkId, u64)> {
        self.lock().let_in(self.context.now())
    }

    /// Another process's heartbeat.
    pub fn others_let_in(&self, process: (NodeId, Incarnation), counts: &[(TrunkId, u64)]) {
        self.lock().others_let_in(process, counts, self.context.now());
    }

    /// Ends what has waited in vain.
    pub async fn keep_time(self: Arc<Self>) {
        loop {
            let sooner = self.sooner.notified();
            let deadline = self.lock().deadline();
            match deadline.map(|deadline| deadline.since(self.context.now())) {
                None => sooner.await,
                Some(rest) if rest.is_zero() => self.run(|switch| switch.tick(&*self.context)),
                Some(rest) => {
                    // Timing out is the other way to wake.
                    let _woken = tokio::time::timeout(rest, sooner).await;
                }
            }
        }
    }

    fn run(self: &Arc<Self>, rule: impl FnOnce(&mut strowger_switch::Intake) -> Vec<Action>) {
        let actions = {
            let mut switch = self.lock();
            let before = switch.deadline();
            let actions = rule(&mut switch);
            let is_sooner = |deadline| before.is_none_or(|before| deadline < before);
            if switch.deadline().is_some_and(is_sooner) {
                self.sooner.notify_one();
            }
            actions
        };
        for action in actions {
            self.perform(action);
        }
    }

    fn perform(self: &Arc<Self>, action: Action) {
        let context = &self.context;
        match action {
            Action::Tell { call, leg, message, source } => {
                // Its actor may have ended meanwhile, and the leg be another call's.
                if let Some(CallNews::Sip { message, .. }) =
                    context.calls.hand(call, CallNews::Sip { leg, message, source })
                {
                    context.hear_again(leg, *message, source);
                }
            }
            Action::Forward { to, source, message } => self.forward(to, source, &message),
            Action::Send { to, bytes } => context.send(to, &bytes),
            Action::Admit { key, shard, command } => {
                context.spawn(self.clone().admit(key, shard, *command));
            }
            Action::Withdraw { shard, key } => {
                context.spawn(withdraw(context.clone(), shard, key));
            }
            Action::Count(Count::Forwarded) => context.figures.forwarded(),
            Action::Count(Count::TurnedAway) => context.figures.turned_away(),
            Action::Count(Count::Unwanted) => context.figures.unwanted(),
        }
    }

    fn forward(&self, to: NodeId, source: Far, message: &Message) {
        let body = seal(&Forward { source, datagram: message.bytes() });
        // Lost with the connection: the far end repeats it, or over TCP this node.
        let _lost = self.context.link.cast(PeerId::Node(to), Class::Sip, body);
    }

    async fn admit(self: Arc<Self>, key: AdmitKey, shard: ShardId, command: Command) {
        let outcome = self.context.groups.propose(shard.group(), Body::Shard(command), limit::ADMIT).await;
        let sip_call_id = &*key.call_id;
        match &outcome {
            Ok(Outcome::Admitted { call, .. }) => tracing::debug!(%call, sip_call_id, "admitted"),
            Ok(outcome) => tracing::debug!(sip_call_id, ?outcome, "not admitted"),
            Err(why) => tracing::warn!(sip_call_id, %why, "a call was not admitted in time"),
        }
        self.run(|switch| switch.admit_answered(&key, outcome.ok().as_ref(), &*self.context));
    }

    fn lock(&self) -> MutexGuard<'_, strowger_switch::Intake> {
        self.switch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn withdraw(context: Arc<Context>, shard: ShardId, key: AdmitKey) {
    let sip_call_id = key.call_id.clone();
    if let Err(fault) = context.command(shard, Command::Withdraw { key }, limit::PROPOSE).await {
        tracing::warn!(%sip_call_id, %fault, "a withdrawal was not committed");
    }
}
