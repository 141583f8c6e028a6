//! Orders to one relay, and what comes of them. Orders of a call stay in order, what waits travels together, and one
//! batch at a time is under way. Every order may be repeated, so trying again costs nothing but time.
//!
//! The orders themselves wait with whoever runs this, oldest first: what is not concluded is there for the next courier,
//! should one break over it.

use std::sync::Arc;
use std::time::Duration;

use strowger_acd::{RelayChoice, UsableRelay};
use strowger_call::MediaFact;
use strowger_media::{Op, Refusal, RelayAnswer, RelayCommand};
use strowger_model::{CallId, Digest, Incarnation, LegKey, Mono, RelayId};
use strowger_table::{Call, Shard};

/// Orders in one batch: about 20 KiB.
pub const BATCH: usize = 256;
/// A batch that is not answered within this has failed.
pub const ANSWER: Duration = Duration::from_millis(500);
/// After one that failed the next leaves this much later.
pub const PAUSE: Duration = Duration::from_millis(50);
/// A relay that has nothing to do is asked so often whether it is still the one that it was.
const QUIET: Duration = Duration::from_secs(1);
/// A relay that has answered nothing for this long is taken to be gone, and its calls go to another. A process that is
/// started anew, or a connection, is back before, and then what was there goes on or comes back to the same relay; longer
/// nobody stays on a line that is dead.
pub const GONE: Duration = Duration::from_secs(5);
/// How long a leg waits for a port of a relay out of reach: a connection that is only renewed is back before.
const OPEN_WAIT: Duration = Duration::from_secs(1);
/// How long a call that is over waits until its ports are closed: a lost answer is repeated some times within this. A
/// relay that comes back later closes by itself what nobody commands any more.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// A command, the call whose actor gave it (legs may have been born in another), and when.
#[derive(Clone, PartialEq, Debug)]
pub struct Order {
    /// Who hears what came of it.
    pub by: CallId,
    /// What the relay is told.
    pub command: RelayCommand,
    /// When the actor gave it: what is not done for too long is given up.
    pub since: Mono,
}

/// What came of an order.
#[derive(Clone, PartialEq, Debug)]
pub enum Carried {
    /// The call's actor hears what that means. None: the relay gave no answer, and the order is given up.
    Answered {
        /// What was ordered.
        order: Order,
        /// What the relay said, and which start of it.
        answer: Option<(Incarnation, RelayAnswer)>,
    },
    /// The relay has not this content yet: it gets it, and the order again.
    Supply {
        /// What it lacks.
        content: Digest,
        /// What it lacks it for.
        order: Order,
    },
    /// It answers for the first time, or began anew: the calls that have legs there hear which start of it this is.
    Met {
        /// Which start of it.
        incarnation: Incarnation,
    },
    /// It has answered nothing for long: the calls that have legs there put them on another. Said again as long as it
    /// lasts, for there may be no other yet.
    Gone,
}

impl Carried {
    /// Without an answer.
    pub fn given_up(order: Order) -> Self {
        Carried::Answered { order, answer: None }
    }
}

/// What is known of a relay.
#[derive(Debug, Default)]
pub struct Courier {
    /// Which start of it answered last.
    met: Option<Incarnation>,
    asks_at: Mono,
    /// Since when it answers nothing, or was last said to be gone.
    silent: Option<Mono>,
}

/// What this node knows while a relay is silent.
pub struct Sight<F> {
    /// Nobody answers this node: whose silence it is cannot be told.
    pub is_passive: bool,
    /// Whether a call has a leg at the relay, or one on its way there.
    pub has_leg: F,
}

impl Courier {
    /// What travels now, of what waits. If nothing has waited for long, an empty batch asks which start of it this is.
    pub fn carry(&self, waiting: &[Order], now: Mono) -> Option<Vec<RelayCommand>> {
        let batch: Vec<RelayCommand> = waiting.iter().take(BATCH).map(|order| order.command.clone()).collect();
        (!batch.is_empty() || self.asks_at <= now).then_some(batch)
    }

    /// When to carry again if nothing comes before.
    pub fn asks_at(&self) -> Mono {
        self.asks_at
    }

    /// The relay has answered the batch that was under way, order by order.
    pub fn answered(
        &mut self,
        batch: Vec<Order>,
        incarnation: Incarnation,
        answers: Vec<RelayAnswer>,
        now: Mono,
    ) -> Vec<Carried> {
        self.asks_at = now + QUIET;
        self.silent = None;
        let is_new = self.met.replace(incarnation) != Some(incarnation);
        let met = is_new.then_some(Carried::Met { incarnation });
        let mut answers = answers.into_iter();
        let conclude = |order| match answers.next() {
            Some(RelayAnswer::NeedContent { content }) => Carried::Supply { content, order },
            answer => Carried::Answered { order, answer: answer.map(|answer| (incarnation, answer)) },
        };
        met.into_iter().chain(batch.into_iter().map(conclude)).collect()
    }

