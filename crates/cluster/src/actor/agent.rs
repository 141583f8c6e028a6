//! Agents' phones: an actor for each agent that this node owns, and for one that registers here. It carries out
//! REGISTERs one after another and keeps the ways through NATs open.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use strowger_agent::limit::{COMMIT, WAITING_MAX};
use strowger_agent::{ANSWERS_KEPT, Asked, Known, Order, Pace, TooFast, Turn, through_nat, wanted};
use strowger_model::{AgentId, Far, ShardId, Transport};
use strowger_sip::{Binding, Contacts, Message, Refusal, register_ok, reply, reply_destination};
use strowger_switch::has_phones_at;
use strowger_table::{Agent, Command, RowKey};

use super::registry::{News, Registry, Ticket, Wake, follow};
use crate::context::{Context, shard_of};
use crate::registrar;
use crate::sabotage::TestBreak;

/// NATs may forget a way that was not used for 30 s (RFC 5626 section 4.4 has a phone send every 24 to 29 s over UDP).
const KEEP_ALIVE: Duration = Duration::from_secs(25);
/// What every SIP parser skips before a message (RFC 3261 section 7.5).
const NOTHING: &[u8] = b"\r\n\r\n";

/// A REGISTER of an agent's phone, whose digest was good.
#[derive(Debug)]
pub(crate) struct Registration {
    pub message: Message,
    pub source: Far,
    /// To the challenge.
    pub answer: String,
    pub asked: Contacts,
}

#[derive(Clone, Debug)]
pub(crate) struct Register(Arc<Registration>);

impl News for Register {
    /// Over TCP no phone repeats itself.
    fn lasts(&self) -> bool {
        true
    }

    /// One that is repeated while it waits is no second one.
    fn fits(&self, waiting: &VecDeque<Self>) -> bool {
        let name = |register: &Self| (register.0.message.call_id().to_owned(), register.0.message.cseq());
        waiting.len() < WAITING_MAX && waiting.iter().all(|other| name(other) != name(self))
    }
}

pub(crate) type Agents = Registry<AgentId, Register, ActorRef<AgentMail>>;

pub(crate) enum AgentMail {
    Wake,
    Tick,
}

impl From<Wake> for AgentMail {
    fn from(_: Wake) -> Self {
        AgentMail::Wake
    }
}

pub(crate) fn is_ours(context: &Context, row: &Agent) -> bool {
    has_phones_at(row, (context.me, context.incarnation()))
}

pub(crate) fn register(context: &Arc<Context>, shard: ShardId, agent: AgentId, registration: Registration) {
    let register = Register(Arc::new(registration));
    if !context.agents.tell(agent, register.clone()) {
        begin(context, shard, agent, Some(register));
    }
}

/// Begins an actor, unless there is one, with what it is to do first.
fn begin(context: &Arc<Context>, shard: ShardId, agent: AgentId, first: Option<Register>) {
    if let Some(ticket) = context.agents.begin(agent, 0, first) {
        context.begun.acting.spawn(run(context.clone(), shard, agent, ticket));
    }
}

/// For an agent whose row is this node's.
pub(crate) fn begin_owned(context: &Arc<Context>, shard: ShardId, agent: AgentId) {
    begin(context, shard, agent, None);
}

/// The row is all that the next actor needs. A REGISTER that breaks them again and again is dropped.
async fn run(context: Arc<Context>, shard: ShardId, agent: AgentId, ticket: Ticket) {
    let start = |ticket| (AgentActor, Driver::new(&context, shard, agent, ticket));
    if let Some(last) = follow(&context.agents, (agent, ticket), start, || context.now()).await {
        context.agents.settle(agent, last, 1, Vec::new());
    }
}

struct AgentActor;

struct Driver {
    context: Arc<Context>,
    shard: ShardId,
    agent: AgentId,
    ticket: Ticket,
    order: Order,
    known: Known,
    pace: Pace,
    /// A `Tick` is on its way.
    armed: bool,
}

impl Actor for AgentActor {
    type Msg = AgentMail;
    type State = Driver;
    type Arguments = Driver;

    async fn pre_start(&self, me: ActorRef<AgentMail>, mut driver: Driver) -> Result<Driver, ActorProcessingErr> {
        driver.arm(&me);
        Ok(driver)
    }

    async fn handle(
        &self,
        me: ActorRef<AgentMail>,
        mail: AgentMail,
        driver: &mut Driver,
    ) -> Result<(), ActorProcessingErr> {
        match mail {
            AgentMail::Wake => driver.serve(&me).await,
            AgentMail::Tick => {
                driver.armed = false;
                driver.keep_alive();
                driver.arm(&me);
            }
        }
        Ok(())
    }
}

impl Driver {
    fn new(context: &Arc<Context>, shard: ShardId, agent: AgentId, ticket: Ticket) -> Self {
        let (order, known, pace) = (Order::default(), Known::default(), Pace::default());
        Self { context: context.clone(), shard, agent, ticket, order, known, pace, armed: false }
    }

