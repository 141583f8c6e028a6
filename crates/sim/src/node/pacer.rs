//! Calls for campaigns: runs the switch's pacer on virtual time.

use strowger_model::Mono;
use strowger_switch::{Pacer, Scene, limit};
use strowger_table::{Body, Command, Outcome};

use super::Purpose;
use crate::asked::Asked;
use crate::happening::{Happening, Task, Who};
use crate::promise::Decision;
use crate::tenant::SHARD;
use crate::world::World;

/// A node's pacer, and when it looks next.
pub(crate) struct Pacing {
    pub pacer: Pacer,
    armed: Option<Mono>,
}

impl Pacing {
    pub fn new(who: Who) -> Self {
        let mut pacer = Pacer::new(who.id(), who.life);
        pacer.wake(SHARD);
        Self { pacer, armed: None }
    }
}

impl World {
    /// Something has changed that campaigns are paced by.
    pub(crate) fn wake_pacer(&mut self, node: usize) {
        if self.dialling.is_on() {
            let place = &mut self.nodes[node];
            place.pacing.pacer.wake(SHARD);
            self.timeline.plan(self.now, Happening::In(place.who, Task::Pace));
        }
    }

    /// The pacer looks, and what it says is proposed.
    pub(crate) fn pace(&mut self, node: usize) {
        if self.is_passive(node) {
            return;
        }
        let place = &mut self.nodes[node];
        let (shards, control) = ([&place.replica.shard], &place.control.table);
        let (relays, destinations) = (&self.usable[..], &self.dialling.destinations);
        let wall = self.log.wall(self.now);
        let scene = Scene {
            shards: &shards,
            control,
            relays,
            destinations,
            spending: &self.dialling.spending,
            now: self.now,
            wall,
        };
        let (said, again) = place.pacing.pacer.look(&scene);
        if let Some(at) = again.filter(|again| place.pacing.armed.is_none_or(|armed| *again < armed)) {
            place.pacing.armed = Some(at);
            self.timeline.plan(at, Happening::In(place.who, Task::PaceAt { at }));
        }
        let who = place.who;
        for (_, command) in said {
            let is_dial = matches!(command, Command::Dial(_));
            self.propose_paced(node, command);
            if is_dial {
                self.has_dialled(node);
            }
            if !self.is(who) {
                return;
            }
        }
    }

    pub(crate) fn pace_at(&mut self, node: usize, at: Mono) {
        let armed = &mut self.nodes[node].pacing.armed;
        if *armed == Some(at) {
            *armed = None;
        }
        self.pace(node);
    }

    fn propose_paced(&mut self, node: usize, mut command: Command) {
        let shard = &self.nodes[node].replica.shard;
        if let Command::Dial(dial) = &mut command {
            self.dialling.route(shard, dial);
        }
        let config = &Asked::in_force(&self.versions, shard);
        let decision = Decision { command: &command, shard, config, now: self.now };
        self.promises.rules.decided(&decision);
        self.propose_within(node, Body::Shard(command), Purpose::Dial, limit::DIAL);
    }

    pub(crate) fn dial_answered(&mut self, node: usize, outcome: Option<&Outcome>) {
        self.nodes[node].pacing.pacer.answered(SHARD, outcome, self.now);
        self.pace(node);
    }

    /// The pacer of a node breaks: the next one knows of nothing under way, and begins its campaigns anew.
    pub(crate) fn break_pacer(&mut self, node: usize) {
        let place = &mut self.nodes[node];
        place.pacing = Pacing::new(place.who);
        place.pacing.pacer.follow_broken(&place.replica.shard);
        self.wake_pacer(node);
    }
}
