//! Calls to leads: one round after the other, each at the instant at which something can be dialled.

use std::time::Duration;

use strowger_model::config::{Agent, Campaign, DialMode, Hours, LeadColumns, Tenant, Trunk};
use strowger_model::{AgentId, CampaignId, Digest, Far, Mono, TrunkId};
use strowger_table::{BarList, Command, Dial, DialTo, NewLead, Outcome, Scope};

use super::leading::{QUEUE, World, staffed};
use crate::{Task, What};

const CAMPAIGN: CampaignId = CampaignId(1);
const TRUNK: TrunkId = TrunkId(1);
/// 2023-11-14 22:13:20 in London.
const WALL_MS: u64 = 1_700_000_000_000;
const ROUND: Duration = Duration::from_millis(100);
const ALL_DAY: Hours = Hours { days: 0b111_1111, from_min: 0, to_min: 24 * 60 };

fn campaign(hours: Hours) -> Campaign {
    Campaign {
        id: CAMPAIGN,
        name: "spring".into(),
        mode: DialMode::Progressive,
        queue: QUEUE,
        trunk: TRUNK,
        caller_id: "+4930555001".parse().unwrap(),
        ring_timeout_ms: 15_000,
        keep_idle: 0,
        start: true,
        max_attempts: 3,
        retries: Vec::new(),
        zone: Some("Europe/London".into()),
        hours: vec![hours],
        columns: LeadColumns { number: "number".into(), zone: None },
    }
}

fn trunk(rate: u32) -> Trunk {
    Trunk {
        id: TRUNK,
        name: "carrier".into(),
        sources: Vec::new(),
        max_calls_per_second: 100,
        max_calls: 100,
        destination: Some(Far::udp(([192, 0, 2, 30], 5060))),
        max_dials_per_second: rate,
        site: String::new(),
    }
}

/// A running campaign with leads for all its agents, and a trunk that takes so many calls a second.
fn dialling(agents: u32, rate: u32, hours: Hours) -> World {
    let mut world = World::new();
    world.wall_ms = WALL_MS - world.bench.now.0 / 1000;
    world.trunks = vec![trunk(rate)];
    let agents = (1..=agents).map(|id| Agent { id: AgentId(id), ..staffed().agents[0].clone() }).collect();
    let tenant = Tenant { agents, campaigns: vec![campaign(hours)], ..staffed() };
    world.configure(&tenant);
    for command in Command::configuring(world.version(), &tenant) {
        assert_eq!(world.say(command).refusal(), None);
    }
    let lead = |line: u16| NewLead {
        number: format!("+4420700000{line:02}").parse().unwrap(),
        zone: "Europe/London".into(),
        line,
    };
    let leads = (0..20).map(lead).collect();
    let import = Command::Import { campaign: CAMPAIGN, batch: Digest([1; 32]), leads };
    assert!(matches!(world.say(import), Outcome::Imported { added: 20, .. }));
    world
}

/// The same, by a leader that has led for a second.
fn settled(agents: u32, rate: u32, hours: Hours) -> World {
    let mut world = dialling(agents, rate, hours);
    assert_eq!(world.round().0, [], "what the leader before it has taken of the trunk is not known");
    world.pass(Duration::from_secs(1));
    world.changed.everything();
    world
}

impl World {
    /// The calls of a round, and when it looks again.
    fn round(&mut self) -> (Vec<Dial>, Option<Mono>) {
        let (errands, again) = self.look();
        let dials = errands.into_iter().filter(|(task, _)| *task == Task::Pace).map(|(_, what)| match what {
            What::Propose(command) => match *command {
                Command::Dial(dial) => *dial,
                other => panic!("not a call but {other:?}"),
            },
            other => panic!("not a proposal but {other:?}"),
        });
        (dials.collect(), again)
    }

    fn dial(&mut self, dials: Vec<Dial>) {
        for dial in dials {
            let outcome = self.say(Command::Dial(Box::new(dial)));
            assert!(matches!(outcome, Outcome::Dialled { .. }), "{outcome:?}");
            self.answer(Task::Pace, Some(outcome));
        }
    }
}

#[test]
fn each_idle_agent_gets_one_lead_and_the_next_round_waits_for_all_of_this_one() {
    let mut world = settled(3, 100, ALL_DAY);
    let (dials, _) = world.round();
    let leads: Vec<_> = dials.iter().map(|dial| dial.to).collect();
    assert_eq!(leads.len(), 3);
    assert!(leads.iter().all(|to| matches!(to, DialTo::Lead(_))));
    world.changed.everything();
    world.pass(10 * ROUND);
    assert_eq!(world.round().0, [], "a round is under way");
    world.dial(dials);
    assert_eq!(world.round().0, [], "nobody is idle");
}

