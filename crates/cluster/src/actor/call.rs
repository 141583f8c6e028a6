//! Live calls: one actor each. It holds a pure machine and performs what it says.

use std::collections::VecDeque;
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use strowger_call::{Action, Answer, Event, Machine, MediaFact, Rows};
use strowger_media::{Op, RelayCommand};
use strowger_model::{CallId, Cause, Ended, Far, HangupBy, LegKey, Mono, RelayId};
use strowger_raft::View;
use strowger_sip::Message;
use strowger_switch::limit;
use strowger_table::{Body, Call, Command, RowKey, Stage};

use super::registry::{BROKEN_MAX, News, Registry, Ticket, Wake, sit};
use crate::context::{Context, shard_of};

/// Messages that wait for one call's actor at once; it takes them in microseconds. Far ends repeat what is dropped.
const WAITING_MAX: usize = 256;

/// What a call's actor is told.
#[derive(Clone)]
pub(crate) enum CallNews {
    /// The row, and the table in which it stands.
    Row(Arc<Call>, Arc<View>),
    Sip {
        leg: LegKey,
        message: Box<Message>,
        source: Far,
    },
    Media(MediaFact),
    /// A relay's facts of this leg up to this one have been heard.
    Acknowledge {
        relay: RelayId,
        leg: LegKey,
        event: u64,
    },
}

impl News for CallNews {
    /// The next actor begins with the newest row and asks the relays; over TCP no far end repeats itself.
    fn lasts(&self) -> bool {
        matches!(self, CallNews::Sip { .. })
    }

    fn fits(&self, waiting: &VecDeque<Self>) -> bool {
        !matches!(self, CallNews::Sip { .. }) || waiting.len() < WAITING_MAX
    }

    fn epoch(&self) -> Option<u64> {
        match self {
            CallNews::Row(row, _) => Some(row.owner.epoch),
            _ => None,
        }
    }
}

pub(crate) type Calls = Registry<CallId, CallNews, ActorRef<CallMail>>;

/// Bytes of the task that waits for a call's actor to end. Each live call has one for as long as it lives: a machine or
/// a start that lay in it would count several times (each function on the way keeps a place for it).
const TASK_MAX: usize = 512;

/// What comes to the actor itself: what is told to it waits in the registry, the rest is of its own making.
pub(crate) enum CallMail {
    Wake,
    Proposed { number: u64, answer: Answer },
    Tick,
}

impl From<Wake> for CallMail {
    fn from(_: Wake) -> Self {
        CallMail::Wake
    }
}

/// An actor that broke is followed by another, from the row. The table is told first: then what the broken one said to
/// relays and far ends is behind what the next one says. A call whose actors keep breaking ends.
pub(crate) async fn retake(context: &Context, call: CallId) {
    let shard = call.shard();
    if context.calls.breaks(call) >= BROKEN_MAX {
        let ended = Ended { by: HangupBy::System, cause: Cause::TEMPORARY_FAILURE };
        let end = Command::End { call, ended, observed: context.log_now(shard).at_most };
        if let Err(fault) = context.command(shard, end, limit::PROPOSE).await {
            tracing::warn!(%call, %fault, "an end was not committed");
        }
    }
    if let Err(fault) = context.command(shard, Command::Retake { row: RowKey::Call(call) }, limit::PROPOSE).await {
        tracing::error!(%call, %fault, "a call was not taken again; the sweep tries it once more");
    }
}

/// Begins the actor of a call, which hears its row first; `make` makes its machine, if there is no actor yet.
pub(crate) fn begin(context: &Arc<Context>, row: &Arc<Call>, view: &Arc<View>, make: impl FnOnce() -> Machine) {
    let first = CallNews::Row(row.clone(), view.clone());
    if let Some(ticket) = context.calls.begin(row.id, row.owner.epoch, Some(first)) {
        let acts = run(context.clone(), ticket, Box::new(make()));
        debug_assert!(size_of_val(&acts) <= TASK_MAX, "the task of a call has {} bytes", size_of_val(&acts));
        context.begun.acting.spawn(acts);
    }
}