    fn row(&self) -> Option<Arc<Agent>> {
        let view = self.context.shard_view(self.shard)?;
        shard_of(&view)?.agent(self.agent).cloned()
    }

    /// One REGISTER after another. It waits until it is answered: should this actor break, the next answers it.
    async fn serve(&mut self, me: &ActorRef<AgentMail>) {
        while let Some(Register(registration)) = self.context.agents.peek(self.agent, self.ticket, 1).pop() {
            let was_owned = self.row().is_some_and(|row| row.owner.is_some());
            let bytes = match self.bind(&registration).await {
                Ok(bound) => register_ok(&registration.message, &bound, &[]),
                Err(Refusal { status, reason, headers }) => {
                    reply(&registration.message, status, &reason, &headers, None, None)
                }
            };
            if self.context.test_break.is_some_and(|fault| fault.breaks_agent(self.context.agents.breaks(self.agent))) {
                panic!("a fault that was planted");
            }
            self.context.send(reply_destination(&registration.message, registration.source), &bytes);
            // Also of an agent that is nobody's by now: what was overtaken may still come, or what was overheard.
            if self.context.test_break != Some(TestBreak::LeaveAgent) {
                self.context.agents.linger(self.agent, self.ticket, self.context.now() + ANSWERS_KEPT);
            }
            self.context.agents.settle(self.agent, self.ticket, 1, Vec::new());
            if !was_owned && registration.source.transport == Transport::Udp {
                self.own().await;
                if self.context.test_break == Some(TestBreak::LoseActor) {
                    return self.context.agents.stop(self.agent);
                }
            }
        }
        self.arm(me);
    }

    /// Commits what the phone asks for; what is bound afterwards, or the answer that says why not.
    async fn bind(&mut self, registration: &Registration) -> Result<Vec<Binding>, Refusal> {
        let Registration { message, source, answer, asked } = registration;
        let later = || Refusal::new(503, Vec::new());
        let row = self.row().ok_or_else(later)?;
        let (now, log_now) = (self.context.now(), self.context.log_now(self.shard).at_most);
        self.known.see(&row.bindings, now);
        let this = Asked { call_id: message.call_id(), cseq: message.cseq(), answer };
        match self.order.turn(this, now) {
            Turn::Overtaken => return Err(Refusal::new(500, Vec::new())),
            Turn::Replayed => return Err(registrar::replayed(&self.context, self.agent, *source).unwrap_or_else(later)),
            Turn::Repeated => {}
            Turn::Next => {
                let commands = wanted(self.agent, &self.known.bound(), asked, *source, log_now);
                self.pace.take(commands.len(), now).map_err(|too_fast| slowed(&row.name, *source, too_fast))?;
                for command in commands {
                    if let Err(fault) = self.context.command(self.shard, command.clone(), COMMIT).await {
                        tracing::warn!(agent = row.name, %fault, "a registration was not committed");
                        return Err(later());
                    }
                    self.known.committed(command, self.context.now());
                }
                self.order.done(this, now);
            }
        }
        let list = |binding: strowger_table::Binding| {
            let left = u32::try_from(binding.expires.since(log_now).as_secs()).unwrap_or(u32::MAX);
            Binding { uri: binding.uri, expires: left }
        };
        Ok(self.known.bound().into_iter().map(list).collect())
    }

    /// An agent without a connection has the owner that its first phone came to, until the owners are balanced.
    async fn own(&self) {
        let is_bound = self.known.bound().iter().any(|binding| binding.lost.is_none());
        let assign =
            Command::Assign { row: RowKey::Agent(self.agent), to: (self.context.me, self.context.incarnation()) };
        if is_bound && let Err(fault) = self.context.command(self.shard, assign, COMMIT).await {
            tracing::debug!(agent = %self.agent, %fault, "an agent has no owner yet; its next REGISTER asks again");
        }
    }

    /// Keeps open what a NAT would forget; of another's agent, or nobody's, there is nothing to do.
    fn keep_alive(&self) {
        match self.row().filter(|row| is_ours(&self.context, row)) {
            Some(row) => through_nat(&row.bindings).for_each(|far| self.context.send(far, NOTHING)),
            None => self.context.agents.stop_idle(self.agent, self.context.now()),
        }
    }

    fn arm(&mut self, me: &ActorRef<AgentMail>) {
        let row = self.row().filter(|row| is_ours(&self.context, row));
        let next = match row {
            Some(row) => through_nat(&row.bindings).next().map(|_| KEEP_ALIVE),
            None => Some(ANSWERS_KEPT),
        };
        if let Some(next) = next.filter(|_| !self.armed) {
            self.armed = true;
            me.send_after(next, || AgentMail::Tick);
        }
    }
}

/// What a phone is told that changes without end, and when it may come again.
fn slowed(agent: &str, source: Far, TooFast { wait, is_news }: TooFast) -> Refusal {
    if is_news {
        tracing::warn!(agent, from = %source.addr, "phones of an agent change faster than the log takes; they are told to wait");
    }
    Refusal::new(503, vec![("Retry-After", (wait.as_secs() + 1).to_string())])
}
