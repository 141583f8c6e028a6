//! A real call leaves its history on every voter, with why it was offered to whom; and its figures on the board.

use std::time::Duration;

use crate::rig::Rig;
use strowger_cluster::Context;
use strowger_dialer::Zone;
use strowger_figures::{Step, What};
use strowger_model::{CallId, HangupBy};
use strowger_phones::Report;

#[tokio::test(flavor = "multi_thread")]
async fn every_voter_can_tell_what_became_of_a_call_and_why() {
    let rig = Rig::start(3, 1).await;
    let phones = rig.phones();
    rig.staff(&phones, 11).await;
    let reports = rig.one_call(&phones, 4, Duration::from_secs(1)).await;
    let sip_call_id = reports.iter().find_map(|report| match report {
        Report::Caller(caller) => Some(caller.call_id.clone()),
        _ => None,
    });
    let record = rig.record(&sip_call_id.expect("the caller's report")).await;
    assert_eq!(record.outcome, "answered");
    let call: CallId = record.call.parse().expect("a call's id");
    let contexts: Vec<&Context> = rig.nodes.iter().map(|node| &*node.context).collect();
    rig.until("all nodes have the whole history", || contexts.iter().all(|context| is_whole(context, call))).await;
    for context in &contexts {
        check_history(context, &context.history(call).expect("a history"));
    }
    rig.until("the board counts it", || rig.context().board(&Zone::UTC).today.inbound["answered"] == 1).await;
    let board = rig.context().board(&Zone::UTC);
    let queue = &board.queues[0];
    assert_eq!((queue.recent.answered, queue.recent.in_time, queue.service_level), (1, 1, Some(1.0)), "{board:?}");
    assert_eq!((board.recent, board.service_level), (queue.recent, queue.service_level));
}

fn is_whole(context: &Context, call: CallId) -> bool {
    let history = context.history(call).unwrap_or_default();
    let has_reasons = |step: &Step| match &step.what {
        What::Offered { plan, .. } => plan.candidates.get().is_some(),
        _ => true,
    };
    history.iter().any(|step| matches!(step.what, What::Ended { .. })) && history.iter().all(has_reasons)
}

fn check_history(context: &Context, history: &[Step]) {
    assert!(history.is_sorted_by_key(|step| (step.index, step.time)), "{history:?}");
    let names = history.iter().map(|step| match &step.what {
        What::Admitted { .. } => "admitted",
        What::Answered { .. } => "answered",
        What::Flow { .. } => "flow",
        What::Enqueued { .. } => "enqueued",
        What::Offered { .. } => "offered",
        What::Missed { .. } => "missed",
        What::Connected => "connected",
        What::Adopted { .. } => "adopted",
        What::Expired => "expired",
        What::Ended { .. } => "ended",
        What::Dialled(_) | What::AgentThere | What::Reached { .. } | What::NotReached(_) => "of an outbound call",
    });
    let names: Vec<&str> = names.filter(|name| *name != "flow").collect();
    assert_eq!(names, ["admitted", "answered", "enqueued", "offered", "connected", "ended"], "{history:?}");
    for step in history {
        match &step.what {
            What::Ended { ended, .. } => assert_eq!(ended.by, HangupBy::Caller),
            What::Offered { agent, plan } => {
                let candidates = plan.candidates.get().expect("its reasons");
                assert!(candidates.index <= plan.basis && plan.basis < step.index, "{plan:?}");
                // The state may be an older one than the basis, in which the call was not queued yet; the agent was idle.
                let field = &candidates.fields[0];
                assert_eq!(field.candidates[0].agent, *agent, "{candidates:?}");
                assert_eq!((field.idle, field.excluded.as_slice()), (1, &[("logged_out", 3)][..]), "{candidates:?}");
                let directory = context.directory();
                assert_eq!(directory.agent(*agent).map(|(_, agent)| agent.name.as_str()), Some("1000"));
            }
            _ => {}
        }
    }
}
