//! What happens to calls, walked entry by entry. Before any entry, and after the last, the call's owner may die, begin
//! again, or fall silent for ever, and a node may go on from a snapshot; the whole table is looked at after each step.
//!
//! Rows that only commands to come will make are laid by hand: from there on today's entries, leases and tables hold.

mod aside;
mod deadlines;
mod ends;
mod media;
mod outbound;
mod phones;
mod transfers;

use std::collections::BTreeMap;

use strowger_model::{AgentId, CallId, Cause, LegKey, Outcome as CallOutcome, PlaceId, Role};

use super::Shard;
use super::apply::Entry;
use crate::bench::Bench;
use crate::row::story::Piece;
use crate::sample::*;
use crate::{
    At, Body, Call, Command, DutyKind, LegRole, LegState, Offer, Outcome, Proposal, Proposer, Reach, Refusal, RowKey,
    Shard as Table, Stage, ToldBy,
};

/// Leads the shard, drives no call and never dies.
const LEADER: Proposer = THREE;

/// What comes between two steps of a walk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Between {
    Nothing,
    /// The node that drove everything so far is dead, and its rows go to heirs.
    OwnerDies,
    /// The call's actor broke, and another begins from its row.
    BeginsAgain,
    /// The table is read from a snapshot.
    Snapshot,
    /// Nobody says anything any more: all comes to rest by leases alone.
    Silence,
}

