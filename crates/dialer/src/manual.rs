//! A call that an agent asks for, to any number.

use strowger_model::{AgentId, CampaignId, E164};
use strowger_table::{Dial, DialTo, Ledger, Shard};

use crate::placing::{Placing, Wanted};
use crate::{Denial, Means};

/// The checks of the pacer, but for what only a list has: whose turn it is. A number on the campaign's list is called
/// by the clock of its lead's zone, any other by the campaign's.
pub fn manual(
    shard: &Shard,
    means: &Means<'_>,
    agent: AgentId,
    campaign: CampaignId,
    number: E164,
) -> Result<Dial, Denial> {
    let mut placing = Placing::new(shard, means);
    let unknown = || Denial::NoSuchCampaign(campaign);
    let ledger = shard.campaign(campaign).ok_or_else(unknown)?;
    let (tenant, campaign) = placing.configured(ledger).ok_or_else(unknown)?;
    check_agent(shard, ledger, agent)?;
    placing.is_free(tenant, number)?;
    placing.may_reach(tenant, campaign, number)?;
    let of_lead = shard.lead_by_number(campaign.id, number).and_then(|lead| ledger.zones.get(usize::from(lead.zone)));
    let zone = of_lead.or(campaign.zone.as_ref()).ok_or(Denial::NoZone(number))?;
    let not_after = placing.open_until(campaign, zone)?;
    placing.place(&Wanted { tenant, campaign, agent, to: DialTo::Number { number }, not_after })
}

fn check_agent(shard: &Shard, ledger: &Ledger, id: AgentId) -> Result<(), Denial> {
    let agent = shard.agent(id).filter(|agent| agent.tenant == ledger.tenant).ok_or(Denial::NoSuchAgent(id))?;
    match agent.asking_slot() {
        Some(_) => Ok(()),
        None => Err(Denial::AgentBusy(agent.state_name())),
    }
}
