//! Calls to leads: one round after the other, each at the instant at which something can be dialled.

use std::time::Duration;

use strowger_acd::UsableRelay;
use strowger_dialer::Spending;
use strowger_model::config::{Agent, Campaign, Hours, Tenant, Trunk};
use strowger_model::{AgentId, CampaignId, Destinations, Digest, Far, Mono, RelayId, ShardId, Wall};
use strowger_table::{
    BarList, Command, Dial, DialTo, NewLead, Outcome, Presence, Proposer, Refusal, RowKey, Scope, Shard,
};

use super::bench::{ME, OTHER, SHARD, THIRD};
use super::leading::{ALL_DAY, CAMPAIGN, TRUNK, World, campaign, staffed};
use crate::{Pacer, Scene};

mod broken;
mod rate;
mod room;

const SECOND_CAMPAIGN: CampaignId = CampaignId(2);
/// 2023-11-14 22:13:20 in London.
const WALL_MS: u64 = 1_700_000_000_000;
const ROUND: Duration = Duration::from_millis(100);

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

/// A node that paces the campaigns of a shard.
struct Paced {
    world: World,
    pacer: Pacer,
    destinations: Destinations,
    spending: Spending,
    /// Another shard of the same cluster, if there is one.
    beside: Option<Shard>,
}

/// A running campaign with leads for all its agents, and a trunk that takes so many calls a second.
fn dialling(agents: u32, rate: u32, hours: Hours) -> Paced {
    let mut world = World::new();
    world.wall_ms = WALL_MS - world.bench.now.0 / 1000;
    world.trunks = vec![trunk(rate)];
    let agents = (1..=agents).map(|id| Agent { id: AgentId(id), ..staffed().agents[0].clone() }).collect();
    let campaigns = vec![campaign(hours), Campaign { id: SECOND_CAMPAIGN, start: false, ..campaign(hours) }];
    let tenant = Tenant { agents, campaigns, ..staffed() };
    world.configure(&tenant);
    for command in Command::configuring(world.version(), &tenant) {
        assert_eq!(world.say(command).refusal(), None);
    }
    let (destinations, spending, beside) = (Destinations::default(), Spending::default(), None);
    let pacer = Pacer::new(ME.node, ME.incarnation);
    let mut paced = Paced { world, pacer, destinations, spending, beside };
    assert!(matches!(paced.say(import(0..20)), Outcome::Imported { added: 20, .. }));
    paced.belongs_to(CAMPAIGN, ME);
    paced
}

fn import(lines: std::ops::Range<u16>) -> Command {
    let lead = |line: u16| NewLead {
        number: format!("+44207000{line:04}").parse().unwrap(),
        zone: "Europe/London".into(),
        line,
    };
    let batch = Digest([lines.start as u8 + 1; 32]);
    Command::Import { campaign: CAMPAIGN, batch, leads: lines.map(lead).collect() }
}

/// The same, by a node that has paced for a second.
fn settled(agents: u32, rate: u32, hours: Hours) -> Paced {
    let mut world = dialling(agents, rate, hours);
    assert_eq!(world.round().0, [], "what others have taken of the trunk is not known");
    world.pass(Duration::from_secs(1));
    world.pacer.wake(SHARD);
    world
}

impl Paced {
    fn say(&mut self, command: Command) -> Outcome {
        let outcome = self.world.say(command);
        if !self.world.bench.touched.is_nothing() {
            self.pacer.wake(SHARD);
        }
        outcome
    }

    fn belongs_to(&mut self, campaign: CampaignId, Proposer { node, incarnation }: Proposer) {
        let assign = Command::Assign { row: RowKey::Campaign(campaign), to: (node, incarnation) };
        assert_eq!(self.say(assign), Outcome::Done);
    }

    fn now(&self) -> Mono {
        self.world.bench.now
    }

    fn pass(&mut self, time: Duration) {
        self.world.pass(time);
    }

    /// The calls of a round, and when it looks again.
    fn round(&mut self) -> (Vec<Dial>, Option<Mono>) {
        let (said, again) = self.look();
        let dials = said.into_iter().map(|command| match command {
            Command::Dial(dial) => *dial,
            other => panic!("not a call but {other:?}"),
        });
        (dials.collect(), again)
    }

    fn look(&mut self) -> (Vec<Command>, Option<Mono>) {
        let shards: Vec<&Shard> = [&self.world.bench.shard].into_iter().chain(&self.beside).collect();
        let scene = Scene {
            shards: &shards,
            control: &self.world.control,
            relays: &[UsableRelay { relay: RelayId(1), site: String::new() }],
            destinations: &self.destinations,
            spending: &self.spending,
            now: self.world.bench.now,
            wall: self.wall(),
        };
        let (said, again) = self.pacer.look(&scene);
        (said.into_iter().map(|(_, command)| command).collect(), again)
    }

