//! What a leg's end means to its call, read like a table: who is there, who leaves, what comes.

use strowger_model::{AgentId, Far, Instance, LegKey, LegNo, LogTime, RelayId};
use strowger_table::{
    ASIDE, After, Call, Leg, LegRole, LegState, PlaceState, Reach, Released, Screen, Stage, WITH_CUSTOMER, Watch,
    Watched, after,
};

use crate::bench::Bench;
use crate::sample::*;

const LATER: LogTime = LogTime(1 << 40);
const UP: LegState = LegState::Up;
const RINGS: LegState = LegState::Ringing { until: LATER };
const PRESSES: LegState = LegState::Screening { screen: Screen::Key, until: LATER };
const GOES: LegState = LegState::Releasing { until: LATER, why: Released::ByFarEnd };

const CUSTOMER: LegRole = LegRole::Customer;
const PARTY: LegRole = LegRole::Party;
const ON_ANNA: LegRole = LegRole::Supervisor {
    by: BERT,
    on: Watched::Leg(LegKey { call: strowger_model::CallId(0), leg: LegNo(1) }),
    mode: Watch::Listen,
};

fn agent(id: AgentId) -> LegRole {
    LegRole::Agent(id, 0)
}

/// Everybody with the customer, in this order; a role of `ASIDE` is made with `aside`.
fn with(bench: &Bench, stage: Stage, serving: Option<usize>, legs: &[(LegRole, LegState, u8)]) -> Call {
    let id = *bench.shard.calls().map(|call| &call.id).next().unwrap();
    let mut call = bench.call(id);
    let key = |at: usize| LegKey { call: id, leg: LegNo(at as u16) };
    call.stage = stage;
    call.legs = legs
        .iter()
        .enumerate()
        .map(|(at, (role, state, room))| Leg {
            key: key(at),
            role: *role,
            reach: match role {
                LegRole::Agent(agent, _) => {
                    Reach::Binding { agent: *agent, instance: Instance(0), uri: String::new(), far: Far::udp(addr(1)) }
                }
                _ => Reach::Inbound,
            },
            relay: Some(RelayId(1)),
            next_relay: None,
            state: *state,
            unreachable: None,
            room: Some(*room).filter(|_| *state != GOES),
            holds: false,
            muted: false,
            queue: Some(SALES),
            asked: None,
            takeovers: 0,
        })
        .collect();
    call.serving = serving.map(key);
    call
}