async fn run(context: Arc<Context>, ticket: Ticket, machine: Box<Machine>) {
    let id = machine.id();
    let start = Start { context: context.clone(), machine, ticket };
    if let Some(times) = sit(&context.calls, (id, ticket), (CallActor, start), || context.now()).await {
        tracing::error!(call = %id, times, "the actor of a call broke");
        if times <= BROKEN_MAX {
            Box::pin(retake(&context, id)).await;
        }
    }
}

struct CallActor;

struct Start {
    context: Arc<Context>,
    machine: Box<Machine>,
    ticket: Ticket,
}

struct Driver {
    context: Arc<Context>,
    machine: Box<Machine>,
    ticket: Ticket,
    /// When the next `Tick` is already on its way.
    armed: Option<Mono>,
    ended: bool,
}

impl Actor for CallActor {
    type Msg = CallMail;
    type State = Driver;
    type Arguments = Start;

    async fn pre_start(&self, _: ActorRef<CallMail>, start: Start) -> Result<Driver, ActorProcessingErr> {
        let Start { context, machine, ticket } = start;
        Ok(Driver { context, machine, ticket, armed: None, ended: false })
    }

    async fn handle(
        &self,
        me: ActorRef<CallMail>,
        mail: CallMail,
        driver: &mut Driver,
    ) -> Result<(), ActorProcessingErr> {
        driver.handle(&me, mail);
        Ok(())
    }
}

impl Driver {
    fn handle(&mut self, me: &ActorRef<CallMail>, mail: CallMail) {
        match mail {
            CallMail::Wake => {
                while let Some(news) = self.context.calls.take(self.machine.id(), self.ticket) {
                    self.hear(me, news);
                }
            }
            CallMail::Proposed { number, answer } => self.run(me, Event::Proposed { number, answer }),
            CallMail::Tick => {
                self.armed = None;
                // What is due in the last moments is due at the heir, too. Above all nobody who hung up is answered
                // because time is up.
                if self.context.is_stopping() {
                    return;
                }
                if self.context.edge.is_passive() {
                    return self.tick_when_active(me.clone());
                }
                self.run(me, Event::Tick);
            }
        }
    }

    fn hear(&mut self, me: &ActorRef<CallMail>, news: CallNews) {
        match news {
            CallNews::Row(row, view) => {
                if !self.context.owns(row.owner) {
                    // Somebody else's by now: not a word on the wire.
                    return self.stop(me);
                }
                tracing::debug!(call = %row.id, stage = row.stage_name(), epoch = row.owner.epoch, index = view.applied, "row");
                self.count_end(&row);
                let Some(table) = shard_of(&view) else { return };
                let Some(rows) = Rows::of(table, row.id) else { return };
                self.run(me, Event::Row { rows, tenant: table.tenant(row.tenant) });
            }
            CallNews::Sip { leg, message, source } => {
                let (call, from) = (self.machine.id(), source.addr);
                tracing::debug!(%call, %leg, %from, method = message.cseq_method(), status = message.status(), "heard");
                self.run(me, Event::Message { leg, message: &message, source });
            }
            CallNews::Acknowledge { relay, leg, event } => {
                self.media(relay, leg.call, Op::Ack { leg: leg.leg, seq: event });
            }
            CallNews::Media(fact) => self.run(me, Event::Media(fact)),
        }
    }

    fn run(&mut self, me: &ActorRef<CallMail>, event: Event<'_>) {
        let (now, log_now) = (self.context.now(), self.context.log_now(self.machine.id().shard()));
        for action in self.machine.on(event, log_now, now) {
            match self.context.test_break {
                None => self.perform(me, action),
                Some(fault) if fault.panics(self.machine.row()) => panic!("a fault that was planted"),
                Some(fault) => {
                    fault.spoil(self.machine.row(), action).into_iter().for_each(|action| self.perform(me, action));
                }
            }
        }
        if self.context.test_break.is_some_and(|fault| fault.loses(self.machine.row())) {
            return self.stop(me);
        }
        if let Some(deadline) = self.machine.deadline() {
            self.arm(me, deadline, now);
        }
    }

