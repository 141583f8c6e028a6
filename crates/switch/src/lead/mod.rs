//! What the leader of a shard does by itself: it plans, ends leases, gives away the rows of the dead and those that belong
//! elsewhere, brings the configuration, hands the lead to the voter it belongs to.
//!
//! Every node has one machine a shard, and it acts only where the node leads. Whoever runs it calls `look` whenever
//! entries were applied, the lead or the control group changed, an errand was answered, or the instant has come that the
//! last look named. Nothing is looked for in vain: what can be told by an entry is told by it.

mod bring;
mod home;
mod owners;
mod spread;

use std::collections::BTreeSet;
use std::time::Duration;

use strowger_acd::UsableRelay;
use strowger_model::{LogTime, Mono, NodeId, ShardId, Wall};
use strowger_table::{Command, Content, Control, Outcome, RowKey, Shard, TenantRef, Touched};

use bring::Bring;
pub use home::{HandOn, HandOver, Leaving};
use owners::Owners;
use spread::Spread;

use crate::turn::Turn;

/// A new leader ends no lease in its first second: facts that are under way arrive first.
const EXPIRE_AFTER: Duration = Duration::from_secs(1);

/// A leadership of this node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Led {
    /// Raft's.
    pub term: u64,
    /// This process's time when it began.
    pub since: Mono,
}

/// What the machine looks at.
pub struct Look<'a> {
    /// None while this node does not lead, or is passive: what it says then is not committed anyway.
    pub led: Option<Led>,
    /// The shard's state.
    pub shard: &'a Shard,
    /// The control group's state.
    pub control: &'a Control,
    /// Nodes that end.
    pub leaving: &'a Leaving,
    /// Those that this node reaches, with their sites.
    pub relays: &'a [UsableRelay],
    /// This process's clock.
    pub now: Mono,
    /// What an entry written now is stamped at least.
    pub log_now: LogTime,
    /// The calendar's time.
    pub wall: Wall,
}

/// What has happened since the last look. A node that does not lead need not keep it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Heard {
    rows: BTreeSet<RowKey>,
    /// More rows than were named.
    many: bool,
    control: bool,
    relays: bool,
}

impl Heard {
    /// An entry of the shard has touched these.
    pub fn touched(&mut self, touched: &Touched) {
        match touched {
            Touched::Few(rows) => self.rows.extend(rows),
            Touched::Many => self.everything(),
        }
    }

    /// A snapshot has leapt over entries.
    pub fn everything(&mut self) {
        self.many = true;
        self.rows.clear();
    }

    /// The control group has a new state.
    pub fn control(&mut self) {
        self.control = true;
    }

    /// Others can be reached than before.
    pub fn relays(&mut self) {
        self.relays = true;
    }

    fn is_any_row(&self) -> bool {
        self.many || !self.rows.is_empty()
    }

    fn is_to_plan(&self) -> bool {
        let is_one = |row: &RowKey| matches!(row, RowKey::Place(_) | RowKey::Agent(_));
        self.many || self.relays || self.rows.iter().any(is_one)
    }
}

/// The rules. One errand of each is under way at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Task {
    /// Who waits gets an agent.
    Plan,
    /// Leases that are over.
    Expire,
    /// Rows of the dead, and tenants that are gone.
    Own,
    /// The configuration comes into the shard.
    Configure,
    /// A row goes to where it belongs.
    Spread,
    /// The lead goes to the voter it belongs to.
    HandOver,
}

/// What is to be done for the shard. Its answer goes to `answered` or `fetched`, whatever came of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Errand {
    /// Of the leadership it is for; `answered` needs it.
    pub term: u64,
    /// Whose turn it takes.
    pub task: Task,
    /// What to do.
    pub what: What,
}

/// What an errand does.
#[derive(Clone, PartialEq, Debug)]
pub enum What {
    /// Once, as the leader of that term: what only a leader may say is worth nothing after it.
    Propose(Box<Command>),
    /// To that voter.
    HandOver(NodeId),
    /// The content of a tenant's configuration, from wherever it is.
    Fetch(TenantRef),
}

impl What {
    pub(crate) fn propose(command: Command) -> Self {
        What::Propose(Box::new(command))
    }
}

/// The leader's rules of one shard.
#[derive(Debug)]
pub struct Leader {
    /// The last leadership; the turns are its.
    led: Option<Led>,
    /// Whether it could act at the last look.
    acts: bool,
    plan: Turn,
    expire: Turn,
    owners: Owners,
    bring: Bring,
    spread: Spread,
    hand_on: HandOn,
}

impl Leader {
    /// `home`: the voter that the lead belongs to.
    pub fn new(shard: ShardId, me: NodeId, home: NodeId) -> Self {
        Self {
            led: None,
            acts: false,
            plan: Turn::default(),
            expire: Turn::default(),
            owners: Owners::default(),
            bring: Bring::new(shard),
            spread: Spread::default(),
            hand_on: HandOn::new(me, home),
        }
    }

