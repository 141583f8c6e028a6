//! baresip as an agent's telephone: it registers with digest, answers, talks, holds and hangs up in its own way.

mod rig;

use std::time::Duration;

use rig::baresip::{Baresip, is_installed};
use rig::books::{Books, hears_only};
use rig::house::NUMBER;
use rig::{House, Plan, Rig, SOON, holds_within, until};
use serde_json::Value;
use strowger_phones::{CallSpec, CallerReport, EndedBy, Phones};

const AGENT: &str = "1001";
/// What baresip plays and what the caller plays: 525 and 950 Hz.
const AGENT_TONE: u16 = 7;
const CALLER_TONE: u16 = 24;
/// For a test that is over long before, should nobody hang up.
const PATIENCE: Duration = Duration::from_secs(20);

struct Stage {
    rig: Rig,
    phones: Phones,
    agent: Baresip,
}

impl Stage {
    fn open(plan: Plan) -> Stage {
        let rig = Rig::start(plan, &House::new().registers(AGENT, true));
        let phones = Phones::start(rig.phones(11)).expect("phones");
        let agent = Baresip::start(&rig, AGENT, AGENT_TONE);
        Stage { rig, phones, agent }
    }

    /// Places a call; returns once it talks.
    fn call(&self, change: impl FnOnce(&mut CallSpec)) {
        let mut spec = CallSpec::new("+49301", NUMBER, CALLER_TONE);
        change(&mut spec);
        self.phones.place_call(spec);
        until("caller and agent talk", || self.live()["stage"] == "talking");
    }

    /// The one call there is.
    fn live(&self) -> Value {
        self.rig.live_calls().pop().unwrap_or_default()
    }

    fn caller(&self) -> CallerReport {
        let mut books = Books::of(self.phones.finish(PATIENCE));
        assert_eq!(books.callers.len(), 1, "one call, one report");
        books.callers.remove(0)
    }

    /// Both heard each other and nobody else, to the goodbye of `side`, and the cluster is at rest again.
    fn is_well_after(&self, caller: &CallerReport, side: &str) {
        assert!(!caller.stuck && hears_only(&caller.heard, AGENT_TONE), "{caller:#?}");
        let ended = if side == "caller" { EndedBy::Caller } else { EndedBy::Far };
        assert_eq!(caller.ended_by, ended, "{caller:#?}");
        self.rig.until_at_rest();
        // It closes its recording when it gets round to it.
        let mut heard = Vec::new();
        let is_good = holds_within(SOON, || {
            heard = self.agent.heard();
            hears_only(&heard, CALLER_TONE)
        });
        assert!(is_good, "baresip heard {heard:?}; its log: {}", self.agent.log());
        let record = self.rig.record_of(&caller.call_id);
        let said = (&record["outcome"], &record["agent"], &record["by"]);
        assert_eq!(said, (&"answered".into(), &AGENT.into(), &side.into()), "{record:#}");
        until("the agent is free again", || self.rig.agent(AGENT)["state"] == "idle");
    }
}

#[test]
fn baresip_hears_the_caller_and_the_caller_hangs_up() {
    if !is_installed() {
        return;
    }
    let stage = Stage::open(Plan::of(1, 1));
    stage.call(|spec| spec.talk = Duration::from_secs(2));
    let caller = stage.caller();
    stage.is_well_after(&caller, "caller");
    stage.agent.quit();
    until("it has taken its registration back", || stage.rig.agent(AGENT)["state"] == "logged_out");
}

#[test]
fn baresip_holds_resumes_and_hangs_up() {
    if !is_installed() {
        return;
    }
    let mut stage = Stage::open(Plan::of(3, 3));
    stage.call(|spec| spec.hangs_up = false);
    std::thread::sleep(Duration::from_millis(1500));
    for (key, offered, answered) in [("hold", "sendonly", "recvonly"), ("resume", "sendrecv", "sendrecv")] {
        let before = stage.agent.log().len();
        stage.agent.press(key);
        until(&format!("{key} is offered and answered"), || {
            let log = stage.agent.log();
            let of_offer = log[before..].split_once(&format!("a={offered}"));
            of_offer.is_some_and(|(_, rest)| rest.contains(&format!("a={answered}")))
        });
        std::thread::sleep(Duration::from_millis(1000));
    }
    stage.agent.press("hangup");
    let caller = stage.caller();
    stage.is_well_after(&caller, "agent");
}

#[test]
fn a_caller_holds_and_resumes_and_baresip_stays() {
    if !is_installed() {
        return;
    }
    let stage = Stage::open(Plan::of(1, 1));
    stage.call(|spec| {
        spec.talk = Duration::from_secs(4);
        spec.reinvite_hold = Some((Duration::from_millis(1000), Duration::from_millis(1000)));
    });
    let caller = stage.caller();
    stage.is_well_after(&caller, "caller");
    assert!(caller.longest_gap_ms < 600, "silence outside the hold: {caller:#?}");
}

#[test]
fn baresip_goes_on_talking_when_the_calls_node_dies_and_its_goodbye_arrives() {
    if !is_installed() {
        return;
    }
    let mut stage = Stage::open(Plan::of(3, 3));
    stage.call(|spec| spec.hangs_up = false);
    let owner = stage.live()["owner"]["node"].as_u64().expect("an owner");
    stage.rig.kill(owner as u16);
    until("another node has adopted the call", || stage.live()["owner"]["node"].as_u64() != Some(owner));
    std::thread::sleep(Duration::from_millis(1000));
    stage.agent.press("hangup");
    let caller = stage.caller();
    stage.is_well_after(&caller, "agent");
    assert_eq!(caller.rtp.lost, 0, "the relay lives: {caller:#?}");
}
