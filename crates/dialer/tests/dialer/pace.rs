//! The pacer on states made by the table itself: how many are dialled, who, for whom, and when nobody is.

use std::collections::BTreeMap;

use strowger_dialer::{Aside, Denial, PER_ROUND, pace};
use strowger_model::config::{Campaign, DialMode, Hours, Trunk};
use strowger_model::{AgentId, CampaignId, Incarnation, LeadId, NodeId, RelayId, TenantId, TrunkId, Wall};
use strowger_table::{Command, Dial, DialTo, Outcome, Presence, RowKey};

use crate::world::*;

const ONE_QUEUE: &[u32] = &[1];

fn leads(dials: &[Dial]) -> Vec<u32> {
    let place = |dial: &Dial| match dial.to {
        DialTo::Lead(lead) => lead.place(),
        DialTo::Number { .. } => panic!("nobody asked"),
    };
    dials.iter().map(place).collect()
}

fn agents(dials: &[Dial]) -> Vec<u32> {
    dials.iter().map(|dial| dial.agent.0).collect()
}

fn by_campaign(dials: &[Dial]) -> BTreeMap<u32, usize> {
    let mut counts = BTreeMap::new();
    dials.iter().for_each(|dial| *counts.entry(dial.campaign.0).or_insert(0) += 1);
    counts
}

#[test]
fn one_lead_for_each_idle_agent_both_in_their_order() {
    let mut world = World::new(&[ONE_QUEUE; 3], vec![campaign(1, 1)]);
    assert_eq!(world.pace(), []);
    world.import(1, LONDON, 0..10);
    let dials = world.pace();
    assert_eq!((leads(&dials), agents(&dials)), (vec![0, 1, 2], vec![1, 2, 3]));
    assert!(dials.iter().all(|dial| dial.not_after == Wall(NOON + 9 * HOUR)), "until 21:00");
    assert_eq!(dials, world.pace(), "the same state, the same plan");
    world.grant(dials);
    assert_eq!(world.pace(), [], "all agents are kept");
}

#[test]
fn agents_may_be_left_for_inbound_calls() {
    for (keep, dialled) in [(0, 3), (1, 2), (3, 0), (u32::MAX, 0)] {
        let mut world = World::new(&[ONE_QUEUE; 3], vec![Campaign { keep_idle: keep, ..campaign(1, 1) }]);
        world.import(1, LONDON, 0..10);
        assert_eq!(world.pace().len(), dialled, "keep {keep}");
    }
    // Whoever keeps agents keeps them against other campaigns too, in the queues they share.
    let keeps = Campaign { keep_idle: 2, ..campaign(1, 1) };
    let mut world = World::new(&[&[1, 2], &[1, 2], &[1], &[1]], vec![keeps, campaign(2, 2)]);
    world.import(1, LONDON, 0..10);
    world.import(2, LONDON, 20..30);
    assert_eq!(by_campaign(&world.pace()), BTreeMap::from([(1, 1), (2, 1)]));
}

#[test]
fn inbound_goes_first() {
    let mut world = World::new(&[&[1, 2], &[1], &[2, 3]], vec![campaign(1, 1)]);
    world.import(1, LONDON, 0..10);
    world.call(2);
    assert_eq!(agents(&world.pace()), [2], "the first might be offered the call that waits in another queue");
    world.call(1);
    assert_eq!(world.pace(), []);
}

#[test]
fn who_sleeps_is_passed_over_and_who_is_longest_due_goes_first() {
    let mut world = World::new(&[ONE_QUEUE; 4], vec![campaign(1, 1)]);
    world.import(1, SYDNEY, 0..100);
    world.import(1, NEW_YORK, 100..102);
    world.wall += 1;
    world.import(1, LONDON, 200..202);
    assert_eq!(leads(&world.pace()), [102, 103], "it is 7 in New York and 23 in Sydney");
    world.wall = NOON + 2 * HOUR;
    let dials = world.pace();
    assert_eq!(leads(&dials), [100, 101, 102, 103]);
    let closes: Vec<_> = dials.iter().map(|dial| (dial.not_after.0 - NOON) / HOUR).collect();
    assert_eq!(closes, [14, 14, 9, 9], "each by the own clock");
}

