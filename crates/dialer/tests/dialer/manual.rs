//! A number that an agent asks for: dialled, or a reason that says what to do.

use strowger_dialer::{Denial, ForbiddenNumber, NoSuchZone, Spending};
use strowger_model::config::{Campaign, DialMode};
use strowger_model::{AgentId, CampaignId, Caps, LeadId, Mono, OutboundCaps, Prefixes, Wall};
use strowger_table::{Command, DialTo, Outcome, Presence};

use crate::world::*;

fn world() -> World {
    let by_hand = Campaign { mode: DialMode::Manual, ..campaign(1, 1) };
    let without_zone = Campaign { zone: None, ..campaign(2, 1) };
    let elsewhere = Campaign { zone: Some("Mars/Olympus_Mons".into()), ..campaign(3, 1) };
    World::new(&[&[1][..]; 3], vec![by_hand, without_zone, elsewhere])
}

#[test]
fn a_number_of_no_list_is_called_by_the_campaigns_clock() {
    let mut world = world();
    let dial = world.manual(1, 1, 5).unwrap();
    assert_eq!((dial.to, dial.not_after), (DialTo::Number { number: number(5) }, Wall(NOON + 9 * HOUR)));
    world.grant(vec![dial]);
}

#[test]
fn a_lead_is_called_by_its_own_clock() {
    let mut world = world();
    world.import(1, NEW_YORK, 0..1);
    world.import(2, LONDON, 0..1);
    assert_eq!(world.manual(1, 1, 0), Err(Denial::Closed { zone: NEW_YORK.into() }));
    assert_eq!(world.manual(1, 2, 0).map(|dial| dial.not_after), Ok(Wall(NOON + 9 * HOUR)));
    world.wall += HOUR;
    assert_eq!(world.manual(1, 1, 0).map(|dial| dial.not_after), Ok(Wall(NOON + 14 * HOUR)));
}

#[test]
fn who_is_not_ready_may_ask_and_who_is_busy_may_not() {
    let mut world = world();
    let agent = AgentId(1);
    let presence = Presence::NotReady { reason: "notes".into() };
    assert_eq!(world.say(Command::Presence { agent, presence }), Outcome::Done);
    world.grant(vec![world.manual(1, 1, 5).unwrap()]);
    assert_eq!(world.manual(1, 1, 6), Err(Denial::AgentBusy("offered")));
    assert_eq!(world.manual(9, 1, 6), Err(Denial::NoSuchAgent(AgentId(9))));
    // A campaign need not run for that, and an agent need not serve its queue.
    world.run(2, false);
    world.import(2, LONDON, 7..8);
    assert!(world.manual(2, 2, 7).is_ok());
}

#[test]
fn what_cannot_be_checked_or_is_not_allowed_is_denied() {
    let mut world = world();
    world.bar(1..2);
    assert_eq!(world.manual(1, 9, 5), Err(Denial::NoSuchCampaign(CampaignId(9))));
    assert_eq!(world.manual(1, 1, 1), Err(Denial::Barred(number(1))));
    assert_eq!(world.manual(1, 2, 5), Err(Denial::NoZone(number(5))));
    assert_eq!(world.manual(1, 3, 5), Err(Denial::NoSuchZone(NoSuchZone("Mars/Olympus_Mons".into()))));
    world.grant(vec![world.manual(2, 1, 5).unwrap()]);
    assert_eq!(world.manual(1, 1, 5), Err(Denial::OnACall(number(5))));

    let denied = |change: fn(&mut World)| {
        let mut world = self::world();
        change(&mut world);
        world.manual(1, 1, 5).unwrap_err()
    };
    assert_eq!(denied(|world| world.trunks.clear()), Denial::NoTrunk(TRUNK));
    let carrier = || "carrier".to_owned();
    assert_eq!(denied(|world| world.trunks[0].destination = None), Denial::NoDestination { trunk: carrier() });
    assert_eq!(denied(|world| world.allowance.clear()), Denial::TrunkFull { trunk: carrier() });
    assert_eq!(denied(|world| world.relays.clear()), Denial::NoRelay);
    assert_eq!(denied(|world| world.nodes.clear()), Denial::NoNode);
    assert_eq!(denied(|world| world.wall = NOON + 9 * HOUR), Denial::Closed { zone: LONDON.into() });
}

