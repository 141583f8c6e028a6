//! Nothing is left out: not of the hash by which replicas compare, not of a snapshot.

use strowger_model::config::NextIds;
use strowger_model::{Cause, DialResult, Incarnation, NodeId, Role, Wall};
use strowger_table::layout::FIRST;
use strowger_table::{
    At, BarList, Body, Change, Command, Content, Control, ControlCommand, DialTo, Grant, Outcome, Presence, Proposal,
    Refusal, Scope, Shard, TenantRef, Then, ToldBy, Value,
};

use crate::bench::{Bench, admit_with, dial, enqueue, failure};
use crate::sample::*;

/// A bench with something of everything.
pub fn full() -> Bench {
    let mut bench = Bench::new();
    bench.say(Command::Bind { agent: CARL, binding: phone(50, bench.now + strowger_table::limit::TALK_MAX) });
    bench.import(SPRING, 0..4);
    bench.dialling(0, ANNA);
    let busy = bench.dialling(1, BERT);
    bench.not_reached(busy, failure(DialResult::Busy, 486, Cause::BUSY));
    bench.talking(CARL);
    bench.waiting(SUPPORT);
    let learnt = bench.flowing();
    let set = vec![Change { name: "language".into(), value: Some(Value::Number(7)) }];
    bench.say(Command::Step { call: learnt, step: 1, attempt: 0, set });
    bench.say(Command::Bar { list: BarList::Callers, scope: Scope::Everyone, numbers: vec![number(77)], lift: false });
    bench.say_as(THREE, Command::Withdraw { key: key(2000) });
    bench.say(Command::Adopt { node: NodeId(9), incarnation: Incarnation(4), heirs: vec![] });
    bench
}

/// Under no number and at the same instant: what changes is what the command says.
fn quietly(bench: &mut Bench, command: Command) -> Outcome {
    bench.enter(Proposal { from: ONE, seq: 0, body: Body::Shard(command) }).outcome
}

#[test]
fn every_kind_of_row_counts_to_the_hash() {
    let bench = full();
    let talking = bench.shard.serving(bench.shard.agent(CARL).unwrap().call().unwrap()).unwrap();
    let agent_leg = bench.agent_leg(bench.shard.agent(talking).unwrap().call().unwrap());
    let flowing = bench.shard.calls().find(|call| bench.shard.data(call.id).is_some()).unwrap().id;
    let waiting = bench.shard.waiting(SUPPORT).next().unwrap().clone();
    let position = bench.call(flowing).flow.unwrap();
    let step = |step, set| Command::Step { call: flowing, step, attempt: position.attempt, set };
    let dialog = dialog(Role::Uac, "changed");
    let changes: Vec<(&str, Command)> = vec![
        ("tenant", Command::configuring(2, &tenant()).pop().unwrap()),
        ("part", Command::configuring(2, &larger()).remove(0)),
        ("call", step(position.step + 1, vec![])),
        ("data", step(position.step, vec![Change { name: "language".into(), value: None }])),
        ("dialog", Command::Redialog { leg: agent_leg, dialog, relay: None, holds: false }),
        ("holds", redialog_holds(&bench, agent_leg)),
        (
            "place and agent",
            Command::Plan(strowger_table::Plan { basis: 0, offers: vec![support_offer(&bench, &waiting)] }),
        ),
        ("agent", Command::Presence { agent: DORA, presence: Presence::NotReady { reason: "tea".into() } }),
        ("campaign", Command::Run { campaign: SUMMER, running: true }),
        (
            "bar",
            Command::Bar { list: BarList::Callers, scope: Scope::Everyone, numbers: vec![number(78)], lift: false },
        ),
        ("withdrawn", Command::Withdraw { key: key(2001) }),
        ("fenced", Command::Adopt { node: NodeId(8), incarnation: Incarnation(4), heirs: vec![] }),
    ];
    for (what, command) in changes {
        let mut bench = full();
        let before = bench.shard.hash();
        let outcome = quietly(&mut bench, command);
        assert_eq!(outcome.refusal(), None, "{what}");
        assert_ne!(bench.shard.hash(), before, "{what}");
    }
}

