//! What an owner has said to the log, until the row has it: what was lost is said again. Nobody else knows it, neither that
//! a prompt is over nor that a phone was answered, nor that a leg or the call ends.

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

/// What was said stands in one of these places.
#[derive(Clone, Copy)]
enum Whose {
    /// The end of this leg.
    Left(LegKey),
    /// What else became of it.
    Leg(LegKey),
    End,
    Step,
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
        let of_legs = self.sides.values_mut().flat_map(|side| side.all_said());
        let of_call = self.stepping.iter_mut().chain(&mut self.ending);
        of_legs.chain(of_call).for_each(|said| said.answered(number, answer, now));
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

    /// Ends first: what they end is of no more use.
    pub(crate) fn say_again(&mut self, now: Mono) {
        let keys: Vec<LegKey> = self.sides.keys().copied().collect();
        let of_ends = keys.iter().map(|key| Whose::Left(*key)).chain([Whose::End]);
        let of_rest = keys.iter().map(|key| Whose::Leg(*key)).chain([Whose::Step]);
        for whose in of_ends.chain(of_rest) {
            let Some(command) = self.said_of(whose).and_then(|said| said.due(now)) else { continue };
            let again = self.say(command);
            if let Some(said) = self.said_of(whose) {
                *said = again;
            }
        }
    }

    fn said_of(&mut self, whose: Whose) -> Option<&mut Said> {
        match whose {
            Whose::Left(key) => self.sides.get_mut(&key)?.leaving.as_mut().map(|leaving| &mut leaving.said),
            Whose::Leg(key) => self.sides.get_mut(&key)?.said.as_mut(),
            Whose::End => self.ending.as_mut(),
            Whose::Step => self.stepping.as_mut(),
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
