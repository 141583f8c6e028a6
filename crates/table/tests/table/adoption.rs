//! A node is gone: its calls go on elsewhere.

use std::collections::BTreeSet;

use strowger_model::{DialResult, Incarnation, NodeId, Outcome as CallOutcome};
use strowger_table::{Command, Outcome, Presence, Proposer, Refusal};

use crate::bench::{Bench, answer, failure};
use crate::sample::*;

fn adopt(dead: Proposer, heirs: &[Proposer]) -> Command {
    let heirs = heirs.iter().map(|heir| (heir.node, heir.incarnation)).collect();
    Command::Adopt { node: dead.node, incarnation: dead.incarnation, heirs }
}

fn owners(bench: &Bench) -> Vec<(NodeId, Incarnation)> {
    bench.shard.owners().collect()
}

#[test]
fn the_calls_of_a_dead_node_are_spread_over_the_heirs() {
    let mut bench = Bench::new();
    let calls: Vec<_> = (0..100).map(|_| bench.admitted()).collect();
    assert_eq!(owners(&bench), [(ONE.node, ONE.incarnation)]);
    let before = bench.call(calls[0]).owner.epoch;
    assert_eq!(bench.say_as(TWO, adopt(ONE, &[TWO, THREE])), Outcome::Done);
    assert_eq!(owners(&bench), [(TWO.node, TWO.incarnation), (THREE.node, THREE.incarnation)]);
    let to_two = calls.iter().filter(|call| bench.call(**call).owner.node == TWO.node).count();
    assert!((25..=75).contains(&to_two), "{to_two} of 100");
    assert!(calls.iter().all(|call| bench.call(*call).owner.epoch > before));

    // The heirs go on, the dead one does not.
    let call = calls[0];
    let heir = bench.call(call).owner;
    assert_eq!(bench.say(answer(call)), Refusal::Fenced.into());
    let heir = Proposer { node: heir.node, incarnation: heir.incarnation };
    assert_eq!(bench.say_as(heir, answer(call)), Outcome::Done);
}

#[test]
fn a_fenced_incarnation_is_refused_except_for_facts() {
    let mut bench = Bench::new();
    let (offered, leg) = bench.offered(ANNA);
    let ended = bench.waiting(SALES);
    bench.say_as(TWO, adopt(ONE, &[TWO]));

    let admit = bench.admit_command();
    for command in
        [admit.clone(), Command::Presence { agent: ANNA, presence: Presence::Ready }, Command::Done { duties: vec![] }]
    {
        assert_eq!(bench.refused(command), Refusal::Fenced);
    }
    let connect = bench.connect_command(offered, leg);
    assert_eq!(bench.refused(connect), Refusal::Fenced);
    let missed = bench.missed_command(leg, strowger_model::Cause::BUSY);
    assert_eq!(bench.say(missed), Outcome::Done);
    bench.end(ended, CALLER_LEFT);
    assert_eq!(bench.outcome(ended), CallOutcome::Abandoned);
    assert_eq!(bench.say(Command::Withdraw { key: key(77) }), Outcome::Done);

    // Earlier starts of that node are over as well, a later one is not.
    assert_eq!(bench.say_as(proposer(1, 9), admit.clone()), Refusal::Fenced.into());
    assert!(matches!(bench.say_as(proposer(1, 11), admit), Outcome::Admitted { .. }));
}

#[test]
fn all_earlier_incarnations_are_adopted_and_a_dead_heir_gets_nothing() {
    let mut bench = Bench::new();
    let mut calls = Vec::new();
    for starter in [proposer(4, 1), proposer(4, 2), proposer(4, 3)] {
        let admit = bench.admit_command();
        let Outcome::Admitted { call, .. } = bench.say_as(starter, admit) else { panic!("not admitted") };
        calls.push(call);
    }
    bench.say_as(ONE, adopt(THREE, &[TWO]));
    bench.say_as(ONE, adopt(proposer(4, 2), &[TWO, THREE]));
    let nodes: Vec<_> = calls.iter().map(|call| bench.call(*call).owner.node.0).collect();
    assert_eq!(nodes, [2, 2, 4], "node three is dead, and the third start of node four lives");
}

#[test]
fn without_heirs_the_calls_keep_their_owner_until_there_are_some() {
    let mut bench = Bench::new();
    let call = bench.admitted();
    bench.say_as(TWO, adopt(ONE, &[]));
    assert_eq!(owners(&bench), [(ONE.node, ONE.incarnation)]);
    bench.say_as(TWO, adopt(ONE, &[TWO]));
    assert_eq!(bench.call(call).owner.node, TWO.node);
}

