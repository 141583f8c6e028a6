//! What a shard keeps of a campaign besides its configuration and its leads.

use strowger_model::{CallId, CampaignId, DialResult, Digest, Incarnation, NodeId, Owner, QueueId, TenantId, Wall};

use super::lead::later;
use crate::{RowKey, limit};

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
    /// Calls begun.
    pub dialled: u64,
    /// Calls ended, by result: those that occurred, in the order of the results.
    pub results: Vec<(DialResult, u64)>,
    /// What its carrier made of the last calls.
    pub carrier: Carrier,
}

/// What a campaign's carrier made of the last calls, so that one that fails is left alone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Carrier {
    /// Calls in a row that it took to nobody.
    pub failed: u16,
    /// Set once they were too many, until it takes a call again.
    pub pause: Option<CarrierPause>,
}

/// A carrier is left alone for a while, then one call tells whether it is back.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CarrierPause {
    /// When the first of these pauses began.
    pub since: Wall,
    /// When this one ends.
    pub until: Wall,
    /// How many there have been, with this one.
    pub no: u8,
    /// The one call that is made after it.
    pub probe: Option<CallId>,
}

impl Carrier {
    /// Whether the campaign may dial somebody by itself.
    pub fn may_dial(&self, now: Wall) -> bool {
        self.pause.is_none_or(|pause| pause.probe.is_none() && pause.until <= now)
    }

    /// A lead is dialled: in a pause that is over, to see.
    pub(crate) fn dials(&mut self, call: CallId) {
        if let Some(pause) = &mut self.pause {
            pause.probe = Some(call);
        }
    }

    /// The called party's network or phone said something: the carrier works.
    pub(crate) fn works(&mut self) {
        *self = Self::default();
    }

    /// A call was brought to nobody. Of those that were out when a pause began none makes it longer.
    pub(crate) fn fails(&mut self, call: CallId, now: Wall) {
        self.failed = self.failed.saturating_add(1);
        self.pause = match self.pause {
            Some(pause) if pause.probe == Some(call) => Some(pause.next(now)),
            None if self.failed >= limit::CARRIER_FAILURES => Some(CarrierPause::first(now)),
            pause => pause,
        };
    }

    /// A call came to nothing that the carrier has no part in: if it was to tell, another will.
    pub(crate) fn tells_nothing(&mut self, call: CallId) {
        if let Some(pause) = self.pause.as_mut().filter(|pause| pause.probe == Some(call)) {
            pause.probe = None;
        }
    }
}

impl CarrierPause {
    fn first(now: Wall) -> Self {
        Self { since: now, until: later(now, limit::CARRIER_PAUSE), no: 1, probe: None }
    }

    fn next(self, now: Wall) -> Self {
        let pause = limit::CARRIER_PAUSE.saturating_mul(1 << u32::from(self.no).min(16)).min(limit::CARRIER_PAUSE_MOST);
        Self { until: later(now, pause), no: self.no.saturating_add(1), probe: None, ..self }
    }
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
