//! An actor that breaks: another goes on from the row, and a call that breaks every one of them ends.

use std::time::Duration;

use strowger_cluster::TestBreak;
use strowger_phones::{EndedBy, Report};

use crate::rig::Rig;

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
