//! What calls to numbers outside have come to lately, by who had them made: how many are there, were tried, and how long they
//! lasted. Stolen credentials make more of them than people do. Each node counts what the log shows it, so that all count
//! the same, but for one that has just begun.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use imbl::OrdMap;
use strowger_model::config::Trunk;
use strowger_model::{AgentId, CallId, Caps, Mono, OutboundCaps, ShardId};
use strowger_table::{Call, Dial, Shard};

use crate::under_way::{Ticket, UnderWay};

/// What is kept of an hour: a sum for each of its minutes.
const STEP: Duration = Duration::from_secs(60);
/// The window moves on by steps.
const STEPS: u64 = 60;

/// Who has calls made, or over what they go.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Payer {
    /// Whom the call is for.
    Agent(AgentId),
    /// By name.
    Tenant(String),
    /// By name.
    Trunk(String),
}

impl Payer {
    /// Those of a call.
    pub fn all(agent: AgentId, tenant: &str, trunk: &str) -> [Payer; 3] {
        [Payer::Agent(agent), Payer::Tenant(tenant.to_owned()), Payer::Trunk(trunk.to_owned())]
    }

    /// Those of a call that is about to be proposed; none: its campaign or trunk is not configured any more.
    pub fn of(dial: &Dial, shard: &Shard, trunks: &[Trunk]) -> Option<[Payer; 3]> {
        let tenant = shard.tenant(shard.campaign(dial.campaign)?.tenant)?;
        let campaign = tenant.campaign(dial.campaign)?;
        let trunk = trunks.iter().find(|trunk| trunk.id == campaign.trunk)?;
        Some(Payer::all(dial.agent, &tenant.name, &trunk.name))
    }
}

impl fmt::Display for Payer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Payer::Agent(agent) => write!(f, "{agent}"),
            Payer::Tenant(name) => write!(f, "tenant {name}"),
            Payer::Trunk(name) => write!(f, "trunk {name}"),
        }
    }
}

/// What is capped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cap {
    /// Calls at once.
    Calls,
    /// Numbers within an hour.
    Numbers,
    /// Minutes of conversation within an hour.
    Minutes,
}

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cap::Calls => "calls at once",
            Cap::Numbers => "numbers dialled within an hour",
            Cap::Minutes => "minutes talked within an hour",
        })
    }
}

/// A cap that is reached: nothing more is dialled for that payer until there is less of it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{payer} has {most} {of}, which is the most that is allowed")]
pub struct Capped {
    /// Whose.
    pub payer: Payer,
    /// Of what.
    pub of: Cap,
    /// As the node's file has it.
    pub most: u32,
}

/// Counts the calls of a cluster. Copies are cheap, as they share what did not change: who looks takes one, and the next
/// call is counted meanwhile.
#[derive(Clone, Debug, Default)]
pub struct Spending {
    caps: Arc<OutboundCaps>,
    sums: OrdMap<Payer, Arc<Sums>>,
    /// Those whose rows are there.
    calls: OrdMap<CallId, Seen>,
    /// Those that are no rows yet.
    under_way: UnderWay,
}

/// A call, as far as it is counted.
#[derive(Clone, Debug)]
struct Seen {
    /// As they were named when it began.
    payers: [Payer; 3],
    dialled: bool,
    answered: Option<Mono>,
    is_over: bool,
}

/// How far its row is.
#[derive(Clone, Copy)]
struct Told {
    /// An agent who asked for a number is rung first.
    dialled: bool,
    answered: bool,
    over: bool,
}

#[derive(Clone, Debug, Default)]
struct Sums {
    live: u32,
    /// Of these, those whose number is still to be dialled.
    undialled: u32,
    /// Those who talk: how many, and when each began, in microseconds.
    talking: u32,
    begun: u128,
    /// By minute: attempts, and what ended conversations lasted.
    steps: VecDeque<(u64, u32, Duration)>,
}

