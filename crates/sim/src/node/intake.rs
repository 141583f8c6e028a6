//! Whose is a message? As the product's edge and intake decide it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use strowger_acd::RelayChoice;
use strowger_model::{CallId, Far, LegKey, LegNo, Transport};
use strowger_sip::{Leg, Message, dismiss, leg_of, phrase, reply, reply_destination};
use strowger_table::{Admit, AdmitKey, Call, Command, Outcome, Shard, Source, Target};

use super::{News, Pending, Purpose};
use crate::happening::{Happening, Task};
use crate::tenant::{SHARD, TRUNK};
use crate::trace::About;
use crate::world::{World, local};

/// How long a message for a row that is not applied yet is kept, and how often it looks.
const HOLD: Duration = Duration::from_millis(1500);
const HOLD_STEP: Duration = Duration::from_millis(20);

impl World {
    pub(crate) fn take(&mut self, node: usize, source: SocketAddr, bytes: &[u8]) {
        if self.is_passive(node) {
            return;
        }
        let Ok(mut message) = Message::parse(bytes) else { return };
        let leg = leg_of(&message);
        if message.is_request() {
            message.fill_received(source);
        }
        match (leg, message.method()) {
            (Some(leg), _) => self.for_leg(node, leg, message, source),
            (None, _) if !message.is_request() => {}
            (None, "INVITE") if message.to_tag().is_empty() => self.invite(node, message, source),
            (None, "CANCEL") => self.held(node, None, source, &message.bytes(), self.now + HOLD),
            (None, "ACK") => {}
            (None, _) => self.reply(node, &message, source, 481),
        }
    }

    pub(crate) fn forwarded(&mut self, node: usize, source: SocketAddr, bytes: &[u8]) {
        let Ok(message) = Message::parse(bytes) else { return };
        if let Some(leg) = leg_of(&message) {
            self.for_leg(node, leg, message, source);
        } else if let Some(row) = self.row_of(node, &message) {
            self.tell(node, row.id, sip(first_leg(row.id), message, source));
        }
    }

    /// Looks (again) for the row of a message that waits; after its time it is nobody's.
    pub(crate) fn held(
        &mut self,
        node: usize,
        leg: Option<LegKey>,
        source: SocketAddr,
        bytes: &[u8],
        until: strowger_model::Mono,
    ) {
        let Ok(message) = Message::parse(bytes) else { return };
        let row = match leg {
            Some(leg) => row_of_leg(&self.nodes[node].replica.shard, leg),
            None => self.row_of(node, &message),
        };
        if let Some(row) = row {
            let leg = leg.unwrap_or(first_leg(row.id));
            return self.route(node, &row, leg, message, source);
        }
        if self.now < until {
            let held = Task::Held { leg, source, bytes: bytes.to_vec(), until };
            return self.timeline.plan(self.now + HOLD_STEP, Happening::In(self.nodes[node].who, held));
        }
        match leg {
            // Not applied here yet: this node is behind, and cannot know. The sender repeats it.
            Some(leg) if leg.call.index() > self.nodes[node].replica.applied => {}
            Some(_) => self.gone(node, &message, source),
            None => self.reply(node, &message, source, 481),
        }
    }

    pub(crate) fn admit_answered(&mut self, node: usize, invite: Message, source: SocketAddr, outcome: Outcome) {
        let key = key_of(&invite);
        match outcome {
            Outcome::Admitted { .. } => {}
            Outcome::Already { call, owner } => {
                self.nodes[node].pending.remove(&key);
                let leg = first_leg(call);
                if self.nodes[node].owns(owner) {
                    self.for_leg(node, leg, invite, source);
                } else {
                    self.held(node, Some(leg), source, &invite.bytes(), self.now + HOLD);
                }
            }
            _ => {
                self.nodes[node].pending.remove(&key);
                self.reply(node, &invite, source, 503);
            }
        }
    }

    /// Not committed in time: the caller is sent away, and if the entry comes after all, it ends.
    pub(crate) fn withdraw(&mut self, node: usize, invite: &Message, source: SocketAddr) {
        let key = key_of(invite);
        self.nodes[node].pending.remove(&key);
        if let Some(row) = self.row_of(node, invite) {
            // Committed, here or through another node: only the answer was lost.
            let leg = first_leg(row.id);
            return self.route(node, &row, leg, invite.clone(), source);
        }
        self.reply(node, invite, source, 503);
        self.propose(node, Command::Withdraw { key }, Purpose::Nobody);
    }

