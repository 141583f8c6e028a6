//! What a shard keeps of a campaign besides its configuration and its leads.

use crate::RowKey;
use strowger_model::{CampaignId, DialResult, Digest, Incarnation, NodeId, Owner, QueueId, TenantId};

/// A campaign, as its shard counts it; it outlives the configuration.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Ledger {
    /// Which.
    pub campaign: CampaignId,
    /// Whose.
    pub tenant: TenantId,
    /// Its agents' queue.
    pub queue: QueueId,
    /// Who paces it. While it has none nobody does.
    pub owner: Option<Owner>,
    /// Started by an operator or from the start.
    pub running: bool,
    /// What the share of abandoned calls is judged by.
    pub window: Window,
    /// State of the regulator's steps, in its own units.
    pub steps: u32,
    /// Leads ever taken: the next one's place.
    pub leads: u32,
    /// Names of the zones its leads live in.
    pub zones: Vec<String>,
    /// Content of the lists its leads came from.
    pub batches: Vec<Digest>,
    /// Leads that are not dialled any more.
    pub done: u32,
    /// Calls begun.
    pub dialled: u64,
    /// Calls ended, by result: those that occurred, in the order of the results.
    pub results: Vec<(DialResult, u64)>,
}

/// Answered calls of the present window.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Window {
    /// Answered by a person.
    pub live: u32,
    /// Of these, abandoned by us.
    pub abandoned: u32,
    /// Of these, waiting for an agent now.
    pub waiting: u32,
}

impl Ledger {
    /// By what it is spread over the nodes: campaigns of one queue go together, so that one process takes turns among them.
    pub fn heir_key(&self) -> RowKey {
        RowKey::Queue(self.queue)
    }

    /// Whether a process paces it.
    pub fn is_owned_by(&self, process: (NodeId, Incarnation)) -> bool {
        self.owner.is_some_and(|owner| (owner.node, owner.incarnation) == process)
    }

    /// Calls that ended with that result.
    pub fn count(&self, result: DialResult) -> u64 {
        self.results.iter().find(|(counted, _)| *counted == result).map_or(0, |(_, count)| *count)
    }

    pub(crate) fn add(&mut self, result: DialResult) {
        match self.results.binary_search_by_key(&result, |(counted, _)| *counted) {
            Ok(at) => self.results[at].1 += 1,
            Err(at) => self.results.insert(at, (result, 1)),
        }
    }

    /// The number of a zone, which is added if it is new. None if there are too many.
    pub(crate) fn zone_number(&mut self, zone: &str) -> Option<u16> {
        let known = self.zones.iter().position(|known| known == zone);
        let place = known.unwrap_or_else(|| {
            self.zones.push(zone.to_owned());
            self.zones.len() - 1
        });
        u16::try_from(place).ok()
    }
}
