//! The log: what is proposed is applied to the real table at once, or when a scenario says so.

use strowger_call::{Answer, Machine};
use strowger_model::{DialResult, RelayId, Wall};
use strowger_table::{At, Body, Command, Outcome, Proposal, RowKey, Touched};

use super::{LEADER, News, RELAY, World, names, sample, setting};

const WALL_BEGINS: u64 = 1_800_000_000_000;

/// A proposal that is not committed yet.
pub struct Held {
    pub node: u16,
    pub number: u64,
    pub command: Command,
}

impl World {
    /// One entry of the log.
    pub(super) fn apply(&mut self, node: u16, command: Command) -> (Outcome, Touched) {
        let seq = self.said.entry(node).or_default();
        *seq += 1;
        let proposal = Proposal { from: sample::proposer(node), seq: *seq, body: Body::Shard(command) };
        let at = At {
            index: self.shard.last().index + 1,
            time: self.log_now(),
            wall: Wall(WALL_BEGINS + self.now.0 / 1000),
        };
        let applied = self.shard.apply(at, &proposal);
        (applied.outcome, applied.touched)
    }

    /// One entry that is written down, with what it does to the call's owner.
    pub(super) fn commit(&mut self, node: u16, number: u64, command: Command) {
        let words = names::command(&command);
        let (outcome, touched) = self.apply(node, command);
        let told = match outcome {
            Outcome::Refused(refusal) => format!("refused: {refusal:?}"),
            _ => "committed".into(),
        };
        self.note_of(node, &format!("log: {words}: {told}"));
        self.begin(&outcome);
        self.write_down_records();
        if self.is_touched(&touched) {
            self.news.push_back((self.owner, News::Row));
        }
        if number != 0 {
            self.news.push_back((node, News::Proposed { number, answer: Answer::of(Some(&outcome)) }));
        }
    }

    fn is_touched(&self, touched: &Touched) -> bool {
        match touched {
            Touched::Few(rows) => self.call.is_some_and(|call| rows.contains(&RowKey::Call(call))),
            Touched::Many => true,
        }
    }

    /// A call came into being: its owner makes a machine.
    fn begin(&mut self, outcome: &Outcome) {
        let (Outcome::Admitted { call, .. } | Outcome::Dialled { call }) = outcome else { return };
        self.call = Some(*call);
        let Some(rows) = self.rows() else { return };
        let machine = match self.invite.take() {
            Some((invite, source)) => Machine::admitted(rows, &invite, source, setting(RELAY)),
            None => Machine::dialled(rows, setting(RELAY)),
        };
        self.machines.insert(self.owner, machine);
    }

    fn write_down_records(&mut self) {
        let new: Vec<_> = self.shard.records(self.records).map(|(no, record)| (no, record.clone())).collect();
        for (number, record) in new {
            self.records = number;
            if Some(record.call) == self.call {
                self.note(&names::record(&record));
            }
        }
    }

    /// The next node takes the rows of the owner over, whose machine ends or, cut off, goes on.
    pub(super) fn adopt(&mut self, is_dead: bool) {
        let (from, heir) = (self.owner, self.owner + 1);
        if is_dead {
            self.machines.remove(&from);
            self.news.clear();
        }
        self.owner = heir;
        let (gone, heirs) = (sample::proposer(from), sample::proposer(heir));
        let heirs = vec![(heirs.node, heirs.incarnation)];
        self.commit(LEADER, 0, Command::Adopt { node: gone.node, incarnation: gone.incarnation, heirs });
        if let Some(rows) = self.rows().filter(|rows| !rows.call.is_over() || rows.call.has_duties()) {
            self.machines.insert(heir, Machine::adopted(rows, setting(RELAY)));
        }
    }

    /// The machine broke: its node takes the call again, and begins with another one from the rows.
    pub(super) fn begin_again(&mut self, relay: RelayId) {
        let Some(call) = self.call else { return };
        self.machines.remove(&self.owner);
        self.news.clear();
        self.commit(self.owner, 0, Command::Retake { row: RowKey::Call(call) });
        if let Some(rows) = self.rows() {
            self.machines.insert(self.owner, Machine::adopted(rows, setting(relay)));
        }
    }

    pub(super) fn propose(&mut self, node: u16, number: u64, command: Command) {
        if let Command::NotReached { failure, .. } = &command {
            let is_known = self.fars["party"].has_heard_call(&failure.sip_call_id);
            assert!(
                is_known || failure.result == DialResult::NotDialled || !self.fars["party"].has_heard_calls(),
                "the carrier knows the call by another Call-ID than {}",
                failure.sip_call_id
            );
        }
        let words = names::command(&command);
        if self.holds.iter().any(|held| words.split([' ', ',']).next() == Some(held)) {
            self.note_of(node, &format!("log: {words}: on its way"));
            return self.held.push_back(Held { node, number, command });
        }
        self.commit(node, number, command);
    }

    pub(super) fn expire(&mut self) {
        let log_now = self.log_now();
        if self.leader_away || self.shard.next_lease().is_none_or(|at| at > log_now) {
            return;
        }
        let (_, touched) = self.apply(LEADER, Command::Expire);
        if self.is_touched(&touched) {
            self.note("log: expire: committed");
            self.news.push_back((self.owner, News::Row));
        }
        self.write_down_records();
        self.settle();
    }
}
