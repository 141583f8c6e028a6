//! Calls to leads: one round after the other, each at the instant at which something can be dialled.

use std::time::Duration;

use strowger_acd::UsableRelay;
use strowger_dialer::Spending;
use strowger_model::config::{Agent, Campaign, DialMode, Hours, Tenant, Trunk};
use strowger_model::{
    AgentId, CampaignId, Cause, Destinations, Digest, Ended, Far, HangupBy, Incarnation, LogTime, Mono, RelayId,
    ShardId, TrunkId, Wall,
};
use strowger_table::{
    BarList, Command, Dial, DialTo, NewLead, Outcome, Presence, Proposer, Refusal, RowKey, Scope, Shard,
};

use super::bench::{ME, OTHER, SHARD, THIRD};
use super::leading::{ALL_DAY, CAMPAIGN, TRUNK, World, campaign, staffed};
use crate::{Pacer, Scene};

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

fn retake(campaign: CampaignId) -> Command {
    Command::Retake { row: RowKey::Campaign(campaign) }
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

    fn says(&mut self) -> Vec<Command> {
        self.look().0
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

    /// The pacer broke, and this is the next one.
    fn begins_again(&mut self) {
        self.pacer = Pacer::new(ME.node, ME.incarnation);
        self.pacer.wake(SHARD);
        self.pacer.follow_broken(&self.world.bench.shard);
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

/// A pacer that begins again fences what its predecessor said of each of these.
#[test]
fn it_takes_again_what_is_its_own() {
    let mut world = settled(1, 100, ALL_DAY);
    world.begins_again();
    assert_eq!(world.says(), [retake(CAMPAIGN)]);
    world.belongs_to(SECOND_CAMPAIGN, Proposer { incarnation: Incarnation(ME.incarnation.0 + 1), ..ME });
    world.begins_again();
    assert_eq!(world.says(), [retake(CAMPAIGN)], "another life's is not ours");
    world.belongs_to(SECOND_CAMPAIGN, ME);
    world.begins_again();
    assert_eq!(world.says(), [CAMPAIGN, SECOND_CAMPAIGN].map(retake));
}

/// What the one that broke has under way may be granted until then, and would be dialled beside what this one plans.
#[test]
fn a_pacer_that_follows_a_broken_one_dials_when_its_campaigns_have_a_new_epoch() {
    let mut world = settled(2, 100, ALL_DAY);
    let (lost, _) = world.round();
    world.begins_again();
    world.pass(Duration::from_secs(1));
    assert_eq!(world.says(), [retake(CAMPAIGN)]);
    world.pass(ROUND);
    assert_eq!(world.says(), [], "it is under way");
    world.answer(None);
    world.pass(ROUND);
    assert_eq!(world.says(), [retake(CAMPAIGN)], "nobody knows whether it was committed");
    let before = world.world.bench.shard.clone();
    let done = world.say(retake(CAMPAIGN));
    world.answer(Some(done));
    world.pass(ROUND);
    let ahead = std::mem::replace(&mut world.world.bench.shard, before);
    assert_eq!(world.says(), [retake(CAMPAIGN)], "it is not applied here yet");
    world.world.bench.shard = ahead;
    world.answer(None);
    world.pass(ROUND);
    let (dials, _) = world.round();
    assert_eq!(dials.len(), 2);
    let late = Command::Dial(Box::new(lost[0].clone()));
    assert_eq!(world.say(late), Outcome::Refused(Refusal::NotOwner));
    world.dial(dials);
}

/// The campaign has gone to another node meanwhile: there is nothing to take again.
#[test]
fn what_is_another_nodes_by_now_is_not_taken_again() {
    let mut world = settled(1, 100, ALL_DAY);
    world.begins_again();
    world.belongs_to(CAMPAIGN, OTHER);
    world.pass(ROUND);
    assert_eq!(world.says(), []);
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