#[test]
fn what_comes_after_a_leg_is_one_table() {
    use After::{End, Flow, GoesOn, Place};
    use Stage::{Reaching, Talking, Waiting};
    let (c, a) = (WITH_CUSTOMER, ASIDE);
    let anna = agent(ANNA);
    let bert = agent(BERT);
    let mut bench = Bench::new();
    let waiting = bench.waiting(SALES);
    let queued = bench.place(waiting);
    let served = strowger_table::Place { state: PlaceState::Served, ..queued.clone() };
    // Stage, who serves, the legs, the place, and what comes when each of them leaves.
    type Row<'a> =
        (&'a str, Stage, Option<usize>, Vec<(LegRole, LegState, u8)>, Option<&'a strowger_table::Place>, Vec<After>);
    let rows: Vec<Row<'_>> = vec![
        ("caller alone before the 200", Stage::Admitted, None, vec![(CUSTOMER, RINGS, c)], None, vec![End]),
        ("caller in the flow", Stage::Flow, None, vec![(CUSTOMER, UP, c)], None, vec![End]),
        (
            "voice agent in the flow",
            Stage::Flow,
            None,
            vec![(CUSTOMER, UP, c), (LegRole::Step, UP, c)],
            None,
            vec![End, Flow],
        ),
        ("caller waits", Waiting, None, vec![(CUSTOMER, UP, c)], Some(&queued), vec![End]),
        ("one phone rings", Waiting, None, vec![(CUSTOMER, UP, c), (anna, RINGS, c)], Some(&queued), vec![End, Place]),
        (
            "two phones ring",
            Waiting,
            None,
            vec![(CUSTOMER, UP, c), (anna, RINGS, c), (bert, RINGS, c)],
            Some(&queued),
            vec![End, GoesOn, GoesOn],
        ),
        (
            "an agent is asked for a key",
            Waiting,
            None,
            vec![(CUSTOMER, UP, c), (anna, PRESSES, c)],
            Some(&queued),
            vec![End, Place],
        ),
        ("a conversation", Talking, Some(1), vec![(CUSTOMER, UP, c), (anna, UP, c)], Some(&served), vec![End, End]),
        (
            "a conversation, and one who leaves for the second time",
            Talking,
            Some(1),
            vec![(CUSTOMER, UP, c), (anna, UP, c), (bert, GOES, c)],
            Some(&served),
            vec![End, End, GoesOn],
        ),
        (
            "the agent stays until the next one comes",
            Talking,
            Some(1),
            vec![(CUSTOMER, UP, c), (anna, UP, c), (bert, RINGS, c)],
            Some(&queued),
            vec![End, Place, GoesOn],
        ),
        (
            "consult",
            Talking,
            Some(1),
            vec![(CUSTOMER, UP, c), (anna, UP, a), (bert, UP, a)],
            Some(&served),
            vec![End, End, GoesOn],
        ),
        (
            "conference of three",
            Talking,
            Some(1),
            vec![(CUSTOMER, UP, c), (anna, UP, c), (bert, UP, c)],
            Some(&served),
            vec![End, GoesOn, GoesOn],
        ),
        (
            "conference with an outsider",
            Talking,
            Some(1),
            vec![(CUSTOMER, UP, c), (anna, UP, c), (PARTY, UP, c)],
            Some(&served),
            vec![GoesOn, GoesOn, GoesOn],
        ),
        (
            "an outsider is being reached beside the agent",
            Talking,
            Some(1),
            vec![(CUSTOMER, UP, c), (anna, UP, c), (PARTY, RINGS, c)],
            Some(&served),
            vec![End, GoesOn, GoesOn],
        ),
        ("two outsiders alone", Talking, None, vec![(CUSTOMER, UP, c), (PARTY, UP, c)], Some(&served), vec![End, Flow]),
        (
            "an outsider is reached from the flow",
            Talking,
            None,
            vec![(CUSTOMER, UP, c), (PARTY, RINGS, c)],
            None,
            vec![End, Flow],
        ),
        (
            "an outsider is reached while the place is kept",
            Talking,
            None,
            vec![(CUSTOMER, UP, c), (PARTY, RINGS, c)],
            Some(&queued),
            vec![End, Place],
        ),
        (
            "a supervisor listens",
            Talking,
            Some(1),
            vec![(CUSTOMER, UP, c), (anna, UP, c), (ON_ANNA, UP, c)],
            Some(&served),
            vec![End, End, GoesOn],
        ),
        (
            "a customer gone from a conference of three",
            Talking,
            Some(0),
            vec![(anna, UP, c), (PARTY, UP, c), (CUSTOMER, GOES, c)],
            Some(&served),
            vec![End, End, GoesOn],
        ),
        ("two agents, and no customer", Talking, Some(1), vec![(anna, UP, c), (bert, UP, c)], None, vec![End, End]),
        (
            "two agents, and one who listens",
            Talking,
            Some(0),
            vec![(anna, UP, c), (bert, UP, c), (ON_ANNA, UP, c)],
            None,
            vec![End, End, GoesOn],
        ),
        (
            "an agent is asked for a key, and another phone rings",
            Waiting,
            None,
            vec![(CUSTOMER, UP, c), (anna, PRESSES, c), (bert, RINGS, c)],
            Some(&queued),
            vec![End, GoesOn, GoesOn],
        ),
        (
            "a phone rings, and an outsider is still there",
            Waiting,
            None,
            vec![(CUSTOMER, UP, c), (anna, RINGS, c), (PARTY, UP, c)],
            Some(&queued),
            vec![End, Place, GoesOn],
        ),
        (
            "an outsider in another room is nobody for the customer",
            Talking,
            Some(1),
            vec![(CUSTOMER, UP, c), (anna, UP, c), (PARTY, UP, a)],
            Some(&served),
            vec![End, End, GoesOn],
        ),
        (
            "one outsider talks, another is being reached",
            Talking,
            None,
            vec![(CUSTOMER, UP, c), (PARTY, UP, c), (PARTY, RINGS, c)],
            Some(&served),
            vec![End, GoesOn, GoesOn],
        ),
        (
            "an outsider is asked for a key beside the agent",
            Talking,
            Some(1),
            vec![(CUSTOMER, UP, c), (anna, UP, c), (PARTY, PRESSES, c)],
            Some(&served),
            vec![End, GoesOn, GoesOn],
        ),
        (
            "an agent and an outsider, the place in line for the next",
            Talking,
            Some(1),
            vec![(CUSTOMER, UP, c), (anna, UP, c), (PARTY, UP, c)],
            Some(&queued),
            vec![GoesOn, GoesOn, GoesOn],
        ),
        (
            "an agent talks alone while the place is in line",
            Talking,
            Some(1),
            vec![(CUSTOMER, UP, c), (anna, UP, c)],
            Some(&queued),
            vec![End, Place],
        ),
        (
            "a step serves beside an agent",
            Talking,
            Some(1),
            vec![(CUSTOMER, UP, c), (anna, UP, c), (LegRole::Step, UP, c)],
            Some(&served),
            vec![End, End, GoesOn],
        ),
        (
            "an agent in the flow",
            Stage::Flow,
            None,
            vec![(CUSTOMER, UP, c), (anna, UP, c), (bert, RINGS, c), (PARTY, UP, c)],
            None,
            vec![GoesOn, Flow, GoesOn, GoesOn],
        ),
        ("somebody who listens alone", Talking, None, vec![(ON_ANNA, UP, c)], None, vec![End]),
        (
            "two phones of an agent who asked for a number",
            Reaching,
            None,
            vec![(anna, RINGS, c), (bert, RINGS, c)],
            None,
            vec![End, End],
        ),
        ("an agent asked for a number", Reaching, None, vec![(anna, RINGS, c)], None, vec![End]),
        ("and is there", Reaching, None, vec![(anna, UP, c), (CUSTOMER, RINGS, c)], None, vec![End, End]),
    ];
    for (situation, stage, serving, legs, place, expected) in rows {
        let call = with(&bench, stage, serving, &legs);
        let comes: Vec<_> = call.legs.iter().map(|leg| after(&call, place, leg.key)).collect();
        assert_eq!(comes, expected, "{situation}");
        let stranger = LegKey { call: call.id, leg: LegNo(99) };
        assert_eq!(after(&call, place, stranger), GoesOn, "{situation}: nobody's leg");
    }
}

/// An agent has talked with the customer: when the outsider who came after goes, the call is over.
#[test]
fn two_outsiders_alone_end_with_either_once_an_agent_has_served() {
    let mut bench = Bench::new();
    bench.talking(ANNA);
    let legs = [(CUSTOMER, UP, WITH_CUSTOMER), (agent(ANNA), GOES, 0), (PARTY, UP, WITH_CUSTOMER)];
    let call = with(&bench, Stage::Talking, None, &legs);
    assert_eq!(after(&call, None, call.legs[2].key), After::End);
    assert_eq!(after(&call, None, call.legs[0].key), After::End);
}
