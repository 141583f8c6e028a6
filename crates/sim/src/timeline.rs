//! What will happen, in order of time; what falls on the same microsecond happens in the order it was planned.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use strowger_model::Mono;

pub(crate) struct Timeline<T> {
    due: BinaryHeap<Due<T>>,
    planned: u64,
}

struct Due<T> {
    at: Mono,
    number: u64,
    what: T,
}

impl<T> Timeline<T> {
    pub fn new() -> Self {
        Self { due: BinaryHeap::new(), planned: 0 }
    }

    pub fn plan(&mut self, at: Mono, what: T) {
        self.planned += 1;
        self.due.push(Due { at, number: self.planned, what });
    }

    pub fn next(&mut self) -> Option<(Mono, T)> {
        self.due.pop().map(|due| (due.at, due.what))
    }
}

impl<T> Ord for Due<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl<T> PartialOrd for Due<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Due<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Due<T> {}
