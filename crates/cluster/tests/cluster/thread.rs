//! The thin thread: three nodes, one shard, one relay in this process; a caller and an agent that really speak SIP
//! and RTP from the crate `phones`. UDP INVITE → prompt → digit → queue → longest idle → agent → audio both ways →
//! record.

use std::time::Duration;

use crate::rig::Rig;
use strowger_phones::{EndedBy, Report};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_through() {
    let rig = Rig::start(3, 1).await;
    let phones = rig.phones();
    rig.staff(&phones, 11).await;
    let reports = rig.one_call(&phones, 4, Duration::from_secs(3)).await;
    let caller = reports.iter().find_map(|report| match report {
        Report::Caller(caller) => Some(caller),
        _ => None,
    });
    let caller = caller.expect("the caller's report");
    assert_eq!(caller.final_status, 200, "{caller:?}");
    assert_eq!(caller.ended_by, EndedBy::Caller, "{caller:?}");
    assert_eq!(caller.heard.iter().map(|(tone, _)| *tone).collect::<Vec<_>>(), [11], "{caller:?}");
    let agent = reports.iter().find_map(|report| match report {
        Report::Agent(agent) => Some(agent),
        _ => None,
    });
    let agent = agent.expect("the agent's report");
    assert_eq!(agent.heard.iter().map(|(tone, _)| *tone).collect::<Vec<_>>(), [4], "{agent:?}");
    let record = rig.record(&caller.call_id).await;
    assert_eq!(record.outcome, "answered");
    assert_eq!(record.agent.as_deref(), Some("1000"));
    assert_eq!(record.agent_sip_call_id.as_deref(), Some(agent.call_id.as_str()));
    assert!(record.talk_ms.is_some_and(|talk| (2500..6000).contains(&talk)), "{record:?}");
}
