//! An actor that breaks, is lost or is left over: another goes on from the row, a call that breaks every one of them
//! ends, and the sweep finds who is missing and who is too many.

use std::time::Duration;

use strowger_cluster::{Actors, TestBreak};
use strowger_phones::{EndedBy, Report};
use strowger_table::{Command, Presence};

use crate::rig::{RELAYS, Rig};

fn caller_and_agent(reports: &[Report]) -> (&strowger_phones::CallerReport, &strowger_phones::AgentReport) {
    let caller = reports.iter().find_map(|report| match report {
        Report::Caller(caller) => Some(caller),
        _ => None,
    });
    let agent = reports.iter().find_map(|report| match report {
        Report::Agent(agent) => Some(agent),
        _ => None,
    });
    (caller.expect("the caller's report"), agent.expect("the agent's report"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_actor_breaks_goes_on() {
    let rig = Rig::with_fault(1, 1, Some(TestBreak::Panic)).await;
    let phones = rig.phones();
    rig.staff(&phones, 11).await;
    let reports = rig.one_call(&phones, 4, Duration::from_secs(3)).await;
    let (caller, agent) = caller_and_agent(&reports);
    assert_eq!((caller.ended_by, caller.stuck), (EndedBy::Caller, false), "{caller:?}");
    assert_eq!(caller.heard.iter().map(|(tone, _)| *tone).collect::<Vec<_>>(), [11], "{caller:?}");
    assert_eq!((agent.ended_by, agent.stuck), (EndedBy::Far, false), "{agent:?}");
    assert_eq!(rig.record(&caller.call_id).await.outcome, "answered");
    rig.until("the agent is idle again", || rig.agents_in("idle") == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_breaks_every_actor_ends() {
    let rig = Rig::with_fault(1, 1, Some(TestBreak::PanicAgain)).await;
    let phones = rig.phones();
    rig.staff(&phones, 11).await;
    let reports = rig.one_call(&phones, 4, Duration::from_secs(20)).await;
    let (caller, agent) = caller_and_agent(&reports);
    assert_eq!((caller.ended_by, caller.stuck), (EndedBy::Far, false), "{caller:?}");
    assert_eq!((agent.ended_by, agent.stuck), (EndedBy::Far, false), "{agent:?}");
    let record = rig.record(&caller.call_id).await;
    assert_eq!((record.outcome.as_str(), record.by.as_str()), ("answered", "system"), "{record:?}");
    rig.until("the agent is idle again", || rig.agents_in("idle") == 1).await;
}

fn tones(heard: &[(u16, Duration)]) -> Vec<u16> {
    heard.iter().map(|(tone, _)| *tone).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_whose_agents_actor_breaks_is_answered_by_the_next() {
    let rig = Rig::with_fault(3, 1, Some(TestBreak::PanicAgent)).await;
    let phones = rig.phones();
    rig.staff(&phones, 11).await;
    rig.until("the phone is answered", || phones.registered() == 1).await;
    rig.until("one node has the agent", || {
        rig.nodes.iter().map(|node| node.context.actors().agents).sum::<usize>() == 1
    })
    .await;
    let reports = rig.one_call(&phones, 4, Duration::from_secs(1)).await;
    let (caller, _) = caller_and_agent(&reports);
    assert_eq!(tones(&caller.heard), [11], "{caller:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_outlive_the_courier_that_breaks_over_them() {
    let rig = Rig::with_fault(1, 1, Some(TestBreak::PanicRelay)).await;
    let phones = rig.phones();
    rig.staff(&phones, 11).await;
    let reports = rig.one_call(&phones, 4, Duration::from_secs(2)).await;
    let (caller, agent) = caller_and_agent(&reports);
    assert_eq!((tones(&caller.heard), tones(&agent.heard)), (vec![11], vec![4]), "{caller:?} {agent:?}");
    assert_eq!(rig.record(&caller.call_id).await.outcome, "answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_finds_rows_without_an_actor() {
    let rig = Rig::with_fault(1, 1, Some(TestBreak::LoseActor)).await;
    let phones = rig.phones();
    rig.staff(&phones, 11).await;
    let watch = async {
        rig.until("the call's actor is lost", || rig.only_call().is_some_and(|row| row.is_served())).await;
        rig.until("the call has another under a new epoch", || {
            rig.context().actors().calls == 1 && rig.only_call().is_some_and(|row| row.was_adopted())
        })
        .await;
        rig.until("the agent has another", || rig.context().actors().agents == 1).await;
    };
    let (reports, ()) = tokio::join!(rig.one_call(&phones, 4, Duration::from_secs(12)), watch);
    let (caller, agent) = caller_and_agent(&reports);
    assert_eq!((caller.ended_by, caller.stuck), (EndedBy::Caller, false), "{caller:?}");
    assert_eq!((agent.ended_by, agent.stuck), (EndedBy::Far, false), "{agent:?}");
    assert_eq!(rig.record(&caller.call_id).await.outcome, "answered");
    rig.until("the agent is idle again", || rig.agents_in("idle") == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_finds_an_agents_actor_that_is_left_over() {
    let rig = Rig::with_fault(1, 1, Some(TestBreak::LeaveAgent)).await;
    let phones = rig.phones();
    rig.staff(&phones, 11).await;
    let context = rig.context();
    let here = |agents| context.actors() == Actors { calls: 0, agents, relays: RELAYS.len(), pacers: 1 };
    rig.until("the agent has an actor", || here(1)).await;
    let agent = context.directory().tenants().next().expect("a tenant").agents[0].id;
    let out = Command::Presence { agent, presence: Presence::Out };
    context.agent_command(agent, out).await.expect("the agent goes");
    assert!(here(1), "who is left over is found by nobody else");
    rig.until("nobody is left but the couriers", || here(0)).await;
}