    fn wall(&self) -> Wall {
        Wall(self.world.wall_ms + self.world.bench.now.0 / 1000)
    }

    fn answer(&mut self, outcome: Option<Outcome>) {
        self.pacer.answered(SHARD, outcome.as_ref(), self.world.bench.now);
    }

    fn dial(&mut self, dials: Vec<Dial>) {
        for dial in dials {
            let outcome = self.say(Command::Dial(Box::new(dial)));
            assert!(matches!(outcome, Outcome::Dialled { .. }), "{outcome:?}");
            self.answer(Some(outcome));
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
    world.pacer.wake(SHARD);
    world.pass(10 * ROUND);
    assert_eq!(world.round().0, [], "a round is under way");
    world.dial(dials);
    assert_eq!(world.round().0, [], "nobody is idle");
}

#[test]
fn rounds_keep_a_distance_whatever_the_news() {
    let mut world = settled(1, 100, ALL_DAY);
    let (dials, _) = world.round();
    world.answer(Some(Outcome::Refused(Refusal::WrongStage)));
    assert_eq!(dials.len(), 1);
    world.pacer.wake(SHARD);
    let (dials, again) = world.round();
    assert_eq!((dials, again), (Vec::new(), Some(world.now() + ROUND)));
    world.pass(ROUND);
    assert_eq!(world.round().0.len(), 1);
}

#[test]
fn only_the_owner_of_a_campaign_dials_and_only_in_its_epoch() {
    let mut world = settled(2, 100, ALL_DAY);
    let (dials, _) = world.round();
    let dial = |dial: &Dial| Command::Dial(Box::new(dial.clone()));
    let not_owner = Outcome::Refused(Refusal::NotOwner);
    assert_eq!(world.world.bench.commit(THIRD, dial(&dials[0])), not_owner, "another node");
    assert_eq!(world.say(Command::Retake { row: RowKey::Campaign(CAMPAIGN) }), Outcome::Done);
    assert_eq!(world.say(dial(&dials[0])), not_owner, "said before the pacer began again");
    world.answer(Some(not_owner.clone()));
    world.answer(Some(not_owner));
    world.pass(ROUND);
    let (dials, _) = world.round();
    assert_eq!(dials.len(), 2);
    world.belongs_to(CAMPAIGN, OTHER);
    assert_eq!(world.say(dial(&dials[0])), Outcome::Refused(Refusal::NotOwner), "it has gone elsewhere");
    world.answer(None);
    world.answer(None);
    world.pass(ROUND);
    assert_eq!(world.round().0, []);
}

/// A follower's table is a little behind the one that granted.
#[test]
fn the_next_round_waits_until_the_last_one_is_in_this_nodes_table() {
    let mut world = settled(2, 100, ALL_DAY);
    let (dials, _) = world.round();
    let behind = world.world.bench.shard.clone();
    world.dial(dials);
    world.pass(ROUND);
    let ahead = std::mem::replace(&mut world.world.bench.shard, behind);
    assert_eq!(world.round(), (Vec::new(), None), "the agents are kept, which this table does not show");
    world.world.bench.shard = ahead;
    world.say(Command::Presence { agent: AgentId(1), presence: Presence::Ready });
    assert_eq!(world.round().0, []);
}

#[test]
fn a_round_that_was_not_committed_is_made_again_a_little_later() {
    let mut world = settled(2, 100, ALL_DAY);
    assert_eq!(world.round().0.len(), 2);
    world.pass(ROUND);
    world.answer(None);
    world.answer(Some(Outcome::Refused(Refusal::WrongStage)));
    let (dials, again) = world.round();
    assert_eq!((dials.len(), again), (0, Some(world.now() + ROUND)));
    world.pass(ROUND);
    assert_eq!(world.round().0.len(), 2);
}

#[test]
fn hours_begin_on_the_minute_and_the_clock_on_the_wall_is_trusted_no_longer() {
    // 39 s from now, while it is shut.
    let mut world = settled(1, 100, Hours { from_min: 22 * 60 + 14, ..ALL_DAY });
    let (dials, again) = world.round();
    let opens = world.now() + Duration::from_secs(39);
    assert_eq!((dials.len(), again), (0, Some(opens)));
    world.world.bench.now = opens - Duration::from_millis(1);
    assert_eq!(world.round(), (Vec::new(), Some(opens)));
    world.world.bench.now = opens;
    assert_eq!(world.round().0.len(), 1);

    // Nothing is due for hours by that clock, which may be set.
    let mut world = settled(0, 100, ALL_DAY);
    assert_eq!(world.round(), (Vec::new(), Some(world.now() + Duration::from_secs(60))));
}

#[test]
fn a_campaign_that_stands_still_is_not_looked_at() {
    let mut world = settled(1, 100, ALL_DAY);
    world.say(Command::Run { campaign: CAMPAIGN, running: false });
    assert_eq!(world.round(), (Vec::new(), None));
    world.say(Command::Run { campaign: CAMPAIGN, running: true });
    world.pass(Duration::from_secs(1));
    assert_eq!(world.round().0.len(), 0, "its share begins anew");
    world.pass(ROUND);
    assert_eq!(world.round().0.len(), 1);
}

#[test]
fn a_number_that_is_barred_no_more_is_called() {
    let mut world = settled(1, 100, ALL_DAY);
    let numbers = (0..20).map(|line| format!("+44207000{line:04}").parse().unwrap()).collect::<Vec<_>>();
    let bar = |lift| Command::Bar { list: BarList::DoNotCall, scope: Scope::Everyone, numbers: numbers.clone(), lift };
    world.say(bar(false));
    assert_eq!(world.round().0, []);
    world.pass(ROUND);
    world.say(bar(true));
    assert_eq!(world.round().0.len(), 1);
}

/// Entries are never stamped earlier than the newest one, so hours begin by the log's clock where it is ahead.
#[test]
fn a_log_that_was_stamped_ahead_of_our_clock_counts() {
    let mut world = settled(1, 100, Hours { from_min: 22 * 60 + 14, ..ALL_DAY });
    world.world.bench.wall = Wall(world.wall().0 + 20_000);
    world.say(Command::Presence { agent: AgentId(1), presence: Presence::NotReady { reason: "tea".into() } });
    world.say(Command::Presence { agent: AgentId(1), presence: Presence::Ready });
    let (dials, again) = world.round();
    assert_eq!((dials.len(), again), (0, Some(world.now() + Duration::from_secs(19))));
}

/// Answers come in any order; the last call of the round has to be a row here.
#[test]
fn the_next_round_waits_for_the_last_call_whichever_answer_comes_last() {
    let mut world = settled(2, 100, ALL_DAY);
    let (dials, _) = world.round();
    let mut outcomes = Vec::new();
    let mut behind = world.world.bench.shard.clone();
    for dial in dials {
        behind = world.world.bench.shard.clone();
        outcomes.push(world.say(Command::Dial(Box::new(dial))));
    }
    for outcome in outcomes.into_iter().rev() {
        assert!(matches!(outcome, Outcome::Dialled { .. }));
        world.answer(Some(outcome));
    }
    world.pass(ROUND);
    world.world.bench.shard = behind;
    assert_eq!(world.round(), (Vec::new(), None), "it shows the first call only");
}

/// The trunk has room, or a lead is due, at an instant that no entry tells.
#[test]
fn a_round_under_way_is_not_overtaken_by_what_becomes_due() {
    let mut world = settled(3, 2, ALL_DAY);
    let (dials, again) = world.round();
    assert_eq!((dials.len(), again), (2, None), "its answers will tell");
    world.pass(Duration::from_secs(70));
    assert_eq!(world.round(), (Vec::new(), None));
    world.answer(None);
    assert_eq!(world.round(), (Vec::new(), None), "one answer is missing");
    world.answer(None);
    world.pass(ROUND);
    assert_eq!(world.round().0.len(), 2);
}

/// A pacer of a node that owns none of the campaigns waits for nothing but news.
#[test]
fn who_owns_no_campaign_does_not_look_by_itself() {
    let mut world = settled(1, 100, ALL_DAY);
    world.belongs_to(CAMPAIGN, OTHER);
    assert_eq!(world.round(), (Vec::new(), None));
}

/// After a round of which everything was granted nothing has changed but its own calls.
#[test]
fn a_round_that_was_granted_makes_no_other_by_itself() {
    let mut world = settled(1, 100, ALL_DAY);
    let begun = world.now();
    let (dials, _) = world.round();
    for dial in dials {
        let outcome = world.world.say(Command::Dial(Box::new(dial)));
        world.answer(Some(outcome));
    }
    world.pass(ROUND);
    assert_eq!(world.round(), (Vec::new(), Some(begun + Duration::from_secs(60))), "the clock on the wall may be set");
}

#[test]
fn each_shard_has_rounds_of_its_own() {
    let mut world = settled(0, 100, ALL_DAY);
    assert_eq!(world.round().1, Some(world.now() + Duration::from_secs(60)));
    let now = world.now();
    world.pacer.answered(ShardId(1), None, now);
    assert_eq!(world.round().1, Some(now + ROUND), "a dial of the other was lost");
}
