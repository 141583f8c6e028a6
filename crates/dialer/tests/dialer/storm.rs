//! Many rounds over seeded worlds: agents, queues, lists, bars and calls as the dice want them. What holds in each.

use std::collections::{BTreeMap, BTreeSet};

use strowger_model::config::Campaign;
use strowger_model::{AgentId, Cause, E164, LogTime, QueueId, Wall};
use strowger_table::{BarList, Command, Dial, DialTo, DutyKind, LeadTurn, Medium, Outcome, ToldBy};

use crate::world::*;

const SEEDS: u64 = 12;
const ROUNDS: usize = 120;
pub const ZONES: [&str; 4] = [LONDON, NEW_YORK, SYDNEY, "Asia/Kathmandu"];

fn seeded(dice: &mut Dice) -> World {
    let choices: [&[u32]; 5] = [&[1], &[2], &[1, 2], &[2, 3], &[1, 2, 3]];
    let agents: Vec<&[u32]> = (0..2 + dice.roll(12)).map(|_| choices[dice.roll(5) as usize]).collect();
    let campaigns = (1..=1 + dice.roll(4) as u32).map(|id| {
        let queue = 1 + dice.roll(3) as u32;
        Campaign { keep_idle: dice.roll(3) as u32, ..campaign(id, queue) }
    });
    let campaigns: Vec<_> = campaigns.collect();
    let lists = campaigns.len() as u64;
    let mut world = World::new(&agents, campaigns);
    for _ in 0..lists * 2 {
        let first = dice.roll(200);
        world.import(1 + dice.roll(lists) as u32, ZONES[dice.roll(4) as usize], first..first + 40);
    }
    world
}

/// What must hold of a plan on the state it was made of.
fn check(world: &World, dials: &[Dial]) {
    let shard = &world.shard;
    let waiting: BTreeSet<QueueId> = shard.waiting_queues().collect();
    let mut agents: BTreeSet<AgentId> = BTreeSet::new();
    let mut numbers: BTreeSet<E164> = BTreeSet::new();
    for dial in dials {
        let agent = shard.agent(dial.agent).unwrap();
        assert!(agent.free_since().is_some(), "not idle");
        assert!(agents.insert(dial.agent), "used twice");
        assert!(agent.queues.iter().all(|queue| !waiting.contains(queue)), "inbound goes first");
        let DialTo::Lead(id) = dial.to else { panic!("nobody asked") };
        let lead = shard.lead(id).unwrap();
        assert!(matches!(shard.turn(lead), LeadTurn::Due { at } if at <= Wall(world.wall)));
        assert!(numbers.insert(lead.number), "a number twice");
        assert!(!shard.is_barred(BarList::DoNotCall, TENANT, lead.number));
        assert_eq!(shard.dialled(TENANT, lead.number), None);
        let ledger = shard.campaign(id.campaign()).unwrap();
        let config = shard.tenant(TENANT).unwrap().campaign(id.campaign()).unwrap();
        assert!(ledger.running && agent.queues.contains(&config.queue));
        let zone = &ledger.zones[usize::from(lead.zone)];
        let open = strowger_dialer::open_until(zone, &config.hours, Wall(world.wall)).unwrap();
        assert_eq!(open, Some(dial.not_after));
    }
    // After the last of a campaign's dials its queue still has those it keeps.
    for config in &shard.tenant(TENANT).unwrap().campaigns {
        let free = |agent: &AgentId| {
            let row = shard.agent(*agent).unwrap();
            row.queues.iter().all(|queue| !waiting.contains(queue))
        };
        let Some(last) = dials.iter().rposition(|dial| dial.campaign == config.id) else { continue };
        let taken: BTreeSet<_> = dials[..=last].iter().map(|dial| dial.agent).collect();
        let idle = shard.idle(config.queue, Medium::Voice).map(|(_, agent, _)| agent).filter(free);
        let left = idle.filter(|agent| !taken.contains(agent)).count();
        assert!(left >= config.keep_idle as usize, "{} left of {}", left, config.keep_idle);
    }
}

/// Something happens to somebody.
pub fn turn(world: &mut World, dice: &mut Dice) {
    world.wall += dice.roll(20 * 60_000);
    let calls: Vec<_> = world.shard.calls().filter(|call| !call.is_over()).map(|call| (**call).clone()).collect();
    for call in calls {
        if dice.roll(3) == 0 {
            continue;
        }
        let (id, owner, leg, observed) = (call.id, call.owner.node, first_leg(call.id), LogTime(u64::MAX));
        if !call.is_dialling() {
            world.say(Command::Left { leg, cause: Cause::NORMAL, told_by: ToldBy::FarEnd, observed });
        } else if dice.roll(2) == 0 {
            world.busy(id);
        } else {
            let duties = call.duty_to(DutyKind::Originate { leg }).map(|duty| (id, duty.id)).into_iter().collect();
            world.say_as(owner, Command::Done { duties });
            assert_eq!(world.say_as(owner, Command::Answered { leg, dialog: dialog(), observed }), Outcome::Done);
        }
    }
    match dice.roll(6) {
        0 => drop(world.call(1 + dice.roll(3) as u32)),
        1 => {
            let first = dice.roll(200);
            world.bar(first..first + 3);
        }
        2 => {
            let campaign = 1 + dice.roll(world.shard.campaigns().count() as u64) as u32;
            world.run(campaign, dice.roll(4) != 0);
        }
        3 => world.allowance.insert(TRUNK, dice.roll(6) as usize).map(drop).unwrap_or_default(),
        _ => drop(world.say(Command::Expire)),
    }
}

#[test]
fn every_plan_is_granted_and_nobody_is_wronged() {
    let mut dialled: BTreeMap<u64, usize> = BTreeMap::new();
    for seed in 0..SEEDS {
        let mut dice = Dice(seed);
        let mut world = seeded(&mut dice);
        for _ in 0..ROUNDS {
            let dials = world.pace();
            check(&world, &dials);
            assert!(dials.len() <= world.allowance[&TRUNK]);
            *dialled.entry(seed).or_insert(0) += dials.len();
            let all = dials.len() < world.allowance[&TRUNK];
            world.grant(dials);
            assert!(!all || world.pace().is_empty(), "seed {seed}: nobody is left who could be dialled for");
            turn(&mut world, &mut dice);
        }
    }
    assert!(dialled.values().all(|dials| *dials > 10), "{dialled:?}");
}