impl Spending {
    /// Nothing is counted yet.
    pub fn new(caps: OutboundCaps) -> Self {
        Self { caps: Arc::new(caps), ..Self::default() }
    }

    /// A call is about to be proposed. It counts from here on, so what was planned on an older copy is judged again.
    pub fn begin(&mut self, payers: [Payer; 3], now: Mono) -> Result<Ticket, Capped> {
        self.check(&payers, &BTreeMap::new(), now)?;
        Ok(self.under_way.begin(payers))
    }

    /// What became of it. None: it was refused, or nobody knows.
    pub fn answered(&mut self, ticket: Ticket, call: Option<CallId>) {
        self.under_way.answered(ticket, call);
    }

    /// All entries of a shard up to this one have been told, by `see` and `forget`.
    pub fn heard(&mut self, shard: ShardId, index: u64) {
        self.under_way.heard(shard, index);
    }

    /// Lines of a trunk that calls take which are no rows yet.
    pub fn lines_under_way(&self, trunk: &str) -> usize {
        self.under_way.of(&Payer::Trunk(trunk.to_owned())) as usize
    }

    /// From now on these count, for what was counted before as well. Without any nothing is counted, and what was is
    /// forgotten; what is under way stays so.
    pub fn cap(&mut self, caps: OutboundCaps) {
        if caps == OutboundCaps::default() {
            *self = Self { under_way: std::mem::take(&mut self.under_way), ..Self::default() };
        } else {
            self.caps = Arc::new(caps);
        }
    }

    /// A call's row has changed; its tenant and trunk by name. Gives the caps that are reached by it.
    pub fn see(&mut self, call: &Call, (tenant, trunk): (&str, &str), now: Mono) -> Vec<Capped> {
        let Some(outbound) = call.outbound() else { return Vec::new() };
        let payers = Payer::all(outbound.agent, tenant, trunk);
        let (dialled, answered, over) = (call.customer().is_some(), call.has_customer(), call.is_over());
        self.count(call.id, payers, Told { dialled, answered, over }, now)
    }

    fn count(&mut self, call: CallId, payers: [Payer; 3], told: Told, now: Mono) -> Vec<Capped> {
        let before: Vec<Capped> = payers.iter().flat_map(|payer| self.reached(payer, 0, now)).collect();
        let is_new = !self.calls.contains_key(&call);
        let seen =
            self.calls.entry(call).or_insert_with(|| Seen { payers, dialled: false, answered: None, is_over: false });
        let was_undialled = !is_new && !seen.dialled && !seen.is_over;
        let dials = told.dialled && !seen.dialled;
        seen.dialled |= dials;
        let answers = seen.answered.is_none() && told.answered && !told.over;
        let ends = told.over && !seen.is_over;
        let talked = seen.answered.filter(|_| ends);
        seen.answered = seen.answered.or(answers.then_some(now));
        seen.is_over |= ends;
        let is_undialled = !seen.dialled && !seen.is_over;
        let payers = seen.payers.clone();
        for payer in &payers {
            let sums = Arc::make_mut(self.sums.entry(payer.clone()).or_default());
            if is_new {
                sums.live += 1;
            }
            if dials {
                sums.step(now).1 += 1;
            }
            sums.undialled = sums.undialled + u32::from(is_undialled) - u32::from(was_undialled);
            if answers {
                sums.talking += 1;
                sums.begun += u128::from(now.0);
            }
            if ends {
                sums.live -= 1;
            }
            if let Some(begun) = talked {
                sums.talking -= 1;
                sums.begun -= u128::from(begun.0);
                sums.step(now).2 += now.since(begun);
            }
        }
        let after = payers.iter().flat_map(|payer| self.reached(payer, 0, now));
        after.filter(|capped| !before.contains(capped)).collect()
    }

    /// Its row is gone: it is over, whatever was seen of it.
    pub fn forget(&mut self, call: CallId, now: Mono) {
        if let Some(seen) = self.calls.get(&call).cloned() {
            let _reached = self.count(call, seen.payers, Told { dialled: false, answered: true, over: true }, now);
            self.calls.remove(&call);
        }
    }