#[test]
fn owners_are_those_of_the_rows_there_are() {
    let mut bench = Bench::new();
    bench.admitted();
    let admit = bench.admit_command();
    bench.say_as(TWO, admit);
    let all: BTreeSet<_> = owners(&bench).into_iter().collect();
    assert_eq!(all, [(ONE.node, ONE.incarnation), (TWO.node, TWO.incarnation)].into());
    while bench.shard.next_lease().is_some() {
        bench.expire_next();
    }
    assert!(owners(&bench).is_empty());
}

/// What is known late of a process's first life gives nothing back to a later one that is over, too.
#[test]
fn an_earlier_life_that_is_adopted_late_opens_no_door_to_a_later_one() {
    let mut bench = Bench::new();
    bench.say_as(ONE, adopt(proposer(4, 3), &[TWO]));
    bench.say_as(ONE, adopt(proposer(4, 1), &[TWO]));
    let admit = bench.admit_command();
    assert_eq!(bench.say_as(proposer(4, 3), admit.clone()), Refusal::Fenced.into());
    assert!(matches!(bench.say_as(proposer(4, 4), admit), Outcome::Admitted { .. }));
}

/// What the called party said stays true, whoever heard it; what a node decided that is over is worth nothing.
#[test]
fn a_called_partys_refusal_counts_from_a_fenced_node_and_its_own_patience_does_not() {
    let mut bench = Bench::new();
    bench.import(SPRING, [0, 1]);
    let calls = [bench.dialling(0, ANNA), bench.dialling(1, BERT)];
    bench.say_as(TWO, adopt(ONE, &[TWO]));
    let not_reached = |bench: &Bench, call, status, hang_up| {
        let failure = failure(DialResult::Busy, status, strowger_model::Cause::BUSY);
        let failure = strowger_table::DialFailure { hang_up, ..failure };
        Command::NotReached { leg: bench.customer(call), failure, observed: bench.now }
    };
    for (status, hang_up) in [(0, true), (0, false), (486, true)] {
        let decided = not_reached(&bench, calls[0], status, hang_up);
        assert_eq!(bench.refused(decided), Refusal::Fenced);
    }
    let said = not_reached(&bench, calls[1], 486, false);
    assert_eq!(bench.say(said), Outcome::Done);
    assert!(!bench.call(calls[0]).is_over() && bench.call(calls[1]).is_over());
}

/// Each owner begins with CSeqs above those of the one before; an agent's row has no such thing to take again.
#[test]
fn a_leg_knows_how_many_owners_it_had() {
    let mut bench = Bench::new();
    let call = bench.talking(ANNA);
    let takeovers = |bench: &Bench| bench.call(call).takeovers(bench.customer(call));
    assert_eq!(takeovers(&bench), 0);
    bench.say_as(TWO, adopt(ONE, &[TWO]));
    assert_eq!(takeovers(&bench), 1);
    let retake = |row| Command::Retake { row };
    assert_eq!(bench.say_as(TWO, retake(strowger_table::RowKey::Call(call))), Outcome::Done);
    assert_eq!(takeovers(&bench), 2);
    let agent = retake(strowger_table::RowKey::Agent(ANNA));
    assert_eq!(bench.say_as(TWO, agent), Refusal::WrongStage.into());
}

/// Builds that differ in it would name different owners of one row. Nodes and rows as a cluster has them.
#[test]
fn the_heir_of_a_row_is_the_same_in_every_build() {
    use strowger_table::{RowKey, heir_of};
    let heirs: Vec<_> = (1..=5).map(|node| (NodeId(node), Incarnation(7))).collect();
    let calls = (0..12).map(|call| RowKey::Call(strowger_model::CallId::new(SHARD, 1000 + call)));
    let agents = (1..=12).map(|agent| RowKey::Agent(strowger_model::AgentId(agent)));
    let queues = (1..=4).map(|queue| RowKey::Queue(strowger_model::QueueId(queue)));
    let of = |row| heir_of(&heirs, row).map_or(0, |heir| heir.0.0);
    let pinned: Vec<u16> = calls.chain(agents).chain(queues).map(of).collect();
    assert_eq!(pinned, PINNED_HEIRS);
    // Lives do not count: who starts again has the same rows.
    let again: Vec<_> = heirs.iter().map(|(node, life)| (*node, Incarnation(life.0 + 1))).collect();
    assert!(
        (1..=12)
            .map(|agent| RowKey::Agent(strowger_model::AgentId(agent)))
            .all(|row| { heir_of(&again, row).map(|heir| heir.0) == heir_of(&heirs, row).map(|heir| heir.0) })
    );
}

const PINNED_HEIRS: [u16; 28] = [3, 5, 2, 2, 3, 3, 3, 2, 5, 4, 4, 3, 3, 5, 5, 1, 3, 1, 5, 5, 4, 4, 5, 5, 4, 3, 4, 3];

