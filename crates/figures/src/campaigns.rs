//! Campaigns at a glance.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use strowger_model::{CampaignId, DialResult, NodeId};
use strowger_table::{Ledger, Shard};

/// A campaign's figures and which one it is.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CampaignStatus {
    /// Which one.
    pub campaign: CampaignId,
    /// Its figures.
    #[serde(flatten)]
    pub figures: CampaignFigures,
}

/// A campaign at a glance.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CampaignFigures {
    /// Name of its tenant.
    pub tenant: String,
    /// Its own.
    pub name: String,
    /// `manual` or `progressive`.
    pub mode: &'static str,
    /// Whether it dials.
    pub running: bool,
    /// The node that paces it; none until one is assigned.
    pub node: Option<NodeId>,
    /// On its list.
    pub leads: u32,
    /// Leads that are not dialled any more, by the configuration in force.
    pub done: u32,
    /// Leads that would be dialled if they were on no do-not-call list.
    pub barred: usize,
    /// Why nobody is dialled; none while it dials. Who shows the figures fills it in.
    pub standstill: Option<StandstillFigures>,
    /// Agents that are kept for the answer of a called party.
    pub reserved: usize,
    /// Called parties whose phones ring now.
    pub ringing: usize,
    /// Calls that are answered and not over.
    pub talking: usize,
    /// Calls begun, ever.
    pub dialled: u64,
    /// How they ended, by result.
    pub results: BTreeMap<&'static str, u64>,
}

/// Why a campaign dials nobody.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct StandstillFigures {
    /// In a word.
    pub why: &'static str,
    /// What the word does not say, in a sentence: whose cap is reached, and how much that is.
    pub detail: Option<String>,
    /// When it ends by itself, if that is known: RFC 3339, UTC.
    pub until: Option<String>,
}

/// A campaign's calls that are not over.
#[derive(Clone, Copy, Default)]
struct Live {
    reserved: usize,
    ringing: usize,
    talking: usize,
}

/// The campaigns of one shard that are configured.
pub fn campaigns(table: &Shard) -> Vec<CampaignStatus> {
    let live = live_calls(table);
    let status = |ledger: &Arc<Ledger>| {
        let of = live.get(&ledger.campaign).copied().unwrap_or_default();
        Some(CampaignStatus { campaign: ledger.campaign, figures: CampaignFigures::new(table, ledger, of)? })
    };
    table.campaigns().filter_map(status).collect()
}

/// In the order in which people look for them: by tenant and name.
pub fn by_name(campaigns: &mut [CampaignStatus]) {
    campaigns.sort_by(|a, b| (&a.figures.tenant, &a.figures.name).cmp(&(&b.figures.tenant, &b.figures.name)));
}

fn live_calls(table: &Shard) -> BTreeMap<CampaignId, Live> {
    let mut live: BTreeMap<CampaignId, Live> = BTreeMap::new();
    for call in table.calls().filter(|call| !call.is_over()) {
        let Some(outbound) = call.outbound() else { continue };
        let live = live.entry(outbound.campaign).or_default();
        live.reserved += usize::from(call.reserved_agent().is_some());
        if call.is_dialling() {
            live.ringing += 1;
        } else if call.has_customer() {
            live.talking += 1;
        }
    }
    live
}

impl CampaignFigures {
    /// None for a campaign that left the configuration.
    fn new(table: &Shard, ledger: &Ledger, live: Live) -> Option<Self> {
        let tenant = table.tenant(ledger.tenant)?;
        let config = tenant.campaign(ledger.campaign)?;
        Some(Self {
            tenant: tenant.name.clone(),
            name: config.name.clone(),
            mode: config.mode.as_str(),
            running: ledger.running,
            node: ledger.owner.map(|owner| owner.node),
            leads: ledger.leads,
            done: table.leads_done(ledger.campaign) as u32,
            barred: table.leads_barred(ledger.campaign),
            standstill: None,
            reserved: live.reserved,
            ringing: live.ringing,
            talking: live.talking,
            dialled: ledger.dialled,
            results: DialResult::ALL.into_iter().map(|result| (result.as_str(), ledger.count(result))).collect(),
        })
    }
}
