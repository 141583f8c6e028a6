//! What every outbound call needs, however it was asked for: an hour at which the lead may be called, a trunk, relays
//! and an owner. A lead whose hours, number or trunk cannot be found out is not dialled.

use std::collections::BTreeMap;

use strowger_acd::RelayChoice;
use strowger_model::config::{Campaign, Tenant, Trunk};
use strowger_model::{AgentId, E164, Mono, RelayId, TrunkId, Wall};
use strowger_table::{Dial, DialTo, Ledger, Refusal, Shard};

use crate::destination::may_reach;
use crate::hours::open_until;
use crate::spending::{Capped, Payer};
use crate::{Denial, Means};

/// Hands out what there is of it until it is used up.
pub(crate) struct Placing<'a> {
    pub(crate) shard: &'a Shard,
    means: &'a Means<'a>,
    relays: RelayChoice<'a>,
    /// New calls that each trunk still takes.
    left: BTreeMap<TrunkId, usize>,
    /// Calls that it has handed out, by who has them made: the log has shown none of them yet.
    placed: BTreeMap<Payer, u32>,
    /// What the entry's time will be at least.
    pub(crate) wall: Wall,
}

/// A call whose number, agent and hour are settled.
pub(crate) struct Wanted<'a> {
    pub(crate) tenant: &'a Tenant,
    pub(crate) campaign: &'a Campaign,
    pub(crate) agent: AgentId,
    pub(crate) to: DialTo,
    pub(crate) not_after: Wall,
}

impl<'a> Placing<'a> {
    pub(crate) fn new(shard: &'a Shard, means: &'a Means<'a>) -> Self {
        // A wall clock that was ahead of ours has stamped this log already: entries are never earlier.
        let wall = means.wall.max(shard.last().wall);
        let relays = RelayChoice::new(shard, means.relays);
        Self { shard, means, relays, left: means.allowance.clone(), placed: BTreeMap::new(), wall }
    }

    pub(crate) fn now(&self) -> Mono {
        self.means.now
    }

    pub(crate) fn configured(&self, ledger: &Ledger) -> Option<(&'a Tenant, &'a Campaign)> {
        let tenant = self.shard.tenant(ledger.tenant)?;
        Some((tenant, tenant.campaign(ledger.campaign)?))
    }

    /// Until when a lead of the campaign may be called that lives in this zone.
    pub(crate) fn open_until(&self, campaign: &Campaign, zone: &str) -> Result<Wall, Denial> {
        open_until(zone, &campaign.hours, self.wall)?.ok_or_else(|| Denial::Closed { zone: zone.to_owned() })
    }

    /// Whether the number is barred, or on a call.
    pub(crate) fn is_free(&self, tenant: &Tenant, number: E164) -> Result<(), Denial> {
        self.shard.may_dial(tenant.id, number).map_err(|refusal| match refusal {
            Refusal::Barred => Denial::Barred(number),
            _ => Denial::OnACall(number),
        })
    }

    /// Whether the lists of the node's file let it be dialled.
    pub(crate) fn may_reach(&self, tenant: &Tenant, campaign: &Campaign, number: E164) -> Result<(), Denial> {
        let trunk = self.trunk(campaign.trunk)?;
        Ok(may_reach(self.means.destinations, &tenant.name, &trunk.name, number)?)
    }

    /// Whether one more call may be made for them.
    pub(crate) fn may_spend(&self, payers: &[Payer]) -> Result<(), Capped> {
        self.means.spending.check(payers, &self.placed, self.means.now)
    }

    pub(crate) fn place(&mut self, wanted: &Wanted<'_>) -> Result<Dial, Denial> {
        let owner = self.owner(wanted.to)?;
        let trunk = self.trunk(wanted.campaign.trunk)?;
        let payers = Payer::all(wanted.agent, &wanted.tenant.name, &trunk.name);
        self.may_spend(&payers)?;
        let no_destination = || Denial::NoDestination { trunk: trunk.name.clone() };
        let destination = trunk.destination.ok_or_else(no_destination)?;
        if self.left.get(&trunk.id).is_none_or(|left| *left == 0) {
            return Err(Denial::TrunkFull { trunk: trunk.name.clone() });
        }
        let relay = self.relays.choose(&trunk.site, None).ok_or(Denial::NoRelay)?;
        let agent_relay = self.agent_relay(wanted, relay)?;
        if let Some(left) = self.left.get_mut(&trunk.id) {
            *left -= 1;
        }
        payers.into_iter().for_each(|payer| *self.placed.entry(payer).or_default() += 1);
        Ok(Dial {
            campaign: wanted.campaign.id,
            to: wanted.to,
            agent: wanted.agent,
            owner,
            destination,
            relay,
            agent_relay,
            epoch: self.epoch(wanted.campaign),
            not_after: wanted.not_after,
        })
    }

    /// That of the campaign's owner, in whose name it is dialled.
    fn epoch(&self, campaign: &Campaign) -> u64 {
        self.shard.campaign(campaign.id).and_then(|ledger| ledger.owner).map_or(0, |owner| owner.epoch)
    }

    fn agent_relay(&self, wanted: &Wanted<'_>, near: RelayId) -> Result<RelayId, Denial> {
        let site = wanted.tenant.agent(wanted.agent).map_or("", |agent| agent.site.as_str());
        self.relays.choose(site, Some(near)).ok_or(Denial::NoRelay)
    }

    pub(crate) fn trunk(&self, id: TrunkId) -> Result<&'a Trunk, Denial> {
        self.means.trunks.iter().find(|trunk| trunk.id == id).ok_or(Denial::NoTrunk(id))
    }

    /// In turn by the lead's place in its list, so that the calls of a list are spread evenly.
    fn owner(&self, to: DialTo) -> Result<(strowger_model::NodeId, strowger_model::Incarnation), Denial> {
        let nodes = self.means.nodes;
        let turn = match to {
            DialTo::Lead(lead) => u64::from(lead.place()),
            DialTo::Number { number } => number.digits(),
        };
        let at = turn.checked_rem(nodes.len() as u64).ok_or(Denial::NoNode)?;
        Ok(nodes[at as usize])
    }
}
