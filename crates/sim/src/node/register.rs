//! Agents' phones as the product's shell has them: each agent's REGISTERs one after another, at its owner.

use std::collections::VecDeque;
use std::rc::Rc;

use strowger_agent::limit::{COMMIT, WAITING_MAX};
use strowger_agent::{Asked, Known, Order, Turn, wanted};
use strowger_model::{AgentId, Far, LogTime, NodeId};
use strowger_sip::{Binding, Contacts, Message, contacts, phrase, register_ok, reply, reply_destination};
use strowger_table::{Body, Command, RowKey};

use super::Purpose;
use crate::happening::{Happening, Task};
use crate::plant::Plant;
use crate::trace::About;
use crate::world::World;

/// Where the REGISTERs of one agent are carried out.
#[derive(Default)]
pub(crate) struct Desk {
    order: Order,
    known: Known,
    waiting: VecDeque<Rc<Registration>>,
    /// What the first one needs, the next entry first. It is under way.
    wants: VecDeque<Command>,
    under_way: bool,
}

struct Registration {
    message: Message,
    source: Far,
    asked: Contacts,
}

impl World {
    /// From a phone. Over TCP it is this node's, which has the connection; else the agent's owner's, if that is another
    /// node that lives and can be reached.
    pub(crate) fn register(&mut self, node: usize, message: Message, source: Far) {
        let Some(agent) = self.directory(node).registers(message.to_user()) else { return };
        let is_ours = source.transport.is_reliable() && self.plant != Some(Plant::ConnectionPassedOn);
        match self.elsewhere(node, agent).filter(|_| !is_ours) {
            Some(owner) => {
                let task = Task::Registering { source, bytes: message.bytes() };
                let (who, at) = (self.nodes[usize::from(owner.0) - 1].who, self.after_hop());
                self.timeline.plan(at, Happening::In(who, task));
            }
            None => self.take_register(node, agent, message, source),
        }
    }

    /// From another node, which took this one for the agent's owner.
    pub(crate) fn registering(&mut self, node: usize, source: Far, bytes: &[u8]) {
        let Ok(message) = Message::parse(bytes) else { return };
        if !self.is_passive(node)
            && let Some(agent) = self.directory(node).registers(message.to_user())
        {
            self.take_register(node, agent, message, source);
        }
    }

    fn elsewhere(&self, node: usize, agent: AgentId) -> Option<NodeId> {
        let place = &self.nodes[node];
        let (owner, life) = place.replica.shard.agent(agent)?.owner?;
        let lives = place.control.table.node(owner).is_some_and(|known| known.incarnation == life && !known.down);
        (owner != place.who.id() && lives && !place.cut).then_some(owner)
    }

    fn take_register(&mut self, node: usize, agent: AgentId, message: Message, source: Far) {
        let Ok(asked) = contacts(&message) else { return };
        let desk = self.nodes[node].desks.entry(agent).or_default();
        let name = |message: &Message| (message.call_id().to_owned(), message.cseq());
        let known = desk.waiting.iter().any(|other| name(&other.message) == name(&message));
        if !known && desk.waiting.len() < WAITING_MAX {
            desk.waiting.push_back(Rc::new(Registration { message, source, asked }));
            self.serve_registers(node, agent);
        }
    }

    /// One REGISTER after another.
    fn serve_registers(&mut self, node: usize, agent: AgentId) {
        while let Some(status) = self.serve_register(node, agent) {
            self.answer_register(node, agent, status);
        }
    }

    /// The status of the first that waits; none while an entry is under way, and when nothing waits.
    fn serve_register(&mut self, node: usize, agent: AgentId) -> Option<u16> {
        let now = self.now;
        let place = &mut self.nodes[node];
        let log_now = place.log_now(now).at_most;
        let desk = place.desks.get_mut(&agent)?;
        let first = desk.waiting.front().filter(|_| !desk.under_way)?.clone();
        let Some(row) = place.replica.shard.agent(agent) else { return Some(503) };
        desk.known.see(&row.bindings, now);
        match desk.order.turn(asked(&first.message), now) {
            Turn::Overtaken | Turn::Replayed => return Some(500),
            Turn::Repeated => return Some(200),
            Turn::Next => {}
        }
        desk.wants = wanted(agent, &desk.known.bound(), &first.asked, first.source, log_now).into();
        self.next_entry(node, agent)
    }

    /// Proposes what the first REGISTER still needs; its status when that is all there.
    fn next_entry(&mut self, node: usize, agent: AgentId) -> Option<u16> {
        let now = self.now;
        let desk = self.nodes[node].desks.get_mut(&agent)?;
        let first = desk.waiting.front()?.clone();
        let Some(command) = desk.wants.front().cloned() else {
            desk.order.done(asked(&first.message), now);
            return Some(200);
        };
        desk.under_way = true;
        self.propose_within(node, Body::Shard(command), Purpose::Registration(agent), COMMIT);
        None
    }

    pub(crate) fn registration_answered(&mut self, node: usize, agent: AgentId, committed: bool) {
        let now = self.now;
        let Some(desk) = self.nodes[node].desks.get_mut(&agent) else { return };
        desk.under_way = false;
        let done = desk.wants.pop_front();
        let status = if committed {
            done.into_iter().for_each(|command| desk.known.committed(command, now));
            self.next_entry(node, agent)
        } else {
            Some(503)
        };
        if let Some(status) = status {
            self.answer_register(node, agent, status);
            self.serve_registers(node, agent);
        }
    }

    fn answer_register(&mut self, node: usize, agent: AgentId, status: u16) {
        let place = &mut self.nodes[node];
        let log_now = place.log_now(self.now).at_most;
        let was_owned = place.replica.shard.agent(agent).is_some_and(|row| row.owner.is_some());
        let Some(desk) = place.desks.get_mut(&agent) else { return };
        let Some(first) = desk.waiting.pop_front() else { return };
        let bound = desk.known.bound();
        let is_bound = bound.iter().any(|binding| binding.lost.is_none());
        let bytes = match status {
            200 => register_ok(&first.message, &listed(bound, log_now), &[]),
            _ => reply(&first.message, status, phrase(status), &[], None, None),
        };
        self.send(node, About::World, reply_destination(&first.message, first.source), bytes);
        if !was_owned && is_bound && !first.source.transport.is_reliable() {
            let who = self.nodes[node].who;
            let assign = Command::Assign { row: RowKey::Agent(agent), to: (who.id(), who.life) };
            self.propose_within(node, Body::Shard(assign), Purpose::Nobody, COMMIT);
        }
    }
}

fn listed(bound: Vec<strowger_table::Binding>, log_now: LogTime) -> Vec<Binding> {
    let left = |expires: LogTime| u32::try_from(expires.since(log_now).as_secs()).unwrap_or(u32::MAX);
    bound.into_iter().map(|binding| Binding { expires: left(binding.expires), uri: binding.uri }).collect()
}

/// Nobody is challenged here: each REGISTER has an answer of its own, which its repetition has too.
fn asked(message: &Message) -> Asked<'_> {
    Asked { call_id: message.call_id(), cseq: message.cseq(), answer: message.top_branch() }
}