    fn for_leg(&mut self, node: usize, leg: LegKey, message: Message, source: SocketAddr) {
        let replica = &self.nodes[node].replica;
        match row_of_leg(&replica.shard, leg) {
            Some(row) => self.route(node, &row, leg, message, source),
            None if leg.call.index() > replica.applied => {
                self.held(node, Some(leg), source, &message.bytes(), self.now + HOLD);
            }
            None => self.gone(node, &message, source),
        }
    }

    fn route(&mut self, node: usize, row: &Arc<Call>, leg: LegKey, message: Message, source: SocketAddr) {
        let place = &self.nodes[node];
        if !place.owns(row.owner) {
            let owner = usize::from(row.owner.node.0) - 1;
            let forwarded = Task::Forwarded { source, bytes: message.bytes() };
            if !place.cut {
                let (who, at) = (self.nodes[owner].who, self.after_hop());
                self.timeline.plan(at, Happening::In(who, forwarded));
            }
            return;
        }
        if !place.actors.contains_key(&row.id) {
            return self.gone(node, &message, source);
        }
        self.tell(node, row.id, sip(leg, message, source));
    }

    /// A hang-up is granted, so that the far end comes to rest; a phone that answers what nobody remembers is told
    /// goodbye.
    fn gone(&mut self, node: usize, message: &Message, source: SocketAddr) {
        if !message.is_request() {
            for bytes in dismiss(message, Transport::Udp, &local()) {
                self.send(node, About::World, source, bytes);
            }
            return;
        }
        match message.method() {
            "ACK" => {}
            "BYE" => self.reply(node, message, source, 200),
            _ => self.reply(node, message, source, 481),
        }
    }

    fn reply(&mut self, node: usize, message: &Message, source: SocketAddr, status: u16) {
        let bytes = reply(message, status, phrase(status), &[], None, None);
        self.send(node, About::World, reply_destination(message, Far::udp(source)).addr, bytes);
    }

    fn row_of(&self, node: usize, message: &Message) -> Option<Arc<Call>> {
        self.nodes[node].replica.shard.call_by_key(&key_of(message)).cloned()
    }

    fn invite(&mut self, node: usize, message: Message, source: SocketAddr) {
        let key = key_of(&message);
        if self.nodes[node].pending.contains_key(&key) {
            return;
        }
        if let Some(row) = self.row_of(node, &message) {
            let leg = first_leg(row.id);
            return self.route(node, &row, leg, message, source);
        }
        let dialled = message.request_uri_user().to_owned();
        let Some(flow) = self.tenant.numbers.iter().find(|number| number.number == dialled).map(|number| number.flow)
        else {
            return self.reply(node, &message, source, 404);
        };
        let choice = RelayChoice::new(&self.nodes[node].replica.shard, &self.usable);
        let Some(relay) = choice.choose(self.scenario.trunk_site, None) else {
            return self.reply(node, &message, source, 503);
        };
        let unborn = first_leg(CallId::new(SHARD, 0));
        let dialog = Leg::incoming(unborn, &message, Far::udp(source), &local(), self.now).dialog();
        let admit = Admit {
            key: key.clone(),
            tenant: self.tenant.id,
            source: Source::Trunk(TRUNK),
            target: Target::Flow(flow),
            from: message.from_user().to_owned(),
            to: dialled,
            dialog,
            observed: self.nodes[node].log_now(self.now),
        };
        self.nodes[node].pending.insert(key, Pending { invite: message.clone(), source, relay });
        self.propose(node, Command::Admit(Box::new(admit)), Purpose::Admit { invite: Box::new(message), source });
    }
}

fn key_of(message: &Message) -> AdmitKey {
    AdmitKey { call_id: message.call_id().to_owned(), from_tag: message.from_tag().to_owned(), cseq: message.cseq() }
}

/// The leg of who called us: the first that its call has.
fn first_leg(call: CallId) -> LegKey {
    LegKey { call, leg: LegNo(0) }
}

/// The row that has a leg, or had it: its owner knows what to say to who left.
fn row_of_leg(shard: &Shard, leg: LegKey) -> Option<Arc<Call>> {
    shard.call_of_leg(leg).or_else(|| shard.call(leg.call)).cloned()
}

fn sip(leg: LegKey, message: Message, source: SocketAddr) -> News {
    News::Sip { leg, message: Box::new(message), source }
}
