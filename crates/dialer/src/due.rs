//! Whom a campaign would call next: the due leads of all its open zones, in one order.

use std::iter::Peekable;

use strowger_model::config::{Campaign, DialMode};
use strowger_model::{Incarnation, NodeId, Wall};
use strowger_table::{Ledger, Shard};

use crate::aside::Standing;
use crate::hours::{MS_PER_MINUTE, open_until};
use crate::placing::Placing;

/// Leads of one zone, none of them before its time.
struct Zone<'a> {
    /// When its hours end.
    closes: Wall,
    due: Peekable<Box<dyn Iterator<Item = Standing> + 'a>>,
}

/// The longest due of all zones first.
pub(crate) struct DueLeads<'a>(Vec<Zone<'a>>);

impl<'a> DueLeads<'a> {
    /// Of those who stand behind somebody, or all. Zones that are closed, and such that this build does not know, are passed
    /// over as a whole.
    pub(crate) fn open(placing: &Placing<'a>, campaign: &Campaign, ledger: &Ledger, behind: Option<Standing>) -> Self {
        let (shard, now) = (placing.shard, placing.wall);
        let from = behind.map_or(Wall(0), |(at, _)| at);
        let zone = |(number, name): (u16, &String)| {
            // Those that one entry imported are due at the same instant, a few thousand at most.
            let due = shard.due_from(campaign.id, number, from).skip_while(move |lead| Some(*lead) <= behind);
            let due: Box<dyn Iterator<Item = Standing> + 'a> = Box::new(due.take_while(move |(at, _)| *at <= now));
            let mut due = due.peekable();
            due.peek()?;
            // Only now: there are more zones than zones with somebody to call.
            Some(Zone { closes: placing.open_until(campaign, name).ok()?, due })
        };
        Self((0..).zip(&ledger.zones).filter_map(zone).collect())
    }
}

/// When somebody may be called, by a campaign of a process that dials by itself, whom no entry tells of: the time of a
/// lead comes, the hours of its zone begin, which they do at a full minute, or its carrier is tried again. None: nobody
/// waits for a time.
pub fn next_due(shard: &Shard, now: Wall, owner: (NodeId, Incarnation)) -> Option<Wall> {
    let after = Wall(now.0.saturating_add(1));
    let of_zone = |campaign: &Campaign, number: u16, name: &str| {
        let waits = shard.due(campaign.id, number).next().is_some_and(|(at, _)| at <= now);
        let is_closed = waits && matches!(open_until(name, &campaign.hours, now), Ok(None));
        let opens = is_closed.then(|| Wall((now.0 / MS_PER_MINUTE + 1) * MS_PER_MINUTE));
        let comes = shard.due_from(campaign.id, number, after).next().map(|(at, _)| at);
        [opens, comes].into_iter().flatten().min()
    };
    let of_campaign = |ledger: &Ledger| {
        let campaign = shard.tenant(ledger.tenant)?.campaign(ledger.campaign)?;
        let dials = ledger.running && ledger.is_owned_by(owner) && campaign.mode == DialMode::Progressive;
        match ledger.carrier.pause.filter(|_| dials) {
            // What comes of it is an entry.
            Some(pause) if pause.probe.is_some() => return None,
            Some(pause) if pause.until > now => return Some(pause.until),
            _ => {}
        }
        let zones = (0..).zip(&ledger.zones).filter(|_| dials);
        zones.filter_map(|(number, name)| of_zone(campaign, number, name)).min()
    };
    shard.campaigns().filter_map(|ledger| of_campaign(ledger)).min()
}

impl Iterator for DueLeads<'_> {
    /// A lead with the instant since when it is due, and until when it may be called.
    type Item = (Standing, Wall);

    fn next(&mut self) -> Option<Self::Item> {
        let heads = self.0.iter_mut().enumerate().filter_map(|(at, zone)| Some((*zone.due.peek()?, at)));
        let (_, first) = heads.min()?;
        let zone = &mut self.0[first];
        zone.due.next().map(|lead| (lead, zone.closes))
    }
}