    fn perform(&mut self, me: &ActorRef<CallMail>, action: Action) {
        let call = self.machine.id();
        match action {
            Action::Send { to, bytes } => {
                tracing::debug!(%call, to = %to.addr, what = first_line(&bytes), "says");
                self.context.send(to, &bytes);
            }
            Action::Propose { number, command } => self.propose(me.clone(), number, *command),
            // What a passive node was to send it has not sent.
            Action::Done { .. } if self.context.edge.is_passive() && action.is_said(self.machine.row()) => {}
            Action::Done { duty } => self.context.performed.say(call, duty),
            Action::Media { relay, call, op } => self.media(relay, call, op),
            Action::HandOn { leg, message, source } => self.context.hear_again(leg, *message, source),
            Action::Stop => self.stop(me),
        }
    }

    fn propose(&self, me: ActorRef<CallMail>, number: u64, command: Command) {
        let (context, call) = (self.context.clone(), self.machine.id());
        let group = call.shard().group();
        tracing::debug!(%call, number, command = kind(&command), "proposes");
        self.context.begun.proposing.spawn(async move {
            let outcome = context.groups.propose(group, Body::Shard(command), limit::PROPOSE).await;
            tracing::debug!(%call, number, ?outcome, "was answered");
            // Proposed again by nobody here: what hangs on it is not answered.
            if outcome.is_err() && context.is_stopping() {
                return;
            }
            let answer = Answer::of(outcome.as_ref().ok());
            // The actor may be over by now: then nobody waits.
            let _over = me.cast(CallMail::Proposed { number, answer });
        });
    }

    fn media(&self, relay: RelayId, call: CallId, op: Op) {
        let epoch = self.machine.row().owner.epoch;
        self.context.relays.order(relay, self.machine.id(), RelayCommand { call, epoch, op }, self.context.now());
    }

    fn arm(&mut self, me: &ActorRef<CallMail>, deadline: Mono, now: Mono) {
        if self.armed.is_none_or(|armed| deadline < armed) {
            self.armed = Some(deadline);
            me.send_after(deadline.since(now), || CallMail::Tick);
        }
    }

    /// A passive node fires no timer.
    fn tick_when_active(&mut self, me: ActorRef<CallMail>) {
        // It is on its way, and nothing is due before it.
        self.armed = Some(Mono::ZERO);
        let edge = self.context.edge.clone();
        self.context.spawn(async move {
            edge.until_active().await;
            // The call may be over by now, or somebody else's.
            let _over = me.cast(CallMail::Tick);
        });
    }

    /// The owner counts a call's end once, when it first sees it.
    fn count_end(&mut self, row: &Call) {
        if let Stage::Ended { outcome, .. } = row.stage
            && !std::mem::replace(&mut self.ended, true)
        {
            self.context.figures.ended(outcome, row);
        }
    }

    fn stop(&self, me: &ActorRef<CallMail>) {
        for news in self.context.calls.leave(self.machine.id(), self.ticket) {
            if let CallNews::Sip { leg, message, source } = news {
                self.context.hear_again(leg, *message, source);
            }
        }
        me.stop(None);
    }
}

/// Of a SIP message.
fn first_line(message: &[u8]) -> String {
    let line = message.split(|byte| *byte == b'\r').next().unwrap_or_default();
    String::from_utf8_lossy(line).into_owned()
}

/// What a command is, without what it says of people.
fn kind(command: &Command) -> String {
    let all = format!("{command:?}");
    all.split(|sign: char| !sign.is_alphanumeric()).next().unwrap_or_default().to_owned()
}
