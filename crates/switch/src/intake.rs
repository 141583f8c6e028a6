//! Whose is a message? The owner's actor here, the owner's node elsewhere, or nobody's yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use strowger_model::{CallId, Far, Incarnation, LegKey, LegNo, Mono, NodeId, RelayId, ShardId, TrunkId};
use strowger_sip::{Leg, Message};
use strowger_table::{Admit, AdmitKey, Call, Command, Outcome, Source, Target};

use crate::around::{Around, Destination, Door, Row};
use crate::gate::Gate;
use crate::limit;
use crate::nobody;
use crate::shelf::{Mail, Shelf, Via};
use crate::trunks::Trunks;

/// What the node does with a message.
#[derive(Debug)]
pub enum Action {
    /// The call's actor here gets it.
    Tell {
        /// In whose row the leg is.
        call: CallId,
        /// Whose message it is.
        leg: LegKey,
        /// The message.
        message: Box<Message>,
        /// Where it came from.
        source: Far,
    },
    /// The node that owns the call gets it. Lost with the connection: the far end repeats it, or over TCP this node.
    Forward {
        /// Who owns it.
        to: NodeId,
        /// Where it came from.
        source: Far,
        /// The message.
        message: Box<Message>,
    },
    /// An answer without state.
    Send {
        /// Where to.
        to: Far,
        /// The whole message.
        bytes: Vec<u8>,
    },
    /// Proposes the call within `limit::ADMIT`; the outcome goes to `admit_answered`.
    Admit {
        /// For `admit_answered`.
        key: AdmitKey,
        /// Where it is proposed.
        shard: ShardId,
        /// The `Admit`.
        command: Box<Command>,
    },
    /// Nobody waits for its outcome.
    Withdraw {
        /// Where it is proposed.
        shard: ShardId,
        /// Of the INVITE that was sent away.
        key: AdmitKey,
    },
    /// For the metrics.
    Count(Count),
}

/// What is counted at the door.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Count {
    /// A message went to another node.
    Forwarded,
    /// A limit of the node or the trunk, or no commit in time: 503.
    TurnedAway,
    /// A barred caller: 603.
    Unwanted,
}

/// An INVITE whose `Admit` is under way here: the actor is made from the INVITE itself, not from its row.
#[derive(Clone, Debug)]
pub struct Pending {
    /// As it came.
    pub invite: Message,
    /// Where it came from.
    pub source: Far,
    /// Chosen for its media.
    pub relay: RelayId,
    shard: ShardId,
    trunk: TrunkId,
}

/// Who does not come in: the status of the answer, and what is counted.
type TurnedAway = (u16, Option<Count>);

/// Takes messages from far ends and from other nodes.
#[derive(Debug)]
pub struct Intake {
    max_calls: usize,
    door: Gate,
    trunks: Trunks,
    pending: BTreeMap<AdmitKey, Pending>,
    /// For a row, or its owner's actor, that is not here yet.
    awaited: Shelf<CallId>,
    /// For a call whose INVITE is not in the table yet.
    unborn: Shelf<AdmitKey>,
    /// Passed on over a connection, in case that who got it dies.
    passed: Shelf<CallId>,
}

impl Intake {
    /// `max_calls` at once, and new ones a second, on this node.
    pub fn new(max_calls: usize, max_calls_per_second: u32, now: Mono) -> Self {
        Self {
            max_calls,
            door: Gate::new(max_calls_per_second, now),
            trunks: Trunks::default(),
            pending: BTreeMap::new(),
            awaited: Shelf::new(),
            unborn: Shelf::new(),
            passed: Shelf::new(),
        }
    }

    /// For this node's heartbeats: of the trunks that sent a call lately, how many were let in since the process began.
    pub fn let_in(&self, now: Mono) -> Vec<(TrunkId, u64)> {
        self.trunks.lately(now)
    }

    /// What another process says of the same in its own: its calls count against the trunks' rates here.
    pub fn others_let_in(&mut self, process: (NodeId, Incarnation), counts: &[(TrunkId, u64)], now: Mono) {
        self.trunks.others(process, counts, now);
    }

    /// From a far end: it carries the token of a leg.
    pub fn for_leg(&mut self, leg: LegKey, message: Message, source: Far, around: &impl Around) -> Vec<Action> {
        let mut out = Vec::new();
        self.find(leg, mail(Some(leg), message, source, Via::Edge), around, &mut out);
        out
    }

