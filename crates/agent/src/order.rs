//! Which REGISTER counts (RFC 3261 section 10.3, step 7), and none whose answer to a challenge was given before (RFC 7616
//! section 3.4).

use std::collections::VecDeque;
use std::time::Duration;

use strowger_model::Mono;
use strowger_table::limit::BINDINGS;

/// A request that was overtaken on its way comes within the life of a transaction (64 × T1, RFC 3261 section 17.1.2.2).
/// A lower number that comes later is of a phone that began to count anew.
pub const OVERTAKEN_WITHIN: Duration = Duration::from_secs(32);
/// How long an answer is known again: twice as long as a nonce is taken (30 s), for another node's clock may be that far
/// ahead of who takes it.
pub const ANSWERS_KEPT: Duration = Duration::from_secs(60);
/// Answers that are known again, per agent. All were made with its password: a phone that makes more within
/// [`ANSWERS_KEPT`] makes those before repeatable.
const ANSWERS_MOST: usize = 64;

/// What a REGISTER is beside those that came before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// To be carried out.
    Next,
    /// It has been carried out; only its answer was lost.
    Repeated,
    /// A later one of the same phone has been carried out.
    Overtaken,
    /// Another one with the same answer to a challenge has been carried out: somebody has read along.
    Replayed,
}

/// One REGISTER.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The phone's.
    pub call_id: &'a str,
    /// Its CSeq among those of its Call-ID (RFC 3261, 10.2).
    pub cseq: u32,
    /// What it answered the challenge with.
    pub answer: &'a str,
}

/// The newest REGISTER of each phone, and what was answered lately. Only an owner's memory: the next begins without.
#[derive(Debug, Default)]
pub struct Order {
    newest: VecDeque<Newest>,
    /// The oldest in front.
    answers: VecDeque<(String, Mono)>,
}

#[derive(Debug)]
struct Newest {
    call_id: String,
    cseq: u32,
    at: Mono,
}

impl Order {
    /// Judges a REGISTER beside those before. What its phone says again, because the answer was lost, has the same answer.
    pub fn turn(&self, asked: Asked<'_>, now: Mono) -> Turn {
        let newest = self.newest.iter().find(|newest| newest.call_id == asked.call_id);
        match newest.filter(|newest| now.since(newest.at) < OVERTAKEN_WITHIN) {
            // Word for word, so with the same answer: another request under the same number is none (RFC 3261 section 10.3,
            // step 7).
            Some(newest) if asked.cseq == newest.cseq && self.knows(asked.answer, now) => Turn::Repeated,
            Some(newest) if asked.cseq <= newest.cseq => Turn::Overtaken,
            Some(_) | None if self.knows(asked.answer, now) => Turn::Replayed,
            Some(_) | None => Turn::Next,
        }
    }

    fn knows(&self, answer: &str, now: Mono) -> bool {
        self.answers.iter().any(|(given, at)| given == answer && now.since(*at) < ANSWERS_KEPT)
    }

    /// It has been carried out.
    pub fn done(&mut self, asked: Asked<'_>, now: Mono) {
        let Asked { call_id, cseq, answer } = asked;
        self.newest.retain(|newest| newest.call_id != call_id);
        if self.newest.len() >= BINDINGS {
            self.newest.pop_front();
        }
        self.newest.push_back(Newest { call_id: call_id.to_owned(), cseq, at: now });
        self.answers.retain(|(_, at)| now.since(*at) < ANSWERS_KEPT);
        if self.answers.len() >= ANSWERS_MOST {
            self.answers.pop_front();
        }
        self.answers.push_back((answer.to_owned(), now));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// One with an answer that nobody gave before.
    fn asked(call_id: &str, cseq: u32) -> Asked<'_> {
        static GIVEN: AtomicU32 = AtomicU32::new(0);
        let answer = format!("{:032x}", GIVEN.fetch_add(1, Ordering::Relaxed)).leak();
        Asked { call_id, cseq, answer }
    }

