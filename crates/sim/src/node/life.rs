//! Processes start, die, freeze, are cut off, and learn that they have been declared dead.

use std::time::Duration;

use strowger_model::Mono;
use strowger_table::Shard;

use super::{Node, Replica};
use crate::happening::{Happening, Who};
use crate::plant::Plant;
use crate::scenario::Fault;
use crate::trace::About;
use crate::world::World;

/// As the product's heartbeats have them.
pub(crate) const PASSIVE_AFTER: Duration = Duration::from_millis(600);
const SILENT_AFTER: Duration = Duration::from_millis(1200);
/// From a majority that is there to answers from it.
const WAKE: Duration = Duration::from_millis(150);

impl World {
    pub(crate) fn fault(&mut self, fault: Fault) {
        self.say(About::World, || format!("fault: {fault:?}"));
        match fault {
            Fault::Kill { node, away } => {
                self.kill(node);
                self.timeline.plan(self.now + away, Happening::Start { node });
            }
            Fault::Freeze { node, away } if self.nodes[node].up && !self.nodes[node].frozen => {
                self.nodes[node].frozen = true;
                self.unseat(node, "frozen");
                self.timeline.plan(self.now + away, Happening::Thaw(self.nodes[node].who));
            }
            Fault::Cut { node, away } if self.nodes[node].up && !self.nodes[node].cut => {
                self.nodes[node].cut = true;
                self.unseat(node, "cut off");
                self.timeline.plan(self.now + away, Happening::Mend(self.nodes[node].who));
            }
            Fault::Stall { node, away } if self.nodes[node].up && !self.leads(node) => {
                self.nodes[node].stalled = true;
                self.timeline.plan(self.now + away, Happening::Unstall(self.nodes[node].who));
            }
            Fault::RelayFull { relay, away } => self.trouble_relay(relay, away, true, Duration::ZERO),
            Fault::RelaySlow { relay, away, by } => self.trouble_relay(relay, away, false, by),
            Fault::MoveLead => self.lose_leader("the lead moves"),
            _ => {}
        }
    }

    pub(crate) fn kill(&mut self, node: usize) {
        if !std::mem::take(&mut self.nodes[node].up) {
            return;
        }
        let place = &mut self.nodes[node];
        let disk = std::mem::take(&mut place.disk);
        let (who, cut) = (place.who, place.cut);
        *place = Node::new(node, place.couriers.len());
        (place.who, place.up, place.disk, place.cut) = (who, false, disk, cut);
        self.unseat(node, "dead");
    }

    /// Snapshot, then the entries behind it; nobody is told of what happened before. Then a look at what is its own.
    pub(crate) fn start(&mut self, node: usize) {
        if self.nodes[node].up {
            return;
        }
        let place = &mut self.nodes[node];
        place.up = true;
        place.cut = false;
        place.passive = true;
        place.answered_since = None;
        place.who.life.0 += u64::from(self.plant != Some(Plant::SameLife));
        let who = place.who;
        place.replica = Replica::new(self.now);
        if let Some((index, bytes)) = &place.disk.snapshot {
            match Shard::restore(bytes) {
                Ok(shard) => {
                    (place.replica.shard, place.replica.applied) = (shard, *index);
                    place.replica.hear(self.now);
                }
                Err(_) => self.promises.same_log.undecodable(node, *index),
            }
        }
        let committed = self.nodes[node].disk.committed;
        self.say(About::World, || format!("n{} starts as {} with entries up to {committed}", node + 1, who.life));
        self.apply_entries(node, committed);
        self.sweep(node);
        self.notify(node, self.log.last());
        let at = self.now + self.rng.millis(20, 200);
        self.timeline.plan(at, Happening::Hello(who));
    }

    pub(crate) fn hello(&mut self, who: Who) {
        if self.nodes[who.node].who != who || !self.nodes[who.node].up {
            return;
        }
        if !self.nodes[who.node].is_sound() || !self.has_quorum() {
            return self.timeline.plan(self.now + Duration::from_millis(100), Happening::Hello(who));
        }
        self.members[who.node].life = who.life;
        self.members[who.node].down = false;
        self.nodes[who.node].reported = false;
        self.say(About::World, || format!("n{} is a member as {}", who.node + 1, who.life));
    }

