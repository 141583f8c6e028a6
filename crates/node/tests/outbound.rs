//! Campaigns on real processes, and the death of the node that dials: nobody is called twice, nobody is passed over.

mod rig;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rig::books::{self, Books};
use rig::{House, Plan, Rig, until, until_within};
use serde_json::Value;
use strowger_phones::{CalledRole, CalledSpec, Dialled, Phones};

const AGENTS: usize = 5;
const LEADS: u64 = 60;
const FIRST: u64 = 491_721_000_000;
/// A round of ringing and talking for every twelfth lead, one behind the other, twice over.
const ALL_CALLED: Duration = Duration::from_secs(150);

fn name(at: usize) -> String {
    (1001 + at).to_string()
}

fn house(rig: &Rig) -> House {
    let mut house = (0..AGENTS).fold(House::new(), |house, at| house.registers(&name(at), true));
    let lines = "mode = \"progressive\"\nring_timeout_ms = 15000\nmax_attempts = 1\n";
    house.campaign = Some((rig.carrier(), lines.to_owned()));
    house
}

/// Half of them answer, a few ring for ever.
fn called(dialled: &Dialled<'_>) -> CalledSpec {
    let after = Duration::from_millis(300 + dialled.draw % 900);
    let talk = Duration::from_millis(1200 + dialled.draw % 700);
    let role = match dialled.draw / 7 % 12 {
        0..6 => CalledRole::Answers { after, talk, patience: Duration::from_secs(10) },
        6..8 => CalledRole::Busy,
        8..10 => CalledRole::Declines,
        10 => CalledRole::Unknown,
        _ => CalledRole::Silent,
    };
    CalledSpec::new(role, 4)
}

fn list() -> String {
    (0..LEADS).fold("number\n".to_owned(), |list, lead| list + &format!("+{}\n", FIRST + lead))
}

/// A cluster with a campaign, its agents and its carrier.
fn start() -> (Rig, Phones) {
    let rig = Rig::start(Plan::of(3, 1), &House::new());
    let phones = Phones::start(rig.phones(9)).expect("phones");
    phones.open_carrier(called);
    rig.apply(&house(&rig));
    books::register(&rig, &phones, &(0..AGENTS).map(name).collect::<Vec<_>>(), |_| None);
    (rig, phones)
}

/// The node that paces the campaign.
fn pacer(rig: &Rig) -> u16 {
    rig.campaign()["node"].as_u64().expect("an owner") as u16
}

#[test]
fn the_death_of_the_pacer_calls_nobody_twice_and_passes_nobody_over() {
    let (mut rig, phones) = start();
    let imported = rig.import(list());
    assert_eq!((&imported["added"], &imported["duplicates"]), (&LEADS.into(), &0.into()), "{imported:#}");
    rig.post("/api/v1/campaigns/house/spring/start", &Value::Null);
    until("some were reached", || phones.live().called_ended >= 8 && phones.live().called_talking > 0);
    let victim = pacer(&rig);
    rig.kill(victim);
    until("another goes on with the campaign", || rig.campaign()["node"] != victim);
    until_within(ALL_CALLED, "every lead was called or may have been", || {
        let campaign = rig.campaign();
        let unknown = campaign["results"]["unknown"].as_u64().unwrap_or_default();
        campaign["done"].as_u64().unwrap_or_default() + unknown == LEADS
    });
    rig.until_at_rest();

    let books = Books::of(phones.finish(Duration::from_secs(20)));
    let mut reached: BTreeMap<String, u32> = BTreeMap::new();
    for call in &books.called {
        assert!(!call.overlapped && !call.stuck, "{call:#?}");
        assert!(call.heard.len() < 2, "connected to two agents: {call:#?}");
        *reached.entry(call.number.clone()).or_default() += 1;
    }
    let twice: Vec<_> = reached.iter().filter(|(_, calls)| **calls > 1).collect();
    assert!(twice.is_empty(), "called twice: {twice:?}");

    // A record follows the end of its call after a moment. One that nobody could follow to its end has no Call-ID.
    let record_of = |records: &[Value], number: &str| records.iter().find(|record| record["to"] == number).cloned();
    until("each call has its record", || {
        let records = rig.records();
        books.called.iter().all(|call| record_of(&records, &call.number).is_some())
    });
    let records = rig.records();
    let unknown: BTreeSet<String> = records
        .iter()
        .filter(|record| record["dial_result"] == "unknown")
        .filter_map(|record| record["to"].as_str().map(str::to_owned))
        .collect();
    for lead in 0..LEADS {
        let number = format!("+{}", FIRST + lead);
        assert!(reached.contains_key(&number) || unknown.contains(&number), "{number} was passed over");
    }
    // Each call has its record, and it says what the called party saw.
    for call in books.called.iter().filter(|call| call.first_agent_tone_at.is_some()) {
        let record = record_of(&records, &call.number).expect("was just found");
        assert_eq!(record["dial_result"], "connected", "{record:#}\n{call:#?}");
    }
}
