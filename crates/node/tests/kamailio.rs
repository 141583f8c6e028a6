//! Kamailio as the carrier's SBC before the nodes: it spreads calls, asks nodes whether they live, stays on the path of
//! its calls, and tries another node where one does not answer. Callers beyond it and agents behind hear each other.

mod rig;

use std::collections::BTreeSet;
use std::time::Duration;

use rig::books::{Books, register};
use rig::house::NUMBER;
use rig::kamailio::{Kamailio, is_installed};
use rig::{House, Plan, Rig, SOON, until_within};
use strowger_phones::{CallSpec, CallerReport, EndedBy, Phones};

/// Calls placed before a node dies, and at once after; as many agents.
const BEFORE: usize = 6;
const AFTER: usize = 6;
/// Counted from the answer. Long enough for a death to be noticed and its calls to be adopted meanwhile.
const AGENT_TALKS: Duration = Duration::from_secs(14);
const CALLER_TALKS: Duration = Duration::from_secs(18);
/// A probe a second that waits one second for its answer; then a machine that may stand still.
const NOTICED: Duration = Duration::from_secs(6);

/// Every other agent hangs up; the others leave it to the caller.
fn hangs_up(agent: usize) -> bool {
    agent.is_multiple_of(2)
}

fn call(at: usize) -> CallSpec {
    let mut spec = CallSpec::new(&format!("+4930{at}"), NUMBER, 2 * at as u16);
    spec.talk = CALLER_TALKS;
    spec
}

struct Stage {
    rig: Rig,
    sbc: Kamailio,
    callers: Phones,
}

impl Stage {
    fn open(house: &House) -> Stage {
        let rig = Rig::start(Plan::of(3, 3), house);
        let sbc = Kamailio::start(&rig, 1..=3);
        let callers = Phones::start(rig.phones_beyond(sbc.address, 3)).expect("phones");
        let stage = Stage { rig, sbc, callers };
        stage.until_active("all nodes answer probes", &[1, 2, 3]);
        stage
    }

    fn until_active(&self, what: &str, nodes: &[u16]) {
        until_within(SOON, what, || self.sbc.active(&self.rig) == nodes);
    }

    /// Owners of the calls that talk.
    fn owners(&self) -> Vec<u16> {
        let calls = self.rig.live_calls();
        let talks = calls.iter().filter(|call| call["stage"] == "talking");
        talks.filter_map(|call| Some(call["owner"]["node"].as_u64()? as u16)).collect()
    }

    fn until_talking(&self, count: usize) {
        until_within(SOON, &format!("{count} calls talk"), || self.owners().len() == count);
    }

    /// Both ways went by the proxy: ours, whoever hung up, and the ACK of the caller.
    fn is_on_the_path(&self, caller: &CallerReport, by: EndedBy) {
        let notes = |words: &str| self.sbc.notes(&caller.call_id, words);
        assert!(!notes("in dialog: ACK").is_empty(), "no ACK of {} by the proxy", caller.call_id);
        let byes = notes("in dialog: BYE");
        assert!(!byes.is_empty(), "no BYE of {} by the proxy", caller.call_id);
        let ours = format!("from {}", self.rig.shared());
        assert!(byes.iter().all(|bye| bye.ends_with(&ours) == (by == EndedBy::Agent)), "{byes:#?}");
    }
}

