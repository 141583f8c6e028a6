//! What really happened in worlds: one that never does a thing proves nothing of it.

use std::collections::BTreeMap;

use strowger_model::{TenantId, Wall};
use strowger_table::Command;

use crate::dialling::is_open;
use crate::far::Habit;
use crate::promise::Step;
use crate::tenant::TENANT;

const MINUTE_MS: u64 = 60_000;

/// Makes the kinds of things, with what each is.
macro_rules! things {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// A thing that must happen in some worlds.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Thing {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Thing {
            /// All there are.
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
    /// Several phones ring for a place.
    RangTogether,
    /// A phone is to stop because another was answered.
    RingWithdrawn,
    /// Two calls become one.
    CallsMerged,
    /// One of a call goes to a row of its own.
    LegSplit,
    /// A far end connects anew.
    ConnectedAgain,
    /// A node connects to a far end.
    LineDialled,
    /// A far end loses the line that it speaks on.
    LineLost,
    /// A line breaks, and an end of it is told.
    LineBroke,
    /// A line breaks, and nobody is told.
    LineDied,
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
    /// A number is dialled by a campaign after it could not be for its hours.
    HoursBegan,
    /// An agent is on the line, or still rings, when the hours of the number end that the agent asked for.
    HoursEnded,
    /// A leg goes to another relay, for the one that it had is gone.
    Rehomed,
    /// One number is on calls of two tenants at once.
    NumberOfTwoTenants,
    /// A call is turned away at the door.
    TurnedAway,
    /// A far end is gone from a call without a word.
    Vanished,
    /// A relay says that nothing comes from a far end any more.
    SilenceTold,
    /// A far end holds.
    Held,
    /// A far end that held takes the call up again.
    Resumed,
    /// A call goes to another owner while a far end of it holds.
    HeldAdopted,
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
    /// How often it happened.
    pub fn times(&self, thing: Thing) -> u64 {
        self.0.get(&thing).copied().unwrap_or_default()
    }

    pub(crate) fn add(&mut self, thing: Thing, times: u64) {
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
        self.hours(step);
        self.held(step);
        match step.command() {
            Some(Command::Dispose { .. }) if step.is_granted() => self.add(Thing::Disposed, 1),
            Some(Command::Merge { .. }) if step.is_granted() => self.add(Thing::CallsMerged, 1),
            Some(Command::Split { .. }) if step.is_granted() => self.add(Thing::LegSplit, 1),
            Some(Command::Plan(_)) => {
                let rows = step.calls.iter().filter_map(|call| step.after.call(*call));
                self.add(Thing::RangTogether, rows.filter(|row| row.ringing().count() > 1).count() as u64);
            }
            Some(Command::Answered { leg, .. }) if step.is_granted() => {
                let rang = step.before.call_of_leg(*leg).map_or(0, |row| row.ringing().count());
                self.add(Thing::RingWithdrawn, rang.saturating_sub(1) as u64);
            }
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

    /// What became of calls of which a far end holds.
    fn held(&mut self, step: &Step<'_>) {
        if let (Some(Command::Redialog { leg, holds, .. }), true) = (step.command(), step.is_granted()) {
            let before = step.before.call_of_leg(*leg).and_then(|row| row.leg(*leg));
            let turns = before.is_some_and(|leg| leg.holds != *holds);
            self.add(if *holds { Thing::Held } else { Thing::Resumed }, u64::from(turns));
        }
        let rows = step.calls.iter().filter_map(|call| Some((step.before.call(*call)?, step.after.call(*call)?)));
        let adopted = rows.filter(|(before, after)| before.owner.node != after.owner.node);
        let held = adopted.filter(|(_, after)| after.live_legs().any(|leg| leg.holds)).count();
        self.add(Thing::HeldAdopted, held as u64);
    }

    /// Calls that hours let begin, or kept from being dialled.
    fn hours(&mut self, step: &Step<'_>) {
        let Some(config) = step.config else { return };
        let wall = step.after.last().wall;
        for row in step.calls.iter().filter_map(|call| step.after.call(*call)) {
            let Some(outbound) = row.outbound() else { continue };
            let Some(campaign) = config.campaign(outbound.campaign) else { continue };
            let is_open = |wall| is_open(&campaign.hours, wall, outbound.lead.map(|_| outbound.number));
            let was_asked_for = step.before.call(row.id).is_some_and(|row| !row.is_over() && !row.is_dialling());
            if row.id.index() == step.index && row.is_dialling() && !is_open(Wall(wall.0 - MINUTE_MS)) {
                self.add(Thing::HoursBegan, 1);
            }
            if was_asked_for && row.is_over() && row.connected().is_none() && !is_open(wall) {
                self.add(Thing::HoursEnded, 1);
            }
        }
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
