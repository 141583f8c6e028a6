//! Faults that a test plants, to see that the checks of the demo would find a real one. Never set in operation.

use strowger_call::Action;
use strowger_media::{Hears, Op};
use strowger_model::{Cause, Ended, Far, HangupBy, LegKey, LogTime, ShardId};
use strowger_switch::courier::Order;
use strowger_table::{Call, Command};

/// One call in so many is spoiled.
const EVERY: u64 = 10;

/// Which fault; a node has it from the environment, `STROWGER_TEST_BREAK`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TestBreak {
    /// Ends waiting calls that nobody wanted ended.
    DropCall,
    /// Lets an agent hear nothing of the caller. A wrong address alone would do no harm: the relay sends to where a
    /// phone's own packets come from.
    SwapAudio,
    /// Rings an agent's phone for a second call at once.
    DoubleOffer,
    /// Calls a lead's number twice at once.
    DialTwice,
    /// Breaks the first actor of each call as soon as an agent talks.
    Panic,
    /// Breaks every actor of each call then.
    PanicAgain,
    /// Breaks the first actor of each agent, when a phone is bound and not answered yet.
    PanicAgent,
    /// Breaks the first courier of each relay, when it has an order for the voices of a call.
    PanicRelay,
    /// Breaks the first pacer of each node, when it has a call to begin.
    PanicPacer,
    /// The first actor of each call is gone without a word once an agent talks, that of each agent once a phone is
    /// bound.
    LoseActor,
    /// REGISTERs that another node passes on are lost, as with a process that has just died.
    LosePassedOn,
    /// Actors of agents stay when their rows are another's or nobody's.
    LeaveAgent,
}

impl TestBreak {
    /// By its name in the environment; none where there is no such fault.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "drop_call" => Some(TestBreak::DropCall),
            "swap_audio" => Some(TestBreak::SwapAudio),
            "double_offer" => Some(TestBreak::DoubleOffer),
            "dial_twice" => Some(TestBreak::DialTwice),
            "panic" => Some(TestBreak::Panic),
            "panic_again" => Some(TestBreak::PanicAgain),
            "panic_agent" => Some(TestBreak::PanicAgent),
            "panic_relay" => Some(TestBreak::PanicRelay),
            "panic_pacer" => Some(TestBreak::PanicPacer),
            "lose_actor" => Some(TestBreak::LoseActor),
            "lose_passed_on" => Some(TestBreak::LosePassedOn),
            "leave_agent" => Some(TestBreak::LeaveAgent),
            _ => None,
        }
    }

    /// Whether the actor of such a call breaks now.
    pub(crate) fn panics(self, call: &Call) -> bool {
        match self {
            TestBreak::Panic => call.is_served() && !call.was_adopted(),
            TestBreak::PanicAgain => call.is_served(),
            _ => false,
        }
    }

    /// Whether an agent's actor breaks now; so many broke before.
    pub(crate) fn breaks_agent(self, before: u32) -> bool {
        self == TestBreak::PanicAgent && before == 0
    }

    /// Whether the actor of such a call is gone now.
    pub(crate) fn loses(self, call: &Call) -> bool {
        self == TestBreak::LoseActor && call.is_served() && call.duties.is_empty() && !call.was_adopted()
    }

    /// Whether a relay's courier breaks now; so many broke before.
    pub(crate) fn breaks_courier(self, before: u32, orders: &[Order]) -> bool {
        let hears = |order: &Order| matches!(order.command.op, Op::Hear { what: Hears::Legs { .. }, .. });
        self == TestBreak::PanicRelay && before == 0 && orders.iter().any(hears)
    }

    /// Whether a node's pacer breaks now, with what it says; so many broke before.
    pub(crate) fn breaks_pacer(self, before: u32, dials: &[(ShardId, Command)]) -> bool {
        self == TestBreak::PanicPacer && before == 0 && !dials.is_empty()
    }

    /// What is done instead of an action.
    pub(crate) fn spoil(self, call: &Call, action: Action) -> Vec<Action> {
        if !call.id.index().is_multiple_of(EVERY) {
            return vec![action];
        }
        match (self, action) {
            (
                TestBreak::DropCall,
                action @ Action::Media { op: Op::Hear { what: Hears::Content { repeat: true, .. }, .. }, .. },
            ) => {
                let ended = Ended { by: HangupBy::System, cause: Cause::TEMPORARY_FAILURE };
                let end = Command::End { call: call.id, ended, observed: LogTime::MAX };
                vec![action, Action::Propose { number: 0, command: Box::new(end) }]
            }
            (TestBreak::SwapAudio, Action::Media { relay, call: of, op: Op::Remote { leg, media, receive, .. } })
                if is_agent(call, LegKey { call: of, leg }) =>
            {
                vec![Action::Media { relay, call: of, op: Op::Remote { leg, media, send: false, receive } }]
            }
            (TestBreak::DoubleOffer | TestBreak::DialTwice, Action::Send { to, bytes })
                if bytes.starts_with(b"INVITE ") && (self == TestBreak::DialTwice) == is_lead(call, to) =>
            {
                let copy = another_call(to, &bytes);
                vec![Action::Send { to, bytes }, copy]
            }
            (_, action) => vec![action],
        }
    }
}

fn is_agent(call: &Call, leg: LegKey) -> bool {
    call.leg(leg).is_some_and(|leg| leg.agent().is_some())
}

/// Whether that is where the called party of an outbound call is.
fn is_lead(call: &Call, to: Far) -> bool {
    call.outbound().is_some_and(|outbound| outbound.destination.addr == to.addr)
}

fn another_call(to: Far, invite: &[u8]) -> Action {
    let text = String::from_utf8_lossy(invite)
        .replace("Call-ID: ", "Call-ID: again-")
        .replace("branch=z9hG4bK", "branch=z9hG4bKagain");
    Action::Send { to, bytes: text.into_bytes() }
}