#[test]
fn the_last_life_that_is_over_is_known_of_each_node() {
    let mut bench = Bench::new();
    assert_eq!(bench.shard.fenced(NodeId(4)), Incarnation(0));
    bench.say_as(ONE, adopt(proposer(4, 3), &[TWO]));
    bench.say_as(ONE, adopt(proposer(4, 2), &[TWO]));
    assert_eq!((bench.shard.fenced(NodeId(4)), bench.shard.fenced(NodeId(5))), (Incarnation(3), Incarnation(0)));
}

/// Campaigns of one queue go together, and whoever has none keeps none.
#[test]
fn the_campaigns_of_a_dead_node_go_to_one_heir_by_their_queue() {
    let mut bench = Bench::new();
    let row = strowger_table::RowKey::Campaign;
    for campaign in [SPRING, SUMMER] {
        let assign = Command::Assign { row: row(campaign), to: (ONE.node, ONE.incarnation) };
        assert_eq!(bench.say(assign), Outcome::Done);
    }
    let before = bench.ledger(SPRING).owner.expect("assigned").epoch;
    // Another life of that node lives, and keeps what it has.
    bench.say_as(TWO, adopt(proposer(1, 9), &[TWO, THREE]));
    assert!(bench.ledger(SPRING).is_owned_by((ONE.node, ONE.incarnation)));
    bench.say_as(TWO, adopt(ONE, &[TWO, THREE]));
    let heir = strowger_table::heir_of(
        &[TWO, THREE].map(|heir| (heir.node, heir.incarnation)),
        bench.ledger(SPRING).heir_key(),
    )
    .expect("one of two");
    let owners = [SPRING, SUMMER].map(|campaign| bench.ledger(campaign).owner.expect("an heir"));
    assert!(owners.iter().all(|owner| (owner.node, owner.incarnation) == heir && owner.epoch > before));
    assert_eq!(bench.ledger(BY_HAND).owner, None);
    // Without heirs nobody paces them.
    let heir = Proposer { node: heir.0, incarnation: heir.1 };
    bench.say(Command::Tick);
    bench.say_as(if heir.node == TWO.node { THREE } else { TWO }, adopt(heir, &[]));
    assert_eq!([SPRING, SUMMER].map(|campaign| bench.ledger(campaign).owner), [None, None]);
}

#[test]
fn a_campaign_is_taken_again_by_its_owner_alone() {
    let mut bench = Bench::new();
    let row = strowger_table::RowKey::Campaign(SPRING);
    let retake = || Command::Retake { row };
    assert_eq!(bench.refused(retake()), Refusal::NotOwner, "it has none");
    assert_eq!(bench.say(Command::Assign { row, to: (TWO.node, TWO.incarnation) }), Outcome::Done);
    let epoch = bench.ledger(SPRING).owner.expect("assigned").epoch;
    for other in [ONE, proposer(2, 11)] {
        assert_eq!(bench.say_as(other, retake()), Refusal::NotOwner.into());
    }
    assert_eq!(bench.say_as(TWO, retake()), Outcome::Done);
    let owner = bench.ledger(SPRING).owner.expect("as before");
    assert!(owner.epoch > epoch && bench.ledger(SPRING).is_owned_by((TWO.node, TWO.incarnation)));
    let unknown = strowger_table::RowKey::Campaign(strowger_model::CampaignId(99));
    assert_eq!(bench.refused(Command::Retake { row: unknown }), Refusal::NoSuchCampaign);
}

/// Places, parts and queues have no owner; calls keep theirs as long as it lives.
#[test]
fn only_agents_and_campaigns_are_assigned_and_only_calls_and_campaigns_taken_again() {
    use strowger_table::RowKey;
    let mut bench = Bench::new();
    let call = bench.waiting(SALES);
    let place = bench.place(call).id;
    let to = (TWO.node, TWO.incarnation);
    for row in [RowKey::Call(call), RowKey::Place(place), RowKey::Parts(ACME), RowKey::Queue(SALES)] {
        assert_eq!(bench.refused_without_trace(Command::Assign { row, to }), Refusal::WrongStage);
    }
    for row in [RowKey::Agent(ANNA), RowKey::Place(place), RowKey::Parts(ACME), RowKey::Queue(SALES)] {
        assert_eq!(bench.refused_without_trace(Command::Retake { row }), Refusal::WrongStage);
    }
    let nobody = RowKey::Agent(strowger_model::AgentId(99));
    assert_eq!(bench.refused_without_trace(Command::Assign { row: nobody, to }), Refusal::NoSuchAgent);
}