    /// A snapshot may have leapt over the end of calls of a shard.
    pub fn keep(&mut self, shard: ShardId, is_there: impl Fn(CallId) -> bool, now: Mono) {
        let gone = |id: &&CallId| id.shard() == shard && !is_there(**id);
        let gone: Vec<CallId> = self.calls.keys().filter(gone).copied().collect();
        gone.into_iter().for_each(|id| self.forget(id, now));
    }

    /// Whether one more call may be made for all of them, beside those that are under way, and so many that are planned.
    pub fn check(&self, payers: &[Payer], placed: &BTreeMap<Payer, u32>, now: Mono) -> Result<(), Capped> {
        payers.iter().try_for_each(|payer| {
            let placed = placed.get(payer).copied().unwrap_or_default() + self.under_way.of(payer);
            self.reached(payer, placed, now).into_iter().next().map_or(Ok(()), Err)
        })
    }

    /// The caps that are reached with so many calls more.
    fn reached(&self, payer: &Payer, placed: u32, now: Mono) -> Vec<Capped> {
        let caps = self.caps_of(payer);
        if caps == Caps::default() {
            return Vec::new();
        }
        let sums = self.sums.get(payer);
        let come_to = |of| {
            let placed = if of == Cap::Minutes { 0 } else { placed };
            sums.map_or(0, |sums| sums.of(of, now)) + u64::from(placed)
        };
        let all =
            [(Cap::Calls, caps.calls), (Cap::Numbers, caps.numbers_per_hour), (Cap::Minutes, caps.minutes_per_hour)];
        let reached = |(of, most): (Cap, Option<u32>)| {
            let most = most.filter(|most| *most > 0 && come_to(of) >= u64::from(*most))?;
            Some(Capped { payer: payer.clone(), of, most })
        };
        all.into_iter().filter_map(reached).collect()
    }

    fn caps_of(&self, payer: &Payer) -> Caps {
        let caps = &self.caps;
        match payer {
            Payer::Agent(_) => caps.each_agent,
            Payer::Tenant(name) => caps.tenants.get(name).map_or(caps.each_tenant, |own| own.or(caps.each_tenant)),
            Payer::Trunk(name) => caps.trunks.get(name).map_or(caps.each_trunk, |own| own.or(caps.each_trunk)),
        }
    }
}

impl Sums {
    fn of(&self, cap: Cap, now: Mono) -> u64 {
        let first = step_of(now).saturating_sub(STEPS - 1);
        let steps = self.steps.iter().filter(|(step, ..)| *step >= first);
        match cap {
            Cap::Calls => u64::from(self.live),
            // A number that is about to be dialled is one.
            Cap::Numbers => steps.map(|(_, attempts, _)| u64::from(*attempts)).sum::<u64>() + u64::from(self.undialled),
            Cap::Minutes => {
                let ended: Duration = steps.map(|(.., lasted)| *lasted).sum();
                let talking = (u128::from(self.talking) * u128::from(now.0)).saturating_sub(self.begun);
                ((ended.as_micros() + talking) / STEP.as_micros()) as u64
            }
        }
    }

    fn step(&mut self, now: Mono) -> &mut (u64, u32, Duration) {
        let step = step_of(now);
        while self.steps.front().is_some_and(|(first, ..)| *first + STEPS <= step) {
            self.steps.pop_front();
        }
        if self.steps.back().is_none_or(|(last, ..)| *last < step) {
            self.steps.push_back((step, 0, Duration::ZERO));
        }
        let last = self.steps.len() - 1;
        &mut self.steps[last]
    }
}

