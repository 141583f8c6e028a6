//! The customer's way through its flow: steps, prompts, digits.

use strowger_ivr::{Next, Stepper};
use strowger_model::config::StepNo;
use strowger_model::{Cause, Ended, HangupBy, LegKey, LogTime, Mono, QueueId};
use strowger_table::{Call, Command, FlowPosition, LegState, Screen, Shard, Stage, Then};

use crate::machine::Machine;

/// Where the customer is in the flow.
#[derive(Default)]
pub(crate) struct Walk {
    pub stepper: Option<Stepper>,
    /// The entry of the log that led to the step whose work was begun.
    entered: Option<u64>,
    /// The proposal of the next step: until it is entered, nothing that comes is for the step before.
    stepping: Option<u64>,
}

impl Walk {
    pub fn deadline(&self) -> Option<Mono> {
        self.stepper.as_ref().and_then(Stepper::deadline)
    }

    /// The flow as it is when it is first asked for.
    pub fn learn(&mut self, call: &Call, table: &Shard) {
        if self.stepper.is_none() {
            let flow = table.tenant(call.tenant).zip(call.flow_id()).and_then(|(tenant, flow)| tenant.flow(flow));
            self.stepper = flow.cloned().map(Stepper::new);
        }
    }

    /// Whether the work of this step is begun.
    pub fn is_at(&self, position: FlowPosition) -> bool {
        self.entered == Some(position.entered)
    }

    fn then(&mut self, next: impl FnOnce(&mut Stepper) -> Next) -> Next {
        self.stepper.as_mut().map_or(Next::Wait, next)
    }
}

impl Machine {
    pub(crate) fn begin_step(&mut self, position: FlowPosition) {
        if self.walk.is_at(position) {
            return;
        }
        self.walk.entered = Some(position.entered);
        self.walk.stepping = None;
        let next = self.walk.stepper.as_mut().map_or(Next::HangUp, |flow| flow.enter(position.step));
        self.follow(next);
    }

    pub(crate) fn prompt_over(&mut self, leg: LegKey, play: u64, now: Mono) {
        if self.rows.customer() == Some(leg) && Some(play) == self.play() && self.is_in_step() {
            let next = self.walk.then(|flow| flow.prompt_over(now));
            self.follow(next);
        }
    }

    pub(crate) fn digit(&mut self, leg: LegKey, digit: char, log_now: LogTime) {
        if self.waits_for_key(leg) {
            self.propose(Command::Accept { leg, observed: log_now });
        } else if self.rows.customer() == Some(leg) && self.is_in_step() {
            let next = self.walk.then(|flow| flow.digit(digit));
            self.follow(next);
        }
    }

    /// Any key says that a person is there.
    fn waits_for_key(&self, leg: LegKey) -> bool {
        let is_asked = |state| matches!(state, LegState::Screening { screen: Screen::Key, .. });
        self.rows.live(leg).is_some_and(|leg| is_asked(leg.state)) && !self.is_ending()
    }

    pub(crate) fn tick_flow(&mut self, now: Mono) {
        if self.is_in_step() {
            let next = self.walk.then(|flow| flow.tick(now));
            self.follow(next);
        }
    }

    /// Whether the flow hears what comes: not while its next step, or the end, is on its way.
    pub(crate) fn is_in_step(&self) -> bool {
        self.rows.call.stage == Stage::Flow && self.walk.stepping.is_none() && !self.is_ending()
    }

    /// One that is accepted comes with its row.
    pub(crate) fn step_proposed(&mut self, number: u64, accepted: bool) {
        if !accepted {
            self.walk.stepping.take_if(|proposed| *proposed == number);
        }
    }

    fn follow(&mut self, next: Next) {
        match next {
            // What is played is told to the relay once the event is over.
            Next::Wait | Next::Play => {}
            Next::GoTo(step) => {
                // A step that is a queue is entered by its own entry; any other by a `Step`.
                let peek = self.walk.stepper.clone().map_or(Next::HangUp, |mut flow| flow.enter(step));
                match peek {
                    Next::Enqueue { queue, overflow } => self.enqueue(step, queue, overflow),
                    _ => self.go(Command::Step { call: self.id(), step, attempt: 0, set: Vec::new() }),
                }
            }
            Next::Enqueue { queue, overflow } => {
                let step = self.walk.stepper.as_ref().map_or(0, Stepper::at);
                self.enqueue(step, queue, overflow);
            }
            Next::HangUp => self.propose_end(Ended { by: HangupBy::System, cause: Cause::NORMAL }, LogTime::MAX),
        }
    }

    fn enqueue(&mut self, step: StepNo, queue: QueueId, overflow: Option<StepNo>) {
        let then = overflow.map_or(Then::End, Then::Step);
        self.go(Command::Enqueue { call: self.id(), step, queue, then });
    }

    fn go(&mut self, command: Command) {
        debug_assert!(self.walk.stepping.is_none(), "two steps of one flow are on their way at once");
        self.walk.stepping = Some(self.propose(command));
    }
}
