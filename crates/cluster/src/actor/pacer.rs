//! Campaigns: one actor for all that this node owns, which every node has. It runs the switch's pacer.

use std::collections::VecDeque;
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use strowger_model::{Destinations, GroupId, Mono, ShardId};
use strowger_raft::clock;
use strowger_switch::{Scene, limit};
use strowger_table::{Command, Outcome};

use super::registry::{Hand as _, News, Registry, Ticket, Wake, follow};
use crate::context::{Context, Refused, shard_of};
use crate::spending::Begun;

pub(crate) type Pacers = Registry<(), PacerNews, ActorRef<PacerMail>>;

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum PacerNews {
    /// Something that campaigns are paced by has changed in a shard.
    Look(ShardId),
    /// What came of a proposal; none: that is unknown.
    Answered(ShardId, Option<Outcome>),
}

impl News for PacerNews {
    /// The next one looks at everything, and has nothing under way.
    fn lasts(&self) -> bool {
        false
    }

    fn fits(&self, waiting: &VecDeque<Self>) -> bool {
        matches!(self, PacerNews::Answered(..)) || !waiting.contains(self)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum PacerMail {
    Wake,
    /// An instant has come that the pacer named.
    Tick(Mono),
}

impl From<Wake> for PacerMail {
    fn from(_: Wake) -> Self {
        PacerMail::Wake
    }
}

/// Rows of a shard have changed. Without campaigns nobody looks.
pub(crate) fn tell(context: &Context, shard: ShardId) {
    let view = context.groups.view(shard.group());
    if shard_of(&view).is_some_and(|table| table.campaigns().next().is_some()) {
        let _begins = context.pacers.tell((), PacerNews::Look(shard));
    }
}

/// Begins the pacer, unless there is one.
pub(crate) fn begin(context: &Arc<Context>) {
    if let Some(ticket) = context.pacers.begin((), 0, None) {
        context.begun.acting.spawn(run(context.clone(), ticket));
    }
}

/// There is nothing to drop for what breaks pacers again and again.
async fn run(context: Arc<Context>, ticket: Ticket) {
    let start = |ticket| {
        let pacer = strowger_switch::Pacer::new(context.me, context.incarnation());
        (Pacer, Driver { context: context.clone(), ticket, pacer, lists: context.destinations(), armed: None })
    };
    let _broken = follow(&context.pacers, ((), ticket), start, || context.now()).await;
}

struct Pacer;

struct Driver {
    context: Arc<Context>,
    ticket: Ticket,
    pacer: strowger_switch::Pacer,
    /// By which it has judged numbers so far.
    lists: Arc<Destinations>,
    /// The first instant of which a `Tick` tells.
    armed: Option<Mono>,
}

impl Actor for Pacer {
    type Msg = PacerMail;
    type State = Driver;
    type Arguments = Driver;

    async fn pre_start(&self, me: ActorRef<PacerMail>, mut driver: Driver) -> Result<Driver, ActorProcessingErr> {
        let context = driver.context.clone();
        context.shards().for_each(|shard| driver.pacer.wake(shard));
        if context.pacers.breaks(()) > 0 {
            let views = context.shards().filter_map(|shard| context.shard_view(shard));
            views.for_each(|view| shard_of(&view).into_iter().for_each(|table| driver.pacer.follow_broken(table)));
        }
        me.wake();
        Ok(driver)
    }

    async fn handle(
        &self,
        me: ActorRef<PacerMail>,
        mail: PacerMail,
        driver: &mut Driver,
    ) -> Result<(), ActorProcessingErr> {
        driver.armed = driver.armed.filter(|at| !matches!(mail, PacerMail::Tick(told) if told == *at));
        while let Some(news) = driver.context.pacers.take((), driver.ticket) {
            driver.hear(news);
        }
        driver.look(&me);
        Ok(())
    }
}

impl Driver {
    fn hear(&mut self, news: PacerNews) {
        match news {
            PacerNews::Look(shard) => self.pacer.wake(shard),
            PacerNews::Answered(shard, outcome) => {
                self.pacer.answered(shard, outcome.as_ref(), self.context.now());
            }
        }
    }

    fn look(&mut self, me: &ActorRef<PacerMail>) {
        let context = &self.context;
        // A passive node decides nothing; it is told when it is active again.
        if context.edge.is_passive() {
            return;
        }
        let control = context.groups.view(GroupId::CONTROL);
        let Some(control) = control.machine.control() else { return };
        let views: Vec<_> = context.shards().filter_map(|shard| context.shard_view(shard)).collect();
        let shards: Vec<_> = views.iter().filter_map(|view| shard_of(view)).collect();
        let (relays, now) = (context.relays.usable(), context.now());
        let (destinations, spending) = (context.destinations(), context.spending.copy());
        if !Arc::ptr_eq(&self.lists, &destinations) {
            self.pacer.lists_changed();
            self.lists = destinations.clone();
        }
        let scene = Scene {
            shards: &shards,
            control,
            relays: &relays,
            destinations: &destinations,
            spending: &spending,
            now,
            wall: clock::wall(),
        };
        let (said, again) = self.pacer.look(&scene);
        if context.test_break.is_some_and(|fault| fault.breaks_pacer(context.pacers.breaks(()), &said)) {
            panic!("a fault that was planted");
        }
        for (shard, command) in said {
            let table = shards.iter().find(|table| table.id() == shard);
            let begun = match (&command, table) {
                (Command::Dial(dial), Some(table)) => context.begin(table, dial).map(Some),
                _ => Ok(None),
            };
            match begun {
                Ok(begun) => context.spawn(propose(context.clone(), shard, command, begun)),
                Err(why) => {
                    tracing::debug!(%shard, %why, "a dial was overtaken by others");
                    let _broken = context.pacers.tell((), PacerNews::Answered(shard, None));
                }
            }
        }
        if let Some(at) = again.filter(|again| self.armed.is_none_or(|armed| *again < armed)) {
            self.armed = Some(at);
            me.send_after(at.since(now), move || PacerMail::Tick(at));
        }
    }
}

/// `begun`: of a dial.
async fn propose(context: Arc<Context>, shard: ShardId, command: Command, begun: Option<Begun>) {
    let is_dial = begun.is_some();
    let outcome = match context.command(shard, command, limit::DIAL).await {
        Ok(outcome) => Some(outcome),
        Err(Refused::ByTable(refusal)) => Some(Outcome::Refused(refusal)),
        Err(fault) => {
            tracing::debug!(%shard, %fault, is_dial, "what the pacer said was not committed");
            None
        }
    };
    if let Some(begun) = begun {
        context.figures.dialled(matches!(outcome, Some(Outcome::Dialled { .. })));
        if let Some(Outcome::Dialled { call }) = outcome {
            begun.granted(call);
        }
    }
    let _broken = context.pacers.tell((), PacerNews::Answered(shard, outcome));
}