/// A configuration that is not the one in force.
fn larger() -> strowger_model::config::Tenant {
    let mut larger = tenant();
    larger.queues[0].max_waiting += 1;
    larger
}

fn redialog_holds(bench: &Bench, leg: strowger_model::LegKey) -> Command {
    let dialog = Box::new((**bench.shard.dialog(leg).unwrap()).clone());
    Command::Redialog { leg, dialog, relay: None, holds: true }
}

fn support_offer(bench: &Bench, place: &strowger_table::Place) -> strowger_table::Offer {
    bench.offer_of(place.call.unwrap(), DORA)
}

#[test]
fn leads_answers_and_time_count_to_the_hash() {
    // A batch of which nothing is new changes nothing; one lead more does.
    let mut bench = full();
    let import = |at| Command::Import {
        campaign: SPRING,
        batch: strowger_model::Digest([1; 32]),
        leads: vec![strowger_table::NewLead { number: number(at), zone: LONDON.into(), line: 0 }],
    };
    let before = bench.shard.hash();
    quietly(&mut bench, import(1));
    assert_eq!(bench.shard.hash(), before);
    quietly(&mut bench, import(40));
    assert_ne!(bench.shard.hash(), before);

    // A refusal is remembered under its number.
    let mut bench = full();
    let before = bench.shard.hash();
    assert_eq!(bench.say(Command::Presence { agent: EMIL, presence: Presence::Ready }), Refusal::AgentBusy.into());
    assert_ne!(bench.shard.hash(), before);

    let mut bench = full();
    let before = bench.shard.hash();
    quietly(&mut bench, Command::Tick);
    assert_eq!(bench.shard.hash(), before, "no time has passed");
    bench.pass(1);
    quietly(&mut bench, Command::Tick);
    assert_ne!(bench.shard.hash(), before);
}

#[test]
fn records_count_to_the_hash() {
    let (mut one, mut other) = (full(), full());
    for (bench, by) in [(&mut one, ToldBy::FarEnd), (&mut other, ToldBy::Silence)] {
        let call = bench.shard.agent(CARL).unwrap().call().unwrap();
        let (leg, observed) = (bench.agent_leg(call), bench.now);
        bench.say(Command::Left { leg, cause: Cause::NORMAL, told_by: by, observed });
        // Until the rows are gone and the records are left.
        while bench.shard.next_lease().is_some_and(|lease| lease < bench.now + strowger_table::limit::FLOW_MAX) {
            bench.expire_next();
        }
    }
    let (first, second) = (one.shard.hash(), other.shard.hash());
    assert_ne!(first, second);
}

#[test]
fn a_restored_shard_answers_as_the_one_before() {
    let mut bench = full();
    let call = bench.shard.agent(CARL).unwrap().call().unwrap();
    let bytes = bench.shard.snapshot();
    let hash = bench.shard.hash();
    let shard = Shard::restore(&bytes).unwrap();
    assert_eq!((shard.hash(), shard.snapshot(), shard.check()), (hash, bytes, Ok(())));
    bench.shard = shard;

    // What is beside the rows, asked one by one.
    assert!(bench.shard.dialog(bench.agent_leg(call)).is_some());
    assert_eq!(bench.shard.serving(call), Some(CARL));
    assert_eq!(bench.line(SUPPORT).len(), 1);
    assert!(bench.shard.is_barred(BarList::Callers, ACME, number(77)));
    let learnt = bench.shard.calls().find_map(|call| bench.shard.data(call.id)).unwrap();
    assert_eq!(learnt.get("language"), Some(&Value::Number(7)));
    // A repeat of an old number gets its first answer.
    let (_, first) = bench.log.iter().find(|(_, entry)| entry.seq == 2 && entry.from == ONE).unwrap().clone();
    assert_eq!(bench.enter(first).outcome, Outcome::Done);
    assert_eq!(bench.shard.hash(), hash);
    // A late Admit of an INVITE that was answered 503.
    assert_eq!(bench.say(admit_with(2000, bench.now)), Refusal::WrongStage.into());
    // A process that is over.
    let fenced = bench.say_as(proposer(9, 4), enqueue(call, SALES, Then::End));
    assert_eq!(fenced, Refusal::Fenced.into());
    // The number that is being dialled, and the lead that was busy.
    assert_eq!(bench.dial_refused(dial(SPRING, DialTo::Number { number: number(0) }, BERT)), Refusal::LeadBusy);
    assert_eq!(bench.lead(SPRING, 1).last.unwrap().result, DialResult::Busy);
}