/// One step of a walk, in words, and the entry that it says.
type Step = (&'static str, fn(&mut Walk));

/// Walks the steps once for each place of each thing that may come between, and to rest afterwards.
#[expect(clippy::print_stdout, reason = "says where a walk was when it failed")]
fn walk(begin: fn() -> Walk, steps: &[Step]) {
    for between in [Between::Nothing, Between::OwnerDies, Between::BeginsAgain, Between::Snapshot, Between::Silence] {
        for at in 0..=steps.len() {
            println!("{between:?} after {at} of {} steps", steps.len());
            let mut walk = begin();
            walk.look();
            for (no, (what, step)) in steps.iter().enumerate() {
                if no == at {
                    walk.meets(between);
                }
                if no == at && between == Between::Silence {
                    break;
                }
                println!("  {what}");
                walk.bench.pass(100);
                step(&mut walk);
                walk.look();
            }
            if at == steps.len() {
                walk.meets(between);
            }
            walk.rest();
        }
    }
}

/// A table with a call on it.
struct Walk {
    bench: Bench,
    /// Calls and legs by the names that the walk gives them.
    calls: BTreeMap<&'static str, CallId>,
    legs: BTreeMap<&'static str, LegKey>,
    dead: Option<Proposer>,
}

impl Walk {
    fn of(bench: Bench, call: CallId) -> Self {
        let calls = [("call", call)].into();
        let customer = bench.call(call).customer().map(|leg| ("customer", leg.key));
        Self { bench, calls, legs: customer.into_iter().collect(), dead: None }
    }

    /// A customer talks with Anna.
    fn talking() -> Self {
        let mut bench = Bench::new();
        let call = bench.talking(ANNA);
        let mut walk = Self::of(bench, call);
        walk.legs.insert("anna", walk.bench.agent_leg(call));
        walk.bench.pass(5000);
        walk
    }

    fn call(&self) -> Call {
        self.row("call")
    }

    fn row(&self, name: &str) -> Call {
        self.bench.call(self.calls[name])
    }

    fn stage(&self) -> Stage {
        self.call().stage
    }

    fn leg(&self, name: &str) -> LegKey {
        self.legs[name]
    }

    fn serving(&self) -> Option<AgentId> {
        self.bench.shard.serving(self.calls["call"])
    }

    /// What became of the call, once it is over.
    fn outcome(&self) -> Option<CallOutcome> {
        self.call().outcome()
    }

    /// The whole table: its rules, and what a snapshot of it gives.
    fn look(&self) {
        assert_eq!(self.bench.shard.check(), Ok(()));
        let read = Table::restore(&self.bench.shard.snapshot()).expect("a snapshot of ours");
        assert_eq!((read.hash(), read.check()), (self.bench.shard.hash(), Ok(())));
    }

    fn meets(&mut self, between: Between) {
        match between {
            Between::Nothing | Between::Silence => {}
            Between::OwnerDies => {
                self.dead = Some(ONE);
                let heirs = [TWO, LEADER].map(|heir| (heir.node, heir.incarnation)).to_vec();
                let adopt = Command::Adopt { node: ONE.node, incarnation: ONE.incarnation, heirs };
                assert_eq!(self.bench.say_as(LEADER, adopt), Outcome::Done);
                assert!(self.bench.shard.calls().all(|call| call.owner.node != ONE.node));
            }
            Between::BeginsAgain => {
                let live: Vec<_> = self.bench.shard.calls().map(|call| (call.id, owner(call))).collect();
                for (call, owner) in live {
                    let before = self.bench.call(call);
                    assert_eq!(self.bench.say_as(owner, Command::Retake { row: RowKey::Call(call) }), Outcome::Done);
                    assert!(self.bench.call(call).owner.epoch > before.owner.epoch);
                }
            }
            Between::Snapshot => {
                self.bench.shard = Table::restore(&self.bench.shard.snapshot()).expect("a snapshot of ours");
            }
        }
        self.look();
    }

    /// By who owns the row that a command is about, else by the leader. Who is dead says it first, and is not heard.
    fn say(&mut self, command: Command) -> Outcome {
        let is_fact = matches!(
            command,
            Command::Left { told_by: ToldBy::FarEnd, .. } | Command::Missed { .. } | Command::NotReached { .. }
        );
        if let Some(dead) = self.dead.filter(|_| !is_fact) {
            assert_eq!(self.bench.say_as(dead, command.clone()), Refusal::Fenced.into());
        }
        let speaker = self.speaker(&command).unwrap_or(LEADER);
        self.bench.say_as(speaker, command)
    }

    fn speaker(&self, command: &Command) -> Option<Proposer> {
        let shard = &self.bench.shard;
        let call = match command {
            Command::Answered { leg, .. }
            | Command::Accept { leg, .. }
            | Command::Left { leg, .. }
            | Command::Missed { leg, .. }
            | Command::NotReached { leg, .. }
            | Command::Merge { by: leg, .. }
            | Command::Redialog { leg, .. }
            | Command::Split { leg } => shard.call_of_leg(*leg),
            Command::Rehome { legs } => shard.call_of_leg(legs.first()?.0),
            Command::Step { call, .. } | Command::Enqueue { call, .. } | Command::End { call, .. } => shard.call(*call),
            _ => None,
        };
        call.map(|call| owner(call))
    }

    fn done(&mut self, command: Command) {
        assert_eq!(self.say(command.clone()), Outcome::Done, "{command:?}");
    }

    fn refused(&mut self, command: Command) -> Refusal {
        self.say(command).refusal().expect("this must be refused")
    }

    /// Its far end hangs up.
    fn leaves(&mut self, name: &str) {
        let left = self.left(name, ToldBy::FarEnd);
        self.done(left);
    }

    fn left(&self, name: &str, told_by: ToldBy) -> Command {
        Command::Left { leg: self.leg(name), cause: Cause::NORMAL, told_by, observed: self.bench.now }
    }

    fn answers(&mut self, name: &str) {
        let answered = self.answered(name);
        self.done(answered);
    }

    fn answered(&self, name: &str) -> Command {
        let (leg, observed) = (self.leg(name), self.bench.now);
        Command::Answered { leg, dialog: dialog(Role::Uac, &leg.to_string()), observed }
    }

    /// These agents' phones ring for the call's place, all at once if there are several; legs are named as told.
    fn offered(&mut self, agents: &[(&'static str, AgentId)]) {
        let call = self.calls["call"];
        let ring_all = agents.len() > 1;
        let offer = |agent: &(_, AgentId)| Offer { ring_all, ..self.bench.offer_of(call, agent.1) };
        let offers: Vec<Offer> = agents.iter().map(offer).collect();
        let plan = Command::Plan(crate::Plan { basis: self.bench.shard.last().index, offers });
        assert_eq!(self.say(plan), Outcome::Planned { granted: (1 << agents.len()) - 1 });
        for (name, agent) in agents {
            let key = self.call().leg_of(*agent).expect("a phone rings").key;
            self.legs.insert(name, key);
        }
    }

    /// Every far end that was told to go has gone, and every port is closed.
    fn all_told(&mut self) {
        let rows: Vec<Call> = self.bench.shard.calls().map(|call| (**call).clone()).collect();
        for row in rows {
            let is_way_out = |kind| matches!(kind, DutyKind::HangUp { .. } | DutyKind::Close { .. });
            let duties = row.duties.iter().filter(|duty| is_way_out(duty.kind)).map(|duty| (row.id, duty.id)).collect();
            assert_eq!(self.bench.say_as(owner(&row), Command::Done { duties }), Outcome::Done);
        }
    }

    /// Rows that a command to come will make, as its entry will have made them.
    fn lay(&mut self, change: impl FnOnce(&mut Shard, Entry)) {
        let from = ONE;
        let last = self.bench.shard.last();
        let at = At { time: self.bench.now, ..last };
        change(&mut self.bench.shard, Entry { at, from });
    }

    fn lay_call(&mut self, name: &str, change: impl FnOnce(&mut Call)) {
        let mut row = self.row(name);
        change(&mut row);
        self.bench.shard.put_call(row);
    }

    /// A leg with a dialog, unless it rings; in the row of `row`.
    fn lay_leg(&mut self, row: &str, name: &'static str, role: LegRole, reach: Reach, state: LegState) -> LegKey {
        let mut call = self.row(row);
        let key = call.add_leg(role, reach, self.bench.now);
        let leg = call.leg_mut(key).expect("it was added");
        (leg.state, leg.relay, leg.queue) = (state, Some(RELAY), Some(SALES));
        let has_dialog = leg.is_answered() || leg.reach == Reach::Inbound;
        self.bench.shard.put_call(call);
        if has_dialog {
            self.bench.shard.put_dialog(key, *dialog(Role::Uac, &key.to_string()));
        }
        self.legs.insert(name, key);
        key
    }

    fn lay_piece(&mut self, row: &str, piece: Piece) {
        self.lay_call(row, |call| assert!(call.begin(piece).is_ok()));
    }

    /// Whatever is under way ends by its leases, and nothing is left.
    fn rest(&mut self) {
        let mut rounds = 0;
        while self.bench.shard.next_lease().is_some() {
            let proposal = Proposal { from: LEADER, seq: 0, body: Body::Shard(Command::Expire) };
            self.bench.now = self.bench.now.max(self.bench.shard.next_lease().expect("it is there"));
            assert_eq!(self.bench.enter(proposal).outcome, Outcome::Done);
            rounds += 1;
            assert!(rounds < 200, "it never comes to rest: {:?}", self.bench.shard.calls().collect::<Vec<_>>());
        }
        self.look();
        let busy = self.bench.shard.busy();
        assert_eq!((busy.calls, busy.places, busy.waiting), (0, 0, 0));
        assert!(self.bench.shard.agents().all(|agent| !agent.is_at_work()), "an agent is kept for nothing");
    }
}

fn owner(call: &Call) -> Proposer {
    Proposer { node: call.owner.node, incarnation: call.owner.incarnation }
}

/// A customer who is with somebody else over a trunk.
fn over_trunk() -> Reach {
    Reach::Trunk {
        trunk: TRUNK,
        number: number(77),
        caller_id: number(0),
        destination: strowger_model::Far::udp(addr(10)),
    }
}

/// The phone of an agent.
fn at_phone(agent: AgentId) -> Reach {
    let far = strowger_model::Far::udp(addr(agent.0 as u8));
    Reach::Binding { agent, instance: strowger_model::Instance(0), uri: "sip:laid@192.0.2.1".to_owned(), far }
}