/// One rule for whoever dials: an agent who asks, and the pacer, which takes the next lead.
#[test]
fn a_forbidden_number_is_dialled_by_nobody() {
    let mut world = World::new(&[&[1]], vec![campaign(1, 1)]);
    world.import(1, LONDON, 0..2);
    world.run(1, true);
    let denied = number(0);
    world
        .destinations
        .tenants
        .insert("acme".into(), Prefixes { deny: vec![denied.to_string().parse().unwrap()], ..Prefixes::default() });
    let why = world.manual(1, 1, 0).unwrap_err();
    assert!(matches!(why, Denial::Forbidden(ForbiddenNumber::Denied { .. })), "{why:?}");
    let dials = world.pace();
    assert_eq!(dials.iter().map(|dial| dial.to).collect::<Vec<_>>(), [DialTo::Lead(LeadId::new(CampaignId(1), 1))]);
    world.destinations.tenants.clear();
    assert!(world.manual(1, 1, 0).is_ok());
}

/// What one more call may cost, whoever dials it.
#[test]
fn nobody_dials_beyond_a_cap() {
    let mut world = World::new(&[&[1][..]; 2], vec![campaign(1, 1)]);
    world.import(1, LONDON, 0..2);
    world.run(1, true);
    let each_tenant = Caps { numbers_per_hour: Some(1), ..Caps::default() };
    world.spending = Spending::new(OutboundCaps { each_tenant, ..OutboundCaps::default() });
    let dials = world.pace();
    let granted = world.grant(dials[..1].to_vec());
    let call = world.shard.call(granted[0]).unwrap().clone();
    let told = world.spending.see(&call, ("acme", "carrier"), Mono::from_millis(world.wall));
    assert_eq!(told.len(), 1, "the alarm");
    assert!(matches!(world.manual(2, 1, 5), Err(Denial::Capped(_))));
    assert_eq!(world.pace(), []);
    world.wall += HOUR;
    assert!(world.manual(2, 1, 5).is_ok());
    assert_eq!(world.pace().len(), 1);
}

/// What is placed in a round counts in it: the log has none of it yet.
#[test]
fn one_round_does_not_go_beyond_a_cap() {
    let mut world = World::new(&[&[1][..]; 5], vec![campaign(1, 1)]);
    world.import(1, LONDON, 0..5);
    world.run(1, true);
    let cap = |most| Caps { numbers_per_hour: Some(most), calls: Some(most), ..Caps::default() };
    let caps = OutboundCaps { each_tenant: cap(2), ..OutboundCaps::default() };
    world.spending = Spending::new(caps.clone());
    assert_eq!(world.pace().len(), 2, "of five agents who are free");
    // A tenant with a zero of its own has no cap.
    world.spending = Spending::new(OutboundCaps { tenants: [("acme".to_owned(), cap(0))].into(), ..caps });
    assert_eq!(world.pace().len(), 5);
}

/// Calls of agents are spread over the nodes by their numbers.
#[test]
fn calls_that_agents_ask_for_are_spread_over_the_nodes() {
    let world = world();
    let owners: Vec<u16> = (5..11).map(|at| world.manual(1, 1, at).unwrap().owner.0.0).collect();
    let first = owners[0];
    assert_eq!(owners, (0..6).map(|at| (first - 1 + at) % 3 + 1).collect::<Vec<_>>());
}

#[test]
fn denials_say_what_to_do() {
    let no_zone = Denial::NoZone(number(5)).to_string();
    assert!(no_zone.contains("+442000000005") && no_zone.contains("give the campaign a zone"), "{no_zone}");
    assert_eq!(Denial::Closed { zone: LONDON.into() }.to_string(), "outside the calling hours in Europe/London");
}
