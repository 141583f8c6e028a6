//! The exchange behind the trunk: which of its numbers is called, for which time, and what that number is like.

use std::collections::HashMap;

use crate::called::{CalledSpec, Dialled};
use crate::leg::{LegKey, Seizure};
use crate::random::Random;
use crate::sip::message::{Message, user_of};

pub(crate) type Plan = Box<dyn FnMut(&Dialled<'_>) -> CalledSpec + Send>;

pub(crate) struct Carrier {
    /// It takes no more calls.
    pub closed: bool,
    plan: Plan,
    seed: u64,
    lines: HashMap<String, Line>,
    /// INVITEs that are never answered. Nobody else remembers them, and a repetition is no second call.
    unanswered: HashMap<Transaction, LegKey>,
}

/// Call-ID and branch.
type Transaction = (String, String);

#[derive(Default)]
struct Line {
    invites: u32,
    current: Option<LegKey>,
}

impl Carrier {
    pub fn new(seed: u64, plan: Plan) -> Self {
        Self { closed: false, plan, seed, lines: HashMap::new(), unanswered: HashMap::new() }
    }

    /// Another plan for the same exchange: what was counted stays.
    pub fn succeed(&mut self, former: Carrier) {
        self.closed = former.closed;
        self.lines = former.lines;
        self.unanswered = former.unanswered;
    }

    /// The call that went to this number last; it may be over.
    pub fn current(&self, number: &str) -> Option<LegKey> {
        self.lines.get(number)?.current
    }

    /// A new call. `engaged`: the one before is still going on.
    pub fn seize(&mut self, number: &str, invite: &Message, engaged: bool) -> Seizure {
        let line = self.lines.entry(number.to_owned()).or_default();
        line.invites += 1;
        let from = invite.header("from").map(user_of).unwrap_or_default();
        let dialled = Dialled { number, from: &from, draw: draw(self.seed, number), invites: line.invites };
        let spec = (self.plan)(&dialled);
        Seizure { number: number.to_owned(), from, spec, invites: line.invites, engaged }
    }

    /// The line is taken by this leg.
    pub fn occupy(&mut self, number: &str, key: LegKey) {
        self.lines.entry(number.to_owned()).or_default().current = Some(key);
    }

    pub fn remember(&mut self, invite: &Message, key: LegKey) {
        self.unanswered.insert(transaction(invite), key);
    }

    pub fn forget(&mut self, invite: &Message) {
        self.unanswered.remove(&transaction(invite));
    }

    pub fn unanswered(&self, invite: &Message) -> Option<LegKey> {
        self.unanswered.get(&transaction(invite)).copied()
    }
}

fn transaction(invite: &Message) -> Transaction {
    (invite.call_id.clone(), invite.branch.clone())
}

fn draw(seed: u64, number: &str) -> u64 {
    let mixed = number.bytes().fold(seed, |state, byte| Random::new(state ^ u64::from(byte)).next());
    Random::new(mixed).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::called::CalledRole;

    fn invite(call_id: &str, branch: &str) -> Message {
        let text = format!(
            "INVITE sip:+491@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch={branch}\r\n\
             From: <sip:+4930@x>;tag=f\r\nTo: <sip:+491@x>\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\n\
             Content-Length: 0\r\n\r\n"
        );
        Message::parse(text.as_bytes()).unwrap()
    }

    fn carrier(seed: u64) -> Carrier {
        let plan = |dialled: &Dialled<'_>| {
            let role = if dialled.invites == 1 { CalledRole::Busy } else { CalledRole::Silent };
            CalledSpec::new(role, (dialled.draw % 55 * 2) as u16)
        };
        Carrier::new(seed, Box::new(plan))
    }

    #[test]
    fn a_number_is_the_same_in_every_call_and_its_calls_are_counted() {
        let mut carrier = carrier(3);
        let first = carrier.seize("+491", &invite("a", "1"), false);
        let second = carrier.seize("+491", &invite("b", "1"), true);
        assert_eq!((first.invites, first.engaged, first.spec.role), (1, false, CalledRole::Busy));
        assert_eq!((second.invites, second.engaged, second.spec.role), (2, true, CalledRole::Silent));
        assert_eq!(first.spec.tone, second.spec.tone);
        assert_eq!((first.number.as_str(), first.from.as_str()), ("+491", "+4930"));
        assert_eq!(carrier.seize("+492", &invite("c", "1"), false).invites, 1);
    }

    #[test]
    fn draws_are_spread_and_depend_on_the_seed() {
        let mut tenths = [0u32; 10];
        for n in 0..10_000 {
            tenths[(draw(7, &format!("+4917{n:07}")) % 10) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (850..1150).contains(count)), "{tenths:?}");
        assert_eq!(draw(7, "+491"), draw(7, "+491"));
        assert_ne!(draw(7, "+491"), draw(8, "+491"));
        assert_ne!(draw(7, "+4912"), draw(7, "+4921"));
    }

    #[test]
    fn a_repetition_is_known_by_call_id_and_branch() {
        let mut carrier = carrier(3);
        carrier.remember(&invite("a", "1"), 9);
        assert_eq!(carrier.unanswered(&invite("a", "1")), Some(9));
        assert_eq!(carrier.unanswered(&invite("a", "2")), None);
        assert_eq!(carrier.unanswered(&invite("b", "1")), None);
        carrier.forget(&invite("a", "1"));
        assert_eq!(carrier.unanswered(&invite("a", "1")), None);
    }
}
