//! A pacer that follows a broken one: what that one has under way is fenced before this one dials.

use std::time::Duration;

use strowger_model::{CampaignId, Incarnation};
use strowger_table::{Command, Outcome, Proposer, Refusal, RowKey};

use super::super::bench::{ME, OTHER, SHARD};
use super::super::leading::{ALL_DAY, CAMPAIGN};
use super::{Paced, ROUND, SECOND_CAMPAIGN, settled};
use crate::Pacer;

fn retake(campaign: CampaignId) -> Command {
    Command::Retake { row: RowKey::Campaign(campaign) }
}

impl Paced {
    fn says(&mut self) -> Vec<Command> {
        self.look().0
    }

    /// The pacer broke, and this is the next one.
    fn begins_again(&mut self) {
        self.pacer = Pacer::new(ME.node, ME.incarnation);
        self.pacer.wake(SHARD);
        self.pacer.follow_broken(&self.world.bench.shard);
    }
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