#[test]
fn a_lead_in_a_zone_nobody_knows_is_not_dialled() {
    let mut world = World::new(&[ONE_QUEUE; 4], vec![campaign(1, 1)]);
    world.import(1, "Mars/Olympus_Mons", 0..3);
    world.import(1, "Etc/Unknown", 3..6);
    world.import(1, LONDON, 6..7);
    assert_eq!(leads(&world.pace()), [6]);
}

#[test]
fn hours_are_the_campaigns() {
    let mornings = Campaign { hours: vec![Hours { days: 0b1000, from_min: 0, to_min: 721 }], ..campaign(1, 1) };
    let never = Campaign { hours: Vec::new(), ..campaign(2, 1) };
    let mut world = World::new(&[ONE_QUEUE; 4], vec![mornings, never]);
    world.import(1, LONDON, 0..2);
    world.import(2, LONDON, 2..4);
    assert_eq!(by_campaign(&world.pace()), BTreeMap::from([(1, 2)]));
    world.wall += 60_000;
    assert_eq!(world.pace(), []);
}

#[test]
fn a_log_that_was_stamped_ahead_of_our_clock_counts() {
    let mut world = World::new(&[ONE_QUEUE], vec![campaign(1, 1)]);
    world.import(1, LONDON, 0..2);
    world.wall = NOON + 9 * HOUR;
    world.say(Command::Tick);
    world.wall = NOON;
    assert_eq!(world.pace(), [], "its entry would be of 21:00");
}

#[test]
fn stopped_and_manual_campaigns_dial_nobody() {
    let by_hand = Campaign { mode: DialMode::Manual, ..campaign(2, 1) };
    let mut world = World::new(&[ONE_QUEUE; 2], vec![campaign(1, 1), by_hand]);
    world.import(1, LONDON, 0..5);
    world.import(2, LONDON, 5..9);
    world.run(1, false);
    assert_eq!(world.pace(), []);
    world.run(1, true);
    assert_eq!(by_campaign(&world.pace()), BTreeMap::from([(1, 2)]));
    world.say(Command::Retire { version: 99, tenant: TENANT });
    assert_eq!(world.pace(), []);
}

#[test]
fn nobody_is_called_before_the_time_that_a_failure_set() {
    let mut world = World::new(&[ONE_QUEUE], vec![campaign(1, 1)]);
    world.import(1, LONDON, 0..1);
    let calls = world.grant(world.pace());
    world.busy(calls[0]);
    world.wall += 900_000 - 1;
    assert_eq!(world.pace(), []);
    world.wall += 1;
    assert_eq!(leads(&world.pace()), [0]);
}

#[test]
fn a_number_is_called_once_whoever_has_it() {
    let mut world = World::new(&[ONE_QUEUE; 8], vec![campaign(1, 1), campaign(2, 1)]);
    world.import(1, LONDON, 0..3);
    world.import(2, LONDON, 0..3);
    let dials = world.pace();
    assert_eq!(dials.len(), 3);
    world.grant(dials);
    assert_eq!(world.pace(), [], "they are on a call");
}

/// Leads whose numbers are on calls of another campaign are passed over, so many a round.
#[test]
fn a_list_that_another_campaign_calls_does_not_block() {
    let mut world = World::new(&[ONE_QUEUE; 70], vec![campaign(1, 1), campaign(2, 1)]);
    world.import(1, LONDON, 0..60);
    world.grant(world.pace());
    world.import(2, LONDON, 0..60);
    world.import(2, LONDON, 60..65);
    assert_eq!(leads(&world.pace()), [60, 61, 62, 63, 64]);
}

#[test]
fn barred_leads_are_no_obstacle() {
    let mut world = World::new(&[ONE_QUEUE; 2], vec![campaign(1, 1)]);
    world.import(1, LONDON, 0..5000);
    world.bar(0..4998);
    assert_eq!(leads(&world.pace()), [4998, 4999]);
}

