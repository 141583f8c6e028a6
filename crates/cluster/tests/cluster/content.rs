//! Content that a relay lacks and nobody can bring: it is heard once somebody can.

use std::time::Duration;

use crate::rig::Rig;
use strowger_phones::Report;

/// The caller presses a key once it hears the prompt.
#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_was_missing_is_heard_when_it_is_back() {
    let rig = Rig::start(1, 1).await;
    let phones = rig.phones();
    rig.staff(&phones, 11).await;
    let (kept, away) = (rig.content(), rig.content().with_extension("away"));
    std::fs::rename(&kept, &away).expect("content is there");
    let back = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        std::fs::rename(away, kept).expect("content comes back");
    });
    let reports = rig.one_call(&phones, 4, Duration::from_secs(1)).await;
    back.await.expect("it came back");
    let heard = reports.iter().find_map(|report| match report {
        Report::Caller(caller) => Some(caller.heard.iter().map(|(tone, _)| *tone).collect::<Vec<_>>()),
        _ => None,
    });
    assert_eq!(heard, Some(vec![11]), "{reports:?}");
}
