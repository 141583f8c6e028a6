//! What entries come to, pinned: the same log leads to the same state, and to the same answers, in every build.

use std::fmt::Write;

use strowger_model::RelayId;
use strowger_table::{Agent, Call, Lead, Medium, Shard};

use crate::sample::*;
use crate::storm::Storm;

/// Seeds of storms.
const STORMS: [u64; 8] = [1871, 1892, 1904, 1919, 1923, 1965, 1984, 1996];
/// How often the state of each is written down.
const LOOKED_AT: usize = 8;
/// Commands from one time to the next.
const COMMANDS: usize = 400;
/// Commands from one question to the next.
const ASKED_AFTER: usize = 8;

const JUDGED: &str = "the same commands lead elsewhere than in the build before. While a cluster is updated, replicas of \
     both apply one log: they would differ, and stop. If that is meant (nothing was ever released), put these lines in \
     place of the old ones:";

fn of_call(call: &Call) -> String {
    let told = (call.stage_name(), call.queue(), call.offers(), call.enqueued(), call.connected(), call.offered());
    let who = (call.rung_leg(), call.rung_agent(), call.reserved_agent(), call.serving_agent(), call.relays());
    let is = [call.is_answered(), call.has_customer(), call.is_waiting(), call.is_served(), call.was_adopted()];
    let legs = (call.agent_leg().map(|leg| leg.key), call.live_legs().count(), call.releasing().count());
    format!("{told:?}{who:?}{is:?}{legs:?}{:?}{:?}", call.flow_step(), call.dial_result())
}

fn of_agent(agent: &Agent) -> String {
    let does = (agent.state_name(), agent.state_since(), agent.free_since(), agent.reason(), agent.call());
    let may = (agent.wrapping(), agent.asking_slot().is_some(), agent.phone().map(|phone| phone.instance));
    format!("{does:?}{may:?}{:?}", agent.owner)
}

fn of_lead(shard: &Shard, lead: &Lead) -> String {
    format!("{:?}", shard.turn(lead))
}

/// What planners, pacers, leaders and people are answered.
fn answers(shard: &Shard) -> String {
    let mut said = format!("{:?}{:?}{:?}", shard.busy(), shard.next_lease(), shard.first_record());
    let mut say = |what: String| said.push_str(&what);
    say(format!("{:?}{:?}", shard.owners().collect::<Vec<_>>(), shard.waiting_queues().collect::<Vec<_>>()));
    say(format!("{:?}", [RELAY, AGENT_RELAY, RelayId(3)].map(|relay| shard.relay_legs(relay))));
    for queue in [SALES, SUPPORT] {
        let line: Vec<_> = shard.line(queue).map(|(rank, call)| (rank.at, call)).collect();
        let ahead: Vec<_> = shard.waiting(queue).map(|place| shard.ahead(place)).collect();
        let idle: Vec<_> = shard.idle(queue, Medium::Voice).collect();
        say(format!("{line:?}{ahead:?}{idle:?}{:?}{}", shard.staff(queue), shard.is_closing(queue)));
    }
    for ledger in shard.campaigns() {
        let due = (0..ledger.zones.len() as u16).flat_map(|zone| shard.due(ledger.campaign, zone));
        say(format!("{:?}{:?}", ledger.heir_key(), due.collect::<Vec<_>>()));
        shard.leads(ledger.campaign).for_each(|lead| say(of_lead(shard, lead)));
    }
    shard.calls().for_each(|call| say(of_call(call)));
    shard.agents().for_each(|agent| say(of_agent(agent)));
    said
}

/// FNV-1a, 64 bits.
fn print_on(print: u64, text: &str) -> u64 {
    text.bytes().fold(print, |print, byte| (print ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// One line a storm: its state and all answers so far, along the way.
#[test]
fn a_storm_leads_to_the_same_state_in_every_build() {
    let mut lines = String::new();
    for seed in STORMS {
        let (mut storm, mut print) = (Storm::new(seed), 0xcbf2_9ce4_8422_2325);
        write!(lines, "{seed}").unwrap();
        for _ in 0..LOOKED_AT {
            for command in 1..=COMMANDS {
                storm.blow();
                if command % ASKED_AFTER == 0 {
                    print = print_on(print, &answers(&storm.bench.shard));
                }
            }
            write!(lines, " {:016x}-{print:016x}", storm.bench.shard.hash()).unwrap();
        }
        lines.push('\n');
    }
    assert!(lines == include_str!("judged.txt"), "{JUDGED}\n{lines}");
}