#[test]
fn campaigns_that_share_agents_share_them_evenly() {
    let mut world = World::new(&[ONE_QUEUE; 10], (1..=3).map(|id| campaign(id, 1)).collect());
    (1..=3).for_each(|id| world.import(id, LONDON, u64::from(id) * 100..u64::from(id) * 100 + 50));
    let dials = world.pace();
    assert_eq!(by_campaign(&dials), BTreeMap::from([(1, 4), (2, 3), (3, 3)]));
    let calls = world.grant(dials);
    // Agents come free one by one, and always the campaign with the fewest calls is next.
    world.busy(calls[1]);
    assert_eq!(by_campaign(&world.pace()), BTreeMap::from([(2, 1)]));
    world.grant(world.pace());
    world.busy(calls[2]);
    assert_eq!(by_campaign(&world.pace()), BTreeMap::from([(3, 1)]));
}

#[test]
fn a_campaign_without_leads_leaves_its_share_to_the_others() {
    let mut world = World::new(&[ONE_QUEUE; 10], vec![campaign(1, 1), campaign(2, 1)]);
    world.import(1, LONDON, 0..2);
    world.import(2, LONDON, 10..50);
    assert_eq!(by_campaign(&world.pace()), BTreeMap::from([(1, 2), (2, 8)]));
}

#[test]
fn an_agent_of_many_queues_is_used_once() {
    let mut world = World::new(&[&[1, 2][..]; 3], vec![campaign(1, 1), campaign(2, 2)]);
    world.import(1, LONDON, 0..10);
    world.import(2, LONDON, 10..20);
    let dials = world.pace();
    assert_eq!(agents(&dials), [1, 2, 3]);
    world.grant(dials);
}

#[test]
fn a_trunk_gives_no_more_than_it_has() {
    let mut world = World::new(&[ONE_QUEUE; 9], vec![campaign(1, 1), campaign(2, 1)]);
    world.import(1, LONDON, 0..10);
    world.import(2, LONDON, 10..20);
    world.allowance.insert(TRUNK, 5);
    assert_eq!(by_campaign(&world.pace()), BTreeMap::from([(1, 3), (2, 2)]));
    world.allowance.insert(TRUNK, 0);
    assert_eq!(world.pace(), []);
    world.allowance.clear();
    assert_eq!(world.pace(), []);
}

#[test]
fn without_trunk_relay_or_node_nobody_is_dialled() {
    type Break = fn(&mut World);
    let breaks: [Break; 4] = [
        |world| world.trunks.clear(),
        |world| world.trunks[0].destination = None,
        |world| world.relays.clear(),
        |world| world.nodes.clear(),
    ];
    for take_away in breaks {
        let mut world = World::new(&[ONE_QUEUE; 3], vec![campaign(1, 1)]);
        world.import(1, LONDON, 0..10);
        assert_eq!(world.pace().len(), 3);
        take_away(&mut world);
        assert_eq!(world.pace(), []);
    }
}

#[test]
fn a_round_has_an_end() {
    let mut world = World::new(&[ONE_QUEUE; PER_ROUND + 10], vec![campaign(1, 1)]);
    world.import(1, LONDON, 0..200);
    let dials = world.pace();
    assert_eq!(dials.len(), PER_ROUND);
    world.grant(dials);
    assert_eq!(world.pace().len(), 10, "and the next goes on");
}

#[test]
fn owners_and_relays_are_spread_and_sites_are_kept() {
    let mut world = World::new(&[ONE_QUEUE; 6], vec![campaign(1, 1)]);
    world.import(1, LONDON, 0..10);
    let dials = world.pace();
    let owners: Vec<_> = dials.iter().map(|dial| dial.owner.0).collect();
    assert_eq!(owners, [1, 2, 3, 1, 2, 3].map(NodeId));
    let of_first = dials.iter().filter(|dial| dial.relay == RelayId(1)).count();
    assert_eq!(of_first, 3);
    assert!(dials.iter().all(|dial| dial.relay == dial.agent_relay), "near each other where nothing says otherwise");

    world.trunks[0].site = "west".into();
    world.relays = vec![relay(1, "east"), relay(2, "west")];
    let mut config = tenant(&[ONE_QUEUE; 6], vec![campaign(1, 1)]);
    config.agents[0].site = "east".into();
    world.configure(config);
    let relays: Vec<_> = world.pace().iter().take(2).map(|dial| (dial.relay.0, dial.agent_relay.0)).collect();
    assert_eq!(relays, [(2, 1), (2, 2)]);
}