#[test]
fn rounds_keep_a_distance_whatever_the_news() {
    let mut world = settled(1, 100, ALL_DAY);
    let (dials, _) = world.round();
    world.answer(Task::Pace, Some(Outcome::Refused(strowger_table::Refusal::WrongStage)));
    assert_eq!(dials.len(), 1);
    world.changed.everything();
    let (dials, again) = world.round();
    assert_eq!((dials, again), (Vec::new(), Some(world.bench.now + ROUND)));
    world.pass(ROUND);
    assert_eq!(world.round().0.len(), 1);
}

#[test]
fn a_trunk_that_is_full_is_looked_at_when_it_has_room() {
    let mut world = settled(3, 2, ALL_DAY);
    let begun = world.bench.now;
    let (dials, _) = world.round();
    assert_eq!(dials.len(), 2, "a second's worth at once");
    world.dial(dials);
    let (dials, again) = world.round();
    assert_eq!((dials.len(), again), (0, Some(begun + ROUND)));
    world.pass(ROUND);
    let (dials, again) = world.round();
    let room = begun + Duration::from_millis(500);
    assert_eq!((dials.len(), again), (0, Some(room)));
    world.bench.now = room;
    assert_eq!(world.round().0.len(), 1);
}

#[test]
fn a_new_leader_takes_no_more_of_a_trunk_than_the_old_one_left() {
    let mut world = dialling(3, 2, ALL_DAY);
    let begun = world.bench.now;
    let room = begun + Duration::from_millis(500);
    assert_eq!(world.round(), (Vec::new(), Some(room)));
    world.bench.now = room;
    assert_eq!(world.round().0.len(), 1);
    world.begins_a_term(2);
    assert_eq!(world.round(), (Vec::new(), Some(room + Duration::from_millis(500))));
}

#[test]
fn a_round_that_was_not_committed_is_made_again_a_little_later() {
    let mut world = settled(2, 100, ALL_DAY);
    assert_eq!(world.round().0.len(), 2);
    world.pass(ROUND);
    world.answer(Task::Pace, None);
    world.answer(Task::Pace, Some(Outcome::Refused(strowger_table::Refusal::WrongStage)));
    let (dials, again) = world.round();
    assert_eq!((dials.len(), again), (0, Some(world.bench.now + ROUND)));
    world.pass(ROUND);
    assert_eq!(world.round().0.len(), 2);
}

#[test]
fn hours_begin_on_the_minute_and_the_clock_on_the_wall_is_trusted_no_longer() {
    // 39 s from now, while it is shut.
    let mut world = settled(1, 100, Hours { from_min: 22 * 60 + 14, ..ALL_DAY });
    let (dials, again) = world.round();
    let opens = world.bench.now + Duration::from_secs(39);
    assert_eq!((dials.len(), again), (0, Some(opens)));
    world.bench.now = opens - Duration::from_millis(1);
    assert_eq!(world.round(), (Vec::new(), Some(opens)));
    world.bench.now = opens;
    assert_eq!(world.round().0.len(), 1);

    // Nothing is due for hours by that clock, which may be set.
    let mut world = settled(0, 100, ALL_DAY);
    assert_eq!(world.round(), (Vec::new(), Some(world.bench.now + Duration::from_secs(60))));
}

#[test]
fn a_campaign_that_stands_still_is_not_looked_at() {
    let mut world = settled(1, 100, ALL_DAY);
    world.say(Command::Run { campaign: CAMPAIGN, running: false });
    assert_eq!(world.round(), (Vec::new(), None));
    world.say(Command::Run { campaign: CAMPAIGN, running: true });
    assert_eq!(world.round().0.len(), 1);
}

#[test]
fn a_number_that_is_barred_no_more_is_called() {
    let mut world = settled(1, 100, ALL_DAY);
    let numbers = (0..20).map(|line| format!("+4420700000{line:02}").parse().unwrap()).collect::<Vec<_>>();
    let bar = |lift| Command::Bar { list: BarList::DoNotCall, scope: Scope::Everyone, numbers: numbers.clone(), lift };
    world.say(bar(false));
    assert_eq!(world.round().0, []);
    world.pass(ROUND);
    world.say(bar(true));
    assert_eq!(world.round().0.len(), 1);
}
