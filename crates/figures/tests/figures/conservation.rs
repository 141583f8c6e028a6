//! Who comes to a queue is served, gives up, leaves by rule or is still there, at every instant.

use std::collections::BTreeMap;

use strowger_figures::{Recent, ShardSums, Tally, Visits};
use strowger_model::{CallId, Cause, Ended, HangupBy, QueueId};
use strowger_table::{Call, DutyKind, Outcome, Stage, Then};

use crate::bench::{Bench, answer, enqueue, first_leg};
use crate::dice::Dice;
use crate::sample::*;

/// Over in less than the window of [`Recent`], so that nothing is forgotten meanwhile.
const STEPS: usize = 600;
const PAUSE_MS: u64 = 2_500;
const SEEDS: [u64; 4] = [1, 1878, 1912, 2026];
const QUEUES: [QueueId; 2] = [SALES, SUPPORT];
const AGENTS: [strowger_model::AgentId; 3] = [ANNA, BERT, DORA];
const SIDES: [HangupBy; 3] = [HangupBy::Caller, HangupBy::Agent, HangupBy::System];

/// A day at the queues: people call, are served, give up, overflow.
struct Day {
    bench: Bench,
    dice: Dice,
    /// The queue that each caller came to last: a call's record names one queue.
    came: BTreeMap<CallId, QueueId>,
}

impl Day {
    fn step(&mut self) {
        let pause = self.dice.roll(PAUSE_MS);
        self.bench.pass(pause);
        match self.dice.roll(12) {
            0..=4 => self.comes(),
            5..=7 => self.is_offered(),
            8 => self.is_answered(),
            9 => self.ends(),
            10 => self.bench.expire(),
            // A call that overflowed goes on in its flow, and perhaps to another queue.
            _ => self.moves_on(),
        }
    }

    fn one_of(&mut self, is: impl Fn(&Call) -> bool) -> Option<CallId> {
        let calls: Vec<CallId> = self.bench.shard.calls().filter(|call| is(call)).map(|call| call.id).collect();
        (!calls.is_empty()).then(|| self.dice.of(&calls))
    }

    fn comes(&mut self) {
        let call = self.bench.admitted();
        if self.dice.roll(8) == 0 {
            return;
        }
        assert_eq!(self.bench.say(answer(call)), Outcome::Done);
        self.bench.done(call, DutyKind::Answer { leg: first_leg(call) });
        self.enters(call);
    }

    fn enters(&mut self, call: CallId) {
        let queue = self.dice.of(&QUEUES);
        let then = if self.dice.roll(3) == 0 { Then::End } else { Then::Step(2) };
        if self.bench.say(enqueue(call, queue, then)).refusal().is_none() {
            self.came.insert(call, queue);
        }
    }

    fn is_offered(&mut self) {
        let agent = self.dice.of(&AGENTS);
        if let Some(call) = self.one_of(Call::is_waiting) {
            self.bench.plan(&[(call, agent)]);
        }
    }

    fn is_answered(&mut self) {
        let Some(call) = self.one_of(|call| call.rung_leg().is_some()) else { return };
        let leg = self.bench.ringing(call);
        let command = if self.dice.roll(4) == 0 {
            self.bench.missed_command(leg, Cause::NO_ANSWER)
        } else {
            self.bench.connect_command(call, leg)
        };
        self.bench.say(command);
    }

    fn ends(&mut self) {
        let Some(call) = self.one_of(|call| !call.is_over()) else { return };
        let by = self.dice.of(&SIDES);
        // An agent hangs up on a conversation.
        if by == HangupBy::Agent && !self.bench.call(call).is_served() {
            return;
        }
        self.bench.end(call, Ended { by, cause: Cause::NORMAL });
    }

    fn moves_on(&mut self) {
        if let Some(call) = self.one_of(|call| call.stage == Stage::Flow) {
            self.enters(call);
        }
    }
}

#[test]
fn offered_is_served_and_abandoned_and_left_and_open() {
    let mut seen = Tally::default();
    let mut ever = Visits::default();
    for seed in SEEDS {
        let mut day = Day { bench: Bench::new(), dice: Dice(seed), came: BTreeMap::new() };
        let mut recent = Recent::default();
        for step in 0..STEPS {
            day.step();
            recent.read(&day.bench.shard, day.bench.wall());
            recent.forget(day.bench.wall());
            let sums = ShardSums::new(&day.bench.shard, day.bench.now);
            for status in &sums.queues {
                let gone = recent.queues().get(&status.queue).copied().unwrap_or_default();
                let Visits { served, left, open, late } = status.visits;
                let offered = day.came.values().filter(|queue| **queue == status.queue).count();
                assert_eq!(
                    offered,
                    gone.left() as usize + served + left + open,
                    "seed {seed}, step {step}, queue {}: {gone:?}, {:?}",
                    status.name,
                    status.visits
                );
                assert!(late <= open, "who is late is open: {status:?}");
                assert!(status.waiting <= open, "who waits to be offered is open: {status:?}");
                ever = Visits {
                    served: ever.served + served,
                    left: ever.left + left,
                    open: ever.open + open,
                    late: ever.late + late,
                };
            }
        }
        for tally in recent.queues().into_values() {
            seen.answered += tally.answered;
            seen.in_time += tally.in_time;
            seen.abandoned += tally.abandoned;
            seen.overflowed += tally.overflowed;
            seen.failed += tally.failed;
        }
    }
    // Else the equation holds of nothing.
    let terms = [seen.answered, seen.in_time, seen.abandoned, seen.overflowed, seen.failed];
    assert!(terms.into_iter().all(|count| count > 0), "{seen:?}");
    assert!(seen.in_time < seen.answered, "some waited longer than the service level: {seen:?}");
    assert!([ever.served, ever.left, ever.open, ever.late].into_iter().all(|count| count > 0), "{ever:?}");
}
