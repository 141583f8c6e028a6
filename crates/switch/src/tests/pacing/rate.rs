//! What a trunk has room for: its calls a second, shared by all that dial over it, and its lines.

use std::time::Duration;

use strowger_model::config::{Agent, Campaign, DialMode, Tenant, Trunk};
use strowger_model::{AgentId, Cause, Ended, HangupBy, LogTime, TrunkId};
use strowger_table::{Command, Outcome};

use super::super::bench::{ME, OTHER, SHARD};
use super::super::leading::{ALL_DAY, campaign, staffed};
use super::{ROUND, SECOND_CAMPAIGN, dialling, settled, trunk};
use crate::Pacer;

#[test]
fn a_trunk_that_is_full_is_looked_at_when_it_has_room() {
    let mut world = settled(3, 2, ALL_DAY);
    let begun = world.now();
    let (dials, _) = world.round();
    assert_eq!(dials.len(), 2, "a second's worth at once");
    world.dial(dials);
    let (dials, again) = world.round();
    assert_eq!((dials.len(), again), (0, Some(begun + ROUND)));
    world.pass(ROUND);
    let (dials, again) = world.round();
    let room = begun + Duration::from_millis(500);
    assert_eq!((dials.len(), again), (0, Some(room)));
    world.world.bench.now = room;
    assert_eq!(world.round().0.len(), 1);
}

/// Its calls at once are those of all shards and both ways, and no entry of this shard tells when another's ends.
#[test]
fn nobody_is_dialled_beyond_a_trunks_lines() {
    let mut world = dialling(5, 100, ALL_DAY);
    world.world.trunks = vec![Trunk { max_calls: 2, ..trunk(100) }];
    let tenants = world.world.control.tenants().to_vec();
    world.world.in_force(tenants);
    assert_eq!(world.round().0, []);
    world.pass(Duration::from_secs(1));
    let (dials, _) = world.round();
    assert_eq!(dials.len(), 2, "of five agents and a hundred a second");
    world.dial(dials);
    world.pass(ROUND);
    assert_eq!(world.round(), (Vec::new(), Some(world.now() + Duration::from_secs(1))));
    let call = world.world.bench.shard.calls().next().map(|call| call.id).unwrap();
    let ended = Ended { by: HangupBy::System, cause: Cause::NORMAL };
    let observed = LogTime(world.now().0);
    assert_eq!(world.say(Command::End { call, ended, observed }), Outcome::Done);
    world.pass(ROUND);
    assert_eq!(world.round().0.len(), 1, "a line is free");
}

#[test]
fn a_trunk_whose_rate_was_changed_gives_what_it_has_now() {
    for (rate, room) in [(10, Duration::from_millis(100)), (1, Duration::from_secs(1))] {
        let mut world = settled(9, 2, ALL_DAY);
        let (dials, _) = world.round();
        assert_eq!(dials.len(), 2);
        world.dial(dials);
        world.world.trunks = vec![trunk(rate)];
        let tenants = world.world.control.tenants().to_vec();
        world.world.in_force(tenants);
        world.pass(ROUND);
        let changed = world.now();
        world.pacer.wake(SHARD);
        assert_eq!(world.round(), (Vec::new(), Some(changed + room)), "what was taken of it before is not known");
        world.world.bench.now = changed + room;
        assert_eq!(world.round().0.len(), 1, "{rate} a second");
    }
}

#[test]
fn who_begins_to_pace_takes_no_more_of_a_trunk_than_others_left() {
    let mut world = dialling(3, 2, ALL_DAY);
    let room = world.now() + Duration::from_millis(500);
    assert_eq!(world.round(), (Vec::new(), Some(room)));
    world.world.bench.now = room;
    assert_eq!(world.round().0.len(), 1);
    // The pacer breaks, or the campaign comes from another node.
    world.pacer = Pacer::new(ME.node, ME.incarnation);
    world.pacer.wake(SHARD);
    assert_eq!(world.round(), (Vec::new(), Some(room + Duration::from_millis(500))));
}

#[test]
fn a_trunk_is_shared_by_all_nodes_that_dial_over_it() {
    let mut world = settled(3, 2, ALL_DAY);
    world.belongs_to(SECOND_CAMPAIGN, OTHER);
    assert_eq!(world.round().0.len(), 2, "the other campaign does not run");
    let mut world = settled(3, 2, ALL_DAY);
    world.belongs_to(SECOND_CAMPAIGN, OTHER);
    world.say(Command::Run { campaign: SECOND_CAMPAIGN, running: true });
    let begun = world.now();
    assert_eq!(world.round(), (Vec::new(), Some(begun + Duration::from_secs(1))), "what was saved up is gone");
    world.pass(Duration::from_secs(1));
    let (dials, _) = world.round();
    assert_eq!(dials.len(), 1, "one of two a second");
    world.dial(dials);
    world.say(Command::Run { campaign: SECOND_CAMPAIGN, running: false });
    world.pass(ROUND);
    let again = world.now() + Duration::from_millis(500);
    assert_eq!(world.round(), (Vec::new(), Some(again)), "the whole rate again, from nothing");
}

/// Who dials by hand asks for each call, and holds nothing of the rate.
#[test]
fn a_campaign_by_hand_takes_no_share_of_a_trunk() {
    let mut world = settled(3, 2, ALL_DAY);
    let by_hand = Campaign { id: SECOND_CAMPAIGN, mode: DialMode::Manual, ..campaign(ALL_DAY) };
    let agents = (1..=3).map(|id| Agent { id: AgentId(id), ..staffed().agents[0].clone() }).collect();
    let tenant = Tenant { agents, campaigns: vec![campaign(ALL_DAY), by_hand], ..staffed() };
    world.world.configure(&tenant);
    for command in Command::configuring(world.world.version(), &tenant) {
        assert_eq!(world.say(command).refusal(), None);
    }
    world.belongs_to(SECOND_CAMPAIGN, OTHER);
    world.say(Command::Run { campaign: SECOND_CAMPAIGN, running: true });
    assert_eq!(world.round().0.len(), 2, "all of a second's worth");
}

/// Of two trunks the one that has room first wakes, and one that another node dials over does not.
#[test]
fn it_looks_again_when_the_first_of_its_trunks_has_room() {
    for (owner, wait) in [(ME, 100), (OTHER, 500)] {
        let mut world = settled(3, 2, ALL_DAY);
        let (slow, fast) = (trunk(2), Trunk { id: TrunkId(2), ..trunk(10) });
        world.world.trunks = vec![slow, fast];
        let second = Campaign { id: SECOND_CAMPAIGN, trunk: TrunkId(2), ..campaign(ALL_DAY) };
        let agents = (1..=3).map(|id| Agent { id: AgentId(id), ..staffed().agents[0].clone() }).collect();
        let tenant = Tenant { agents, campaigns: vec![campaign(ALL_DAY), second], ..staffed() };
        world.world.configure(&tenant);
        for command in Command::configuring(world.world.version(), &tenant) {
            assert_eq!(world.say(command).refusal(), None);
        }
        world.belongs_to(SECOND_CAMPAIGN, owner);
        world.say(Command::Run { campaign: SECOND_CAMPAIGN, running: true });
        let (dials, _) = world.round();
        world.dial(dials);
        world.pass(ROUND);
        world.pacer = Pacer::new(ME.node, ME.incarnation);
        world.pacer.wake(SHARD);
        assert_eq!(world.round(), (Vec::new(), Some(world.now() + Duration::from_millis(wait))), "{owner:?}");
    }
}
