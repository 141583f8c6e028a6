//! What a leg's end means to its call: one table, read from top to bottom, which knows nothing but the row.

use strowger_model::LegKey;

use crate::{Call, Leg, LegRole, Place, SegmentKind, Stage};

/// How a call goes on after a leg has left it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum After {
    /// As it is, with who is left.
    GoesOn,
    /// With its flow.
    Flow,
    /// Back at its place in the queue.
    Place,
    /// Not at all: the call is over.
    End,
}

/// What is to come when this leg leaves a call with this place. A leg that is being told to go, or is not the call's,
/// changes nothing.
pub fn after(call: &Call, place: Option<&Place>, leaving: LegKey) -> After {
    let Some(leg) = call.leg(leaving).filter(|leg| leg.is_live() && !call.is_over()) else { return After::GoesOn };
    let left = Left::of(call, place, leaving);
    match leg.role {
        // The call is the customer's. Two customers of merged calls are a customer and a party: the other talks on.
        LegRole::Customer if left.agent && left.party => After::GoesOn,
        LegRole::Customer => After::End,
        // Whoever was left alone in a row of its own takes the row along.
        _ if !call.live_legs().any(|other| other.key != leaving) => After::End,
        // Nobody hears a supervisor leave.
        LegRole::Supervisor { .. } => After::GoesOn,
        // Two without a customer, colleagues or those of a merge: nobody is left talking to nobody.
        _ if call.stage == Stage::Talking && !left.customer && left.voices < 2 => After::End,
        // A step that failed leaves the flow to its own exits; one that served the caller beside an agent just goes.
        LegRole::Step if call.stage == Stage::Flow => After::Flow,
        LegRole::Step => After::GoesOn,
        LegRole::Agent(..) if leg.is_answered() => answered_agent(call, leg, &left),
        LegRole::Agent(..) => rung_agent(call, &left),
        LegRole::Party => party(call, &left),
    }
}

/// An agent who was there hung up.
fn answered_agent(call: &Call, leg: &Leg, left: &Left) -> After {
    let serves = call.serving == Some(leg.key);
    match call.stage {
        // Another agent, or another party, talks with the customer.
        Stage::Talking if left.agent || left.party || left.party_rings => After::GoesOn,
        // Who was asked aside, or answered and is not in yet, leaves the others as they are.
        Stage::Talking if !serves => After::GoesOn,
        // Went before the next one came: the customer waits for that one.
        Stage::Talking if left.in_queue => After::Place,
        // The customer's conversation is over.
        Stage::Talking => After::End,
        Stage::Waiting if left.rung_agent => After::GoesOn,
        Stage::Waiting => After::Place,
        // Who asked for a number is gone before it answered.
        Stage::Reaching => After::End,
        Stage::Flow => After::Flow,
        Stage::Admitted | Stage::Ended { .. } => After::GoesOn,
    }
}

/// An agent's phone that rang is not answered.
fn rung_agent(call: &Call, left: &Left) -> After {
    match call.stage {
        // Other phones ring for the same place.
        Stage::Waiting if left.rung_agent => After::GoesOn,
        Stage::Waiting => After::Place,
        // There is nothing to go back to: nobody has been called yet.
        Stage::Reaching => After::End,
        Stage::Admitted | Stage::Flow | Stage::Talking | Stage::Ended { .. } => After::GoesOn,
    }
}

/// Another party hung up, or was not reached.
fn party(call: &Call, left: &Left) -> After {
    match call.stage {
        Stage::Talking if left.agent || left.party || left.party_rings => After::GoesOn,
        // The customer was alone with it, or waited for it.
        Stage::Talking if left.in_queue => After::Place,
        // No agent was there before it: the flow goes on where it brought the party in.
        Stage::Talking if call.flow.is_some() && !left.had_agent => After::Flow,
        Stage::Talking => After::End,
        Stage::Admitted | Stage::Reaching | Stage::Flow | Stage::Waiting | Stage::Ended { .. } => After::GoesOn,
    }
}

/// Who is there without the leg that leaves.
struct Left {
    /// Whom the call is for.
    customer: bool,
    /// How many there are who do not only watch, or are coming.
    voices: usize,
    /// An agent is with the customer.
    agent: bool,
    /// An agent's phone rings, or is answered and not in yet.
    rung_agent: bool,
    /// Another party is with the customer.
    party: bool,
    /// Another party is being reached.
    party_rings: bool,
    /// The place stands in its queue.
    in_queue: bool,
    /// An agent has talked with the customer.
    had_agent: bool,
}

impl Left {
    fn of(call: &Call, place: Option<&Place>, leaving: LegKey) -> Self {
        let others = || call.live_legs().filter(|leg| leg.key != leaving);
        let with_customer = |leg: &Leg| leg.is_up() && leg.room == Some(crate::WITH_CUSTOMER);
        let is_agent = |leg: &Leg| leg.agent().is_some();
        let voices = others().filter(|leg| !matches!(leg.role, LegRole::Supervisor { .. }));
        Self {
            customer: others().any(Leg::is_customer),
            voices: voices.count(),
            agent: others().any(|leg| is_agent(leg) && with_customer(leg)),
            rung_agent: others().any(|leg| is_agent(leg) && !leg.is_up()),
            party: others().any(|leg| leg.role == LegRole::Party && with_customer(leg)),
            party_rings: others().any(|leg| leg.role == LegRole::Party && !leg.is_up()),
            in_queue: place.is_some_and(Place::is_in_queue),
            had_agent: call.segments.iter().any(|piece| piece.kind == SegmentKind::Talk && piece.agent.is_some()),
        }
    }
}
