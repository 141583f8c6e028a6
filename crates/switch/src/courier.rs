//! Orders to one relay, and what comes of them. Orders of a call stay in order, what waits travels together, and one
//! batch at a time is under way. Every order may be repeated, so trying again costs nothing but time.
//!
//! The orders themselves wait with whoever runs this, oldest first: what is not concluded is there for the next courier,
//! should one break over it.

use std::time::Duration;

use strowger_media::{Op, RelayAnswer, RelayCommand};
use strowger_model::{CallId, Digest, Incarnation, LegKey, Mono};
use strowger_table::Shard;

/// Orders in one batch: about 20 KiB.
pub const BATCH: usize = 256;
/// A batch that is not answered within this has failed.
pub const ANSWER: Duration = Duration::from_millis(500);
/// After one that failed the next leaves this much later.
pub const PAUSE: Duration = Duration::from_millis(50);
/// How long a leg waits for a port of a relay out of reach: a connection that is only renewed is back before.
const OPEN_WAIT: Duration = Duration::from_secs(1);
/// How long a call that is over waits until its ports are closed: a lost answer is repeated some times within this. A
/// relay that comes back later closes by itself what nobody commands any more.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// A command, the call whose actor gave it (legs may have been born in another), and when.
#[derive(Clone, PartialEq, Debug)]
pub struct Order {
    pub by: CallId,
    pub command: RelayCommand,
    pub since: Mono,
}

/// What came of an order.
#[derive(Clone, PartialEq, Debug)]
pub enum Carried {
    /// The call's actor hears what that means. None: the relay gave no answer, and the order is given up.
    Answered { order: Order, answer: Option<(Incarnation, RelayAnswer)> },
    /// The relay has not this content yet: it gets it, and the order again.
    Supply { content: Digest, order: Order },
}

impl Carried {
    pub fn given_up(order: Order) -> Self {
        Carried::Answered { order, answer: None }
    }
}

/// The relay has answered the batch that was under way, order by order.
pub fn answered(batch: Vec<Order>, incarnation: Incarnation, answers: Vec<RelayAnswer>) -> Vec<Carried> {
    let mut answers = answers.into_iter();
    let conclude = |order| match answers.next() {
        Some(RelayAnswer::NeedContent { content }) => Carried::Supply { content, order },
        answer => Carried::Answered { order, answer: answer.map(|answer| (incarnation, answer)) },
    };
    batch.into_iter().map(conclude).collect()
}

/// The batch had no answer. Of all that waits: what is given up, and what is said again. Whoever waits for a port hears
/// soon that there is none, and a call that is over does not wait for a relay that is gone. What is to be heard waits for
/// as long as it takes: given up, it would leave a call silent for ever.
pub fn failed(waiting: Vec<Order>, now: Mono) -> (Vec<Carried>, Vec<Order>) {
    let is_over = |order: &Order| patience(&order.command.op).is_some_and(|longest| now.since(order.since) > longest);
    let (over, again): (Vec<Order>, Vec<Order>) = waiting.into_iter().partition(is_over);
    (over.into_iter().map(Carried::given_up).collect(), again)
}

/// How long an order is tried; none: until the relay is back.
fn patience(op: &Op) -> Option<Duration> {
    match op {
        Op::Open { .. } => Some(OPEN_WAIT),
        Op::CloseLeg { .. } | Op::Close => Some(CLOSE_WAIT),
        Op::Adopt | Op::Ack { .. } | Op::Remote { .. } | Op::Hear { .. } | Op::Export { .. } => None,
    }
}

/// The call that has a leg now, which hears what a relay says of it; of a leg that nobody has, the one it was born in.
pub fn holder(table: Option<&Shard>, leg: LegKey) -> CallId {
    table.and_then(|table| table.call_of_leg(leg)).map_or(leg.call, |row| row.id)
}
