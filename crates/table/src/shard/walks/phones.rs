//! Agents' phones: several at once, an outside number, one that comes back elsewhere, several calls of one agent.

use strowger_model::{Far, Line};

use super::*;
use crate::{Binding, Medium, Offered, PlaceState, Slot, SlotState, limit};

fn waiting() -> Walk {
    let mut bench = Bench::new();
    let until = bench.now + limit::TALK_MAX;
    bench.say(Command::Bind { agent: CARL, binding: phone(50, until) });
    let call = bench.waiting(SALES);
    Walk::of(bench, call)
}

#[test]
fn several_phones_ring_and_two_are_answered() {
    walk(
        waiting,
        &[
            ("three phones ring", |walk| {
                walk.offered(&[("anna", ANNA), ("bert", BERT), ("carl", CARL)]);
                assert_eq!(walk.call().ringing().count(), 3);
            }),
            ("one phone is busy", |walk| {
                let busy = walk.bench.missed_command(walk.leg("carl"), Cause::BUSY);
                walk.done(busy);
                assert_eq!(walk.bench.place(walk.calls["call"]).state, PlaceState::Offered);
            }),
            ("the first answer is in the log", |walk| {
                walk.answers("bert");
                assert_eq!((walk.stage(), walk.serving()), (Stage::Talking, Some(BERT)));
            }),
            ("the second answer comes too late", |walk| {
                let second = walk.answered("anna");
                assert_eq!(walk.refused(second), Refusal::WrongStage);
                assert_eq!(walk.bench.hang_ups(walk.calls["call"]), [walk.leg("anna")]);
            }),
            ("the phone that came too late has hung up", |walk| {
                walk.all_told();
                assert_eq!(walk.bench.state(ANNA), crate::bench::Doing::Idle);
            }),
            ("the customer hangs up", |walk| {
                walk.leaves("customer");
                assert_eq!(walk.outcome(), Some(CallOutcome::Answered));
            }),
        ],
    );
}

/// The phone that was offered is a number outside: as the entry of an offer over a trunk will make it.
fn outside() -> Walk {
    let mut walk = waiting();
    walk.offered(&[("anna", ANNA)]);
    let anna = walk.leg("anna");
    walk.lay_call("call", |call| call.leg_mut(anna).expect("it rings").reach = over_trunk());
    walk
}

#[test]
fn an_agent_at_an_outside_number_presses_a_key() {
    walk(
        outside,
        &[
            ("somebody answers", |walk| {
                walk.answers("anna");
                assert!(walk.call().leg(walk.leg("anna")).unwrap().is_screening());
                assert_eq!((walk.stage(), walk.serving()), (Stage::Waiting, None));
            }),
            ("the key is pressed", |walk| {
                walk.done(Command::Accept { leg: walk.leg("anna"), observed: walk.bench.now });
                assert_eq!((walk.stage(), walk.serving()), (Stage::Talking, Some(ANNA)));
            }),
            ("the agent hangs up", |walk| {
                walk.leaves("anna");
                assert_eq!(walk.outcome(), Some(CallOutcome::Answered));
            }),
        ],
    );
}

#[test]
fn somebody_at_an_outside_number_presses_no_key() {
    walk(
        outside,
        &[
            ("somebody answers", |walk| walk.answers("anna")),
            ("no key is pressed in time", |walk| {
                walk.bench.pass(10_000);
                walk.done(Command::Expire);
                assert_eq!(walk.bench.line(SALES), [walk.calls["call"]], "back in line");
                assert_eq!(walk.bench.hang_ups(walk.calls["call"]), [walk.leg("anna")]);
            }),
            ("the mailbox is told to go", |walk| walk.all_told()),
            ("another agent is asked", |walk| walk.offered(&[("bert", BERT)])),
            ("and answers", |walk| {
                walk.answers("bert");
                assert_eq!(walk.serving(), Some(BERT));
            }),
        ],
    );
}

fn connected(node: Proposer, host: u8) -> Box<Binding> {
    let line = Some(Line { node: node.node, number: 7 });
    let expires = strowger_model::LogTime(1 << 50);
    Box::new(Binding { flow: Far { line, ..Far::tcp(addr(host)) }, ..*phone(50, expires) })
}

#[test]
fn a_phone_loses_its_connection_in_a_call_and_comes_back_elsewhere() {
    fn begin() -> Walk {
        let mut bench = Bench::new();
        bench.say(Command::Bind { agent: CARL, binding: connected(ONE, 50) });
        let call = bench.waiting(SALES);
        let mut walk = Walk::of(bench, call);
        walk.offered(&[("carl", CARL)]);
        walk
    }
    walk(
        begin,
        &[
            ("the phone is answered", |walk| walk.answers("carl")),
            ("it comes back over another node", |walk| {
                let bound = walk.bench.say_as(LEADER, Command::Bind { agent: CARL, binding: connected(LEADER, 51) });
                assert_eq!(bound, Outcome::Done);
                let agent = walk.bench.agent(CARL);
                assert_eq!(agent.owner, Some((LEADER.node, LEADER.incarnation)));
                assert!(agent.bindings.iter().all(|binding| binding.lost.is_none()) && agent.bindings.len() == 1);
                assert_eq!(walk.serving(), Some(CARL), "the call is as it was");
            }),
            ("its call is moved to the new connection", |walk| {
                let redialog = Command::Redialog {
                    leg: walk.leg("carl"),
                    dialog: dialog(Role::Uac, "carl again"),
                    relay: None,
                    holds: false,
                };
                walk.done(redialog);
            }),
            ("the agent hangs up", |walk| {
                walk.leaves("carl");
                assert_eq!(walk.outcome(), Some(CallOutcome::Answered));
            }),
        ],
    );
}

