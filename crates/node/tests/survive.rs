//! A node dies by SIGKILL: who waited keeps the place and gets an agent, who talked goes on talking, and the node comes
//! back. Callers and agents are phones that hear whom they are connected with.

mod rig;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rig::books::{self, Books};
use rig::far::Caller;
use rig::house::NUMBER;
use rig::{House, Plan, Rig, until, until_within};
use serde_json::Value;
use strowger_phones::{CallSpec, EndedBy, Phones};

const WAITING: usize = 12;
const TALKING: usize = 6;
const AGENTS: usize = 3;
/// A death is noticed within 1.2 s and acted on within one more election at the worst.
const ADOPTED: Duration = Duration::from_secs(6);
/// A silence shorter than the time it takes to notice a death (1.2 s) is none of its doing.
const GAP_MS: u32 = 600;

fn house(agents: usize, ready_at_login: bool) -> House {
    (0..agents).fold(House::new(), |house, at| house.registers(&name(at), ready_at_login))
}

fn name(at: usize) -> String {
    (1001 + at).to_string()
}

fn register(rig: &Rig, phones: &Phones, agents: usize) {
    let names: Vec<String> = (0..agents).map(name).collect();
    books::register(rig, phones, &names, |_| None);
}

fn call(at: usize, talk: Duration) -> CallSpec {
    let mut spec = CallSpec::new(&format!("+4930{at}"), NUMBER, 2 * at as u16);
    spec.talk = talk;
    spec
}

/// The caller's SIP Call-ID, place and owner of each live call.
fn table(rig: &Rig) -> HashMap<String, (u64, u64)> {
    let row = |call: &Value| {
        let call_id = call["legs"][0]["sip_call_id"].as_str()?.to_owned();
        Some((call_id, (call["place"].as_u64().unwrap_or(0), call["owner"]["node"].as_u64()?)))
    };
    rig.live_calls().iter().filter_map(row).collect()
}

/// The node that owns most of these calls, and how many.
fn busiest(table: &HashMap<String, (u64, u64)>) -> (u16, usize) {
    let of = |node: u64| table.values().filter(|(_, owner)| *owner == node).count();
    let node = (1..=3).max_by_key(|node| of(*node)).expect("three nodes");
    (node as u16, of(node))
}

#[test]
fn waiting_calls_of_a_killed_node_keep_their_places_and_reach_agents() {
    let mut rig = Rig::start(Plan::of(3, 3), &house(AGENTS, false));
    let phones = Phones::start(rig.phones(7)).expect("phones");
    register(&rig, &phones, AGENTS);
    for at in 0..WAITING {
        phones.place_call(call(at, Duration::from_millis(1200)));
        // One after the other, so that the order of the queue is that of the callers.
        until("the call waits", || table(&rig).values().filter(|(place, _)| *place > 0).count() == at + 1);
    }
    let before = table(&rig);
    let (victim, owned) = busiest(&before);
    assert!(owned >= WAITING / 3, "{before:?}");
    rig.kill(victim);
    until_within(ADOPTED, "the survivors have adopted its calls", || {
        table(&rig).values().all(|(_, owner)| *owner != u64::from(victim))
    });
    let after = table(&rig);
    assert_eq!(after.len(), WAITING);
    for (call_id, (place, owner)) in &before {
        assert_eq!(after[call_id].0, *place, "{call_id}, of node {owner}, lost its place");
    }
    for at in 0..AGENTS {
        rig.post(&format!("/api/v1/agents/house/{}/ready", name(at)), &Value::Null);
    }
    let books = Books::of(phones.finish(Duration::from_secs(60)));
    assert_eq!(books.callers.len(), WAITING, "a call was lost");
    let mut order: Vec<(Instant, u64)> = Vec::new();
    for caller in &books.callers {
        let (agent, record) = books.served(&rig, caller, EndedBy::Caller);
        order.push((agent.invited_at, before[&caller.call_id].0));
        let seen = agent.answered_at.expect("answered").duration_since(caller.placed_at).as_millis() as u64;
        let wait_ms = record["wait_ms"].as_u64().expect("a wait");
        assert!(wait_ms <= seen && wait_ms + 1000 >= seen, "waited {seen} ms, the record says {wait_ms}");
    }
    order.sort();
    for (at, (_, place)) in order.iter().enumerate() {
        // Agents who come free in one plan ring at the same time, by different owners.
        assert!(place.abs_diff(at as u64 + 1) < AGENTS as u64, "out of order: {order:?}");
    }
    rig.until_at_rest();
    rig.all_records(WAITING);
}

#[test]
fn talking_calls_of_a_killed_node_lose_no_packet_and_it_comes_back() {
    let mut rig = Rig::start(Plan { dead_media_ms: 10_000, ..Plan::of(3, 3) }, &house(TALKING, true));
    let phones = Phones::start(rig.phones(8)).expect("phones");
    register(&rig, &phones, TALKING);
    for at in 0..TALKING {
        phones.place_call(call(at, Duration::from_secs(7)));
    }
    until("all talk", || phones.live().callers_talking == TALKING && phones.live().agents_talking == TALKING);
    let (victim, owned) = busiest(&table(&rig));
    assert!(owned >= TALKING / 3);
    rig.kill(victim);
    until_within(ADOPTED, "the survivors have adopted its calls", || {
        let now = table(&rig);
        now.len() == TALKING && now.values().all(|(_, owner)| *owner != u64::from(victim))
    });
    assert_eq!(phones.live().callers_talking, TALKING, "nobody was cut off");
    let books = Books::of(phones.finish(Duration::from_secs(40)));
    assert_eq!(books.callers.len(), TALKING);
    for caller in &books.callers {
        let (agent, _) = books.served(&rig, caller, EndedBy::Caller);
        // The relay does not notice the death, so its packets come as if nothing had happened.
        assert_eq!((caller.rtp.lost, agent.rtp.lost), (0, 0), "{caller:#?}\n{agent:#?}");
        assert!(
            caller.longest_gap_ms < GAP_MS && agent.longest_gap_ms < GAP_MS,
            "{caller:#?}
{agent:#?}"
        );
    }
    rig.until_at_rest();
    rig.all_records(TALKING);

    rig.restart(victim);
    (1..=3).for_each(|number| rig.until_ready(number));
    let mut caller = Caller::new(&rig, "back");
    caller.connect(rig.own(victim));
    let owner = table(&rig)[&caller.call_id].1;
    assert_eq!(owner, u64::from(victim), "the node that came back drives the calls it takes");
    let bye = caller.bye(rig.own(victim));
    caller.wire.expect("200 to the BYE", |message| message.answers(200, &bye));
    rig.record_of(&caller.call_id);
}

#[test]
fn a_node_that_comes_back_takes_calls_only_when_it_knows_the_configuration() {
    let mut rig = Rig::start(Plan::of(3, 1), &house(1, false));
    let version = rig.get("/api/v1/status")["config_version"].clone();
    for victim in [1, 2, 3] {
        rig.kill(victim);
        rig.restart(victim);
        let mut first = Value::Null;
        until("the node that came back is active", || {
            first = rig.try_get(victim, "/api/v1/status").unwrap_or_default();
            first["active"] == true
        });
        assert_eq!(first["config_version"], version, "active without knowing its trunks: {first:#}");
        rig.until_ready(victim);
    }
}
