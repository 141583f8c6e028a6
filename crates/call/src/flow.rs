//! The caller's way through the flow: steps, prompts, digits.

use strowger_ivr::Next;
use strowger_model::{Cause, Ended, HangupBy, LegKey, LogNow, LogTime, Mono};
use strowger_table::{Command, FlowPosition, LegState, Refusal, Screen, Stage, Then};

use crate::event::Answer;
use crate::machine::Machine;

impl Machine {
    pub(crate) fn begin_step(&mut self, position: FlowPosition) {
        if self.step.replace(position.entered) == Some(position.entered) {
            return;
        }
        self.stepping = None;
        let next = self.flow.as_mut().map_or(Next::HangUp, |flow| flow.enter(position.step));
        self.follow(next);
    }

    pub(crate) fn prompt_over(&mut self, leg: LegKey, play: u64, now: Mono) {
        if self.is_customer(leg) && Some(play) == self.play() && self.is_in_step() {
            let next = self.flow.as_mut().map_or(Next::Wait, |flow| flow.prompt_over(now));
            self.follow(next);
        }
    }

    pub(crate) fn digit(&mut self, leg: LegKey, digit: char, log_now: LogNow) {
        if self.is_customer(leg) && self.is_in_step() {
            let next = self.flow.as_mut().map_or(Next::Wait, |flow| flow.digit(digit));
            self.follow(next);
        } else if self
            .row_leg(leg)
            .is_some_and(|leg| matches!(leg.state, LegState::Screening { screen: Screen::Key, .. }))
        {
            // Somebody is there.
            self.say_of(leg, Command::Accept { leg, observed: log_now.at_most });
        }
    }

    pub(crate) fn tick_flow(&mut self, now: Mono) {
        if self.is_in_step() {
            let next = self.flow.as_mut().map_or(Next::Wait, |flow| flow.tick(now));
            self.follow(next);
        }
    }

    /// Whether the flow hears what comes: not while its next step, or the end, is on its way.
    pub(crate) fn is_in_step(&self) -> bool {
        self.rows.call.stage == Stage::Flow && self.stepping.is_none() && !self.is_ending()
    }

    /// A story that has no room for another piece has none a second later: what would be said again ends the call.
    pub(crate) fn step_proposed(&mut self, number: u64, answer: Answer) {
        let is_it = self.stepping.as_ref().is_some_and(|said| said.number() == number);
        if is_it && answer == Answer::Refused(Refusal::Full) {
            self.stepping = None;
            self.propose_end(Ended { by: HangupBy::System, cause: Cause::TEMPORARY_FAILURE }, LogTime::MAX);
        }
    }

    fn follow(&mut self, next: Next) {
        let call = self.id();
        match next {
            // What is played is told to the relay once the event is over.
            Next::Wait | Next::Play => {}
            Next::GoTo(step) => {
                // A step that is a queue is entered by its own entry; any other by a `Step`.
                let peek = self.flow.as_mut().map_or(Next::HangUp, |flow| flow.clone().enter(step));
                match peek {
                    Next::Enqueue { queue, overflow } => {
                        self.go(Command::Enqueue { call, step, queue, then: then(overflow) });
                    }
                    _ => self.go(Command::Step { call, step, attempt: 0, set: Vec::new() }),
                }
            }
            Next::Enqueue { queue, overflow } => {
                let step = self.flow.as_ref().map_or(0, strowger_ivr::Stepper::at);
                self.go(Command::Enqueue { call, step, queue, then: then(overflow) });
            }
            Next::HangUp => self.propose_end(Ended { by: HangupBy::System, cause: Cause::NORMAL }, LogTime::MAX),
        }
    }

    fn go(&mut self, command: Command) {
        debug_assert!(self.stepping.is_none(), "two steps of one flow are on their way at once");
        self.stepping = Some(self.say(command));
    }

    fn is_customer(&self, key: LegKey) -> bool {
        self.row_leg(key).is_some_and(strowger_table::Leg::is_customer)
    }
}

fn then(overflow: Option<strowger_model::config::StepNo>) -> Then {
    overflow.map_or(Then::End, Then::Step)
}