#[test]
fn a_plan_names_its_campaign_and_lead() {
    let mut world = World::new(&[ONE_QUEUE], vec![campaign(7, 1)]);
    world.import(7, LONDON, 0..1);
    let lead = LeadId::new(CampaignId(7), 0);
    let expected = Dial {
        campaign: CampaignId(7),
        to: DialTo::Lead(lead),
        agent: AgentId(1),
        owner: world.nodes[0],
        destination: trunk().destination.unwrap(),
        relay: RelayId(1),
        agent_relay: RelayId(1),
        epoch: 3,
        not_after: Wall(NOON + 9 * HOUR),
    };
    assert_eq!(world.pace(), [expected]);
}

/// A round has an end also where lists begin with numbers that are on calls of another campaign.
#[test]
fn so_many_leads_whose_numbers_are_on_a_call_are_passed_over_in_a_round() {
    let mut world = World::new(&[ONE_QUEUE; 1002], (1..=3).map(|id| campaign(id, 1)).collect());
    world.import(1, LONDON, 0..1000);
    for _ in 0..16 {
        world.grant(world.pace());
    }
    for (id, first) in [(2, 1), (3, 0)] {
        world.import(id, LONDON, first..1000);
        world.import(id, LONDON, 2000 + first..2001 + first);
    }
    let dials = world.pace();
    assert_eq!((by_campaign(&dials), leads(&dials)), (BTreeMap::from([(2, 1)]), vec![999]), "a thousand are enough");
}

/// Each trunk has its own rate, and a relay of its own site.
#[test]
fn a_trunk_that_is_full_holds_up_no_campaign_of_another() {
    let other = TrunkId(2);
    let mut world = World::new(&[ONE_QUEUE; 9], vec![campaign(1, 1), Campaign { trunk: other, ..campaign(2, 1) }]);
    world.import(1, LONDON, 0..10);
    world.import(2, LONDON, 10..20);
    world.trunks.push(Trunk { id: other, ..trunk() });
    world.allowance = BTreeMap::from([(TRUNK, 1), (other, 3)]);
    assert_eq!(by_campaign(&world.pace()), BTreeMap::from([(1, 1), (2, 3)]));
}

/// A row lingers for a minute after its call: who has the fewest calls is counted by those that live.
#[test]
fn calls_that_are_over_take_no_turn() {
    let mut world = World::new(&[ONE_QUEUE; 2], vec![campaign(1, 1), campaign(2, 1)]);
    world.import(1, LONDON, 0..10);
    world.import(2, LONDON, 10..20);
    let calls = world.grant(world.pace());
    world.busy(calls[1]);
    assert_eq!(by_campaign(&world.pace()), BTreeMap::from([(2, 1)]));
}

/// Zones are numbered as lists come to name them, which says nothing of whose turn it is.
#[test]
fn the_longest_due_goes_first_whichever_zone_it_lives_in() {
    let mut world = World::new(&[ONE_QUEUE; 3], vec![campaign(1, 1)]);
    world.wall = NOON + 2 * HOUR;
    for (zone, number) in [(LONDON, 0), (NEW_YORK, 1), (LONDON, 2)] {
        world.import(1, zone, number..number + 1);
        world.wall += 1;
    }
    assert_eq!(leads(&world.pace()), [0, 1, 2]);
}

