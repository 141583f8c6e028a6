//! A relay ends while two talk over it and nothing is to be said to it: begun anew it gets the call back, and one that
//! stays away loses it to another.

use std::time::Duration;

use strowger_model::RelayId;
use strowger_phones::{EndedBy, Report};

use crate::rig::Rig;

const CALLER: u16 = 4;
const AGENT: u16 = 11;
/// Long enough for a relay to be missed, and for some seconds more.
const TALK: Duration = Duration::from_secs(16);
/// What either hears at least: more than before the relay ended.
const HEARD: Duration = Duration::from_secs(4);

/// The relays of the only call's legs that are up.
fn relays(rig: &Rig) -> Vec<RelayId> {
    rig.only_call()
        .iter()
        .flat_map(|row| row.live_legs())
        .filter(|leg| leg.is_up())
        .filter_map(|leg| leg.relay)
        .collect()
}

/// A call in whose midst its relay ends, as the far ends saw it.
async fn call_over_an_ending_relay(rig: &Rig, comes_back: bool) {
    let phones = rig.phones();
    rig.staff(&phones, AGENT).await;
    let fault = async {
        rig.until("the two talk", || rig.only_call().is_some_and(|row| row.is_served())).await;
        let relay = relays(rig)[0];
        assert_eq!(relays(rig), [relay; 2], "one relay for both");
        tokio::time::sleep(Duration::from_secs(1)).await;
        rig.end_relay(relay).await;
        if comes_back {
            rig.begin_relay(relay).await;
        }
        let is_moved = || relays(rig).len() == 2 && relays(rig).iter().all(|at| (*at == relay) == comes_back);
        let agreed = || rig.only_call().is_some_and(|row| row.live_legs().all(|leg| leg.next_relay.is_none()));
        rig.until("both have agreed to where they are", || is_moved() && agreed()).await;
    };
    let (reports, ()) = tokio::join!(rig.one_call(&phones, CALLER, TALK), fault);
    let longest = |heard: &[(u16, Duration)], tone| {
        heard.iter().filter(|(of, _)| *of == tone).map(|(_, long)| *long).max().unwrap_or_default()
    };
    for report in &reports {
        let heard = match report {
            Report::Caller(caller) => {
                assert_eq!((caller.ended_by, caller.stuck), (EndedBy::Caller, false), "{caller:?}");
                longest(&caller.heard, AGENT)
            }
            Report::Agent(agent) => longest(&agent.heard, CALLER),
            Report::Called(_) => continue,
        };
        assert!(heard >= HEARD, "{report:?}");
    }
    assert_eq!(reports.len(), 2);
    rig.until("the agent is idle again", || rig.agents_in("idle") == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_call_is_heard_again_when_its_relay_begins_anew() {
    let rig = Rig::start(1, 1).await;
    call_over_an_ending_relay(&rig, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_call_goes_to_another_relay_when_its_own_is_gone() {
    let rig = Rig::start(1, 1).await;
    call_over_an_ending_relay(&rig, false).await;
}
