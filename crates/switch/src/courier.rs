//! Orders to one relay, and what comes of them. Orders of a call stay in order, what waits travels together, and one
//! batch at a time is under way. Every order may be repeated, so trying again costs nothing but time.
//!
//! The orders themselves wait with whoever runs this, oldest first: what is not concluded is there for the next courier,
//! should one break over it.

use std::sync::Arc;
use std::time::Duration;

use strowger_media::{Op, RelayAnswer, RelayCommand};
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
    /// waits for as long as it takes: given up, it would leave a call silent for ever.
    pub fn failed(&mut self, waiting: Vec<Order>, now: Mono) -> (Vec<Carried>, Vec<Order>) {
        self.asks_at = now + QUIET;
        let is_over =
            |order: &Order| patience(&order.command.op).is_some_and(|longest| now.since(order.since) > longest);
        let (over, again): (Vec<Order>, Vec<Order>) = waiting.into_iter().partition(is_over);
        (over.into_iter().map(Carried::given_up).collect(), again)
    }
}

/// How long an order is tried; none: until the relay is back.
fn patience(op: &Op) -> Option<Duration> {
    match op {
        Op::Open { .. } => Some(OPEN_WAIT),
        Op::CloseLeg { .. } | Op::Close => Some(CLOSE_WAIT),
        Op::Adopt | Op::Ack { .. } | Op::Remote { .. } | Op::Hear { .. } | Op::Export { .. } => None,
    }
}

/// Calls that have legs at a relay.
pub fn calls_at(table: &Shard, relay: RelayId) -> impl Iterator<Item = CallId> + '_ {
    let is_there = move |row: &&Arc<Call>| row.live_legs().any(|leg| leg.relay == Some(relay));
    table.calls().filter(is_there).map(|row| row.id)
}

/// The call that has a leg now, which hears what a relay says of it; of a leg that nobody has, the one it was born in.
pub fn holder(table: Option<&Shard>, leg: LegKey) -> CallId {
    table.and_then(|table| table.call_of_leg(leg)).map_or(leg.call, |row| row.id)
}