    /// From another node that did not own it.
    pub fn forwarded(&mut self, message: Message, source: Far, around: &impl Around) -> Vec<Action> {
        let mut out = Vec::new();
        let leg = around.local().tokens.leg_of(&message);
        let mail = mail(leg, message, source, Via::Node);
        match leg {
            Some(leg) => self.find(leg, mail, around, &mut out),
            None => self.find_by_key(mail, around, &mut out),
        }
        out
    }

    /// From a far end: ends an INVITE whose answer it has not seen (RFC 3261 section 9.1). Only who may call may cancel:
    /// what is anybody else's is not kept.
    pub fn cancel(&mut self, message: Message, source: Far, around: &impl Around) -> Vec<Action> {
        let mut out = Vec::new();
        if around.door(source).is_none() {
            return out;
        }
        self.find_by_key(mail(None, message, source, Via::Edge), around, &mut out);
        out
    }

    /// From a far end: a call that may be new.
    pub fn invite(&mut self, message: Message, source: Far, around: &impl Around) -> Vec<Action> {
        // No answer, whatever the number, and whosever call it resembles: who tries something out learns nothing.
        let Some(door) = around.door(source) else { return Vec::new() };
        let key = key_of(&message);
        let mut out = Vec::new();
        if let Some(Pending { invite, .. }) = self.pending.get(&key) {
            // A proxy that forks waits for an answer on each branch (RFC 3261 section 16.7): what the first one gets, the
            // others get, once there is a row.
            if invite.top_branch() != message.top_branch() {
                self.find_by_key(mail(None, message, source, Via::Edge), around, &mut out);
            }
            return out;
        }
        if let Some(row) = row_of(&message, around) {
            let leg = first_leg(row.id);
            self.route(&row, leg, mail(Some(leg), message, source, Via::Edge), around, &mut out);
            return out;
        }
        match self.judge(&message, &door, around) {
            Ok((to, relay)) => {
                let command = admit(&key, &message, source, to, door.trunk, around);
                let shard = to.shard;
                let pending = Pending { invite: message, source, relay, shard, trunk: door.trunk };
                self.pending.insert(key.clone(), pending);
                out.push(Action::Admit { key, shard, command: Box::new(command) });
            }
            Err((status, count)) => {
                out.extend(count.map(Action::Count));
                out.push(send(nobody::refusal(&message, source, status)));
            }
        }
        out
    }

    /// What became of an `Admit`; none, if it was not committed in time. Once committed, the log itself starts the
    /// actor; here only refusals are left.
    pub fn admit_answered(&mut self, key: &AdmitKey, outcome: Option<&Outcome>, around: &impl Around) -> Vec<Action> {
        let mut out = Vec::new();
        if matches!(outcome, Some(Outcome::Admitted { .. })) {
            return out;
        }
        // Seated: its row came before the answer.
        let Some(Pending { invite, source, shard, .. }) = self.pending.remove(key) else { return out };
        // Only the answer was lost: the call lives, here or elsewhere.
        let call = match outcome {
            Some(Outcome::Already { call, .. }) => Some(*call),
            Some(_) => None,
            None => around.row_by_key(shard, key).map(|row| row.id),
        };
        if let Some(leg) = call.map(first_leg) {
            self.find(leg, mail(Some(leg), invite, source, Via::Edge), around, &mut out);
            return out;
        }
        out.push(send(nobody::refusal(&invite, source, 503)));
        for other in self.unborn.take(key.clone()..=key.clone()) {
            match other.message.method() {
                "INVITE" => out.push(send(nobody::refusal(&other.message, other.source, 503))),
                _ => self.find_by_key(other, around, &mut out),
            }
        }
        if outcome.is_none() {
            // The caller is sent away, and if the entry comes after all, it ends.
            out.push(Action::Count(Count::TurnedAway));
            out.push(Action::Withdraw { shard, key: key.clone() });
        }
        out
    }

    /// The INVITE of a call that is in the table now, for its actor.
    pub fn seat(&mut self, key: &AdmitKey) -> Option<Pending> {
        self.pending.remove(key)
    }

    /// A shard's table has come to `applied` and has changed these calls: what waits for them is judged again.
    pub fn applied(
        &mut self,
        shard: ShardId,
        applied: u64,
        touched: impl IntoIterator<Item = CallId>,
        around: &impl Around,
    ) -> Vec<Action> {
        let mut again = self.awaited.take(CallId::new(shard, 0)..=CallId::new(shard, applied));
        for call in touched {
            again.extend(self.passed.take(call..=call));
            if !self.unborn.is_empty()
                && let Row::Here(row) = around.row(first_leg(call))
                && let Some(key) = row.key()
            {
                again.extend(self.unborn.take(key.clone()..=key.clone()));
            }
        }
        self.again(again, around)
    }

