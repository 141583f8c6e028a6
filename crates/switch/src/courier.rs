//! Orders to one relay, and what comes of them. Orders of a call stay in order, what waits travels together, and one
//! batch at a time is under way. Every order may be repeated, so trying again costs nothing but time.

use std::collections::VecDeque;
use std::time::Duration;

use strowger_media::{Op, RelayAnswer, RelayCommand};
use strowger_model::{CallId, Digest, Incarnation, LegKey, Mono};
use strowger_table::Shard;

/// Orders in one batch: about 20 KiB.
const BATCH: usize = 256;
/// A batch that is not answered within this has failed.
pub const ANSWER: Duration = Duration::from_millis(500);
/// After one that failed the next leaves this much later.
pub const PAUSE: Duration = Duration::from_millis(50);
/// How long a leg waits for a port of a relay out of reach: a connection that is only renewed is back before.
const OPEN_WAIT: Duration = Duration::from_secs(1);
/// How long a call that is over waits until its ports are closed: a lost answer is repeated some times within this. A
/// relay that comes back later closes by itself what nobody commands any more.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// A command, and the call whose actor gave it: legs may have been born in another.
#[derive(Clone, PartialEq, Debug)]
pub struct Order {
    pub by: CallId,
    pub command: RelayCommand,
}

/// What came of an order.
#[derive(Clone, PartialEq, Debug)]
pub enum Carried {
    /// The call's actor hears what that means. None: the relay gave no answer, and the order is given up.
    Answered { order: Order, answer: Option<(Incarnation, RelayAnswer)> },
    /// The relay has not this content yet: it gets it, and the order again.
    Supply { content: Digest, order: Order },
}

/// The orders that one relay has not answered.
#[derive(Debug, Default)]
pub struct Courier {
    /// As they came, and when.
    orders: VecDeque<(Order, Mono)>,
    /// So many of the first are under way.
    under_way: usize,
}

impl Courier {
    pub fn take(&mut self, order: Order, now: Mono) {
        self.orders.push_back((order, now));
    }

    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// Whether a batch has neither been answered nor failed.
    pub fn is_under_way(&self) -> bool {
        self.under_way > 0
    }

    /// The next batch; none while one is under way, or if there is nothing to say.
    pub fn carry(&mut self) -> Option<Vec<RelayCommand>> {
        if self.is_under_way() || self.is_empty() {
            return None;
        }
        let batch: Vec<RelayCommand> = self.orders.iter().take(BATCH).map(|(order, _)| order.command.clone()).collect();
        self.under_way = batch.len();
        Some(batch)
    }

    /// The relay has answered the batch that is under way, order by order.
    pub fn answered(&mut self, incarnation: Incarnation, answers: Vec<RelayAnswer>) -> Vec<Carried> {
        let mut answers = answers.into_iter();
        let batch = self.orders.drain(..std::mem::take(&mut self.under_way));
        batch
            .map(|(order, _)| match answers.next() {
                Some(RelayAnswer::NeedContent { content }) => Carried::Supply { content, order },
                answer => Carried::Answered { order, answer: answer.map(|answer| (incarnation, answer)) },
            })
            .collect()
    }

    /// The batch had no answer. Everything is said again, but whoever waits for a port hears soon that there is none,
    /// and a call that is over does not wait for a relay that is gone. What is to be heard waits for as long as it
    /// takes: given up, it would leave a call silent for ever.
    pub fn failed(&mut self, now: Mono) -> Vec<Carried> {
        self.under_way = 0;
        let (given_up, kept) = std::mem::take(&mut self.orders)
            .into_iter()
            .partition(|(order, since)| patience(&order.command.op).is_some_and(|longest| now.since(*since) > longest));
        self.orders = kept;
        let given_up: VecDeque<(Order, Mono)> = given_up;
        given_up.into_iter().map(|(order, _)| Carried::Answered { order, answer: None }).collect()
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

/// The call that has a leg now, which hears what a relay says of it; of a leg that nobody has, the one it was born in.
pub fn holder(table: Option<&Shard>, leg: LegKey) -> CallId {
    table.and_then(|table| table.call_of_leg(leg)).map_or(leg.call, |row| row.id)
}
