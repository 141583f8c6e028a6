//! Live calls: one actor each, found by id. An actor holds a pure machine and performs what it says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef};
use strowger_call::{Action, Event, Machine, MediaFact, Rows};
use strowger_media::{Op, RelayCommand};
use strowger_model::{CallId, Cause, Ended, Far, HangupBy, LegKey, Mono, RelayId, ShardId};
use strowger_raft::View;
use strowger_sip::Message;
use strowger_switch::limit;
use strowger_table::{Body, Call, Command, Outcome, RowKey, Stage};

use crate::context::{Context, shard_of};

/// An actor that broke is followed by another, but a call whose actors broke so often within `BROKEN_WITHIN` ends: what its
/// row says breaks them.
const BROKEN_MAX: u32 = 3;
const BROKEN_WITHIN: Duration = Duration::from_secs(60);

/// What a call's actor is told.
pub(crate) enum CallNews {
    /// The row, and the table in which it stands.
    Row(Arc<Call>, Arc<View>),
    Sip {
        leg: LegKey,
        message: Box<Message>,
        source: Far,
    },
    Media(MediaFact),
    /// A relay's facts up to this one have been heard, of legs that were born in this call.
    Acknowledge {
        relay: RelayId,
        born_in: CallId,
        event: u64,
    },
    Proposed {
        number: u64,
        accepted: bool,
    },
    Tick,
}

/// The registry: who has a mailbox here. ractor's own registry is global to the process and is not used.
#[derive(Default)]
pub struct Calls {
    by_id: Mutex<HashMap<CallId, Seat>>,
    /// How often a call's actor broke lately, and when it first did.
    broken: Mutex<HashMap<CallId, (u32, Mono)>>,
}

enum Seat {
    /// The actor is being started; what comes meanwhile is kept for it.
    Starting(Vec<CallNews>),
    Running(ActorRef<CallNews>),
    /// The actor broke while its owner had this epoch; the next begins with a later one.
    Broken {
        epoch: u64,
    },
}

impl Calls {
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// False if the call has no actor here.
    pub(crate) fn tell(&self, call: CallId, news: CallNews) -> bool {
        match self.lock().get_mut(&call) {
            Some(Seat::Starting(kept)) => {
                kept.push(news);
                true
            }
            Some(Seat::Running(actor)) => {
                // One that has just broken hears nothing; its follower begins with the newest row.
                let _alive = actor.cast(news);
                true
            }
            // Far ends and relays say it again.
            Some(Seat::Broken { epoch }) => !matches!(news, CallNews::Row(row, _) if row.owner.epoch > *epoch),
            None => false,
        }
    }

    pub(crate) fn has(&self, call: CallId) -> bool {
        self.lock().contains_key(&call)
    }

    /// The calls of a shard that have actors here.
    pub(crate) fn of(&self, shard: ShardId) -> Vec<CallId> {
        self.lock().keys().filter(|call| call.shard() == shard).copied().collect()
    }

    /// Takes the seat of a call whose actor is about to start.
    pub(crate) fn reserve(&self, call: CallId) {
        let mut seats = self.lock();
        if !matches!(seats.get(&call), Some(Seat::Starting(_))) {
            seats.insert(call, Seat::Starting(Vec::new()));
        }
    }

    /// The row is gone: an actor that is left over has nothing to do any more.
    pub(crate) fn stop_forgotten(&self, call: CallId) {
        if let Some(Seat::Running(actor)) = self.lock().remove(&call) {
            actor.stop(None);
        }
    }

    /// Whether an actor that ended broke: who stops in order leaves its seat before.
    pub(crate) fn broke(&self, call: CallId, who: ActorId, epoch: u64) -> bool {
        let mut seats = self.lock();
        let is_its = matches!(seats.get(&call), Some(Seat::Running(actor)) if actor.get_id() == who);
        if is_its {
            seats.insert(call, Seat::Broken { epoch });
        }
        is_its
    }

    /// How often the actor of a call broke within the last while, now included.
    fn count_broken(&self, call: CallId, now: Mono) -> u32 {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        broken.retain(|_, (_, since)| now.since(*since) < BROKEN_WITHIN);
        let (times, _) = broken.entry(call).or_insert((0, now));
        *times += 1;
        *times
    }

    fn seat(&self, call: CallId, actor: ActorRef<CallNews>) {
        let mut seats = self.lock();
        if let Some(Seat::Starting(kept)) = seats.insert(call, Seat::Running(actor.clone())) {
            for news in kept {
                // It has just been started.
                let _alive = actor.cast(news);
            }
        }
    }