    pub(crate) fn declare_down(&mut self, who: Who) {
        let member = &mut self.members[who.node];
        if member.life == who.life && !member.down {
            member.down = true;
            self.say(About::World, || format!("n{} ({}) is declared down", who.node + 1, who.life));
        }
    }

    pub(crate) fn thaw(&mut self, who: Who) {
        if !self.is(who) || !std::mem::take(&mut self.nodes[who.node].frozen) {
            return;
        }
        self.say(About::World, || format!("n{} goes on", who.node + 1));
        // Before anything else it looks at its clock.
        self.refresh_passive(who.node);
        for happening in std::mem::take(&mut self.nodes[who.node].waiting) {
            self.happen(happening);
        }
        if self.is(who) {
            self.notify(who.node, self.log.last());
        }
    }

    pub(crate) fn mend(&mut self, who: Who) {
        if self.is(who) && std::mem::take(&mut self.nodes[who.node].cut) {
            self.say(About::World, || format!("n{} is connected again", who.node + 1));
            for happening in std::mem::take(&mut self.nodes[who.node].stranded) {
                let at = self.after_hop();
                self.timeline.plan(at, happening);
            }
            self.notify(who.node, self.log.last());
        }
    }

    pub(crate) fn unstall(&mut self, who: Who) {
        if self.is(who) && std::mem::take(&mut self.nodes[who.node].stalled) {
            self.notify(who.node, self.log.last());
        }
    }

    /// Checked before every send: a node that has not been answered lately is silent.
    pub(crate) fn is_passive(&self, node: usize) -> bool {
        let place = &self.nodes[node];
        self.plant != Some(Plant::Unfenced) && (place.passive || self.now.since(place.answered) >= PASSIVE_AFTER)
    }

    /// Heartbeats of all nodes, at once.
    pub(crate) fn beat(&mut self) {
        let quorum = self.has_quorum();
        for node in 0..self.nodes.len() {
            let member = self.members[node];
            let place = &mut self.nodes[node];
            let over = member.life > place.who.life || member.life == place.who.life && member.down;
            if place.is_sound() && over && self.plant != Some(Plant::Unfenced) {
                self.say(About::World, || format!("n{} learns that it was declared dead, and ends", node + 1));
                self.kill(node);
                let at = self.now + self.rng.millis(300, 1500);
                self.timeline.plan(at, Happening::Start { node });
                continue;
            }
            let heard = place.is_sound() && quorum && !place.reported && member.life == place.who.life && !member.down;
            if !heard {
                place.answered_since = None;
            } else if self.now.since(*place.answered_since.get_or_insert(self.now)) >= WAKE || !place.passive {
                (place.passive, place.answered) = (false, self.now);
            }
            self.refresh_passive(node);
            self.report(node, quorum);
        }
    }

    fn refresh_passive(&mut self, node: usize) {
        if self.now.since(self.nodes[node].answered) >= PASSIVE_AFTER && self.nodes[node].up && !self.nodes[node].frozen
        {
            self.nodes[node].passive = true;
        }
    }

    /// The others say what they do not hear; a majority of such reports is a decision, a little later.
    fn report(&mut self, node: usize, quorum: bool) {
        let member = self.members[node];
        let place = &mut self.nodes[node];
        if place.is_sound() && member.life == place.who.life {
            place.unheard = None;
            return;
        }
        let since: Mono = *place.unheard.get_or_insert(self.now);
        if self.now.since(since) >= SILENT_AFTER && quorum && !place.reported && !member.down {
            place.reported = true;
            let at = self.now + self.rng.millis(20, 400);
            self.timeline.plan(at, Happening::Down(Who { node, life: member.life }));
        }
    }

    fn has_quorum(&self) -> bool {
        self.nodes.iter().filter(|node| node.is_sound()).count() * 2 > self.nodes.len()
    }

    pub(crate) fn is(&self, who: Who) -> bool {
        self.nodes[who.node].up && self.nodes[who.node].who == who
    }

    fn unseat(&mut self, node: usize, why: &str) {
        if self.log.leader.as_ref().is_some_and(|leader| leader.who.node == node) {
            self.lose_leader(why);
        } else if !self.has_quorum() {
            self.lose_leader("no majority");
        }
    }
}
