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
    pub calls: usize,
    pub agents: usize,
    pub relays: usize,
    /// One for all campaigns of the node.
    pub pacers: usize,
}

impl Context {
    pub fn actors(&self) -> Actors {
        Actors {
            calls: self.calls.len(),
            agents: self.agents.len(),
            relays: self.relays.couriers.len(),
            pacers: self.pacers.len(),
        }
    }
}
