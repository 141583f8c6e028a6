//! A node is told to stop (SIGTERM): what it has answered stands in the log, and it ends soon in whatever it is about.

mod rig;

use std::collections::HashSet;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use rig::sipp::{Sipp, free_port, has_sipp};
use rig::{House, Plan, Rig, holds_within, until_within};

const NODES: u16 = 3;
/// Each a socket of its own: the kernel picks the node by it.
const CALLERS: usize = 12;
const CALLS: u32 = 15;
/// A node that is told to stop gives its leads away, waits for what it has proposed, and ends.
const ENDS: Duration = Duration::from_secs(8);
/// A death is noticed in 1.2 s; then the heirs ask, and far ends say again what was not heard.
const TOLD: Duration = Duration::from_secs(60);

fn terminate(pid: u32) {
    let done = Command::new("kill").args(["-TERM", &pid.to_string()]).status().expect("kill");
    assert!(done.success());
}

/// Stops a node and waits for its end, which is in order.
fn stop(rig: &mut Rig, number: u16) {
    terminate(rig.pid(number));
    ends_in_order(rig, number);
}

fn ends_in_order(rig: &mut Rig, number: u16) -> String {
    let begun = Instant::now();
    let mut end = None;
    let has_ended = || {
        end = rig.ended(number);
        end.is_some()
    };
    assert!(holds_within(ENDS, has_ended), "node {number} runs on after {:?}", begun.elapsed());
    let (status, log) = end.expect("was just there");
    assert!(status.success(), "node {number} ended with {status}: {log}");
    log
}

/// The Call-IDs whose BYE was answered with 200, as SIPp logged what it received.
fn answered(log: &str) -> HashSet<String> {
    let mut answered = HashSet::new();
    for message in log.split("-----------------------------------------------").filter(|text| text.contains("received"))
    {
        let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        if message.contains("SIP/2.0 200") && field("CSeq:").is_some_and(|cseq| cseq.ends_with("BYE")) {
            answered.extend(field("Call-ID:").map(str::to_owned));
        }
    }
    answered
}

#[test]
fn every_hang_up_that_is_answered_is_recorded_though_nodes_stop_all_the_time() {
    if !has_sipp() {
        return;
    }
    let phones = free_port();
    let house = (0..40).fold(House::new(), |house, at| house.phone_at(&(1001 + at).to_string(), phones));
    let mut rig = Rig::start(Plan::of(NODES, 3), &house);
    let _agents = Sipp::start(&rig.dir, "answers", phones.port(), &[]);
    let stay = Duration::from_millis(900);
    let mut callers: Vec<Sipp> =
        (0..CALLERS).map(|_| Sipp::callers_traced(&rig, rig.shared(), "caller", CALLS, 1, stay)).collect();
    for number in 1..=NODES {
        stop(&mut rig, number);
        rig.restart(number);
        rig.until_ready(number);
    }
    callers.iter_mut().for_each(Sipp::over);
    let answered: HashSet<String> = callers.iter().flat_map(|callers| answered(&callers.trace())).collect();
    let calls = CALLERS * CALLS as usize;
    assert!(answered.len() > calls / 2, "{} of {calls} hang-ups were answered", answered.len());
    let mut missing = HashSet::new();
    let all_told = || {
        let recorded: HashSet<String> =
            rig.records().iter().filter_map(|record| record["sip_call_id"].as_str().map(str::to_owned)).collect();
        missing = answered.difference(&recorded).cloned().collect();
        missing.is_empty()
    };
    assert!(holds_within(TOLD, all_told), "answered and not recorded: {missing:#?}");
}

#[test]
fn who_stops_says_so_first_and_gives_its_leads_away() {
    let mut rig = Rig::start(Plan::of(NODES, 3), &House::new());
    let leaders = |rig: &Rig, by: u16| -> Vec<u64> {
        let status = rig.try_get(by, "/api/v1/status").unwrap_or_default();
        status["groups"].as_array().into_iter().flatten().filter_map(|group| group["leader"].as_u64()).collect()
    };
    until_within(TOLD, "node 1 leads", || leaders(&rig, 2).contains(&1));
    // A quorum that stands still: then nobody takes the leads, and the end takes its time.
    let others = [rig.pid(2), rig.pid(3)].map(|pid| pid.to_string());
    let signal_others = |name: &str| {
        let done = Command::new("kill").arg(name).args(&others).status().expect("kill");
        assert!(done.success());
    };
    signal_others("-STOP");
    let ready = |rig: &Rig| {
        let client = strowger_api::Client::new(rig.http(1), None);
        rig.block_on(client.get_text("/health/ready")).err().map(|fault| fault.to_string())
    };
    terminate(rig.pid(1));
    let mut said = None;
    let is_told = || {
        said = ready(&rig);
        said.as_ref().is_some_and(|said| said.contains("this node is stopping"))
    };
    assert!(holds_within(ENDS, is_told), "{said:?}");
    ends_in_order(&mut rig, 1);
    signal_others("-CONT");

    rig.restart(1);
    rig.until_ready(1);
    until_within(TOLD, "node 2 leads", || leaders(&rig, 1).contains(&2));
    stop(&mut rig, 2);
    let led = leaders(&rig, 1);
    assert!(led.len() == 4 && !led.contains(&2), "no election is waited for: {led:?}");
}

#[test]
fn a_node_that_has_not_begun_yet_ends_when_it_is_told() {
    let mut rig = Rig::start(Plan::of(NODES, 1), &House::new());
    (1..=NODES).for_each(|number| rig.kill(number));
    // It replays its log, and waits for a majority that does not come.
    for wait in [30, 100, 300, 1000, 2500] {
        rig.restart(1);
        std::thread::sleep(Duration::from_millis(wait));
        terminate(rig.pid(1));
        ends_soon(&mut rig, wait);
    }
    // The voter with the lowest number founds the cluster, once all are there.
    std::fs::remove_dir_all(rig.dir.join("node-1")).expect("removing its data");
    for wait in [300, 2500] {
        rig.restart(1);
        std::thread::sleep(Duration::from_millis(wait));
        terminate(rig.pid(1));
        ends_soon(&mut rig, wait);
    }
}

/// A process that has not come to listen for signals is ended by the system.
fn ends_soon(rig: &mut Rig, after: u64) {
    let mut end = None;
    let has_ended = || {
        end = rig.ended(1);
        end.is_some()
    };
    assert!(holds_within(ENDS, has_ended), "told {after} ms after its start, it runs on");
    let (status, log) = end.expect("was just there");
    assert!(status.success() || status.signal() == Some(15), "told after {after} ms: {status}: {log}");
}