/// Each process dials for the campaigns that it owns, and an earlier or later life of it for none of them.
#[test]
fn nobody_is_dialled_for_a_campaign_of_another_process() {
    let mut world = World::new(&[ONE_QUEUE; 4], vec![campaign(1, 1), campaign(2, 1)]);
    world.import(1, LONDON, 0..1);
    world.import(2, LONDON, 10..12);
    let other = (NodeId(2), Incarnation(1));
    let assign = Command::Assign { row: RowKey::Campaign(CampaignId(2)), to: other };
    assert_eq!(world.say(assign), Outcome::Done);
    let of = |world: &World, owner| by_campaign(&pace(&world.shard, &world.means(), owner, &mut Aside::default()));
    assert_eq!(of(&world, PACER), BTreeMap::from([(1, 1)]));
    assert_eq!(of(&world, other), BTreeMap::from([(2, 2)]));
    for nobody in [(NodeId(3), Incarnation(1)), (PACER.0, Incarnation(2)), (other.0, Incarnation(2))] {
        assert_eq!(of(&world, nobody), BTreeMap::new());
    }
    // Each says under which epoch of its own campaign.
    let epochs = |owner| {
        pace(&world.shard, &world.means(), owner, &mut Aside::default())
            .iter()
            .map(|dial| dial.epoch)
            .collect::<Vec<_>>()
    };
    let epoch = |id| world.shard.campaign(CampaignId(id)).and_then(|ledger| ledger.owner).map(|owner| owner.epoch);
    assert_eq!((epochs(PACER).first().copied(), epochs(other).first().copied()), (epoch(1), epoch(2)));
    assert_ne!(epoch(1), epoch(2));
}

/// Of leads that came at the same moment the first of the list goes first, whichever zone it lives in.
#[test]
fn of_those_who_are_due_alike_the_list_has_the_order() {
    let mut world = World::new(&[ONE_QUEUE; 4], vec![campaign(1, 1)]);
    world.wall = NOON + 2 * HOUR;
    for (zone, number) in [(LONDON, 0), (NEW_YORK, 1), (LONDON, 2), (NEW_YORK, 3)] {
        world.import(1, zone, number..number + 1);
    }
    assert_eq!(leads(&world.pace()), [0, 1, 2, 3]);
}

/// What one tenant calls is no reason for another not to.
#[test]
fn two_tenants_may_call_the_same_number() {
    let mut world = World::new(&[ONE_QUEUE], vec![campaign(1, 1)]);
    world.also(TenantId(2), 7, campaign(2, 7));
    world.import(1, LONDON, 0..1);
    world.import(2, LONDON, 0..1);
    let dials = world.pace();
    assert_eq!((by_campaign(&dials), agents(&dials)), (BTreeMap::from([(1, 1), (2, 1)]), vec![1, 7]));
    world.grant(dials);
    assert_eq!(world.manual(7, 1, 5), Err(Denial::NoSuchAgent(AgentId(7))), "another tenant's");
}

/// Who takes calls in the meantime is no campaign's.
#[test]
fn calls_that_come_in_take_no_turn() {
    let mut world = World::new(&[&[1], &[1], &[3]], vec![campaign(1, 1), campaign(2, 1)]);
    world.import(1, LONDON, 0..10);
    world.import(2, LONDON, 10..20);
    world.call(3);
    assert_eq!(by_campaign(&world.pace()), BTreeMap::from([(1, 1), (2, 1)]));
}

/// The longest idle agent is called for first, whoever was configured first.
#[test]
fn the_longest_idle_agent_gets_the_first_lead() {
    let mut world = World::new(&[ONE_QUEUE; 3], vec![campaign(1, 1)]);
    world.import(1, LONDON, 0..2);
    let agent = AgentId(1);
    for presence in [Presence::NotReady { reason: "tea".into() }, Presence::Ready] {
        assert_eq!(world.say(Command::Presence { agent, presence }), Outcome::Done);
    }
    assert_eq!(agents(&world.pace()), [2, 3]);
}

/// Hours are asked for by the clock that the entry will have at least.
#[test]
fn whom_a_log_ahead_of_our_clock_has_made_due_is_called() {
    let mut world = World::new(&[ONE_QUEUE], vec![campaign(1, 1)]);
    world.wall = NOON + HOUR;
    world.import(1, LONDON, 0..1);
    world.wall = NOON;
    let dials = world.pace();
    assert_eq!((leads(&dials), dials[0].not_after), (vec![0], Wall(NOON + 9 * HOUR)));
}