    /// A snapshot has leapt over entries of a shard: anything may have changed.
    pub fn installed(&mut self, shard: ShardId, applied: u64, around: &impl Around) -> Vec<Action> {
        let calls = CallId::new(shard, 0)..=CallId::new(shard, applied);
        let mut again = self.awaited.take(calls.clone());
        again.extend(self.passed.take(calls));
        again.extend(self.unborn.take_all());
        self.again(again, around)
    }

    /// When `tick` has something to do.
    pub fn deadline(&self) -> Option<Mono> {
        [self.awaited.deadline(), self.unborn.deadline(), self.passed.deadline()].into_iter().flatten().min()
    }

    /// What has waited in vain is nobody's.
    pub fn tick(&mut self, around: &impl Around) -> Vec<Action> {
        let now = around.now();
        let mut out = Vec::new();
        for Mail { message, source, via, leg, .. } in self.awaited.due(now) {
            // A node that lags knows nothing of the call, not even that it is gone; and what another node passed on is
            // that node's to answer. The far end repeats it to whoever it finds.
            let knows = leg.is_some_and(|leg| !matches!(around.row(leg), Row::NotYet));
            if via == Via::Edge && knows {
                out.extend(nobody::answers(&message, source, &around.local()).into_iter().map(send));
            }
        }
        for Mail { message, source, via, .. } in self.unborn.due(now) {
            if via == Via::Edge {
                out.push(send(nobody::refusal(&message, source, 481)));
            }
        }
        // Who got it had its time.
        drop(self.passed.due(now));
        out
    }

    fn again(&mut self, mails: Vec<Mail>, around: &impl Around) -> Vec<Action> {
        let mut out = Vec::new();
        for mail in mails {
            match (mail.leg, mail.passed_to) {
                (Some(leg), Some(passed_to)) => match around.row(leg) {
                    Row::Here(row) if row.owner == passed_to => self.keep_passed(row.id, mail, around),
                    // Whoever got it is dead: what it did with the message shows in the row, and a repetition is known
                    // by its number (RFC 3261 section 12.2.2).
                    Row::Here(row) => {
                        self.route(&row, leg, Mail { passed_to: None, until: None, ..mail }, around, &mut out);
                    }
                    Row::NotYet | Row::Gone | Row::NoShard => {}
                },
                (Some(leg), None) => self.find(leg, mail, around, &mut out),
                (None, _) => self.find_by_key(mail, around, &mut out),
            }
        }
        out
    }

    fn find(&mut self, leg: LegKey, mail: Mail, around: &impl Around, out: &mut Vec<Action>) {
        match around.row(leg) {
            Row::Here(row) => self.route(&row, leg, mail, around, out),
            Row::NotYet => self.keep(leg.call, mail, around),
            Row::Gone => out.extend(nobody::answers(&mail.message, mail.source, &around.local()).into_iter().map(send)),
            Row::NoShard => {}
        }
    }

    fn find_by_key(&mut self, mail: Mail, around: &impl Around, out: &mut Vec<Action>) {
        match row_of(&mail.message, around) {
            Some(row) => {
                let leg = first_leg(row.id);
                self.route(&row, leg, Mail { leg: Some(leg), ..mail }, around, out);
            }
            None => {
                let key = key_of(&mail.message);
                // As long as its INVITE is under way here it is that one's, and not unknown (RFC 3261 section 9.2).
                let hold = if self.pending.contains_key(&key) { limit::ADMIT } else { limit::HOLD };
                let until = mail.until.unwrap_or(around.now() + hold);
                self.unborn.put(key, until, mail);
            }
        }
    }

    fn route(&mut self, row: &Arc<Call>, leg: LegKey, mail: Mail, around: &impl Around, out: &mut Vec<Action>) {
        if !around.owns(row.owner) {
            // Two nodes with different views of the owner must not pass a message to and fro.
            if mail.via == Via::Node {
                return self.keep(leg.call, mail, around);
            }
            let message = Box::new(mail.message.clone());
            out.push(Action::Count(Count::Forwarded));
            out.push(Action::Forward { to: row.owner.node, source: mail.source, message });
            if mail.source.transport.is_reliable() {
                let mail = Mail { passed_to: Some(row.owner), until: None, ..mail };
                self.keep_passed(row.id, mail, around);
            }
            return;
        }
        if around.has_actor(row.id) {
            let message = Box::new(mail.message);
            out.push(Action::Tell { call: row.id, leg, message, source: mail.source });
        } else if row.is_over() && row.duties.is_empty() {
            // A call that is over and done has no actor: late repeats are answered from the row.
            out.extend(nobody::answers(&mail.message, mail.source, &around.local()).into_iter().map(send));
        } else {
            // Its actor is about to take its seat.
            self.keep(leg.call, mail, around);
        }
    }

