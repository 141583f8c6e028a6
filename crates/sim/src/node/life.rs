//! Processes start, die, freeze and are cut off.

use std::time::Duration;

use strowger_table::Shard;

use super::pacer::Pacing;
use super::{Node, Replica};
use crate::happening::{Happening, Who};
use crate::log::Log;
use crate::plant::Plant;
use crate::scenario::Fault;
use crate::trace::About;
use crate::world::World;

impl World {
    pub(crate) fn fault(&mut self, fault: Fault) {
        self.say(About::World, || format!("fault: {fault:?}"));
        match fault {
            Fault::Kill { node, away } => self.kill_for(node, away),
            Fault::Outage { stays, away } => {
                (0..self.nodes.len()).filter(|node| *node != stays).for_each(|node| self.kill_for(node, away));
            }
            Fault::KillPacer { away } if self.dialling.is_on() => self.pacer_dies = Some(away),
            Fault::KillPacer { away } => {
                let leader = self.log.leader.as_ref().map(|leader| leader.who.node);
                leader.into_iter().for_each(|node| self.kill_for(node, away));
            }
            Fault::Freeze { node, away } => self.freeze(node, away),
            Fault::FreezeMidway { away } => self.freezes_midway = Some(away),
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
            Fault::RelayRestart { relay } => self.restart_relay(relay),
            Fault::LinesBreak => self.break_lines(),
            Fault::RelayDies { relay } => self.relay_dies(relay),
            Fault::MoveLead => {
                self.lose_leader("the lead moves");
                self.lose_control();
            }
            _ => {}
        }
    }

    /// Those that run and that the others reach.
    pub(crate) fn sound_nodes(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|node| self.nodes[*node].is_sound()).collect()
    }

    fn freeze(&mut self, node: usize, away: Duration) {
        if self.nodes[node].up && !self.nodes[node].frozen {
            self.nodes[node].frozen = true;
            self.unseat(node, "frozen");
            self.timeline.plan(self.now + away, Happening::Thaw(self.nodes[node].who));
        }
    }

    /// A node waits for an answer of a relay's or of the log's; it may have to wait until it is somebody else's.
    pub(crate) fn awaits(&mut self, node: usize) {
        if self.freezes_midway.is_some()
            && self.rng.chance(300)
            && let Some(away) = self.freezes_midway.take()
        {
            self.say(About::World, || format!("n{} stops as it waits for an answer", node + 1));
            self.freeze(node, away);
        }
    }

    fn kill_for(&mut self, node: usize, away: Duration) {
        self.kill(node);
        self.timeline.plan(self.now + away, Happening::Start { node });
    }

    /// A pacer has said one call of a round; it may be its last word.
    pub(crate) fn has_dialled(&mut self, node: usize) {
        if self.pacer_dies.is_some()
            && self.rng.chance(600)
            && let Some(away) = self.pacer_dies.take()
        {
            self.say(About::World, || format!("n{} dies in the middle of a round", node + 1));
            self.kill_for(node, away);
        }
    }

    pub(crate) fn kill(&mut self, node: usize) {
        if !std::mem::take(&mut self.nodes[node].up) {
            return;
        }
        let place = &mut self.nodes[node];
        let disk = std::mem::take(&mut place.disk);
        let (who, cut) = (place.who, place.cut);
        *place = Node::new(node, place.ways.len(), self.scenario.node_limits);
        (place.who, place.up, place.disk, place.cut) = (who, false, disk, cut);
        self.lines_lost(who);
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
        place.who.life.0 += u64::from(self.plant != Some(Plant::SameLife));
        let who = place.who;
        place.replica = Replica::new(self.now);
        place.pacing = Pacing::new(who);
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
        self.look_at_all(node);
        self.notify(node, self.log.last());
        self.apply_control(node, self.nodes[node].disk.control);
        self.notify_control(node, false);
        self.begin_vitals(node);
        self.begin_couriers(node);
        self.begin_sweep(node);
    }

    pub(crate) fn thaw(&mut self, who: Who) {
        if !self.is(who) || !std::mem::take(&mut self.nodes[who.node].frozen) {
            return;
        }
        self.say(About::World, || format!("n{} goes on", who.node + 1));
        for happening in std::mem::take(&mut self.nodes[who.node].waiting) {
            self.happen(happening);
        }
        if self.is(who) {
            self.notify(who.node, self.log.last());
            self.notify_control(who.node, false);
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
            self.notify_control(who.node, false);
        }
    }

    pub(crate) fn unstall(&mut self, who: Who) {
        if self.is(who) && std::mem::take(&mut self.nodes[who.node].stalled) {
            self.notify(who.node, self.log.last());
        }
    }

    pub(crate) fn has_quorum(&self) -> bool {
        self.nodes.iter().filter(|node| node.is_sound()).count() * 2 > self.nodes.len()
    }

    pub(crate) fn is(&self, who: Who) -> bool {
        self.nodes[who.node].up && self.nodes[who.node].who == who
    }

    fn unseat(&mut self, node: usize, why: &str) {
        let has_quorum = self.has_quorum();
        let led_by = |log: &Log| log.leader.as_ref().is_some_and(|leader| leader.who.node == node);
        if led_by(&self.control.log) || !has_quorum {
            self.lose_control();
        }
        if led_by(&self.log) {
            self.lose_leader(why);
        } else if !has_quorum {
            self.lose_leader("no majority");
        }
    }
}