fn step_of(now: Mono) -> u64 {
    now.0 / STEP.as_micros() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    fn payers() -> [Payer; 3] {
        [Payer::Agent(AgentId(1)), Payer::Tenant("acme".into()), Payer::Trunk("carrier".into())]
    }

    fn spending(caps: Caps) -> Spending {
        let each = caps;
        Spending::new(OutboundCaps { each_agent: each, ..OutboundCaps::default() })
    }

    fn at(minute: u64) -> Mono {
        Mono::from_millis(1_000_000_000 + minute * MINUTE)
    }

    fn call(no: u64) -> CallId {
        CallId(no)
    }

    fn caps(of: Cap, most: u32) -> Caps {
        let most = Some(most);
        match of {
            Cap::Calls => Caps { calls: most, ..Caps::default() },
            Cap::Numbers => Caps { numbers_per_hour: most, ..Caps::default() },
            Cap::Minutes => Caps { minutes_per_hour: most, ..Caps::default() },
        }
    }

    fn capped(spending: &Spending, minute: u64) -> Option<Cap> {
        spending.check(&payers(), &BTreeMap::new(), at(minute)).err().map(|capped| capped.of)
    }

    /// The agent who asked for it.
    const RINGS_FIRST: Told = Told { dialled: false, answered: false, over: false };
    const RINGS: Told = Told { dialled: true, answered: false, over: false };
    const TALKS: Told = Told { dialled: true, answered: true, over: false };
    const IS_OVER: Told = Told { dialled: true, answered: true, over: true };

    /// Fifty that agents were asked for at once all went out when their phones were answered.
    #[test]
    fn a_number_that_waits_for_its_agent_counts_as_one_that_is_dialled() {
        for cap in [Cap::Calls, Cap::Numbers] {
            let mut spending = spending(caps(cap, 1));
            spending.count(call(1), payers(), RINGS_FIRST, at(0));
            assert_eq!(capped(&spending, 0), Some(cap));
            spending.count(call(1), payers(), RINGS, at(1));
            assert_eq!(capped(&spending, 1), Some(cap));
        }
        let mut spending = spending(caps(Cap::Numbers, 1));
        spending.count(call(1), payers(), RINGS_FIRST, at(0));
        spending.count(call(1), payers(), Told { over: true, ..RINGS_FIRST }, at(0));
        assert_eq!(capped(&spending, 0), None, "the agent did not come, and nobody was dialled");
        spending.count(call(2), payers(), RINGS_FIRST, at(0));
        spending.forget(call(2), at(0));
        assert_eq!(capped(&spending, 0), None);
    }

    #[test]
    fn calls_at_once_are_those_that_are_not_over() {
        let mut spending = spending(caps(Cap::Calls, 2));
        assert_eq!(spending.count(call(1), payers(), RINGS, at(0)), []);
        let told = spending.count(call(2), payers(), RINGS, at(0));
        assert_eq!(told.len(), 1, "said once, when it is reached");
        assert_eq!(told[0].to_string(), "agent-1 has 2 calls at once, which is the most that is allowed");
        assert_eq!(spending.count(call(2), payers(), TALKS, at(0)), []);
        assert_eq!(capped(&spending, 0), Some(Cap::Calls));
        spending.count(call(1), payers(), IS_OVER, at(1));
        assert_eq!(capped(&spending, 1), None);
        spending.forget(call(1), at(1));
        assert_eq!(spending.count(call(3), payers(), RINGS, at(1)).len(), 1, "and again");
    }

    #[test]
    fn a_call_whose_end_nobody_saw_is_over_when_its_row_is_gone() {
        let mut spending = spending(caps(Cap::Calls, 1));
        spending.count(call(1), payers(), TALKS, at(0));
        spending.keep(call(1).shard(), |_| true, at(1));
        assert_eq!(capped(&spending, 1), Some(Cap::Calls));
        spending.keep(call(1).shard(), |_| false, at(1));
        assert_eq!((capped(&spending, 1), spending.calls.len()), (None, 0));
    }

    /// An operator who sees what somebody is about does not wait an hour.
    #[test]
    fn other_caps_count_for_what_was_before_them() {
        let mut spending = spending(caps(Cap::Numbers, 5));
        for no in [1, 2] {
            spending.count(call(no), payers(), RINGS, at(0));
        }
        assert_eq!(capped(&spending, 1), None);
        spending.cap(OutboundCaps { each_agent: caps(Cap::Numbers, 2), ..OutboundCaps::default() });
        assert_eq!(capped(&spending, 1), Some(Cap::Numbers));
        spending.cap(OutboundCaps { each_agent: caps(Cap::Numbers, 3), ..OutboundCaps::default() });
        assert_eq!(capped(&spending, 1), None);
    }

    #[test]
    fn numbers_are_forgotten_after_an_hour() {
        let mut spending = spending(caps(Cap::Numbers, 2));
        for (no, minute) in [(1, 0), (2, 30)] {
            assert_eq!(capped(&spending, minute), None);
            spending.count(call(no), payers(), RINGS, at(minute));
            spending.count(call(no), payers(), IS_OVER, at(minute));
        }
        assert_eq!(capped(&spending, 30), Some(Cap::Numbers));
        assert_eq!(capped(&spending, 59), Some(Cap::Numbers));
        assert_eq!(capped(&spending, 60), None);
    }

    #[test]
    fn minutes_are_those_of_conversations_that_go_on_too() {
        let mut spending = spending(caps(Cap::Minutes, 10));
        for no in [1, 2] {
            spending.count(call(no), payers(), RINGS, at(0));
            spending.count(call(no), payers(), TALKS, at(5));
        }
        assert_eq!(capped(&spending, 9), None, "ringing costs nothing");
        assert_eq!(capped(&spending, 10), Some(Cap::Minutes));
        spending.count(call(1), payers(), IS_OVER, at(10));
        spending.count(call(2), payers(), IS_OVER, at(10));
        assert_eq!(capped(&spending, 69), Some(Cap::Minutes));
        assert_eq!(capped(&spending, 70), None);
    }

    /// A thousand that are asked for at once are judged one after another.
    #[test]
    fn a_call_under_way_counts_like_one_that_is_made() {
        let mut spending = spending(caps(Cap::Calls, 2));
        let copy = spending.clone();
        let tickets: Vec<_> = (0..2).map(|_| spending.begin(payers(), at(0)).expect("below the cap")).collect();
        assert_eq!(spending.begin(payers(), at(0)).map_err(|capped| capped.of), Err(Cap::Calls));
        assert_eq!((capped(&copy, 0), capped(&spending, 0)), (None, Some(Cap::Calls)), "a copy stays as it was");
        assert_eq!((spending.lines_under_way("carrier"), spending.lines_under_way("other")), (2, 0));
        spending.answered(tickets[0], None);
        spending.answered(tickets[1], Some(call(1)));
        spending.count(call(1), payers(), RINGS, at(0));
        spending.heard(call(1).shard(), call(1).index());
        assert_eq!(
            (capped(&spending, 0), spending.lines_under_way("carrier")),
            (None, 0),
            "one is a row, one was refused"
        );
        assert!(spending.begin(payers(), at(0)).is_ok());
        assert_eq!(capped(&spending, 0), Some(Cap::Calls));
    }

    #[test]
    fn who_has_a_cap_of_its_own_has_that_and_others_have_theirs() {
        let own = [("acme".to_owned(), caps(Cap::Numbers, 1))].into();
        let all = OutboundCaps { each_tenant: caps(Cap::Numbers, 3), tenants: own, ..OutboundCaps::default() };
        let mut spending = Spending::new(all);
        spending.count(call(1), payers(), RINGS, at(0));
        assert_eq!(capped(&spending, 0), Some(Cap::Numbers));
        let other = [Payer::Tenant("beta".into())];
        assert_eq!(spending.check(&other, &BTreeMap::new(), at(0)), Ok(()));
        assert_eq!(Spending::default().check(&payers(), &BTreeMap::new(), at(0)), Ok(()), "by default nobody has any");
    }
}
