//! What the API may ask of campaigns: lists of leads, starting and stopping, barred numbers, calls that agents ask for.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use strowger_dialer::{Denial, Means};
use strowger_model::{AgentId, CallId, CampaignId, DialResult, Digest, E164, ShardId, TrunkId};
use strowger_raft::clock;
use strowger_table::{BarList, Command, Ledger, NewLead, Outcome, Refusal, Scope, Shard, Stage};

use crate::content::ContentFault;
use crate::context::{Context, Refused, shard_of};

const COMMIT: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, Serialize)]
pub struct CampaignLine {
    pub campaign: CampaignId,
    #[serde(flatten)]
    pub figures: CampaignFigures,
}

/// A campaign at a glance.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CampaignFigures {
    pub tenant: String,
    pub name: String,
    pub mode: &'static str,
    pub running: bool,
    pub leads: u32,
    /// Leads that are not dialled any more.
    pub done: u32,
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

/// Why an agent's call was not begun.
#[derive(Debug, thiserror::Error)]
pub enum NotDialled {
    #[error(transparent)]
    Denied(#[from] Denial),
    #[error(transparent)]
    Refused(#[from] Refused),
}

#[derive(Debug, thiserror::Error)]
pub enum NotImported {
    #[error(transparent)]
    Content(#[from] ContentFault),
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default)]
pub struct Imported {
    pub added: u32,
    pub duplicates: u32,
}

impl Context {
    /// Every campaign of the configuration, by tenant and name.
    pub fn campaigns(&self) -> Vec<CampaignLine> {
        let views: Vec<_> = self.shards().filter_map(|shard| self.shard_view(shard)).collect();
        let mut lines: Vec<CampaignLine> = views.iter().filter_map(|view| shard_of(view)).flat_map(lines_of).collect();
        lines.sort_by(|a, b| (&a.figures.tenant, &a.figures.name).cmp(&(&b.figures.tenant, &b.figures.name)));
        lines
    }

    fn shard_of_campaign(&self, campaign: CampaignId) -> Result<ShardId, Refused> {
        let directory = self.directory();
        let tenant = directory.tenants().find(|tenant| tenant.campaign(campaign).is_some());
        tenant.map(|tenant| tenant.shard).ok_or(Refused::ByTable(Refusal::NoSuchCampaign))
    }

    /// Puts a batch on a campaign's list: first what else is known of the leads, on a majority's disks, then the leads.
    pub async fn import(
        &self,
        campaign: CampaignId,
        leads: Vec<NewLead>,
        fields: &[u8],
    ) -> Result<Imported, NotImported> {
        let shard = self.shard_of_campaign(campaign)?;
        let batch = Digest(Sha256::digest(fields).into());
        self.spread(batch, fields).await?;
        match self.command(shard, Command::Import { campaign, batch, leads }, COMMIT).await? {
            Outcome::Imported { added, duplicates } => Ok(Imported { added, duplicates }),
            _ => Ok(Imported::default()),
        }
    }

    pub async fn run_campaign(&self, campaign: CampaignId, running: bool) -> Result<(), Refused> {
        let shard = self.shard_of_campaign(campaign)?;
        self.command(shard, Command::Run { campaign, running }, COMMIT).await.map(drop)
    }

    /// Committed where it counts: a tenant's bar in the tenant's shard, everybody's in all of them. Said again after a
    /// fault it does no harm.
    pub async fn bar(&self, list: BarList, scope: Scope, numbers: Vec<E164>, lift: bool) -> Result<(), Refused> {
        let shards: Vec<ShardId> = match scope {
            Scope::Everyone => self.shards().collect(),
            Scope::Tenant(tenant) => self.directory().tenant(tenant).map(|tenant| tenant.shard).into_iter().collect(),
        };
        if shards.is_empty() {
            return Err(Refused::ByTable(Refusal::NoSuchTenant));
        }
        for shard in shards {
            let command = Command::Bar { list, scope, numbers: numbers.clone(), lift };
            self.command(shard, command, COMMIT).await?;
        }
        Ok(())
    }

    /// Barred numbers in their order, those behind `after`. Shards are told one after another: what the last one has,
    /// all have.
    pub fn bars(&self, list: BarList, scope: Scope, after: Option<E164>, most: usize) -> Vec<E164> {
        let shard = match scope {
            Scope::Everyone => self.shards().last(),
            Scope::Tenant(tenant) => self.directory().tenant(tenant).map(|tenant| tenant.shard),
        };
        let Some(view) = shard.and_then(|shard| self.shard_view(shard)) else { return Vec::new() };
        let Some(table) = shard_of(&view) else { return Vec::new() };
        table.bars(list, scope).filter(|number| after.is_none_or(|after| *number > after)).take(most).collect()
    }

    /// Rings the agent's phone and then the number.
    pub async fn dial(&self, campaign: CampaignId, agent: AgentId, number: E164) -> Result<CallId, NotDialled> {
        let shard = self.shard_of_campaign(campaign)?;
        let dial = {
            let view = self.shard_view(shard).ok_or(Refused::ByTable(Refusal::NoSuchCampaign))?;
            let table = shard_of(&view).ok_or(Refused::ByTable(Refusal::NoSuchCampaign))?;
            // Who asks for one call waits for no allowance: people do not ask fast.
            let allowance = self.directory().trunks.iter().map(|trunk| (trunk.id, 1)).collect();
            self.with_means(&allowance, |means| strowger_dialer::manual(table, means, agent, campaign, number))?
        };
        match self.command(shard, Command::Dial(Box::new(dial)), COMMIT).await? {
            Outcome::Dialled { call } => Ok(call),
            _ => Err(Refused::ByTable(Refusal::WrongStage).into()),
        }
    }

    /// What calls can be made with now, as this node knows it.
    pub(crate) fn with_means<T>(&self, allowance: &BTreeMap<TrunkId, usize>, work: impl FnOnce(&Means<'_>) -> T) -> T {
        let control = self.groups.view(strowger_model::GroupId::CONTROL);
        let nodes = control.machine.control().map(|control| control.live()).unwrap_or_default();
        let (relays, directory) = (self.relays.usable(), self.directory());
        work(&Means { wall: clock::wall(), nodes: &nodes, relays: &relays, trunks: &directory.trunks, allowance })
    }
}

/// A campaign's calls that are not over.
#[derive(Clone, Copy, Default)]
struct Live {
    reserved: usize,
    ringing: usize,
    talking: usize,
}

fn lines_of(table: &Shard) -> Vec<CampaignLine> {
    let mut live: BTreeMap<CampaignId, Live> = BTreeMap::new();
    for call in table.calls().filter(|call| !call.is_over()) {
        let Some(outbound) = call.outbound() else { continue };
        let live = live.entry(outbound.campaign).or_default();
        live.reserved += usize::from(outbound.reserved.is_some());
        match call.stage {
            Stage::Dialling { .. } => live.ringing += 1,
            _ if call.caller.is_some() => live.talking += 1,
            _ => {}
        }
    }
    let line = |ledger: &std::sync::Arc<Ledger>| {
        let tenant = table.tenant(ledger.tenant)?;
        let config = tenant.campaign(ledger.campaign)?;
        let Live { reserved, ringing, talking } = live.get(&ledger.campaign).copied().unwrap_or_default();
        let figures = CampaignFigures {
            tenant: tenant.name.clone(),
            name: config.name.clone(),
            mode: config.mode.as_str(),
            running: ledger.running,
            leads: ledger.leads,
            done: ledger.done,
            reserved,
            ringing,
            talking,
            dialled: ledger.dialled,
            results: DialResult::ALL.into_iter().map(|result| (result.as_str(), ledger.count(result))).collect(),
        };
        Some(CampaignLine { campaign: ledger.campaign, figures })
    };
    table.campaigns().filter_map(line).collect()
}

/// Written here and not kept as gauges: a campaign that leaves the configuration must leave the text too.
pub(crate) fn campaign_text(campaigns: &[CampaignLine]) -> String {
    type Value = fn(&CampaignFigures) -> u64;
    let figures: [(&str, &str, &str, Value); 7] = [
        ("strowger_campaign_running", "gauge", "1 while the campaign dials.", |line| u64::from(line.running)),
        ("strowger_campaign_leads", "gauge", "Leads on its list.", |line| u64::from(line.leads)),
        ("strowger_campaign_leads_done", "gauge", "Leads that are not dialled any more.", |line| u64::from(line.done)),
        ("strowger_campaign_reserved", "gauge", "Agents kept for the answer of a called party.", |line| {
            line.reserved as u64
        }),
        ("strowger_campaign_ringing", "gauge", "Called parties whose phones ring.", |line| line.ringing as u64),
        ("strowger_campaign_talking", "gauge", "Answered calls.", |line| line.talking as u64),
        ("strowger_campaign_dialled_total", "counter", "Calls begun.", |line| line.dialled),
    ];
    let mut text = String::new();
    for (name, kind, help, value) in figures {
        text += &format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for CampaignLine { figures: line, .. } in campaigns {
            // Configured names have no quotes and no backslashes.
            text += &format!("{name}{{tenant=\"{}\",campaign=\"{}\"}} {}\n", line.tenant, line.name, value(line));
        }
    }
    let name = "strowger_campaign_results_total";
    text += &format!("# HELP {name} Calls ended, by what came of them.\n# TYPE {name} counter\n");
    for CampaignLine { figures: line, .. } in campaigns {
        for (result, calls) in &line.results {
            text += &format!(
                "{name}{{tenant=\"{}\",campaign=\"{}\",result=\"{result}\"}} {calls}\n",
                line.tenant, line.name
            );
        }
    }
    text
}