    /// Over TCP it is kept for longer: the far end says it once.
    fn keep(&mut self, call: CallId, mail: Mail, around: &impl Around) {
        let hold = if mail.source.transport.is_reliable() { limit::STAND_BY } else { limit::HOLD };
        let until = mail.until.unwrap_or(around.now() + hold);
        self.awaited.put(call, until, mail);
    }

    fn keep_passed(&mut self, call: CallId, mail: Mail, around: &impl Around) {
        let until = mail.until.unwrap_or(around.now() + limit::STAND_BY);
        self.passed.put(call, until, mail);
    }

    /// Whether a new call may come in: where it goes, or what it is told and what is counted.
    fn judge(
        &mut self,
        message: &Message,
        door: &Door,
        around: &impl Around,
    ) -> Result<(Destination, RelayId), TurnedAway> {
        if !self.admits(door, around) {
            return Err((503, Some(Count::TurnedAway)));
        }
        let to = around.number(message.called_number()).ok_or((404, None))?;
        if around.is_unwanted(to, message.calling_number()) {
            return Err((603, Some(Count::Unwanted)));
        }
        let relay = around.relay(to.shard, &door.site).ok_or((503, None))?;
        Ok((to, relay))
    }

    /// The node's own limits and the trunk's, of whose rate the other nodes have their part. How many calls a trunk has at
    /// once no entry can judge, for each tenant's are in its own shard, and the trunk in group 0: each node counts the rows
    /// of all shards and what it has under way itself. What others let in a moment ago is the most it misses.
    fn admits(&mut self, door: &Door, around: &impl Around) -> bool {
        let now = around.now();
        if around.calls() >= self.max_calls || self.lines(door.trunk, around) >= door.max_calls as usize {
            return false;
        }
        // Who finds the node full takes nothing of the trunk's rate, nor the other way about.
        let admits = self.door.available(now) > 0
            && self.trunks.admit(door.trunk, door.max_calls_per_second, now)
            && self.door.admit(now);
        if admits {
            self.trunks.count(door.trunk, now);
        }
        admits
    }

    fn lines(&self, trunk: TrunkId, around: &impl Around) -> usize {
        around.lines(trunk) + self.pending.values().filter(|pending| pending.trunk == trunk).count()
    }
}

/// What makes an INVITE, its repetition and its CANCEL the same (RFC 3261 sections 8.2.2.2 and 9.2).
pub fn key_of(message: &Message) -> AdmitKey {
    AdmitKey { call_id: message.call_id().to_owned(), from_tag: message.from_tag().to_owned(), cseq: message.cseq() }
}

/// The call of an INVITE, its repetition or its CANCEL.
fn row_of(message: &Message, around: &impl Around) -> Option<Arc<Call>> {
    let shard = around.number(message.called_number())?.shard;
    around.row_by_key(shard, &key_of(message))
}

fn admit(
    key: &AdmitKey,
    message: &Message,
    source: Far,
    to: Destination,
    trunk: TrunkId,
    around: &impl Around,
) -> Command {
    let unborn = first_leg(CallId::new(to.shard, 0));
    let dialog = Leg::incoming(unborn, message, source, &around.local()).dialog();
    Command::Admit(Box::new(Admit {
        key: key.clone(),
        tenant: to.tenant,
        source: Source::Trunk(trunk),
        target: Target::Flow(to.flow),
        from: message.calling_number().to_owned(),
        to: message.called_number().to_owned(),
        dialog,
        observed: around.log_now(to.shard).at_most,
    }))
}

/// The leg that an INVITE comes on: the first that is born in its call.
fn first_leg(call: CallId) -> LegKey {
    LegKey { call, leg: LegNo(0) }
}

fn mail(leg: Option<LegKey>, message: Message, source: Far, via: Via) -> Mail {
    Mail { message, source, via, leg, passed_to: None, until: None }
}

fn send((to, bytes): (Far, Vec<u8>)) -> Action {
    Action::Send { to, bytes }
}
