//! What really happened in worlds: one that never does a thing proves nothing of it.

use std::collections::BTreeMap;

use strowger_model::TenantId;
use strowger_table::Command;

use crate::far::Habit;
use crate::promise::Step;
use crate::tenant::TENANT;

/// Makes the kinds of things, with what each is.
macro_rules! things {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// A thing that must happen in some worlds.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Thing {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Thing {
            pub const ALL: &[Thing] = &[$(Thing::$name),+];
        }
    };
}

things! {
    /// A call of a second tenant is written down.
    OtherTenantsRecord,
    /// A phone says that it is there, still or again.
    Registered,
    /// A phone comes from another address.
    PhoneMoved,
    /// A phone takes itself off.
    PhoneGone,
    /// A phone loses its power with all that it has.
    PhoneLostPower,
    /// An agent whose phone did so was being rung or talking.
    PhoneLostInCall,
    /// An agent says how a call went.
    Disposed,
    /// A node speaks for a call that it does not own.
    WrongOwner,
    /// A process speaks that was declared dead.
    WrongLife,
    /// Somebody speaks of a row that is not there.
    WrongRow,
    /// A call is offered to an agent who has work.
    WrongOffer,
    /// What was carried out is said again.
    SaidAgain,
    /// An actor broke.
    ActorBroke,
    /// A row is taken again by its owner.
    Retaken,
    /// Another configuration comes into force while calls are there.
    Reconfigured,
    /// Somebody waits in a queue that left the configuration.
    WaitedInClosed,
    /// An agent leaves the configuration while at work.
    AgentWentAtWork,
    /// A call comes to a number that a new configuration took away.
    NumberGone,
    /// A caller is declined whose number is barred.
    BarredDeclined,
    /// A caller is declined who hides.
    AnonymousDeclined,
    /// A leg goes to another relay, for the one that it had is gone.
    Rehomed,
    /// One number is on calls of two tenants at once.
    NumberOfTwoTenants,
}

impl Thing {
    pub(crate) fn of_habit(habit: Habit) -> Self {
        match habit {
            Habit::Stay => Thing::Registered,
            Habit::Move => Thing::PhoneMoved,
            Habit::Go => Thing::PhoneGone,
            Habit::LosePower => Thing::PhoneLostPower,
        }
    }
}

/// How often each thing happened.
#[derive(Clone, Debug, Default)]
pub struct Seen(BTreeMap<Thing, u64>);

impl Seen {
    pub fn times(&self, thing: Thing) -> u64 {
        self.0.get(&thing).copied().unwrap_or_default()
    }

    pub fn add(&mut self, thing: Thing, times: u64) {
        *self.0.entry(thing).or_default() += times;
    }

    /// What happened in another world, too.
    pub fn join(&mut self, other: &Seen) {
        other.0.iter().for_each(|(thing, times)| self.add(*thing, *times));
    }

    /// By name, those that never happened among them.
    pub fn named(&self) -> BTreeMap<String, u64> {
        Thing::ALL.iter().map(|thing| (format!("{thing:?}"), self.times(*thing))).collect()
    }

    pub(crate) fn committed(&mut self, step: &Step<'_>) {
        let others = step.records.iter().filter(|record| record.tenant != TENANT && record.wrap_ms.is_none());
        self.add(Thing::OtherTenantsRecord, others.count() as u64);
        self.dialled(step);
        match step.command() {
            Some(Command::Dispose { .. }) if step.is_granted() => self.add(Thing::Disposed, 1),
            Some(Command::Retake { .. }) if step.is_granted() => self.add(Thing::Retaken, 1),
            Some(Command::Rehome { legs }) if step.is_granted() => {
                let had = |leg| step.before.call_of_leg(leg).and_then(|row| row.leg(leg)?.relay);
                let moved = legs.iter().filter(|(leg, to)| had(*leg).is_some_and(|relay| relay != *to));
                self.add(Thing::Rehomed, moved.count() as u64);
            }
            Some(Command::Configure { version: 2.., .. }) if step.is_granted() => self.reconfigured(step),
            _ => {}
        }
    }

    fn reconfigured(&mut self, step: &Step<'_>) {
        let Some(config) = step.config else { return };
        let live = step.after.calls().filter(|row| !row.is_over()).count();
        let is_listed = |queue| config.tenants.iter().any(|tenant| tenant.queue(queue).is_some());
        let closed = step.after.places().filter(|place| place.is_in_queue() && !is_listed(place.queue));
        let gone = step.after.agents().filter(|agent| agent.is_at_work() && config.agent(agent.id).is_none());
        let (closed, gone) = (closed.count() as u64, gone.count() as u64);
        self.add(Thing::Reconfigured, u64::from(live > 0));
        self.add(Thing::WaitedInClosed, closed);
        self.add(Thing::AgentWentAtWork, gone);
    }

    fn dialled(&mut self, step: &Step<'_>) {
        let strowger_table::Outcome::Dialled { call } = step.applied.outcome else { return };
        let Some(row) = step.after.call(call).filter(|_| call.index() == step.index) else { return };
        let number = row.outbound().map(|outbound| outbound.number);
        let is_other = |tenant: TenantId| tenant != row.tenant;
        let live = step.after.calls().filter(|other| !other.is_over() && is_other(other.tenant));
        if live.filter_map(|other| other.outbound()).any(|outbound| Some(outbound.number) == number) {
            self.add(Thing::NumberOfTwoTenants, 1);
        }
    }
}
