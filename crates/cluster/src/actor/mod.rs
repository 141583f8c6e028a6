//! What acts on this node: an actor for each row that it owns and that has something to do, found in a registry of its
//! kind. An actor holds a pure machine and no rule.

pub(crate) mod agent;
pub(crate) mod call;
pub(crate) mod pacer;
mod registry;
pub(crate) mod relay;
pub(crate) mod sweep;

pub(crate) use agent::Agents;
pub(crate) use call::{CallNews, Calls};
pub(crate) use pacer::Pacers;
pub(crate) use relay::Couriers;

use crate::context::Context;

/// How many actors a node has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Actors {
    /// One for each call that this node owns.
    pub calls: usize,
    /// One for each agent that this node owns, or whose phone registers here.
    pub agents: usize,
    /// One for each relay that this node has orders for.
    pub relays: usize,
    /// One for all campaigns of the node.
    pub pacers: usize,
}

impl Context {
    /// Counted now: for tests, and for who looks whether any is left over.
    pub fn actors(&self) -> Actors {
        Actors {
            calls: self.calls.len(),
            agents: self.agents.len(),
            relays: self.relays.couriers.len(),
            pacers: self.pacers.len(),
        }
    }
}