#[test]
fn everything_of_group_0_counts_to_its_hash() {
    let (voter, node, incarnation) = (NodeId(1), NodeId(2), Incarnation(10));
    let configure = |tenants: Vec<strowger_model::config::Tenant>, trunks: Vec<_>| {
        let next_ids = NextIds::default().above(&tenants, &trunks);
        let refer = |tenant: &strowger_model::config::Tenant| TenantRef {
            tenant: tenant.id,
            shard: tenant.shard,
            digest: Content::of(tenant, FIRST).unwrap().digest,
        };
        ControlCommand::Configure { version: 1, tenants: tenants.iter().map(refer).collect(), trunks, next_ids }
    };
    let commands = [
        ControlCommand::Found { voters: vec![voter], shards: 4 },
        ControlCommand::Hello { node, incarnation },
        configure(vec![tenant()], vec![]),
        configure(vec![], vec![trunk()]),
        ControlCommand::Grant(Box::new(Grant { tenant: None, ..grant() })),
        ControlCommand::Begin(Box::new(intent())),
    ];
    let at = |index, time| At { index, time: strowger_model::LogTime(time), wall: Wall(0) };
    let apply = |control: &mut Control, at, command: &ControlCommand, seq| {
        control.apply(at, &Proposal { from: ONE, seq, body: Body::Control(command.clone()) });
        control.hash()
    };
    let mut hashes = vec![Control::default().hash()];
    for command in &commands {
        hashes.push(apply(&mut Control::default(), at(1, 0), command, 0));
    }
    // A node that is silent, one whose answer is remembered, one to which time has passed.
    let mut silent = Control::default();
    let voters = ControlCommand::Found { voters: vec![voter, node, NodeId(3)], shards: 4 };
    apply(&mut silent, at(1, 0), &voters, 0);
    hashes.push(apply(&mut silent, at(2, 0), &commands[1], 0));
    hashes.push(apply(&mut silent, at(3, 0), &ControlCommand::Silent { voter, node, incarnation }, 0));
    hashes.push(apply(&mut Control::default(), at(1, 0), &ControlCommand::Tick, 1));
    hashes.push(apply(&mut Control::default(), at(1, 5), &ControlCommand::Tick, 0));
    let different: std::collections::BTreeSet<_> = hashes.iter().collect();
    assert_eq!(different.len(), hashes.len(), "{hashes:?}");

    // Ids that were given count when what had them is gone.
    let mut once = Control::default();
    apply(&mut once, at(1, 0), &commands[2], 0);
    let gone = ControlCommand::Configure { version: 2, tenants: vec![], trunks: vec![], next_ids: NextIds::default() };
    let mut never = Control::default();
    apply(&mut never, at(1, 0), &configure(vec![], vec![]), 0);
    assert_ne!(apply(&mut once, at(2, 0), &gone, 0), apply(&mut never, at(2, 0), &gone, 0));
    let restored = Control::restore(&once.snapshot()).unwrap();
    assert_eq!(restored.hash(), once.hash());
}

/// A queue that is emptied and remembered changes nothing but that.
#[test]
fn queues_that_close_count_to_the_hash() {
    let mut bench = full();
    let mut config = tenant();
    config.queues.retain(|queue| queue.id != SUPPORT);
    config.agents.retain(|agent| agent.id != DORA);
    let waiting = bench.line(SUPPORT)[0];
    bench.end(waiting, CALLER_LEFT);
    bench.configure(2, config);
    let before = bench.shard.hash();
    assert!(bench.shard.is_closing(SUPPORT));
    quietly(&mut bench, Command::Expire);
    assert!(bench.shard.is_closing(SUPPORT), "it is only known until when");
    assert_ne!(bench.shard.hash(), before);
    let after = bench.shard.hash();
    quietly(&mut bench, Command::Expire);
    assert_eq!(bench.shard.hash(), after);
}
