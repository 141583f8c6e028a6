//! Whom a campaign would call next: the due leads of all its open zones, in one order.

use std::iter::Peekable;

use strowger_model::config::Campaign;
use strowger_model::{LeadId, Wall};
use strowger_table::Ledger;

use crate::placing::Placing;

/// Leads of one zone, none of them before its time.
struct Zone<'a> {
    /// When its hours end.
    closes: Wall,
    due: Peekable<Box<dyn Iterator<Item = (Wall, LeadId)> + 'a>>,
}

/// The longest due of all zones first.
pub(crate) struct DueLeads<'a>(Vec<Zone<'a>>);

impl<'a> DueLeads<'a> {
    /// Zones that are closed, and such that this build does not know, are passed over as a whole.
    pub(crate) fn open(placing: &Placing<'a>, campaign: &Campaign, ledger: &Ledger) -> Self {
        let (shard, now) = (placing.shard, placing.wall);
        let zone = |(number, name): (u16, &String)| {
            let due: Box<dyn Iterator<Item = (Wall, LeadId)> + 'a> =
                Box::new(shard.due(campaign.id, number).take_while(move |(at, _)| *at <= now));
            let mut due = due.peekable();
            due.peek()?;
            // Only now: there are more zones than zones with somebody to call.
            Some(Zone { closes: placing.open_until(campaign, name).ok()?, due })
        };
        Self((0..).zip(&ledger.zones).filter_map(zone).collect())
    }
}

impl Iterator for DueLeads<'_> {
    /// A lead, and until when it may be called.
    type Item = (LeadId, Wall);

    fn next(&mut self) -> Option<Self::Item> {
        let heads = self.0.iter_mut().enumerate().filter_map(|(at, zone)| Some((*zone.due.peek()?, at)));
        let (_, first) = heads.min()?;
        let zone = &mut self.0[first];
        zone.due.next().map(|(_, lead)| (lead, zone.closes))
    }
}
