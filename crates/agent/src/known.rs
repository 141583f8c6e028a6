//! What is bound, as the owner knows it: the row, and what it has committed since.

use std::time::Duration;

use strowger_model::Mono;
use strowger_table::{Binding, Command};

use crate::bindings::follow;

/// An entry whose answer is here is applied here by then. What the row does not show after that has been undone since:
/// an agent who was logged out has no phone, though the row is again as it was before the phone came.
const APPLIED_WITHIN: Duration = Duration::from_secs(5);

/// An answer to a proposal may be here before the entry is: the next REGISTER must not find less than the last one left.
#[derive(Debug, Default)]
pub struct Known {
    row: Vec<Binding>,
    /// Committed then, and not seen in the row yet.
    ahead: Vec<(Mono, Command)>,
}

impl Known {
    /// The row as it is here now. Once it has moved, it counts alone.
    pub fn see(&mut self, row: &[Binding], now: Mono) {
        self.ahead.retain(|(since, _)| now.since(*since) < APPLIED_WITHIN);
        if self.row != row {
            self.row = row.to_vec();
            self.ahead.clear();
        }
    }

    /// The entry of a command is in the log, though perhaps not applied here.
    pub fn committed(&mut self, command: Command, now: Mono) {
        self.ahead.push((now, command));
    }

    /// Phones as they are once all that is committed is applied.
    pub fn bound(&self) -> Vec<Binding> {
        let mut bound = self.row.clone();
        self.ahead.iter().for_each(|(_, command)| follow(&mut bound, command));
        bound
    }
}

#[cfg(test)]
mod tests {
    use strowger_model::{AgentId, Far, LogTime};
    use strowger_sip::{Contact, Contacts};

    use super::*;
    use crate::wanted;

    #[test]
    fn what_is_committed_is_known_before_the_row_shows_it() {
        let phone = |expires| Contact { uri: "sip:7@192.0.2.9".to_owned(), instance: None, q: 1000, expires };
        let ask = |known: &mut Known, expires| {
            let asked = Contacts::List(vec![phone(expires)]);
            let source = Far::udp(([192, 0, 2, 9], 5060));
            let commands = wanted(AgentId(7), &known.bound(), &asked, source, LogTime::ZERO);
            let count = commands.len();
            commands.into_iter().for_each(|command| known.committed(command, Mono(1)));
            count
        };
        let mut known = Known::default();
        known.see(&[], Mono(1));
        assert_eq!(ask(&mut known, 300), 1);
        let row = known.bound();
        known.see(&[], Mono(1));
        assert_eq!(ask(&mut known, 0), 1, "it goes, though the row has not even shown that it came");
        assert_eq!(known.bound(), []);
        known.see(&row, Mono(1));
        assert_eq!(known.bound(), row, "the row counts once it moves");
    }

    #[test]
    fn a_phone_that_was_taken_off_meanwhile_is_bound_again() {
        let phone = Contact { uri: "sip:7@192.0.2.9".to_owned(), instance: None, q: 1000, expires: 3600 };
        let asked = Contacts::List(vec![phone]);
        let wants =
            |known: &Known| wanted(AgentId(7), &known.bound(), &asked, Far::udp(([192, 0, 2, 9], 5060)), LogTime::ZERO);
        let (mut known, begin) = (Known::default(), Mono(1));
        known.see(&[], begin);
        wants(&known).into_iter().for_each(|command| known.committed(command, begin));
        // It came into the row and was taken out again, and no REGISTER came in between.
        known.see(&[], begin + APPLIED_WITHIN);
        assert_eq!(wants(&known).len(), 1);
    }

    #[test]
    fn what_is_on_its_way_into_the_row_is_bound_until_it_must_have_come() {
        let binding = Command::Bind {
            agent: AgentId(7),
            binding: Box::new(Binding {
                instance: strowger_model::Instance(1),
                kind: strowger_table::BindingKind::Sip,
                uri: "sip:7@192.0.2.9".to_owned(),
                flow: Far::udp(([192, 0, 2, 9], 5060)),
                q: 1000,
                expires: LogTime::MAX,
                lost: None,
            }),
        };
        let (mut known, begin) = (Known::default(), Mono(1));
        known.committed(binding, begin);
        known.see(&[], begin + APPLIED_WITHIN - Duration::from_micros(1));
        assert_eq!(known.bound().len(), 1);
        known.see(&[], begin + APPLIED_WITHIN);
        assert_eq!(known.bound(), []);
    }

    /// Each entry has its own time to come into the row.
    #[test]
    fn what_was_committed_later_is_known_for_longer() {
        let bind = |number| Command::Bind {
            agent: AgentId(7),
            binding: Box::new(Binding {
                instance: strowger_model::Instance(number),
                kind: strowger_table::BindingKind::Sip,
                uri: format!("sip:{number}@192.0.2.9"),
                flow: Far::udp(([192, 0, 2, 9], 5060)),
                q: 1000,
                expires: LogTime::MAX,
                lost: None,
            }),
        };
        let (mut known, begin) = (Known::default(), Mono(1));
        let later = begin + Duration::from_secs(1);
        known.committed(bind(1), begin);
        known.committed(bind(2), later);
        let bound = |known: &Known| known.bound().iter().map(|binding| binding.instance.0).collect::<Vec<_>>();
        assert_eq!(bound(&known), [1, 2]);
        known.see(&[], begin + APPLIED_WITHIN);
        assert_eq!(bound(&known), [2]);
        // The row moves: what it shows counts alone.
        let row = known.bound();
        known.committed(bind(3), later);
        known.see(&row, later);
        assert_eq!(bound(&known), [2]);
        // The same row again says nothing new.
        known.committed(bind(4), later);
        known.see(&row, later);
        assert_eq!(bound(&known), [2, 4]);
    }
}
