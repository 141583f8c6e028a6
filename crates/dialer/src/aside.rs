//! Leads whose numbers are not dialled, at the head of a list: a campaign goes past them, and those behind are called.
//! A list of the node's file may forbid a lead after it was imported. Nothing of it is written into the lead, so it is
//! called as soon as the lists let it: they are asked anew by each process, and when tenant, trunk or campaign change.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use strowger_model::{CampaignId, LeadId, Mono, Wall};

/// What a round spends on leads that are forbidden, of all its campaigns: passing one over that is known to be costs 1, some
/// 0.1 µs. So a round costs 1 ms of it, and 100 000 of them are passed in a second.
const PER_ROUND: usize = 10_000;
/// What judging one costs, of the same: it is compared with up to 3000 prefixes, and read as numbering plans have it.
const JUDGING: usize = 20;
/// Whoever stands before the place where a campaign goes on is looked at again after this: bars are lifted, numbers are
/// free again, hours begin.
const HEAD_AGAIN: Duration = Duration::from_secs(60);

/// Where a lead stands among those of its campaign that are due.
pub(crate) type Standing = (Wall, LeadId);

/// What the rounds of a shard know of leads that are not dialled.
#[derive(Debug, Default)]
pub struct Aside {
    campaigns: BTreeMap<CampaignId, Walk>,
    /// The round ended before it had looked at all who are due.
    is_cut: bool,
}

/// How far a campaign is.
#[derive(Debug, Default)]
struct Walk {
    /// The tenant and the trunk by whose lists it was judged.
    lists: (String, String),
    forbidden: BTreeSet<LeadId>,
    /// The last one that was passed over; none: it begins with the longest due.
    behind: Option<Standing>,
    /// When it last began there.
    began: Mono,
    is_cut: bool,
    /// What this round may still spend on it.
    left: usize,
}

impl Aside {
    /// Whether somebody is due who was not looked at: the next round goes on there.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// A round begins; other campaigns are not this process's any more.
    pub(crate) fn begin(&mut self, is_ours: impl Fn(CampaignId) -> bool) {
        self.campaigns.retain(|id, _| is_ours(*id));
        self.is_cut = false;
    }

    /// Behind whom a campaign goes on.
    pub(crate) fn behind(
        &mut self,
        campaign: CampaignId,
        (tenant, trunk): (&str, &str),
        now: Mono,
    ) -> Option<Standing> {
        let walk = self.campaigns.entry(campaign).or_default();
        if (walk.lists.0.as_str(), walk.lists.1.as_str()) != (tenant, trunk) {
            *walk = Walk { lists: (tenant.to_owned(), trunk.to_owned()), ..Walk::default() };
        }
        if !walk.is_cut && now >= walk.began + HEAD_AGAIN {
            walk.behind = None;
        }
        if walk.behind.is_none() {
            walk.began = now;
        }
        walk.is_cut = false;
        walk.behind
    }

    /// So many campaigns share the round.
    pub(crate) fn share(&mut self, among: usize) {
        let left = (PER_ROUND / among.max(1)).max(JUDGING);
        self.campaigns.values_mut().for_each(|walk| walk.left = left);
    }

    pub(crate) fn is_known(&self, campaign: CampaignId, lead: LeadId) -> bool {
        self.campaigns.get(&campaign).is_some_and(|walk| walk.forbidden.contains(&lead))
    }

    /// Its number is not dialled. False: this was as much as the round takes.
    #[must_use]
    pub(crate) fn pass(&mut self, campaign: CampaignId, at: Standing) -> bool {
        let Some(walk) = self.campaigns.get_mut(&campaign) else { return false };
        let cost = if walk.forbidden.insert(at.1) { JUDGING } else { 1 };
        walk.left = walk.left.saturating_sub(cost);
        let goes_on = walk.left > 0;
        if !goes_on {
            self.cut(campaign, at);
        }
        goes_on
    }

    /// The round looks at no more of the campaign's leads; the next one goes on behind this one.
    pub(crate) fn cut(&mut self, campaign: CampaignId, at: Standing) {
        self.is_cut = true;
        if let Some(walk) = self.campaigns.get_mut(&campaign) {
            (walk.behind, walk.is_cut) = (Some(at), true);
        }
    }

    /// All who are due have been looked at.
    pub(crate) fn is_through(&mut self, campaign: CampaignId) {
        if let Some(walk) = self.campaigns.get_mut(&campaign) {
            walk.behind = None;
        }
    }
}
