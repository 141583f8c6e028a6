//! What a shard keeps of a campaign besides its configuration and its leads.

use strowger_model::{CampaignId, DialResult, Digest, TenantId};

#[derive(Clone, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Ledger {
    pub campaign: CampaignId,
    pub tenant: TenantId,
    /// Started by an operator or from the start.
    pub running: bool,
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
    /// Calls ended, by `DialResult` in the order of `DialResult::ALL`.
    pub results: [u64; DialResult::ALL.len()],
}

impl Ledger {
    pub fn count(&self, result: DialResult) -> u64 {
        self.results[result as usize]
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
