//! What is committed reaches a replica, and what it changed reaches the actors.

use std::collections::BTreeSet;
use std::sync::Arc;

use strowger_call::Rows;
use strowger_switch::{Begin, Changed, Due, all_rows, due, touched};
use strowger_table::{Call, RowKey, Shard, Touched};

use super::News;
use crate::happening::{Happening, Task};
use crate::plant::Plant;
use crate::trace::About;
use crate::world::World;

/// A replica writes a snapshot after so many entries; far fewer than the product, so that every world has some.
const SNAPSHOT_ENTRIES: u64 = 60;
/// A replica that is so many entries behind gets a snapshot instead of them.
const SNAPSHOT_BEHIND: u64 = 40;

impl World {
    /// Tells the others' replicas of a new committed entry.
    pub(crate) fn spread(&mut self, upto: u64, leader: Option<usize>) {
        for node in 0..self.nodes.len() {
            if Some(node) != leader && self.nodes[node].up {
                self.notify(node, upto);
            }
        }
    }

    /// Entries up to that one are on their way to a replica; they are applied in order.
    pub(crate) fn notify(&mut self, node: usize, upto: u64) {
        let lag = self.scenario.log.lag_ms;
        let lag = self.rng.millis(lag.0, lag.1);
        let place = &mut self.nodes[node];
        let earliest = place.replica.told.back().map_or(self.now, |(at, _)| *at);
        let at = (self.now + lag).max(earliest);
        place.replica.told.push_back((at, upto));
        self.timeline.plan(at, Happening::In(place.who, Task::Apply { upto }));
    }

    /// Applies what is due, in one batch.
    pub(crate) fn apply(&mut self, node: usize, upto: u64) {
        let now = self.now;
        let replica = &mut self.nodes[node].replica;
        let mut upto = upto;
        while let Some((_, told)) = replica.told.front().copied().filter(|(at, told)| *at <= now || *told <= upto) {
            upto = upto.max(told);
            replica.told.pop_front();
        }
        if self.nodes[node].stalled || upto <= self.nodes[node].replica.applied {
            return;
        }
        let behind = upto - self.nodes[node].replica.applied;
        if behind >= SNAPSHOT_BEHIND && self.rng.chance(500) {
            return self.install(node);
        }
        let entries = self.apply_entries(node, upto);
        match touched(&entries) {
            Some(rows) => {
                self.observe(node, &rows);
                let of_calls = |row: &RowKey| if let RowKey::Call(call) = row { Some(*call) } else { None };
                self.switch_applied(node, rows.iter().filter_map(of_calls).collect());
            }
            None => {
                self.look_at_all(node);
                self.switch_installed(node);
            }
        }
        self.keep_snapshot(node);
    }

    /// Without telling anybody: what a restart does, too.
    pub(crate) fn apply_entries(&mut self, node: usize, upto: u64) -> Vec<Touched> {
        let mut touched = Vec::new();
        for index in self.nodes[node].replica.applied + 1..=upto {
            let entry = self.log.entry(index);
            let mut at = entry.at;
            let proposal = entry.proposal.clone().map(|proposal| self.entered(proposal));
            let skips = self.skips(node, index);
            let replica = &mut self.nodes[node].replica;
            if let Some(proposal) = proposal.filter(|_| !skips) {
                if self.plant == Some(Plant::LocalValue) && node == 2 && index.is_multiple_of(97) {
                    at.time.0 += 1;
                }
                let applied = replica.shard.apply(at, &proposal);
                replica.hear(self.now);
                self.nodes[node].lead.heard.touched(&applied.touched);
                touched.push(applied.touched);
            }
            let replica = &mut self.nodes[node].replica;
            replica.applied = index;
            self.promises.same_log.applied(node, index, &replica.shard);
        }
        touched
    }

    /// A snapshot of somebody who is further.
    fn install(&mut self, node: usize) {
        let index = self.log.last();
        let bytes = self.truth.snapshot();
        let Ok(shard) = Shard::restore(&bytes) else {
            return self.promises.same_log.undecodable(node, index);
        };
        self.say(About::World, || format!("n{} gets a snapshot at {index}", node + 1));
        let replica = &mut self.nodes[node].replica;
        (replica.shard, replica.applied) = (shard, index);
        replica.hear(self.now);
        self.promises.same_log.applied(node, index, &self.nodes[node].replica.shard);
        self.promises.same_log.same_bytes(node, &bytes, &self.nodes[node].replica.shard);
        self.look_at_all(node);
        self.switch_installed(node);
        self.keep_snapshot(node);
    }

    fn observe(&mut self, node: usize, rows: &BTreeSet<RowKey>) {
        let changed = Changed::of(rows, &self.nodes[node].replica.shard);
        for call in changed.calls {
            match self.nodes[node].replica.shard.call(call).cloned() {
                Some(row) => self.call_changed(node, row),
                None => drop(self.nodes[node].actors.remove(&call)),
            }
        }
        self.wake_rules(node);
    }

    fn wake_rules(&mut self, node: usize) {
        self.wake_pacer(node);
        if self.leads(node) {
            self.timeline.plan(self.now, Happening::In(self.nodes[node].who, Task::Lead));
        }
    }

    fn call_changed(&mut self, node: usize, row: Arc<Call>) {
        let Some(mut rows) = Rows::of(&self.nodes[node].replica.shard, row.id) else { return };
        rows.call = self.tampered(node, row);
        let row = rows.call.clone();
        let is_told = self.tell(node, row.id, News::Rows(rows.clone()));
        let place = &mut self.nodes[node];
        let is_ours = place.owns(row.owner);
        let due = due(&row, is_told, is_ours, |key| place.intake.seat(key));
        if matches!(due, Due::Begin(Begin::Adopted)) {
            self.promises.rules.began_from_row(row.id);
        }
        match self.misjudged(&row, due) {
            Due::Nothing => {}
            Due::LetGo => drop(self.nodes[node].actors.remove(&row.id)),
            // The next actor of a call whose actor broke begins under a new epoch.
            Due::Begin(_) if self.broken.get(&row.id).is_some_and(|broken| broken.epoch == row.owner.epoch) => {}
            Due::Begin(begin) => self.begin_actor(node, rows, begin),
        }
    }

    fn begin_actor(&mut self, node: usize, rows: Rows, begin: Begin) {
        self.say(About::Call(rows.call.id), || match begin {
            Begin::Admitted(_) | Begin::Dialled => format!("n{} begins", node + 1),
            Begin::Adopted => format!("n{} adopts in {}", node + 1, rows.call.stage_name()),
        });
        let machine = self.around(node, |around| begin.machine(rows.clone(), around));
        self.begin(node, machine, rows);
    }

    /// Entries changed too many rows to name, or a snapshot leapt over some.
    pub(crate) fn look_at_all(&mut self, node: usize) {
        let place = &self.nodes[node];
        let rows = all_rows(&place.replica.shard, place.actors.keys().copied());
        self.observe(node, &rows);
    }

    fn keep_snapshot(&mut self, node: usize) {
        let place = &mut self.nodes[node];
        let kept = place.disk.snapshot.as_ref().map_or(0, |(index, _)| *index);
        if place.replica.applied >= kept + SNAPSHOT_ENTRIES {
            place.disk.snapshot = Some((place.replica.applied, place.replica.shard.snapshot()));
        }
        place.disk.committed = place.replica.applied;
    }
}
