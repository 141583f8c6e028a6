//! Who runs the cluster: applies the configuration; imports lists, starts and stops campaigns, bars numbers. And agents
//! who dial a number themselves.

use std::time::Duration;

use strowger_model::config::NextIds;
use strowger_model::{CampaignId, Digest, E164, TenantId};
use strowger_switch::limit;
use strowger_table::{BarList, Body, Command, Content, ControlCommand, Scope, TenantRef};

use super::World;
use crate::asked::Asked;
use crate::happening::Happening;
use crate::node::Purpose;
use crate::plant::Plant;
use crate::tenant::{CALLING, SHARD};

/// Between two things an operator or an agent does, in milliseconds.
const PAUSE_MS: (u64, u64) = (200, 3000);
/// How soon it is looked whether a configuration is in force.
const IN_FORCE: Duration = Duration::from_millis(200);

impl World {
    /// Applies the configuration once the cluster is founded, and again until it is in force.
    pub(crate) fn configure(&mut self) {
        let control = &self.control.table;
        let wanted = 1 + self.scenario.applies.iter().filter(|at| **at <= self.now).count() as u64;
        let version = control.version() + 1;
        if version > wanted {
            return;
        }
        let is_founded = !control.voters().is_empty();
        self.timeline.plan(self.now + IN_FORCE, Happening::Configure);
        let sound = self.sound_nodes();
        let Some(node) = self.rng.pick(&sound).filter(|_| is_founded) else { return };
        let named = if self.plant == Some(Plant::OldContent) { 1 } else { version };
        let digests = self.digests(named).into_iter();
        let tenants = digests.map(|(tenant, digest)| TenantRef { tenant, shard: SHARD, digest }).collect();
        let (trunks, next_ids) = (self.dialling.trunks().to_vec(), NextIds::default());
        let command = ControlCommand::Configure { version, tenants, trunks, next_ids };
        self.propose_within(node, Body::Control(command), Purpose::Nobody, limit::PROPOSE);
    }

    /// A version of the configuration as it is asked for.
    pub(crate) fn version(&self, version: u64) -> &Asked {
        &self.versions[version as usize - 1]
    }

    pub(crate) fn digests(&self, version: u64) -> Vec<(TenantId, Digest)> {
        self.contents(version).into_iter().map(|(tenant, content)| (tenant, content.digest)).collect()
    }

    /// What a version says of each tenant.
    fn contents(&self, version: u64) -> Vec<(TenantId, Content)> {
        let content = |tenant| Content::of(tenant, self.truth.layout()).expect("the layout in force is known");
        self.configuration(version).iter().map(|tenant| (tenant.id, content(tenant))).collect()
    }

    /// Content by its digest, as any node finds it.
    pub(crate) fn content(&self, digest: Digest) -> Option<Content> {
        let known = 1..=self.versions.len() as u64;
        let known = known.filter(|version| *version == 1 || self.plant != Some(Plant::ContentLost));
        let mut contents = known.flat_map(|version| self.contents(version));
        contents.find(|(_, content)| content.digest == digest).map(|(_, content)| content)
    }

    pub(crate) fn operate(&mut self) {
        if !self.dialling.is_on() && !self.scenario.bars_callers {
            return;
        }
        let next = self.now + self.rng.millis(PAUSE_MS.0, PAUSE_MS.1);
        self.timeline.plan(next, Happening::Operator);
        let sound = self.sound_nodes();
        let Some(node) = self.rng.pick(&sound) else { return };
        if self.calm_since.is_some() {
            return self.stop_campaigns(node);
        }
        let of_callers = self.scenario.bars_callers && (!self.dialling.is_on() || self.rng.chance(200));
        let command = match self.rng.below(10) {
            _ if of_callers => self.bar_caller(),
            0..4 => self.import(),
            4..7 => self.manual(node),
            7 | 8 => self.bar(),
            _ => self.start_or_stop(),
        };
        if let Some(command) = command {
            self.propose(node, command, Purpose::Nobody);
        }
    }

    /// An agent asks for a number, and the phone may ring as its hours end.
    pub(crate) fn ask_for_number(&mut self) {
        let sound: Vec<usize> = (0..self.nodes.len()).filter(|node| self.nodes[*node].is_sound()).collect();
        if let Some(node) = self.rng.pick(&sound).filter(|_| self.calm_since.is_none())
            && let Some(command) = self.manual(node)
        {
            self.propose(node, command, Purpose::Nobody);
        }
    }

    /// So that all comes to rest: what is due stays due.
    fn stop_campaigns(&mut self, node: usize) {
        let running: Vec<CampaignId> =
            self.truth.campaigns().filter(|ledger| ledger.running).map(|ledger| ledger.campaign).collect();
        for campaign in running {
            self.propose(node, Command::Run { campaign, running: false }, Purpose::Nobody);
        }
    }

    /// The next part of a list; when all are in, one of them again.
    fn import(&mut self) -> Option<Command> {
        let at = if self.imported < self.dialling.parts.len() {
            self.imported
        } else {
            self.rng.below(self.dialling.parts.len() as u64) as usize
        };
        self.imported += 1;
        let (campaign, leads) = self.dialling.parts.get(at)?.clone();
        Some(Command::Import { campaign, batch: Digest([at as u8; 32]), leads })
    }

    /// An agent, ready or not, asks for a number, on a list or not.
    fn manual(&mut self, node: usize) -> Option<Command> {
        let campaigns: Vec<CampaignId> = self.dialling.campaigns.iter().map(|campaign| campaign.id).collect();
        let agents: Vec<_> = self.asked.agents().map(|agent| agent.id).collect();
        let (campaign, agent) = (self.rng.pick(&campaigns)?, self.rng.pick(&agents)?);
        let number = self.any_number()?;
        let nodes = self.nodes[node].control.table.live();
        let means = self.dialling.means(self.log.wall(self.now), &nodes, &self.usable);
        let shard = &self.nodes[node].replica.shard;
        let mut dial = strowger_dialer::manual(shard, &means, agent, campaign, number).ok()?;
        self.dialling.route(shard, &mut dial);
        Some(Command::Dial(Box::new(dial)))
    }

    fn bar(&mut self) -> Option<Command> {
        let number = self.any_number()?;
        let scope = self.scope()?;
        let lift = self.rng.chance(400);
        Some(Command::Bar { list: BarList::DoNotCall, scope, numbers: vec![number], lift })
    }

    /// Somebody who calls, by a number, is not wanted any more, or again.
    fn bar_caller(&mut self) -> Option<Command> {
        let number = self.rng.pick(&CALLING)?.parse().ok()?;
        let scope = self.scope()?;
        Some(Command::Bar { list: BarList::Callers, scope, numbers: vec![number], lift: self.rng.chance(300) })
    }

    fn scope(&mut self) -> Option<Scope> {
        let tenants: Vec<TenantId> = self.asked.tenants.iter().map(|tenant| tenant.id).collect();
        let tenant = self.rng.pick(&tenants)?;
        Some(if self.rng.chance(500) { Scope::Everyone } else { Scope::Tenant(tenant) })
    }

    fn start_or_stop(&mut self) -> Option<Command> {
        let campaigns: Vec<CampaignId> = self.dialling.campaigns.iter().map(|campaign| campaign.id).collect();
        Some(Command::Run { campaign: self.rng.pick(&campaigns)?, running: self.rng.chance(750) })
    }

    fn any_number(&mut self) -> Option<E164> {
        let at = self.rng.below(self.dialling.numbers.len() as u64) as usize;
        self.dialling.numbers.get(at).copied()
    }
}
