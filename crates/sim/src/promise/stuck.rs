//! Nothing is stuck: no state lasts longer than the configuration lets it, no row lacks the hands of its owner, no
//! caller hangs in a flow. How long is counted from the entry in which a state was first seen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use strowger_model::{AgentId, CallId, LogTime, Mono};
use strowger_table::{Call, Shard, limit};

use super::{Found, Step};
use crate::asked::Asked;
use crate::happening::Who;
use crate::node::Node;
use crate::world::Broken;

const PROMISE: &str = "nothing is stuck";
/// While the shard has a leader, and across the loss of one.
const LED: Duration = Duration::from_secs(1);
const LOST: Duration = Duration::from_secs(3);
/// A new leader ends no lease in its first second.
const FIRST: Duration = Duration::from_secs(1);
/// A process that is gone is known to be dead within this, while the others are there: a voter's patience, an election of
/// the control group, a report that is given up and made again, and some more.
const KNOWN_DEAD: Duration = Duration::from_secs(5);
/// From an actor that broke to the next one, whose row is taken again before it begins.
const RETAKEN: Duration = Duration::from_secs(1);
/// The same where that proposal is lost, with its connection or with who led, or the owner is away: it is repeated, the
/// sweep finds the row, and a proposal of that.
const SWEPT: Duration = Duration::from_secs(20);
/// The longest step of a flow: a prompt twice, its time for a digit twice, and the death of its owner in between.
const STEP: Duration = Duration::from_secs(20);

/// Several agents wrap up after calls that became one, by whatever their queues said then.
const MERGED_WRAPS: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Whose {
    Call(CallId),
    /// What is still to be done for a call that is over.
    Duties(CallId),
    Agent(AgentId),
}

/// A state, and when it must be over.
type Lasting = (String, LogTime);

#[derive(Default)]
pub(crate) struct Stuck {
    pub found: Found,
    lasting: BTreeMap<Whose, Lasting>,
    /// Calls that became one: their agents may be of several queues.
    merged: BTreeSet<CallId>,
    /// When a call that holds a place began to wait.
    waiting: BTreeMap<CallId, LogTime>,
    /// Since when a deadline is over.
    overdue: BTreeMap<Whose, Mono>,
    /// The step of each call in a flow, its owner's epoch, and since when.
    steps: BTreeMap<CallId, (u16, u64, Mono)>,
    /// Since when a process is gone and nobody has said so.
    gone: BTreeMap<Who, Mono>,
}

impl Stuck {
    pub fn committed(&mut self, step: &Step<'_>) {
        let Some(config) = step.config else { return };
        let now = step.log_now();
        self.merged.extend(step.merges().into_iter().flatten());
        for call in step.calls {
            match step.after.call(*call) {
                Some(row) => self.follow_call(config, row, now),
                None => {
                    self.lasting.remove(&Whose::Call(*call));
                    self.lasting.remove(&Whose::Duties(*call));
                    self.waiting.remove(call);
                }
            }
        }
        if step.reconfigures() {
            // How long one may wait is what the newest configuration says.
            self.lasting.retain(|_, (state, _)| state != "queued");
            step.after.calls().filter(|row| row.is_waiting()).for_each(|row| self.follow_call(config, row, now));
        }
        let is_there = |whose: &Whose| match whose {
            Whose::Agent(agent) => step.after.agent(*agent).is_some(),
            Whose::Call(_) | Whose::Duties(_) => true,
        };
        self.lasting.retain(|whose, _| is_there(whose));
        for agent in step.after.agents() {
            // Of a call that became one with another each agent has the queue that they were offered it from.
            let of_leg =
                |row: &Call| row.legs.iter().rfind(|leg| leg.agent() == Some(agent.id)).and_then(|leg| leg.queue);
            let of_call = |call: CallId| {
                let own = step.before.call(call).and_then(|row| of_leg(row));
                own.or_else(|| step.after.call(call).and_then(|row| row.queue()))
            };
            let queue = step.before.agent(agent.id).and_then(|before| before.call()).and_then(of_call);
            let queue = queue.and_then(|queue| config.queue(queue));
            let longest = match agent.state_name() {
                "wrap_up" => queue.map(|queue| queue.wrap_up_ms),
                "paused" => queue.map(|queue| queue.miss_pause_ms),
                "releasing" => Some(limit::HANG_UP_MAX.as_millis() as u32),
                _ => None,
            };
            let until = longest.map(|ms| now + Duration::from_millis(ms.into()));
            self.last(Whose::Agent(agent.id), agent.state_name().to_owned(), until);
        }
    }

