//! Which calls are begun now: one lead for each agent who is idle, while nobody waits for one.

use std::collections::BTreeSet;

use strowger_acd::{RelayChoice, UsableRelay};
use strowger_model::config::{Campaign, DialMode};
use strowger_model::{AgentId, E164, Incarnation, LeadId, NodeId, RelayId, TenantId, Wall};
use strowger_table::{BarList, Dial, DialTo, Ledger, Shard};

use crate::dialling::Dialling;

/// Calls of one round.
const PER_ROUND: usize = 4;

/// What a pacer may use.
pub(crate) struct Means<'a> {
    pub wall: Wall,
    /// Nodes that can own a call.
    pub nodes: &'a [(NodeId, Incarnation)],
    pub relays: &'a [UsableRelay],
    /// Where the trunk's media is carried.
    pub trunk_site: &'a str,
}

/// To be replaced by `strowger_dialer::pace`.
pub(crate) fn pace(shard: &Shard, means: &Means<'_>) -> Vec<Dial> {
    let mut round = Round { shard, means, agents: BTreeSet::new(), numbers: BTreeSet::new(), dials: Vec::new() };
    for ledger in shard.campaigns().filter(|ledger| ledger.running) {
        let config = shard.tenant(ledger.tenant).and_then(|tenant| tenant.campaign(ledger.campaign));
        if let Some(config) = config.filter(|config| config.mode == DialMode::Progressive) {
            round.campaign(ledger, config);
        }
    }
    round.dials
}

struct Round<'a> {
    shard: &'a Shard,
    means: &'a Means<'a>,
    agents: BTreeSet<AgentId>,
    numbers: BTreeSet<E164>,
    dials: Vec<Dial>,
}

impl Round<'_> {
    fn campaign(&mut self, ledger: &Ledger, config: &Campaign) {
        let shard = self.shard;
        if shard.waiting(config.queue).next().is_some() {
            return;
        }
        let zones = 0..ledger.zones.len() as u16;
        let mut due = zones
            .flat_map(|zone| shard.due(config.id, zone))
            .filter(|(at, _)| *at <= self.means.wall)
            .filter_map(|(_, lead)| Some((lead, shard.lead(lead)?.number)));
        for (_, agent) in shard.idle(config.queue).skip(config.keep_idle as usize) {
            if self.dials.len() == PER_ROUND || self.agents.contains(&agent) {
                continue;
            }
            let Some((lead, number)) = due.find(|(_, number)| self.may_call(ledger.tenant, *number)) else { return };
            self.dials.extend(self.dial(config, ledger.tenant, lead, number, agent));
            self.agents.insert(agent);
            self.numbers.insert(number);
        }
    }

    fn may_call(&self, tenant: TenantId, number: E164) -> bool {
        let is_busy = self.shard.dialled(tenant, number).is_some() || self.numbers.contains(&number);
        !is_busy && !self.shard.is_barred(BarList::DoNotCall, tenant, number)
    }

    fn dial(&self, config: &Campaign, tenant: TenantId, lead: LeadId, number: E164, agent: AgentId) -> Option<Dial> {
        let tried = self.shard.lead(lead)?.attempts;
        let at = (lead.place() as usize + usize::from(tried)) % self.means.nodes.len().max(1);
        let (relay, agent_relay) = relays(self.shard, self.means, tenant, agent)?;
        Some(Dial {
            campaign: config.id,
            to: DialTo::Lead(lead),
            agent,
            owner: *self.means.nodes.get(at)?,
            destination: strowger_model::Far::udp(Dialling::destination(number)),
            relay,
            agent_relay,
            not_after: Wall(u64::MAX),
        })
    }
}

/// The called party's relay and the agent's.
pub(crate) fn relays(shard: &Shard, means: &Means<'_>, tenant: TenantId, agent: AgentId) -> Option<(RelayId, RelayId)> {
    let choice = RelayChoice::new(shard, means.relays);
    let site = shard.tenant(tenant)?.agent(agent)?.site.as_str();
    let relay = choice.choose(means.trunk_site, None)?;
    Some((relay, choice.choose(site, Some(relay))?))
}
