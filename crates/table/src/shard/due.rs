//! Whose turn it is: leads by the policy in force. Nothing of it is kept, so a policy that changes holds from then on, for
//! those whose last call ended under another one too.

use std::iter::Peekable;
use std::time::Duration;

use strowger_model::config::Campaign;
use strowger_model::{CampaignId, LeadId, Wall};

use super::Shard;
use crate::row::lead::later;
use crate::{Lead, LeadTurn, Tried};

type Leads<'a> = Peekable<Box<dyn Iterator<Item = (Wall, LeadId)> + 'a>>;

/// Leads in the order in which they are due, from those of which all was tried alike.
struct Due<'a>(Vec<Leads<'a>>);

impl Iterator for Due<'_> {
    type Item = (Wall, LeadId);

    fn next(&mut self) -> Option<(Wall, LeadId)> {
        let heads = self.0.iter_mut().enumerate().filter_map(|(at, leads)| Some((*leads.peek()?, at)));
        let (_, first) = heads.min()?;
        self.0[first].next()
    }
}

impl Shard {
    /// A campaign's policy as it is in force here; none once it has left the configuration.
    pub fn policy(&self, campaign: CampaignId) -> Option<&Campaign> {
        self.campaigns.get(&campaign).and_then(|ledger| self.tenant(ledger.tenant)?.campaign(campaign))
    }

    /// Whose turn a lead is now.
    pub fn turn(&self, lead: &Lead) -> LeadTurn {
        lead.turn(self.policy(lead.id.campaign()))
    }

    /// Leads of a campaign that are not dialled any more, by its policy in force. One step for each way in which leads
    /// were tried.
    pub fn leads_done(&self, campaign: CampaignId) -> usize {
        self.waiting_leads(campaign).filter(|(is_done, ..)| *is_done).map(|(_, all, _)| all).sum()
    }

    /// Those that would be dialled if they were on no do-not-call list.
    pub fn leads_barred(&self, campaign: CampaignId) -> usize {
        let left = self.waiting_leads(campaign).filter(|(is_done, ..)| !is_done);
        left.map(|(_, all, unbarred)| all - unbarred).sum()
    }

    /// For each way in which leads were tried that no call is to: whether they are done, how many there are, and how many
    /// of them are not barred.
    fn waiting_leads(&self, campaign: CampaignId) -> impl Iterator<Item = (bool, usize, usize)> {
        let policy = self.policy(campaign);
        let least = Tried { attempts: 0, last: None };
        let all = self.index.tried.range((campaign, least)..).take_while(move |((of, _), _)| *of == campaign);
        all.map(move |(of, count)| {
            let is_done = policy.and_then(|policy| of.1.again(policy)).is_none();
            (is_done, *count, self.index.unbarred.get(of).copied().unwrap_or_default())
        })
    }

    /// Leads of a campaign that wait to be dialled and are not barred, of one of its ledger's zones; the longest due
    /// first.
    pub fn due(&self, campaign: CampaignId, zone: u16) -> impl Iterator<Item = (Wall, LeadId)> {
        self.due_from(campaign, zone, Wall(0))
    }

    /// Those that are not due before then.
    pub fn due_from(&self, campaign: CampaignId, zone: u16, from: Wall) -> impl Iterator<Item = (Wall, LeadId)> {
        let policy = self.policy(campaign);
        let pause = |tried: Tried| Some((tried, tried.again(policy?)?));
        let tried = self.ways_tried(campaign, zone).filter_map(pause);
        Due(tried.map(|(tried, pause)| self.waiting_alike(campaign, zone, (tried, pause), from)).collect())
    }

    /// Each way in which leads of a zone were tried, once.
    fn ways_tried(&self, campaign: CampaignId, zone: u16) -> impl Iterator<Item = Tried> {
        let least = (Tried { attempts: 0, last: None }, Wall(0), LeadId(0));
        let behind = move |(tried, at, lead): (Tried, Wall, LeadId)| {
            let next = self.index.waiting_leads.range((campaign, zone, tried, at, lead)..).next()?;
            (next.0 == campaign && next.1 == zone).then_some(next.2)
        };
        let last = |tried: Tried| (tried, Wall(u64::MAX), LeadId(u64::MAX));
        std::iter::successors(behind(least), move |tried| behind(last(*tried)))
    }

    fn waiting_alike(
        &self,
        campaign: CampaignId,
        zone: u16,
        (tried, pause): (Tried, Duration),
        from: Wall,
    ) -> Leads<'_> {
        let since = Wall(from.0.saturating_sub(later(Wall(0), pause).0));
        let first = (campaign, zone, tried, since, LeadId(0));
        let last = (campaign, zone, tried, Wall(u64::MAX), LeadId(u64::MAX));
        let all = self.index.waiting_leads.range(first..=last);
        let all: Box<dyn Iterator<Item = (Wall, LeadId)> + '_> =
            Box::new(all.map(move |(.., since, lead)| (later(*since, pause), *lead)));
        all.peekable()
    }
}