    fn follow_call(&mut self, config: &Asked, row: &Call, now: LogTime) {
        let queue = row.queue().and_then(|queue| config.queue(queue));
        let millis = |ms: u32| Duration::from_millis(ms.into());
        if !row.holds_place() {
            self.waiting.remove(&row.id);
        } else {
            self.waiting.entry(row.id).or_insert(now);
        }
        let (state, until) = match row.stage_name() {
            "queued" => {
                let since = self.waiting.get(&row.id).copied().unwrap_or(now);
                // Out of a queue that closed, who waits is taken at once.
                let is_open = row.queue().is_some_and(|queue| config.open_queue(queue).is_some());
                let until = queue.map(|queue| if is_open { since + millis(queue.max_wait_ms) } else { now });
                ("queued".to_owned(), until)
            }
            "offered" => {
                let ring = queue.map(|queue| now + millis(queue.ring_timeout_ms) + limit::OFFER_GRACE);
                (format!("offered {:?}", row.rung_leg()), ring)
            }
            "dialling" => {
                let campaign = row.outbound().and_then(|outbound| config.campaign(outbound.campaign));
                let ring = campaign.map(|campaign| millis(campaign.ring_timeout_ms));
                ("dialling".to_owned(), ring.map(|ring| now + limit::DIAL_WITHIN + ring + limit::OFFER_GRACE))
            }
            "admitted" => ("admitted".to_owned(), Some(now + limit::ADMITTED_MAX)),
            "flow" => ("flow".to_owned(), Some(now + limit::FLOW_MAX)),
            "ended" => {
                let all = config.tenants.iter().flat_map(|tenant| &tenant.queues).map(|queue| queue.wrap_up_ms);
                let longest = if self.merged.contains(&row.id) { all.max() } else { None };
                let wrap_up = millis(longest.or(queue.map(|queue| queue.wrap_up_ms)).unwrap_or_default());
                // One after the other, where several served.
                let all = if longest.is_some() { MERGED_WRAPS } else { wrap_up };
                ("ended".to_owned(), Some(now + all + limit::ENDED_LINGER))
            }
            other => (other.to_owned(), Some(now + limit::TALK_MAX)),
        };
        self.last(Whose::Call(row.id), state, until);
        let duties = (row.is_over() && row.has_duties()).then(|| now + limit::HANG_UP_MAX);
        self.last(Whose::Duties(row.id), duties.map_or("none", |_| "some").to_owned(), duties);
    }

    /// A state that goes on keeps its deadline.
    fn last(&mut self, whose: Whose, state: String, until: Option<LogTime>) {
        if self.lasting.get(&whose).is_some_and(|known| known.0 == state) {
            return;
        }
        self.lasting.insert(whose, (state, until.unwrap_or(LogTime::MAX)));
    }

    /// `since`: when the leader was seated; `lost`: when the one before it was lost. A row may fall back into a stage
    /// whose time is over already (a missed offer, past the longest wait), so what counts is when it was first seen.
    pub fn look(&mut self, log_now: LogTime, now: Mono, since: Mono, lost: Mono) {
        let seen = std::mem::take(&mut self.overdue);
        for (whose, (state, until)) in &self.lasting {
            if *until >= log_now {
                continue;
            }
            let first = *seen.get(whose).unwrap_or(&now);
            self.overdue.insert(*whose, first);
            // Without a majority there is no leader for as long as that lasts.
            let regained = first.max(lost).max(since - FIRST);
            let broken = if first >= since + FIRST { now.since(first) > LED } else { now.since(regained) > LOST };
            if broken {
                let call = match whose {
                    Whose::Call(call) | Whose::Duties(call) => Some(*call),
                    Whose::Agent(_) => None,
                };
                self.found
                    .breach(PROMISE, call, || format!("{whose:?} is {state} still, over since {:?}", now.since(first)));
            }
        }
    }

    pub fn flows(&mut self, truth: &Shard, now: Mono, excused: impl Fn(&Call) -> bool) {
        let mut steps = BTreeMap::new();
        for row in truth.calls().filter(|row| !excused(row)) {
            let Some(step) = row.flow_step() else { continue };
            // Each owner begins the step anew.
            let epoch = row.owner.epoch;
            let known = self.steps.get(&row.id).filter(|known| (known.0, known.1) == (step, epoch));
            let since = known.map_or(now, |known| known.2);
            if now.since(since) > STEP {
                self.found.breach(PROMISE, Some(row.id), || format!("in step {step} for {:?}", now.since(since)));
            }
            steps.insert(row.id, (step, epoch, since));
        }
        self.steps = steps;
    }

    /// `is_unsaid`: the others are there and do not reach it, and the control group has it for alive.
    pub fn gone(&mut self, who: Who, is_unsaid: bool, now: Mono) {
        if !is_unsaid {
            self.gone.remove(&who);
        } else if now.since(*self.gone.entry(who).or_insert(now)) > KNOWN_DEAD {
            self.found.breach(PROMISE, None, || format!("{who:?} is gone and nobody says so"));
        }
    }

    /// A call whose actor broke has another within a second, under a new epoch. `is_excused`: what it needs for that is
    /// lost or away.
    pub fn retaken(&mut self, call: CallId, broken: Broken, is_excused: bool, now: Mono) {
        let since = now.since(broken.at);
        if !is_excused && since > RETAKEN {
            self.found.breach(PROMISE, Some(call), || format!("its actor broke, and has no successor after {since:?}"));
        }
    }

    /// Every row with something left to do has its actor on the node that owns it.
    /// `broken`: calls whose actor broke; the next one begins once the row was taken again.
    pub fn hands(&mut self, node: &Node, broken: &BTreeMap<CallId, Broken>, now: Mono) {
        let begins = |row: &Call| {
            let broken = broken.get(&row.id).filter(|broken| broken.epoch == row.owner.epoch);
            broken.is_some_and(|broken| now.since(broken.at) < SWEPT)
        };
        let owned = node.replica.shard.calls().filter(|row| node.owns(row.owner));
        let open = owned.filter(|row| !row.is_over() || row.has_duties());
        for row in open.filter(|row| !node.actors.contains_key(&row.id) && !begins(row)) {
            self.found.breach(PROMISE, Some(row.id), || {
                format!("{} owns it, it is {} and has no actor", node.who.id(), row.stage_name())
            });
        }
    }
}