    /// The batch had no answer. Of all that waits: what is given up, and what is said again. Whoever waits for a port
    /// hears soon that there is none, and a call that is over does not wait for a relay that is gone. What is to be heard
    /// waits for as long as its call has a leg there: given up, it would leave a call silent for ever.
    pub fn failed<F: Fn(CallId) -> bool>(
        &mut self,
        waiting: Vec<Order>,
        sight: &Sight<F>,
        now: Mono,
    ) -> (Vec<Carried>, Vec<Order>) {
        self.asks_at = now + QUIET;
        let is_over = |order: &Order| match patience(&order.command.op) {
            Some(longest) => now.since(order.since) > longest,
            None => !(sight.has_leg)(order.by),
        };
        let (over, again): (Vec<Order>, Vec<Order>) = waiting.into_iter().partition(is_over);
        let gone = self.is_gone(sight.is_passive, now).then_some(Carried::Gone);
        (gone.into_iter().chain(over.into_iter().map(Carried::given_up)).collect(), again)
    }

    fn is_gone(&mut self, is_passive: bool, now: Mono) -> bool {
        if is_passive {
            self.silent = None;
            return false;
        }
        let is_gone = now.since(*self.silent.get_or_insert(now)) >= GONE;
        if is_gone {
            self.silent = Some(now);
        }
        is_gone
    }
}

/// How long an order is tried; none: until the relay is back.
fn patience(op: &Op) -> Option<Duration> {
    match op {
        Op::Open { .. } => Some(OPEN_WAIT),
        Op::CloseLeg { .. } => Some(CLOSE_WAIT),
        Op::Adopt { .. } | Op::Ack { .. } | Op::Remote { .. } | Op::Hear { .. } | Op::Export { .. } => None,
    }
}

/// Calls that have legs at a relay, or on their way there.
pub fn calls_at(table: &Shard, relay: RelayId) -> impl Iterator<Item = CallId> + '_ {
    table.calls().filter(move |row| is_at(row, relay)).map(|row| row.id)
}

/// Whether a call has a leg at a relay, or one on its way there.
pub fn has_leg_at(table: &Shard, call: CallId, relay: RelayId) -> bool {
    table.call(call).is_some_and(|row| is_at(row, relay))
}

fn is_at(row: &Arc<Call>, relay: RelayId) -> bool {
    row.live_legs().any(|leg| [leg.relay, leg.next_relay].contains(&Some(relay)))
}

/// To which relay each call goes that has legs at one that is gone: one of its site, where the call's other legs are if
/// that is possible.
pub fn elsewhere(table: &Shard, usable: &[UsableRelay], (gone, site): (RelayId, &str)) -> Vec<(CallId, RelayId)> {
    // Its connection may not be known to be lost.
    let usable = without(usable, gone);
    let choice = RelayChoice::new(table, &usable);
    let goes_to = |call: CallId| {
        let other = table.call(call)?.live_legs().filter_map(|leg| leg.relay).find(|relay| *relay != gone);
        Some((call, choice.choose(site, other)?))
    };
    calls_at(table, gone).filter_map(goes_to).collect()
}

/// What an order's answer means to the call that gave it. A port that cannot be had there may be had of another relay,
/// unless it is the call that is wrong.
pub fn means(
    relay: RelayId,
    order: &Order,
    answer: Option<&(Incarnation, RelayAnswer)>,
    another: impl Fn() -> Option<RelayId>,
) -> Vec<MediaFact> {
    let is_the_relay = match answer {
        None => true,
        Some((_, RelayAnswer::Refused { why })) => {
            matches!(why, Refusal::NoPorts | Refusal::NoSockets | Refusal::TooManyLegs | Refusal::Stopping)
        }
        Some(_) => false,
    };
    let another = if is_the_relay && matches!(order.command.op, Op::Open { .. }) { another() } else { None };
    let answer = answer.map(|(incarnation, answer)| (*incarnation, answer));
    let facts = MediaFact::of_answer(relay, order.command.call, &order.command.op, answer);
    facts.into_iter().map(|fact| fact.or_of(another)).collect()
}

/// Who opens a port that a relay does not: one of its site, if another is there.
pub fn another(table: &Shard, usable: &[UsableRelay], (not, site): (RelayId, &str)) -> Option<RelayId> {
    RelayChoice::new(table, &without(usable, not)).choose(site, None)
}

fn without(usable: &[UsableRelay], relay: RelayId) -> Vec<UsableRelay> {
    usable.iter().filter(|usable| usable.relay != relay).cloned().collect()
}

/// The call that has a leg now, which hears what a relay says of it; of a leg that nobody has, the one it was born in.
pub fn holder(table: Option<&Shard>, leg: LegKey) -> CallId {
    table.and_then(|table| table.call_of_leg(leg)).map_or(leg.call, |row| row.id)
}
