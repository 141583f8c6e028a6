//! What is committed reaches a replica, and what it changed reaches the actors.

use std::collections::BTreeSet;

use strowger_call::Rows;
use strowger_model::CallId;
use strowger_table::{RowKey, Shard, Touched};

use super::News;
use crate::happening::{Happening, Task};
use crate::plant::Plant;
use crate::trace::About;
use crate::world::World;

/// A replica writes a snapshot after so many entries; far fewer than the product, so that every world has some.
const SNAPSHOT_ENTRIES: u64 = 60;
/// A replica that is so many entries behind gets a snapshot instead of them.
const SNAPSHOT_BEHIND: u64 = 40;

/// The calls that an entry changed, or whose places it changed.
pub(crate) fn calls_of(touched: &Touched, shard: &Shard) -> Vec<CallId> {
    let of_row = |row: &RowKey| match *row {
        RowKey::Call(call) => Some(call),
        RowKey::Place(place) => shard.place(place).and_then(|place| place.call),
        RowKey::Agent(_) | RowKey::Campaign(_) | RowKey::Parts(_) | RowKey::Queue(_) => None,
    };
    match touched {
        Touched::Few(rows) => rows.iter().filter_map(of_row).collect(),
        Touched::Many => shard.calls().map(|row| row.id).collect(),
    }
}

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
        let touched = self.apply_entries(node, upto);
        self.observe(node, touched.clone());
        self.switch_applied(node, touched.into_iter().collect());
        self.keep_snapshot(node);
    }

    /// Without telling anybody: what a restart does, too.
    pub(crate) fn apply_entries(&mut self, node: usize, upto: u64) -> BTreeSet<CallId> {
        let mut touched = BTreeSet::new();
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
                touched.extend(calls_of(&applied.touched, &replica.shard));
                self.nodes[node].lead.changed.touched(&applied.touched);
                self.nodes[node].replica.hear(self.now);
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
        self.refresh_actors(node);
        self.sweep(node);
        self.switch_installed(node);
        self.keep_snapshot(node);
    }

    /// A snapshot leaps over entries: actors hear of their rows as they are now, those without a row end.
    fn refresh_actors(&mut self, node: usize) {
        let calls = self.nodes[node].actors.keys().copied().collect();
        self.observe(node, calls);
    }

    fn observe(&mut self, node: usize, touched: BTreeSet<CallId>) {
        for call in touched {
            match Rows::of(&self.nodes[node].replica.shard, call) {
                Some(rows) => self.call_changed(node, rows),
                // Forgotten: an actor that is left over has nothing to do any more.
                None => drop(self.nodes[node].actors.remove(&call)),
            }
        }
        if self.leads(node) {
            self.timeline.plan(self.now, Happening::In(self.nodes[node].who, Task::Lead));
        }
    }

    fn call_changed(&mut self, node: usize, mut rows: Rows) {
        let row = self.tampered(node, rows.call.clone());
        rows.call = row.clone();
        let owned = self.nodes[node].owns(row.owner);
        if self.tell(node, row.id, News::Rows(rows.clone())) || !owned {
            return;
        }
        let pending = row.key().and_then(|key| self.nodes[node].intake.seat(key));
        if row.is_over() && row.duties.is_empty() || self.passes_over(&row) {
            return;
        }
        let machine = match pending {
            Some(pending) => self.admitted(node, rows.clone(), &pending),
            None => self.machine_of(node, rows.clone()),
        };
        self.begin(node, machine, rows);
    }

    /// Compares all rows with the actors here and makes those that are missing.
    pub(crate) fn sweep(&mut self, node: usize) {
        let place = &self.nodes[node];
        let missing: Vec<_> = place
            .replica
            .shard
            .calls()
            .filter(|row| place.owns(row.owner))
            .filter(|row| !(place.actors.contains_key(&row.id) || row.is_over() && row.duties.is_empty()))
            .cloned()
            .collect();
        for row in missing {
            // As a row that changed: its INVITE may have come here.
            if let Some(rows) = Rows::of(&self.nodes[node].replica.shard, row.id) {
                self.call_changed(node, rows);
            }
        }
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
