//! What the API may ask of campaigns: lists of leads, starting and stopping, barred numbers, calls that agents ask for.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use strowger_dialer::{Denial, ForbiddenNumber, Means, Payer, standstill};
use strowger_figures::{CampaignStatus, StandstillFigures, by_name, campaigns};
use strowger_model::config::{Campaign, Tenant, Trunk};
use strowger_model::{AgentId, CallId, CampaignId, Digest, E164, ShardId, TrunkId};
use strowger_raft::clock;
use strowger_store::rfc3339;
use strowger_table::{BarList, Command, Dial, NewLead, Outcome, Refusal, Scope, Shard};

use crate::content::ContentFault;
use crate::context::{Context, Refused, shard_of};
use crate::operate::COMMIT;
use crate::spending::Begun;

/// Why an agent's call was not begun.
#[derive(Debug, thiserror::Error)]
pub enum NotDialled {
    /// This node can tell that it must not be, or cannot.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The table said no, or was not reached.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// Why a batch of leads is not on the list.
#[derive(Debug, thiserror::Error)]
pub enum NotImported {
    /// What else is known of them is not on enough disks.
    #[error(transparent)]
    Content(#[from] ContentFault),
    /// The table said no, or was not reached.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default)]
pub struct Imported {
    /// New on the list.
    pub added: u32,
    /// Numbers that were on it already; they stay as they are.
    pub duplicates: u32,
}

impl Context {
    /// Every campaign of the configuration, by tenant and name.
    pub fn campaigns(&self) -> Vec<CampaignStatus> {
        let views = self.shards().filter_map(|shard| self.shard_view(shard));
        let free = self.free_lines();
        let of_shard = |view: std::sync::Arc<strowger_raft::View>| {
            shard_of(&view).map(|table| self.campaigns_of(table, &free)).unwrap_or_default()
        };
        let mut all: Vec<CampaignStatus> = views.flat_map(of_shard).collect();
        by_name(&mut all);
        all
    }

    fn campaigns_of(&self, table: &Shard, free: &BTreeMap<TrunkId, usize>) -> Vec<CampaignStatus> {
        let mut all = campaigns(table);
        self.with_means(free, |means| {
            for status in &mut all {
                let still = standstill(table, means, status.campaign);
                status.figures.standstill = still.map(|still| StandstillFigures {
                    why: still.as_str(),
                    detail: still.detail(),
                    until: still.until().map(|until| rfc3339(until.0)),
                });
            }
        });
        all
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
        self.spread(batch, fields.to_vec()).await?;
        match self.command(shard, Command::Import { campaign, batch, leads }, COMMIT).await? {
            Outcome::Imported { added, duplicates } => Ok(Imported { added, duplicates }),
            _ => Ok(Imported::default()),
        }
    }

    /// Starts or stops its dialling; calls under way go on.
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
        let (dial, begun) = {
            let view = self.shard_view(shard).ok_or(Refused::ByTable(Refusal::NoSuchCampaign))?;
            let table = shard_of(&view).ok_or(Refused::ByTable(Refusal::NoSuchCampaign))?;
            // Who asks for one call waits for no allowance, as people do not ask fast; but it takes a line.
            let dial = |means: &Means<'_>| strowger_dialer::manual(table, means, agent, campaign, number);
            let begin = |dial: Dial| self.begin(table, &dial).map(|begun| (dial, begun));
            self.with_means(&self.free_lines(), dial)
                .and_then(begin)
                .inspect_err(|denial| self.note_denied(agent, denial))?
        };
        match self.command(shard, Command::Dial(Box::new(dial)), COMMIT).await? {
            Outcome::Dialled { call } => {
                begun.granted(call);
                Ok(call)
            }
            _ => Err(Refused::ByTable(Refusal::WrongStage).into()),
        }
    }

    /// It counts from here on, before the log has it.
    pub(crate) fn begin(&self, table: &Shard, dial: &Dial) -> Result<Begun, Denial> {
        let unknown = Denial::NoSuchCampaign(dial.campaign);
        let directory = self.directory();
        let payers = Payer::of(dial, table, &directory.trunks).ok_or(unknown)?;
        let is_it = |trunk: &&Trunk| payers.contains(&Payer::Trunk(trunk.name.clone()));
        let trunk = directory.trunks.iter().find(is_it).cloned();
        let begun = self.spending.begin(payers, self.now())?;
        // Others may have taken the last line since it was planned: whoever is one too many gives it back.
        match trunk.filter(|trunk| self.lines_of(trunk.id) > trunk.max_calls as usize) {
            Some(Trunk { name: trunk, .. }) => Err(Denial::TrunkFull { trunk }),
            None => Ok(begun),
        }
    }

    /// Who asks for what is not dialled may have a token or a password that was stolen.
    fn note_denied(&self, agent: AgentId, denial: &Denial) {
        match denial {
            Denial::Forbidden(why) => {
                self.figures.forbidden();
                tracing::warn!(%agent, %why, "an agent asked for a number that is not dialled");
            }
            Denial::Capped(why) => tracing::warn!(%agent, %why, "an agent asked for a call beyond a cap"),
            _ => {}
        }
    }

    /// Whether a number of a campaign may be dialled at all, whatever else is against it now.
    pub fn may_reach(&self, tenant: &Tenant, campaign: &Campaign, number: E164) -> Result<(), ForbiddenNumber> {
        let directory = self.directory();
        let trunk = directory.trunks.iter().find(|trunk| trunk.id == campaign.trunk);
        let trunk = trunk.map_or("", |trunk| trunk.name.as_str());
        strowger_dialer::may_reach(&self.destinations(), &tenant.name, trunk, number)
    }

    /// What calls can be made with now, as this node knows it.
    pub(crate) fn with_means<T>(&self, allowance: &BTreeMap<TrunkId, usize>, work: impl FnOnce(&Means<'_>) -> T) -> T {
        let control = self.groups.view(strowger_model::GroupId::CONTROL);
        let nodes = control.machine.control().map(|control| control.live()).unwrap_or_default();
        let (relays, directory, destinations) = (self.relays.usable(), self.directory(), self.destinations());
        let (trunks, destinations, spending) = (&directory.trunks[..], &*destinations, self.spending.copy());
        let (wall, now, nodes, relays) = (clock::wall(), self.now(), &nodes[..], &relays[..]);
        work(&Means { wall, now, nodes, relays, trunks, destinations, spending: &spending, allowance })
    }
}