/// Anna has two slots for calls and three for chats, as a configuration to come will give them.
#[test]
fn an_agent_has_two_calls_and_three_chats() {
    fn begin() -> Walk {
        let mut bench = Bench::new();
        let call = bench.waiting(SALES);
        let second = bench.waiting(SALES);
        let mut walk = Walk::of(bench, call);
        walk.calls.insert("second", second);
        let mut anna = walk.bench.agent(ANNA);
        let slot = |no, medium| Slot { no, medium, ..anna.slots[0].clone() };
        let more = [slot(1, Medium::Voice), slot(2, Medium::Chat), slot(3, Medium::Chat), slot(4, Medium::Chat)];
        anna.slots.extend(more);
        walk.lay(|shard, _| shard.put_agent(anna));
        walk
    }
    fn slot(walk: &Walk, no: u8) -> SlotState {
        walk.bench.agent(ANNA).slot(no).unwrap().state
    }
    walk(
        begin,
        &[
            ("the first call", |walk| walk.offered(&[("anna", ANNA)])),
            ("is answered", |walk| {
                walk.answers("anna");
                assert!(walk.bench.idle(SALES).contains(&ANNA), "there is a second slot");
            }),
            ("the second call", |walk| {
                let second = walk.calls["second"];
                let offer = Offer { slot: 1, ..walk.bench.offer_of(second, ANNA) };
                let plan = crate::Plan { basis: 0, offers: vec![Offer { slot: 0, ..offer }, offer] };
                assert_eq!(walk.say(Command::Plan(plan)), Outcome::Planned { granted: 0b10 }, "the first is taken");
                let leg = walk.bench.ringing(second);
                walk.legs.insert("again", leg);
                assert!(matches!(slot(walk, 1), SlotState::Offered(Offered::Leg { call, .. }) if call == second));
                assert!(!walk.bench.idle(SALES).contains(&ANNA));
            }),
            ("is answered as well", |walk| {
                walk.answers("again");
                assert_eq!(slot(walk, 0), SlotState::Busy { call: walk.calls["call"], aside: None });
                assert_eq!(slot(walk, 1), SlotState::Busy { call: walk.calls["second"], aside: None });
            }),
            ("the first customer hangs up", |walk| {
                walk.leaves("customer");
                assert!(matches!(slot(walk, 0), SlotState::Wrap { .. }));
                assert_eq!(slot(walk, 1).call(), Some(walk.calls["second"]));
            }),
            ("the agent hangs up the second", |walk| {
                walk.leaves("again");
                assert!(matches!(slot(walk, 1), SlotState::Wrap { .. }));
                assert_eq!(slot(walk, 2), SlotState::Free);
            }),
            ("the work after the first is over", |walk| {
                let (agent, call) = (ANNA, walk.calls["call"]);
                walk.done(Command::Dispose { agent, call, code: "sold".to_owned() });
                assert!(matches!(slot(walk, 1), SlotState::Wrap { call, .. } if call == walk.calls["second"]));
            }),
        ],
    );
}

/// Not a voice: a case is shown to an agent who looks elsewhere, and to one who takes it.
#[test]
fn an_item_is_offered_taken_and_given_back_by_time() {
    use crate::{PlaceOf, Rank};
    fn begin() -> Walk {
        let mut walk = waiting();
        let (queue, now) = (SALES, walk.bench.now);
        let waits = walk.bench.place(walk.calls["call"]);
        let id = strowger_model::PlaceId::new(SHARD, walk.bench.shard.last().index + 1000);
        let until = now + std::time::Duration::from_secs(15);
        let item = crate::Place {
            id,
            queue,
            of: PlaceOf::Item,
            state: PlaceState::Offered,
            rank: Rank::since(now, id),
            call: None,
            until: now + limit::TALK_MAX,
            ..waits
        };
        let mut anna = walk.bench.agent(ANNA);
        anna.slots.push(Slot {
            no: 1,
            medium: Medium::Item,
            state: SlotState::Offered(Offered::Item { place: id, until }),
            ..anna.slots[0].clone()
        });
        walk.lay(|shard, _| {
            shard.put_place(item);
            shard.put_agent(anna);
        });
        walk
    }
    fn item(walk: &Walk) -> crate::Place {
        let places: Vec<_> = walk.bench.shard.places().filter(|place| place.of == PlaceOf::Item).collect();
        (**places[0]).clone()
    }
    walk(
        begin,
        &[
            ("nobody looks at it in time", |walk| {
                walk.bench.pass(15_000);
                walk.done(Command::Expire);
                assert_eq!(walk.bench.agent(ANNA).slot(1).unwrap().state, SlotState::Free);
                assert_eq!(item(walk).state, PlaceState::Waiting, "it waits for the next one");
            }),
            ("an agent has it, and never says that it is done", |walk| {
                let taken = item(walk);
                let until = walk.bench.now + std::time::Duration::from_secs(60);
                let state = PlaceState::Taken { agent: ANNA, slot: 1, until };
                walk.lay(|shard, _| shard.put_place(crate::Place { state, ..taken }));
                walk.bench.pass(60_000);
                walk.done(Command::Expire);
                assert_eq!(item(walk).state, PlaceState::Waiting);
            }),
        ],
    );
}
