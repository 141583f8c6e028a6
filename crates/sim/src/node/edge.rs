//! A node's way to far ends: by datagrams; by a line of its own, a line of another node's, or a new one. Runs the switch's
//! rule for what another node was handed.

use std::net::SocketAddr;

use strowger_model::{Far, Incarnation, NodeId};
use strowger_sip::{Message, phrase, reply};
use strowger_switch::{StandBy, poster};

use crate::far::Sip;
use crate::happening::{Happening, Task};
use crate::trace::About;
use crate::world::{End, World};

/// The time of the product's edge: a far end that is not there costs so long.
const CONNECT_WITHIN_MS: (u64, u64) = (1, 3000);

/// What a process has to do with lines: gone with it.
#[derive(Default)]
pub(crate) struct Edge {
    /// Said while it was passive, and come meanwhile.
    held: Vec<(Far, Vec<u8>)>,
    unread: Vec<(Far, Vec<u8>)>,
    standing: StandBy,
}

impl World {
    /// To a far end over TCP: through the node that has its line, if that lives.
    pub(crate) fn send_by_line(&mut self, node: usize, to: Far, bytes: Vec<u8>) {
        let by = poster(to, self.nodes[node].who.id(), self.is_silent(node), |other| self.lives_as(node, other));
        match by {
            Some(by) => {
                self.cast_to(node, by.0, Task::Post { to, bytes: bytes.clone() });
                self.nodes[node].edge.standing.posted(by, to, bytes, self.now);
            }
            None => self.post(node, to, &bytes),
        }
    }

    /// None: it is down, as far as this node knows.
    pub(crate) fn lives_as(&self, node: usize, other: NodeId) -> Option<Incarnation> {
        let known = self.nodes[node].control.table.node(other).filter(|known| !known.down)?;
        Some(known.incarnation)
    }

    /// By a line of its own, or a new one. What a passive node would say waits until it is active, or for ever.
    pub(crate) fn post(&mut self, node: usize, to: Far, bytes: &[u8]) {
        if self.is_silent(node) {
            return self.nodes[node].edge.held.push((to, bytes.to_vec()));
        }
        let known = self.lines.of(self.nodes[node].who, to);
        let line = known.or_else(|| self.dial_line(node, to.addr));
        match line {
            Some(line) => {
                self.leaves(node, to.addr, bytes);
                self.speak(line, End::Node, bytes.to_vec());
            }
            None => self.undelivered(node, to.addr, bytes),
        }
    }

    /// The far end's answer to a request that could not be brought to it (RFC 3261 section 8.1.3.1).
    fn undelivered(&mut self, node: usize, home: SocketAddr, bytes: &[u8]) {
        let Ok(message) = Message::parse(bytes) else { return };
        if !message.is_request() || message.method() == "ACK" {
            return;
        }
        let refusal =
            Task::Message { source: Far::tcp(home), bytes: reply(&message, 503, phrase(503), &[], None, None) };
        let at = self.now + self.rng.millis(CONNECT_WITHIN_MS.0, CONNECT_WITHIN_MS.1);
        self.timeline.plan(at, Happening::In(self.nodes[node].who, refusal));
    }

    /// What comes on a line while the node is passive is read when it is active again, or never.
    pub(crate) fn leaves_unread(&mut self, node: usize, source: Far, bytes: &[u8]) {
        if source.transport.is_reliable() {
            self.nodes[node].edge.unread.push((source, bytes.to_vec()));
        }
    }

    /// The node is active again.
    pub(crate) fn reads_on(&mut self, node: usize) {
        let edge = &mut self.nodes[node].edge;
        let (held, unread) = (std::mem::take(&mut edge.held), std::mem::take(&mut edge.unread));
        held.into_iter().for_each(|(to, bytes)| self.post(node, to, &bytes));
        unread.into_iter().for_each(|(source, bytes)| self.take(node, source, &bytes));
    }

    /// What may have died with the process that it was handed to is said again, by a new line.
    pub(crate) fn stands_by(&mut self, node: usize) {
        let mut standing = std::mem::take(&mut self.nodes[node].edge.standing);
        let lost = standing.look(self.now, |other| self.lives_as(node, other));
        self.nodes[node].edge.standing = standing;
        for (to, bytes) in lost {
            let about = Sip::parse(&bytes).map(|sip| sip.summary()).unwrap_or_default();
            self.say(About::World, || format!("n{} says again: {about}", node + 1));
            self.post(node, to, &bytes);
        }
    }

    /// To another process, over a connection that outlives a cut.
    pub(crate) fn cast_to(&mut self, node: usize, to: NodeId, task: Task) {
        let who = self.nodes[usize::from(to.0) - 1].who;
        let is_reliable = match &task {
            Task::Post { .. } => true,
            Task::Forwarded { source, .. } => source.transport.is_reliable(),
            _ => false,
        };
        let happening = Happening::In(who, task);
        if !self.nodes[node].cut {
            let at = self.after_hop();
            self.timeline.plan(at, happening);
        } else if is_reliable {
            self.nodes[node].stranded.push(happening);
        }
    }
}