    /// What its phone says word for word, as often as it says it.
    fn same(call_id: &str, cseq: u32) -> Asked<'_> {
        Asked { call_id, cseq, answer: format!("{call_id}-{cseq}").leak() }
    }

    /// Whoever had overheard an answer could put it under a request of his own, for as long as the nonce lived.
    #[test]
    fn an_answer_counts_once_whoever_gives_it() {
        let (mut order, begin) = (Order::default(), Mono(1));
        let desk = asked("desk", 2);
        assert_eq!(order.turn(desk, begin), Turn::Next);
        assert_eq!(order.turn(desk, begin), Turn::Next, "nothing was carried out, and it may come again");
        order.done(desk, begin);
        let later = begin + Duration::from_secs(1);
        assert_eq!(order.turn(desk, later), Turn::Repeated, "its answer was lost");
        for (call_id, cseq) in [("desk", 3), ("another", 2), ("another", 1)] {
            assert_eq!(order.turn(Asked { call_id, cseq, ..desk }, later), Turn::Replayed);
            assert_eq!(order.turn(asked(call_id, cseq), later), Turn::Next, "with an answer of its own");
        }
        assert_eq!(order.turn(Asked { cseq: 1, ..desk }, later), Turn::Overtaken);
        let just = begin + ANSWERS_KEPT - Duration::from_micros(1);
        assert_eq!(order.turn(desk, just), Turn::Replayed, "no phone repeats itself for so long");
        assert_eq!(order.turn(desk, begin + ANSWERS_KEPT), Turn::Next);
    }

    #[test]
    fn answers_are_forgotten_in_time_and_the_oldest_first() {
        let (mut order, begin) = (Order::default(), Mono(1));
        let first = asked("first", 1);
        order.done(first, begin);
        let knows =
            |order: &Order, asked: Asked<'_>, now| order.turn(Asked { call_id: "x", ..asked }, now) == Turn::Replayed;
        for more in 1..ANSWERS_MOST {
            order.done(asked("more", more as u32), begin);
        }
        assert!(knows(&order, first, begin));
        order.done(asked("more", 1000), begin);
        assert!(!knows(&order, first, begin) && order.answers.len() == ANSWERS_MOST);
        order.done(first, begin + ANSWERS_KEPT);
        assert!(knows(&order, first, begin + ANSWERS_KEPT) && order.answers.len() == 1);
    }

    #[test]
    fn the_newest_of_a_phone_counts() {
        let (mut order, begin) = (Order::default(), Mono(1));
        assert_eq!(order.turn(asked("desk", 2), begin), Turn::Next);
        let second = asked("desk", 2);
        order.done(second, begin);
        let later = begin + Duration::from_secs(1);
        assert_eq!(order.turn(second, later), Turn::Repeated);
        assert_eq!(order.turn(asked("desk", 2), later), Turn::Overtaken, "another request under the same number");
        assert_eq!(order.turn(asked("desk", 1), later), Turn::Overtaken);
        assert_eq!(order.turn(asked("soft", 1), later), Turn::Next, "another phone counts by itself");
        assert_eq!(order.turn(asked("desk", 3), later), Turn::Next);
        order.done(asked("desk", 3), later);
        assert_eq!(order.turn(asked("desk", 2), later), Turn::Overtaken);
    }

    #[test]
    fn a_phone_may_begin_anew_and_few_are_remembered() {
        let (mut order, begin) = (Order::default(), Mono(1));
        order.done(asked("desk", 9), begin);
        assert_eq!(order.turn(asked("desk", 1), begin + OVERTAKEN_WITHIN), Turn::Next);
        let names: Vec<String> = (0..BINDINGS).map(|phone| phone.to_string()).collect();
        let phones: Vec<Asked<'_>> = names.iter().map(|name| asked(name, 1)).collect();
        phones.iter().for_each(|phone| order.done(*phone, begin));
        assert_eq!(order.turn(asked("desk", 9), begin), Turn::Next, "forgotten for newer ones");
        assert_eq!(order.turn(phones[0], begin), Turn::Repeated);
    }

    /// Whoever came last is remembered longest, and a number that comes back after long is no repetition.
    #[test]
    fn the_phone_that_was_silent_longest_is_forgotten_first() {
        let (mut order, begin) = (Order::default(), Mono(1));
        for phone in 0..BINDINGS {
            order.done(same(&phone.to_string(), 1), begin);
        }
        order.done(same("0", 2), begin);
        order.done(same("new", 1), begin);
        let turn = |order: &Order, phone: &str, cseq| order.turn(same(phone, cseq), begin);
        assert_eq!(turn(&order, "0", 2), Turn::Repeated, "it came again");
        assert_eq!(order.turn(asked("1", 1), begin), Turn::Next, "forgotten");
        assert_eq!((turn(&order, "2", 1), turn(&order, "new", 1)), (Turn::Repeated, Turn::Repeated));
        let just = begin + OVERTAKEN_WITHIN - Duration::from_micros(1);
        assert_eq!(
            (order.turn(asked("0", 1), just), order.turn(same("0", 2), just)),
            (Turn::Overtaken, Turn::Repeated)
        );
        assert_eq!(order.turn(asked("0", 2), begin + OVERTAKEN_WITHIN), Turn::Next);
    }
}
