//! Whoever may not be called, or for whom no call may be made, holds up nobody else.

use strowger_dialer::{Aside, Payer, Spending};
use strowger_model::{AgentId, Caps, Mono, OutboundCaps, Prefixes};
use strowger_table::{BarList, Command, Dial, DialTo, Outcome, Scope};

use crate::world::*;

const ONE_QUEUE: &[u32] = &[1];

/// So many at the head of a list that a round cannot judge them all, and one behind them.
const FORBIDDEN: u64 = 3000;

/// A list of `FORBIDDEN` leads and two, of which all but the last two became forbidden after their import.
fn tightened() -> World {
    let mut world = World::new(&[ONE_QUEUE], vec![campaign(1, 1)]);
    world.import(1, LONDON, 0..FORBIDDEN);
    world.import(1, LONDON, 10_000..10_002);
    let deny = ["+44200000".parse().unwrap()].into();
    world.destinations.tenants.insert("acme".into(), Prefixes { deny, ..Prefixes::default() });
    world
}

/// Rounds until somebody is dialled: how many, and who.
fn rounds(world: &World, aside: &mut Aside) -> (usize, Vec<u32>) {
    let (mut rounds, mut dials) = (1, world.pace_on(aside));
    while dials.is_empty() && aside.is_cut() {
        (rounds, dials) = (rounds + 1, world.pace_on(aside));
    }
    (rounds, leads(&dials))
}

fn leads(dials: &[Dial]) -> Vec<u32> {
    let place = |dial: &Dial| match dial.to {
        DialTo::Lead(lead) => lead.place(),
        DialTo::Number { .. } => panic!("nobody asked"),
    };
    dials.iter().map(place).collect()
}

/// A list of the node's file that was tightened keeps nobody from being called who stands behind those whom it forbids.
#[test]
fn who_stands_behind_leads_that_became_forbidden_is_dialled() {
    let mut world = tightened();
    let mut aside = Aside::default();
    let (first, second) = (FORBIDDEN as u32, FORBIDDEN as u32 + 1);
    let judged_a_round = 500;
    assert_eq!(rounds(&world, &mut aside), ((FORBIDDEN / judged_a_round) as usize + 1, vec![first]));
    assert_eq!(rounds(&world, &mut aside), (1, vec![first]), "those before are known");
    let call = world.grant(world.pace_on(&mut aside))[0];
    world.busy(call);
    assert_eq!(rounds(&world, &mut aside), (1, vec![second]));
    world.wall += 60_000;
    assert_eq!(rounds(&world, &mut aside), (1, vec![second]), "from the head again, of which each is known");
}

/// They are judged by the lists in force, and nothing is written into them.
#[test]
fn a_lead_that_is_forbidden_no_more_is_dialled() {
    let mut world = tightened();
    let mut aside = Aside::default();
    rounds(&world, &mut aside);
    world.destinations.tenants.clear();
    assert_eq!(rounds(&world, &mut Aside::default()), (1, vec![0]), "by a process that begins");
    // Lists are the trunk's and the tenant's by name.
    let mut renamed = tenant(&[ONE_QUEUE], vec![campaign(1, 1)]);
    renamed.name = "beta".into();
    world.configure(renamed);
    assert_eq!(rounds(&world, &mut aside), (1, vec![0]));
}

/// Nobody else is there: the round has an end, and the next one waits for news.
#[test]
fn leads_that_are_all_forbidden_are_looked_at_once_for_each_news() {
    let mut world = tightened();
    world.bar(10_000..10_002);
    let mut aside = Aside::default();
    assert_eq!(rounds(&world, &mut aside), ((FORBIDDEN / 500) as usize + 1, vec![]));
    assert!(!aside.is_cut());
    assert_eq!(rounds(&world, &mut aside), (1, vec![]), "each is known");
}

/// A number is free again, a bar is lifted: whoever stands before the place where it goes on is looked at within a minute.
#[test]
fn who_comes_to_stand_before_the_forbidden_ones_is_dialled_within_a_minute() {
    let mut world = World::new(&[ONE_QUEUE], vec![campaign(1, 1)]);
    world.import(1, LONDON, 10_000..10_001);
    world.bar(10_000..10_001);
    world.import(1, LONDON, 0..FORBIDDEN);
    world.import(1, LONDON, 10_001..10_002);
    world.destinations.everyone.deny = vec!["+44200000".parse().unwrap()];
    let mut aside = Aside::default();
    let last = FORBIDDEN as u32 + 1;
    assert_eq!(rounds(&world, &mut aside).1, [last]);
    let lift = vec![number(10_000)];
    let lift = Command::Bar { list: BarList::DoNotCall, scope: Scope::Everyone, numbers: lift, lift: true };
    assert_eq!(world.say(lift), Outcome::Done);
    world.wall += 59_000;
    assert_eq!(rounds(&world, &mut aside), (1, vec![last]));
    world.wall += 1_000;
    assert_eq!(rounds(&world, &mut aside), (1, vec![0]));
}

/// One whose list is forbidden takes from the others no more than its share of a round.
#[test]
fn a_campaign_behind_forbidden_leads_holds_up_no_other() {
    let mut world = World::new(&[ONE_QUEUE; 2], vec![campaign(1, 1), campaign(2, 1)]);
    world.import(1, LONDON, 0..FORBIDDEN);
    world.import(2, LONDON, 10_000..10_002);
    world.destinations.everyone.deny = vec!["+44200000".parse().unwrap()];
    let mut aside = Aside::default();
    let dials = world.pace_on(&mut aside);
    assert_eq!(dials.iter().map(|dial| dial.campaign.0).collect::<Vec<_>>(), [2, 2]);
    assert!(aside.is_cut(), "the other has more to look at");
}

/// The longest idle agent has had enough calls for an hour; the next one has not.
#[test]
fn an_agent_with_a_cap_that_is_reached_holds_up_no_other() {
    let mut world = World::new(&[ONE_QUEUE; 2], vec![campaign(1, 1)]);
    world.import(1, LONDON, 0..2);
    let each_agent = Caps { numbers_per_hour: Some(1), ..Caps::default() };
    world.spending = Spending::new(OutboundCaps { each_agent, ..OutboundCaps::default() });
    let (now, first) = (Mono::from_millis(world.wall), Payer::all(AgentId(1), "acme", "carrier"));
    assert!(world.spending.begin(first, now).is_ok());
    assert_eq!(world.pace().iter().map(|dial| dial.agent.0).collect::<Vec<_>>(), [2]);
}