    /// What is to be done now, and when to look again if nothing happens before.
    pub fn look(&mut self, changed: &Heard, look: &Look<'_>) -> (Vec<Errand>, Option<Mono>) {
        self.spread.see(look.control, look.now);
        let Some(led) = self.take_the_lead(look.led) else { return (Vec::new(), None) };
        self.hear(changed);
        let mut todo = Vec::new();
        todo.extend(self.plan(look).map(|what| (Task::Plan, what)));
        todo.extend(self.expire(led, look).map(|what| (Task::Expire, what)));
        todo.extend(self.owners.look(look).map(|what| (Task::Own, what)));
        todo.extend(self.bring.look(look).map(|what| (Task::Configure, what)));
        todo.extend(self.spread.look(look).map(|what| (Task::Spread, what)));
        let hand_over = self.hand_on.look(led, look.control, look.leaving, look.now);
        if let HandOver::To(home) = hand_over {
            todo.push((Task::HandOver, What::HandOver(home)));
        }
        let again = [
            self.plan.again(),
            self.next_expiry(led, look),
            self.owners.again(),
            self.bring.again(),
            self.spread.again(look.now),
            hand_over.again(),
        ];
        debug_assert!(todo.is_sorted_by(|one, next| one.0 < next.0), "one errand of a rule");
        let errand = |(task, what)| Errand { term: led.term, task, what };
        (todo.into_iter().map(errand).collect(), again.into_iter().flatten().min())
    }

    /// What came of an errand; none: it is unknown, or nothing was done.
    pub fn answered(&mut self, term: u64, task: Task, outcome: Option<&Outcome>, now: Mono) {
        if self.led.is_none_or(|led| led.term != term) {
            return;
        }
        let done = outcome.is_some();
        match task {
            Task::Plan => self.plan.end(done, now),
            Task::Expire => self.expire.end(done, now),
            Task::Own => self.owners.answered(outcome, now),
            Task::Configure => self.bring.answered(outcome, now),
            Task::Spread => self.spread.answered(outcome, now),
            Task::HandOver => self.hand_on.answered(now),
        }
    }

    /// What was fetched, if it was found.
    pub fn fetched(&mut self, term: u64, content: Option<Content>, now: Mono) {
        if self.led.is_some_and(|led| led.term == term) {
            self.bring.fetched(content, now);
        }
    }

    /// A new term begins with nothing under way. Whoever was passive meanwhile has heard of nothing.
    fn take_the_lead(&mut self, led: Option<Led>) -> Option<Led> {
        let acted = std::mem::replace(&mut self.acts, led.is_some());
        let led = led?;
        debug_assert!(self.led.is_none_or(|before| before.term <= led.term), "terms rise");
        let is_new = self.led.replace(led) != Some(led);
        if is_new {
            (self.plan, self.expire) = (Turn::default(), Turn::default());
            self.owners = Owners::default();
            self.bring.begin_anew();
            self.spread.begin_anew();
        }
        if is_new || !acted {
            self.hear(&Heard { many: true, ..Heard::default() });
        }
        Some(led)
    }

    fn hear(&mut self, changed: &Heard) {
        if changed.is_to_plan() {
            self.plan.wake();
        }
        self.spread.hear(changed);
        if changed.is_any_row() || changed.control {
            self.owners.wake();
        }
        if changed.many || changed.control {
            self.bring.wake();
        }
    }

    /// At most one plan is under way, the next is made on the state that the last one left. One of which nothing was
    /// granted tells of nothing new: whatever it was refused for has woken this rule, too.
    fn plan(&mut self, look: &Look<'_>) -> Option<What> {
        if !self.plan.is_on(look.now) {
            return None;
        }
        self.plan.rest();
        if !look.shard.anyone_waiting() {
            return None;
        }
        let plan = strowger_acd::plan(look.shard, look.relays);
        (!plan.offers.is_empty()).then(|| self.plan.propose(Command::Plan(plan)))
    }

    fn expire(&mut self, led: Led, look: &Look<'_>) -> Option<What> {
        let is_due = self.next_expiry(led, look).is_some_and(|at| at <= look.now);
        is_due.then(|| self.expire.propose(Command::Expire))
    }

    /// When a lease runs out, on this process's clock. None: none does, or its `Expire` is under way.
    fn next_expiry(&self, led: Led, look: &Look<'_>) -> Option<Mono> {
        let lease = look.shard.next_lease().filter(|lease| *lease < LogTime::MAX)?;
        let at = (look.now + lease.since(look.log_now)).max(led.since + EXPIRE_AFTER);
        self.expire.from(at)
    }
}
