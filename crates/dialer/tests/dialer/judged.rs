//! Plans, pinned: on the same state the same calls are begun, whichever build paces.

use std::fmt::Write;

use strowger_dialer::next_due;
use strowger_model::config::{Campaign, DialMode, Hours, Trunk};
use strowger_model::{TrunkId, Wall};

use crate::storm::{ZONES, turn};
use crate::world::*;

const SEEDS: u64 = 16;
const ROUNDS: usize = 60;
const OTHER_TRUNK: TrunkId = TrunkId(2);

const JUDGED: &str = "other calls are begun than by the build before, or at other times. A campaign goes from node to node \
     while a cluster is updated, so what is meant is said in CHANGELOG.md; then put these lines in place of the old ones:";

/// Sites, trunks, hours and modes as the dice want them.
fn varied(dice: &mut Dice) -> World {
    let choices: [&[u32]; 5] = [&[1], &[2], &[1, 2], &[2, 3], &[1, 2, 3]];
    let agents: Vec<&[u32]> = (0..3 + dice.roll(9)).map(|_| choices[dice.roll(5) as usize]).collect();
    let mut campaigns = Vec::new();
    for id in 1..=1 + dice.roll(4) as u32 {
        let mut campaign = campaign(id, 1 + dice.roll(3) as u32);
        campaign.keep_idle = dice.roll(3) as u32;
        campaign.zone = [None, Some(LONDON.into()), Some(SYDNEY.into())][dice.roll(3) as usize].clone();
        if dice.roll(3) == 0 {
            campaign.trunk = OTHER_TRUNK;
        }
        if dice.roll(5) == 0 {
            campaign.mode = DialMode::Manual;
        }
        if dice.roll(3) == 0 {
            let from_min = dice.roll(12) as u16 * 60 + 30;
            campaign.hours = vec![Hours { days: 0b101_1011, from_min, to_min: from_min + 300 }];
        }
        campaigns.push(campaign);
    }
    let lists = campaigns.len() as u64;
    let sites = ["", "east", "west"];
    let mut config = tenant(&agents, campaigns.clone());
    config.agents.iter_mut().for_each(|agent| agent.site = sites[dice.roll(3) as usize].into());
    let mut world = World::new(&agents, Vec::<Campaign>::new());
    world.configure(config);
    world.relays = vec![relay(1, ""), relay(2, "east"), relay(3, "west"), relay(4, "west")];
    world.trunks.push(Trunk { id: OTHER_TRUNK, site: "west".into(), name: "second".into(), ..trunk() });
    world.allowance.insert(OTHER_TRUNK, 3);
    for _ in 0..lists * 2 {
        let first = dice.roll(200);
        world.import(1 + dice.roll(lists) as u32, ZONES[dice.roll(4) as usize], first..first + 40);
    }
    world
}

/// FNV-1a, 64 bits.
fn print_on(print: u64, text: &str) -> u64 {
    text.bytes().fold(print, |print, byte| (print ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[test]
fn the_same_states_are_paced_alike_by_every_build() {
    let mut lines = String::new();
    for seed in 0..SEEDS {
        let mut dice = Dice(9000 + seed);
        let mut world = varied(&mut dice);
        let (mut print, mut dialled, mut denied) = (0xcbf2_9ce4_8422_2325, 0, 0);
        for _ in 0..ROUNDS {
            let dials = world.pace();
            print = print_on(print, &format!("{dials:?}{:?}", next_due(&world.shard, Wall(world.wall), PACER)));
            dialled += dials.len();
            world.grant(dials);
            for _ in 0..3 {
                let asked = world.manual(1 + dice.roll(8) as u32, 1 + dice.roll(4) as u32, dice.roll(250));
                denied += usize::from(asked.is_err());
                print = print_on(print, &format!("{asked:?}"));
            }
            turn(&mut world, &mut dice);
        }
        writeln!(lines, "{seed} {dialled} {denied} {print:016x}").unwrap();
    }
    assert!(lines == include_str!("judged.txt"), "{JUDGED}\n{lines}");
}
