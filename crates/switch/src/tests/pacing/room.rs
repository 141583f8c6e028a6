//! What a round may take where others take of it too: lines and caps of a trunk, and time to look at a list.

use std::time::Duration;

use strowger_dialer::{Payer, Spending};
use strowger_model::config::{Agent, Tenant, Trunk};
use strowger_model::{AgentId, Caps, Destinations, LeadId, LogTime, OutboundCaps, ShardId, Wall};
use strowger_table::{At, Body, Command, Dial, DialTo, Outcome, Proposal, RowKey, Shard};

use super::super::bench::{ME, SHARD};
use super::super::leading::{ALL_DAY, CAMPAIGN, campaign, staffed};
use super::{Paced, ROUND, dialling, import, settled, trunk};

/// A shard of another tenant, whose campaign has so many agents, goes over the same trunk and is this node's.
fn beside(agents: u32, wall: Wall) -> Shard {
    let mut shard = Shard::new(ShardId(1));
    let agents = (1..=agents).map(|id| Agent { id: AgentId(100 + id), ..staffed().agents[0].clone() }).collect();
    let campaigns = vec![campaign(ALL_DAY)];
    let tenant = Tenant { name: "beta".into(), shard: ShardId(1), agents, campaigns, ..staffed() };
    let assign = Command::Assign { row: RowKey::Campaign(CAMPAIGN), to: (ME.node, ME.incarnation) };
    let commands = Command::configuring(1, &tenant).into_iter().chain([import(0..20), assign]);
    for (index, command) in (1..).zip(commands) {
        let at = At { index, time: LogTime(index), wall };
        let outcome = shard.apply(at, &Proposal { from: ME, seq: 0, body: Body::Shard(command) }).outcome;
        assert_eq!(outcome.refusal(), None);
    }
    shard
}

/// With a trunk of so many lines.
fn with_lines(max_calls: u32, agents: u32) -> Paced {
    let mut world = dialling(agents, 100, ALL_DAY);
    world.world.trunks = vec![Trunk { max_calls, ..trunk(100) }];
    let tenants = world.world.control.tenants().to_vec();
    world.world.in_force(tenants);
    assert_eq!(world.round().0, []);
    world.pass(Duration::from_secs(1));
    world
}

impl Paced {
    /// Its caller has them under way, as each node has what it proposes.
    fn begun(&mut self, dials: &[Dial]) {
        for dial in dials {
            let tenant = if dial.agent.0 > 100 { "beta" } else { "acme" };
            let began = self.spending.begin(Payer::all(dial.agent, tenant, "carrier"), self.world.bench.now);
            assert!(began.is_ok());
        }
    }

    fn has_beside(&mut self, agents: u32) {
        self.beside = Some(beside(agents, self.wall()));
        self.pacer.wake(ShardId(1));
    }
}

/// A line that a call of one shard takes is no other shard's, in the same round and while that call is no row yet.
#[test]
fn lines_are_those_of_all_shards_and_of_calls_under_way() {
    let mut world = with_lines(3, 2);
    world.has_beside(4);
    let (dials, _) = world.round();
    let of = |dials: &[Dial], beside: bool| dials.iter().filter(|dial| (dial.agent.0 > 100) == beside).count();
    assert_eq!((of(&dials, false), of(&dials, true)), (2, 1), "three lines, of six agents");

    let mut world = with_lines(3, 2);
    let (dials, _) = world.round();
    assert_eq!(dials.len(), 2);
    world.begun(&dials);
    world.has_beside(4);
    let (dials, _) = world.round();
    assert_eq!((of(&dials, false), of(&dials, true)), (0, 1), "two are on their way into the log");
    world.begun(&dials);
    world.pacer.answered(ShardId(1), None, world.world.bench.now);
    world.pass(ROUND);
    assert_eq!(world.round(), (Vec::new(), Some(world.now() + Duration::from_secs(1))), "all lines are taken");
}

/// So are the caps of a trunk.
#[test]
fn a_cap_of_a_trunk_holds_over_all_shards_and_calls_under_way() {
    let each_trunk = Caps { calls: Some(3), ..Caps::default() };
    let capped = || Spending::new(OutboundCaps { each_trunk, ..OutboundCaps::default() });
    let mut world = with_lines(100, 2);
    world.spending = capped();
    world.has_beside(4);
    assert_eq!(world.round().0.len(), 3);

    let mut world = with_lines(100, 2);
    world.spending = capped();
    let (dials, _) = world.round();
    world.begun(&dials);
    world.has_beside(4);
    let (more, _) = world.round();
    assert_eq!((dials.len(), more.len()), (2, 1));
    world.begun(&more);
    world.pacer.answered(ShardId(1), None, world.world.bench.now);
    world.pass(ROUND);
    assert_eq!(
        world.round(),
        (Vec::new(), Some(world.now() + Duration::from_secs(1))),
        "a call of another shard may end"
    );
}

/// So many leads that became forbidden are more than a round looks at: the next one goes on without any news.
#[test]
fn a_round_that_has_not_come_past_forbidden_leads_is_followed_by_another() {
    let mut world = settled(1, 100, ALL_DAY);
    assert!(matches!(world.say(import(1000..1600)), Outcome::Imported { added: 600, .. }));
    assert!(matches!(world.say(import(2000..2001)), Outcome::Imported { added: 1, .. }));
    world.destinations.everyone.deny = ["+442070000", "+442070001"].map(|prefix| prefix.parse().unwrap()).into();
    assert_eq!(world.round(), (Vec::new(), Some(world.now() + ROUND)));
    world.pass(ROUND);
    let (dials, _) = world.round();
    let first_allowed = 620;
    let to = dials.iter().map(|dial| dial.to).collect::<Vec<_>>();
    assert_eq!(to, [DialTo::Lead(LeadId::new(CAMPAIGN, first_allowed))]);
}

/// An operator who lifts a prefix makes the node read its file again, and waits for no new configuration.
#[test]
fn who_was_passed_over_is_judged_anew_by_other_lists() {
    let mut world = settled(1, 100, ALL_DAY);
    world.destinations.everyone.deny = vec!["+44".parse().unwrap()];
    assert_eq!(world.round().0, []);
    let mut next = |lists: Destinations, are_new: bool| {
        world.destinations = lists;
        if are_new {
            world.pacer.lists_changed();
        }
        world.pacer.wake(SHARD);
        world.pass(ROUND);
        world.round().0.len()
    };
    assert_eq!(next(Destinations::default(), false), 0, "it is known who is forbidden");
    assert_eq!(next(Destinations::default(), true), 1);
}
