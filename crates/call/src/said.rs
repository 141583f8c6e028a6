//! What an owner has said to the log, until the row has it: what was lost is said again. Nobody else knows it, neither that
//! a prompt is over nor that a phone was answered.

use strowger_model::{LegKey, Mono};
use strowger_table as table;
use strowger_table::{Command, LegState, Screen};

use crate::event::Answer;
use crate::limit;
use crate::machine::Machine;

/// A proposal whose row has not come yet.
pub(crate) struct Said {
    number: u64,
    command: Command,
    /// When it is said again, after it was lost.
    again: Option<Mono>,
}

impl Said {
    pub fn number(&self) -> u64 {
        self.number
    }

    pub fn deadline(&self) -> Option<Mono> {
        self.again
    }

    /// What is accepted comes with its row.
    pub fn answered(&mut self, number: u64, answer: Answer, now: Mono) {
        if self.number == number && answer != Answer::Accepted {
            self.again = Some(now + limit::SAY_AGAIN);
        }
    }

    /// The command, once it is time to say it again.
    fn due(&mut self, now: Mono) -> Option<Command> {
        self.again.take_if(|at| *at <= now).map(|_| self.command.clone())
    }
}

impl Machine {
    pub(crate) fn say(&mut self, command: Command) -> Said {
        let number = self.propose(command.clone());
        Said { number, command, again: None }
    }

    /// What became of a call or an answer of that leg, or of its agent.
    pub(crate) fn say_of(&mut self, key: LegKey, command: Command) {
        let said = self.say(command);
        if let Some(side) = self.sides.get_mut(&key) {
            side.said = Some(said);
        }
    }

    pub(crate) fn said_proposed(&mut self, number: u64, answer: Answer, now: Mono) {
        let sides = self.sides.values_mut().filter_map(|side| side.said.as_mut());
        sides.chain(&mut self.stepping).for_each(|said| said.answered(number, answer, now));
    }

    /// What the rows have, and what they have gone past, is said no more.
    pub(crate) fn forget_said(&mut self) {
        let row = self.rows.call.clone();
        for (key, side) in &mut self.sides {
            let leg = row.leg(*key);
            side.said.take_if(|said| leg.is_none_or(|leg| !is_open(leg, &said.command)));
        }
        if row.stage != table::Stage::Flow || row.flow.map(|position| position.entered) != self.step {
            self.stepping = None;
        }
    }

    pub(crate) fn say_again(&mut self, now: Mono) {
        let due = |(key, side): (&LegKey, &mut Box<crate::side::Side>)| Some((*key, side.said.as_mut()?.due(now)?));
        let of_legs: Vec<(LegKey, Command)> = self.sides.iter_mut().filter_map(due).collect();
        of_legs.into_iter().for_each(|(key, command)| self.say_of(key, command));
        if let Some(command) = self.stepping.as_mut().and_then(|said| said.due(now)) {
            self.stepping = Some(self.say(command));
        }
    }
}

/// Whether the row still waits for it.
fn is_open(leg: &table::Leg, command: &Command) -> bool {
    match command {
        Command::Accept { .. } => matches!(leg.state, LegState::Screening { screen: Screen::Key, .. }),
        _ => leg.is_ringing(),
    }
}