    pub(crate) fn forget(&self, call: CallId) {
        self.lock().remove(&call);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<CallId, Seat>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An actor that broke is followed by another, from the row. The table is told first: then what the broken one said to
/// relays and far ends is behind what the next one says. A call whose actors keep breaking ends.
async fn retake(context: &Context, call: CallId) {
    let times = context.calls.count_broken(call, context.now());
    tracing::error!(%call, times, "the actor of a call broke");
    let shard = call.shard();
    if times == BROKEN_MAX {
        let ended = Ended { by: HangupBy::System, cause: Cause::TEMPORARY_FAILURE };
        let end = Command::End { call, ended, observed: context.log_now(shard) };
        if let Err(fault) = context.command(shard, end, limit::PROPOSE).await {
            tracing::warn!(%call, %fault, "an end was not committed");
        }
    }
    if times <= BROKEN_MAX
        && let Err(fault) = context.command(shard, Command::Retake { row: RowKey::Call(call) }, limit::PROPOSE).await
    {
        tracing::error!(%call, %fault, "a call was not taken again; its leases will end it");
    }
}

/// Gives a call, whose seat is reserved, to a new actor and tells it its row. Ends with the actor.
pub(crate) async fn run(context: Arc<Context>, machine: Machine, view: Arc<View>) {
    let (id, row) = (machine.id(), machine.row().clone());
    let epoch = row.owner.epoch;
    let start = Start { context: context.clone(), machine };
    match Actor::spawn(None, CallActor, start).await {
        Ok((actor, ended)) => {
            // What was kept is newer than the row it was made from.
            let _alive = actor.cast(CallNews::Row(row, view));
            let who = actor.get_id();
            context.calls.seat(id, actor);
            // How it ended shows in its seat.
            let _ended = ended.await;
            if context.calls.broke(id, who, epoch) {
                retake(&context, id).await;
            }
        }
        Err(fault) => {
            context.calls.forget(id);
            tracing::error!(call = %id, %fault, "no actor for a call; its leases will end it");
        }
    }
}

struct CallActor;

struct Start {
    context: Arc<Context>,
    machine: Machine,
}

struct Desk {
    context: Arc<Context>,
    machine: Machine,
    /// When the next `Tick` is already on its way.
    armed: Option<Mono>,
    ended: bool,
}

impl Actor for CallActor {
    type Msg = CallNews;
    type State = Desk;
    type Arguments = Start;

    async fn pre_start(&self, _: ActorRef<CallNews>, start: Start) -> Result<Desk, ActorProcessingErr> {
        Ok(Desk { context: start.context, machine: start.machine, armed: None, ended: false })
    }

    async fn handle(&self, me: ActorRef<CallNews>, news: CallNews, desk: &mut Desk) -> Result<(), ActorProcessingErr> {
        desk.handle(&me, news);
        Ok(())
    }
}

impl Desk {
    fn handle(&mut self, me: &ActorRef<CallNews>, news: CallNews) {
        let id = self.machine.id();
        let now = self.context.now();
        let log_now = self.context.log_now(id.shard());
        if matches!(news, CallNews::Tick) {
            self.armed = None;
            // A passive node fires no timer; it looks again soon.
            if self.context.edge.is_passive() {
                return self.arm(me, now + Duration::from_millis(100), now);
            }
        }
        let actions = match news {
            CallNews::Row(row, view) => {
                if !self.context.owns(row.owner) {
                    // Somebody else's by now: not a word on the wire.
                    return self.stop(me);
                }
                self.count_end(&row);
                let Some(table) = shard_of(&view) else { return };
                let Some(rows) = Rows::of(table, row.id) else { return };
                self.machine.on(Event::Row { rows, tenant: table.tenant(row.tenant) }, log_now, now)
            }
            CallNews::Sip { leg, message, source } => {
                self.machine.on(Event::Message { leg, message: &message, source }, log_now, now)
            }
            CallNews::Acknowledge { relay, born_in, event } => {
                return self.media(relay, born_in, Op::Ack { seq: event });
            }
            CallNews::Media(fact) => self.machine.on(Event::Media(fact), log_now, now),
            CallNews::Proposed { number, accepted } => {
                self.machine.on(Event::Proposed { number, accepted }, log_now, now)
            }
            CallNews::Tick => self.machine.on(Event::Tick, log_now, now),
        };
        for action in actions {
            match self.context.test_break {
                None => self.perform(me, action),
                Some(fault) if fault.panics(self.machine.row()) => panic!("a fault that was planted"),
                Some(fault) => {
                    fault.spoil(self.machine.row(), action).into_iter().for_each(|action| self.perform(me, action));
                }
            }
        }
        if let Some(deadline) = self.machine.deadline() {
            self.arm(me, deadline, now);
        }
    }

    fn perform(&mut self, me: &ActorRef<CallNews>, action: Action) {
        let call = self.machine.id();
        match action {
            Action::Send { to, bytes } => self.context.send(to, &bytes),
            Action::Propose { number, command } => self.propose(me.clone(), number, *command),
            // What a passive node was to send it has not sent.
            Action::Done { .. } if self.context.edge.is_passive() && action.is_said(self.machine.row()) => {}
            Action::Done { duty } => self.context.performed.say(call, duty),
            Action::Media { relay, call, op } => self.media(relay, call, op),
            Action::Stop => self.stop(me),
        }
    }

    fn propose(&self, me: ActorRef<CallNews>, number: u64, command: Command) {
        let context = self.context.clone();
        let group = self.machine.id().shard().group();
        tokio::spawn(async move {
            let outcome = context.groups.propose(group, Body::Shard(command), limit::PROPOSE).await;
            let accepted = matches!(outcome, Ok(Outcome::Done));
            // The actor may be over by now: then nobody waits.
            let _over = me.cast(CallNews::Proposed { number, accepted });
        });
    }

    fn media(&self, relay: RelayId, call: CallId, op: Op) {
        let epoch = self.machine.row().owner.epoch;
        self.context.relays.order(relay, self.machine.id(), RelayCommand { call, epoch, op });
    }

    fn arm(&mut self, me: &ActorRef<CallNews>, deadline: Mono, now: Mono) {
        if self.armed.is_none_or(|armed| deadline < armed) {
            self.armed = Some(deadline);
            me.send_after(deadline.since(now), || CallNews::Tick);
        }
    }

    /// The owner counts a call's end once, when it first sees it.
    fn count_end(&mut self, row: &Call) {
        if let Stage::Ended { outcome, .. } = row.stage
            && !std::mem::replace(&mut self.ended, true)
        {
            self.context.figures.ended(outcome, row);
        }
    }

    fn stop(&self, me: &ActorRef<CallNews>) {
        self.context.calls.forget(self.machine.id());
        me.stop(None);
    }
}
