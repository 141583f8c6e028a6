//! Call flows: where a caller is in one, and what to do next. Pure: events in, one instruction out.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

use std::time::Duration;

use strowger_model::config::{Flow, Step, StepNo};
use strowger_model::{Digest, Mono, QueueId};

/// A caller at one step of a flow.
#[derive(Clone, Debug)]
pub struct Stepper {
    flow: Flow,
    at: StepNo,
    /// Which playing of the step's prompt, from 0.
    attempt: u8,
    /// Runs once the prompt is over; before that the caller is still listening.
    digit_by: Option<Mono>,
}

/// What to do next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// `Stepper::prompt`, as the attempt of that number.
    Play,
    /// On to another step: committed first, entered then.
    GoTo(StepNo),
    /// Into a queue; turned away there, or after its longest wait, on at `overflow`, or nowhere.
    Enqueue {
        /// Whose line the caller joins.
        queue: QueueId,
        /// A step of the same flow; none: the call ends.
        overflow: Option<StepNo>,
    },
    /// The flow is over, and with it the call.
    HangUp,
    /// Nothing: something has to happen first.
    Wait,
}

impl Stepper {
    /// At step 0, with nothing played.
    pub fn new(flow: Flow) -> Self {
        Self { flow, at: 0, attempt: 0, digit_by: None }
    }

    /// Index of the step in the flow.
    pub fn at(&self) -> StepNo {
        self.at
    }

    /// What the caller is told in this step.
    pub fn prompt(&self) -> Option<Digest> {
        match self.step() {
            Some(Step::Play { prompt, .. } | Step::Menu { prompt, .. }) => Some(*prompt),
            Some(Step::Enqueue { .. } | Step::HangUp) | None => None,
        }
    }

    /// Of the playings of this step, from 0: it numbers the prompt that is told to the relay.
    pub fn attempt(&self) -> u8 {
        self.attempt
    }

    /// An earlier owner had come so far in the step.
    pub fn resume(&mut self, attempt: u8) {
        self.attempt = attempt;
        self.digit_by = None;
    }

    /// The next moment at which `tick` has something to say.
    pub fn deadline(&self) -> Option<Mono> {
        self.digit_by
    }

    /// Begins a step. A step that does not exist ends the call: configuration is checked, a row may be older.
    pub fn enter(&mut self, at: StepNo) -> Next {
        self.at = at;
        self.attempt = 0;
        self.digit_by = None;
        match self.step() {
            Some(Step::Play { .. } | Step::Menu { .. }) => Next::Play,
            Some(Step::Enqueue { queue, overflow }) => Next::Enqueue { queue: *queue, overflow: *overflow },
            Some(Step::HangUp) | None => Next::HangUp,
        }
    }

    /// The relay has played to the end. From here on a menu gives the caller its time for a digit.
    pub fn prompt_over(&mut self, now: Mono) -> Next {
        match self.step() {
            Some(Step::Play { next, .. }) => Next::GoTo(*next),
            // Said twice, it is over once.
            Some(Step::Menu { timeout_ms, .. }) if self.digit_by.is_none() => {
                self.digit_by = Some(now + Duration::from_millis((*timeout_ms).into()));
                Next::Wait
            }
            _ => Next::Wait,
        }
    }

    /// A digit counts from the first moment of the prompt: who knows the menu does not wait for it.
    pub fn digit(&mut self, digit: char) -> Next {
        match self.step() {
            Some(Step::Menu { choices, .. }) => match choices.iter().find(|(choice, _)| *choice == digit) {
                Some((_, to)) => {
                    let to = *to;
                    self.digit_by = None;
                    Next::GoTo(to)
                }
                None => self.again(),
            },
            _ => Next::Wait,
        }
    }

    /// The time for a digit may be over; what comes is `Wait` as long as it is not.
    pub fn tick(&mut self, now: Mono) -> Next {
        match self.digit_by {
            Some(by) if by <= now => self.again(),
            _ => Next::Wait,
        }
    }

    fn again(&mut self) -> Next {
        self.digit_by = None;
        let Some(Step::Menu { tries, otherwise, .. }) = self.step() else { return Next::Wait };
        let (tries, otherwise) = (*tries, *otherwise);
        match self.attempt.checked_add(1).filter(|next| *next < tries) {
            Some(next) => {
                self.attempt = next;
                Next::Play
            }
            None => Next::GoTo(otherwise),
        }
    }

    fn step(&self) -> Option<&Step> {
        self.flow.steps.get(usize::from(self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_model::FlowId;

    const PROMPT: Digest = Digest([7; 32]);
    const NOW: Mono = Mono(1_000_000);

    fn menu() -> Stepper {
        let steps = vec![
            Step::Play { prompt: Digest([1; 32]), next: 1 },
            Step::Menu { prompt: PROMPT, choices: vec![('1', 2)], timeout_ms: 4000, tries: 2, otherwise: 3 },
            Step::Enqueue { queue: QueueId(5), overflow: None },
            Step::HangUp,
        ];
        Stepper::new(Flow { id: FlowId(1), name: "main".into(), steps })
    }

    #[test]
    fn greets_asks_and_enqueues() {
        let mut stepper = menu();
        assert_eq!(stepper.enter(0), Next::Play);
        assert_eq!(stepper.prompt(), Some(Digest([1; 32])));
        assert_eq!(stepper.digit('1'), Next::Wait, "no menu, no choice");
        assert_eq!(stepper.prompt_over(NOW), Next::GoTo(1));
        assert_eq!((stepper.enter(1), stepper.prompt(), stepper.attempt()), (Next::Play, Some(PROMPT), 0));
        assert_eq!(stepper.digit('1'), Next::GoTo(2), "before the prompt is over");
        assert_eq!(stepper.enter(2), Next::Enqueue { queue: QueueId(5), overflow: None });
    }

    #[test]
    fn asks_again_and_then_goes_elsewhere() {
        let mut stepper = menu();
        stepper.enter(1);
        assert_eq!(stepper.tick(NOW), Next::Wait, "the prompt still plays");
        assert_eq!(stepper.prompt_over(NOW), Next::Wait);
        assert_eq!(stepper.prompt_over(NOW + Duration::from_secs(1)), Next::Wait, "said again");
        assert_eq!(stepper.deadline(), Some(NOW + Duration::from_secs(4)));
        assert_eq!((stepper.tick(NOW + Duration::from_secs(4)), stepper.attempt()), (Next::Play, 1));
        assert_eq!(stepper.digit('9'), Next::GoTo(3), "the last try was wrong");
        assert_eq!(stepper.enter(3), Next::HangUp);
    }

    #[test]
    fn an_heir_asks_no_more_often_than_one_owner() {
        let mut stepper = menu();
        stepper.enter(1);
        stepper.resume(1);
        assert_eq!(stepper.prompt_over(NOW), Next::Wait);
        assert_eq!(stepper.tick(NOW + Duration::from_secs(4)), Next::GoTo(3));
    }

    #[test]
    fn a_step_that_is_not_there_hangs_up() {
        assert_eq!(menu().enter(99), Next::HangUp);
    }
}