#[test]
fn a_node_dies_behind_kamailio_and_no_call_is_lost() {
    if !is_installed() {
        return;
    }
    let names: Vec<String> = (0..BEFORE + AFTER).map(|at| (1000 + at).to_string()).collect();
    let mut stage = Stage::open(&names.iter().fold(House::new(), |house, name| house.registers(name, true)));
    let agents = Phones::start(stage.rig.phones(2)).expect("phones");
    register(&stage.rig, &agents, &names, |at| hangs_up(at).then_some(AGENT_TALKS));
    for at in 0..BEFORE {
        let mut spec = call(at);
        spec.reinvite_hold = (at == 0).then_some((Duration::from_millis(800), Duration::from_millis(800)));
        stage.callers.place_call(spec);
    }
    stage.until_talking(BEFORE);
    let owners: BTreeSet<u16> = stage.owners().into_iter().collect();
    assert_eq!(owners, BTreeSet::from([1, 2, 3]), "Kamailio takes one node after the other");

    let victim = 2;
    stage.rig.kill(victim);
    for at in BEFORE..BEFORE + AFTER {
        stage.callers.place_call(call(at));
    }
    until_within(NOTICED, "Kamailio leaves the dead node out", || stage.sbc.active(&stage.rig) == [1, 3]);
    stage.until_talking(BEFORE + AFTER);
    assert!(!stage.owners().contains(&victim), "{:?}", stage.owners());
    let retried = stage.sbc.notes("", "next node").len();
    assert!(retried > 0, "no call went to the dead node first, so nothing was shown");

    let mut books = Books::of(stage.callers.finish(Duration::from_secs(40)));
    books.enter(agents.finish(Duration::from_secs(5)));
    assert_eq!(books.callers.len(), BEFORE + AFTER, "a call was lost");
    let mut ends = Vec::new();
    for caller in &books.callers {
        let agent = stage.rig.record_of(&caller.call_id)["agent"].as_str().expect("an agent").to_owned();
        let at = names.iter().position(|name| *name == agent).expect("one of ours");
        let by = if hangs_up(at) { EndedBy::Agent } else { EndedBy::Caller };
        books.served(&stage.rig, caller, by);
        stage.is_on_the_path(caller, by);
        ends.push(by);
    }
    assert!(ends.contains(&EndedBy::Agent) && ends.contains(&EndedBy::Caller), "{ends:?}");
    stage.rig.until_at_rest();
    stage.rig.all_records(BEFORE + AFTER);

    stage.rig.restart(victim);
    stage.rig.until_ready(victim);
    stage.until_active("Kamailio takes the node in again", &[1, 2, 3]);
}

#[test]
fn a_node_without_a_majority_answers_no_probe_and_gets_no_call() {
    if !is_installed() {
        return;
    }
    let mut stage = Stage::open(&House::new());
    [2, 3].into_iter().for_each(|number| stage.rig.kill(number));
    stage.until_active("Kamailio leaves all nodes out", &[]);
    let status = stage.rig.try_get(1, "/api/v1/status").expect("node 1 lives");
    assert_eq!(status["active"], false, "{status:#}");
    stage.callers.place_call(call(0));
    stage.rig.restart(2);
    [1, 2].into_iter().for_each(|number| stage.rig.until_ready(number));
    stage.until_active("Kamailio takes in the nodes of the majority", &[1, 2]);
    let mut patient = call(1);
    patient.patience = Duration::from_secs(3);
    stage.callers.place_call(patient);
    let mut callers = Books::of(stage.callers.finish(SOON)).callers;
    callers.sort_by_key(|caller| caller.call_ref);
    // The first was refused by Kamailio, the second waited in the queue.
    assert_eq!(callers.iter().map(|caller| caller.final_status).collect::<Vec<_>>(), [503, 200], "{callers:#?}");
    assert_eq!(stage.rig.record_of(&callers[1].call_id)["outcome"], "abandoned");
}

#[test]
fn a_caller_beyond_kamailio_gives_up_before_the_answer() {
    if !is_installed() {
        return;
    }
    let stage = Stage::open(&House::new());
    // Without a media port there is no 200, so the CANCEL comes in time for certain.
    stage.rig.freeze_relay(true);
    let mut spec = call(0);
    // Sooner than the call is refused for want of media.
    spec.patience = Duration::from_millis(300);
    stage.callers.place_call(spec);
    let callers = Books::of(stage.callers.finish(SOON)).callers;
    stage.rig.freeze_relay(false);
    assert_eq!((callers[0].final_status, callers[0].abandoned), (487, true), "{callers:#?}");
    let record = stage.rig.record_of(&callers[0].call_id);
    assert_eq!((&record["outcome"], &record["by"]), (&"abandoned".into(), &"caller".into()), "{record:#}");
    stage.rig.until_at_rest();
}
