//! Which REGISTER counts (RFC 3261 section 10.3, step 7).

use std::collections::VecDeque;
use std::time::Duration;

use strowger_model::Mono;
use strowger_table::limit::BINDINGS;

/// A request that was overtaken on its way comes within the life of a transaction (64 × T1, RFC 3261 section 17.1.2.2).
/// A lower number that comes later is of a phone that began to count anew.
pub const OVERTAKEN_WITHIN: Duration = Duration::from_secs(32);

/// What a REGISTER is beside those that came before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// To be carried out.
    Next,
    /// It has been carried out; only its answer was lost.
    Repeated,
    /// A later one of the same phone has been carried out.
    Overtaken,
}

/// The newest REGISTER of each phone. Only an owner's memory: the next begins without.
#[derive(Debug, Default)]
pub struct Order {
    newest: VecDeque<Newest>,
}

#[derive(Debug)]
struct Newest {
    call_id: String,
    cseq: u32,
    at: Mono,
}

impl Order {
    /// Judges a REGISTER by its CSeq among those of its Call-ID (RFC 3261, 10.2).
    pub fn turn(&self, call_id: &str, cseq: u32, now: Mono) -> Turn {
        let newest = self.newest.iter().find(|newest| newest.call_id == call_id);
        match newest.filter(|newest| now.since(newest.at) < OVERTAKEN_WITHIN) {
            Some(newest) if cseq == newest.cseq => Turn::Repeated,
            Some(newest) if cseq < newest.cseq => Turn::Overtaken,
            Some(_) | None => Turn::Next,
        }
    }

    /// It has been carried out.
    pub fn done(&mut self, call_id: &str, cseq: u32, now: Mono) {
        self.newest.retain(|newest| newest.call_id != call_id);
        if self.newest.len() >= BINDINGS {
            self.newest.pop_front();
        }
        self.newest.push_back(Newest { call_id: call_id.to_owned(), cseq, at: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_a_phone_counts() {
        let (mut order, begin) = (Order::default(), Mono(1));
        assert_eq!(order.turn("desk", 2, begin), Turn::Next);
        order.done("desk", 2, begin);
        let later = begin + Duration::from_secs(1);
        assert_eq!(order.turn("desk", 2, later), Turn::Repeated);
        assert_eq!(order.turn("desk", 1, later), Turn::Overtaken);
        assert_eq!(order.turn("soft", 1, later), Turn::Next, "another phone counts by itself");
        assert_eq!(order.turn("desk", 3, later), Turn::Next);
        order.done("desk", 3, later);
        assert_eq!(order.turn("desk", 2, later), Turn::Overtaken);
    }

    #[test]
    fn a_phone_may_begin_anew_and_few_are_remembered() {
        let (mut order, begin) = (Order::default(), Mono(1));
        order.done("desk", 9, begin);
        assert_eq!(order.turn("desk", 1, begin + OVERTAKEN_WITHIN), Turn::Next);
        for phone in 0..BINDINGS {
            order.done(&phone.to_string(), 1, begin);
        }
        assert_eq!(order.turn("desk", 9, begin), Turn::Next, "forgotten for newer ones");
        assert_eq!(order.turn("0", 1, begin), Turn::Repeated);
    }

    /// Whoever came last is remembered longest, and a number that comes back after long is no repetition.
    #[test]
    fn the_phone_that_was_silent_longest_is_forgotten_first() {
        let (mut order, begin) = (Order::default(), Mono(1));
        for phone in 0..BINDINGS {
            order.done(&phone.to_string(), 1, begin);
        }
        order.done("0", 2, begin);
        order.done("new", 1, begin);
        let turn = |order: &Order, phone: &str, cseq| order.turn(phone, cseq, begin);
        assert_eq!(turn(&order, "0", 2), Turn::Repeated, "it came again");
        assert_eq!(turn(&order, "1", 1), Turn::Next, "forgotten");
        assert_eq!((turn(&order, "2", 1), turn(&order, "new", 1)), (Turn::Repeated, Turn::Repeated));
        let just = begin + OVERTAKEN_WITHIN - Duration::from_micros(1);
        assert_eq!((order.turn("0", 1, just), order.turn("0", 2, just)), (Turn::Overtaken, Turn::Repeated));
        assert_eq!(order.turn("0", 2, begin + OVERTAKEN_WITHIN), Turn::Next);
    }
}
