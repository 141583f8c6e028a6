//! While its hours last, a campaign that runs calls who is due, for an agent who is free for it: also when nothing but the
//! clock on the wall tells that the hours have begun.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use strowger_model::config::{Campaign, DialMode};
use strowger_model::{CampaignId, E164, Mono, TenantId, Wall};
use strowger_table::{BarList, Command, DialTo, Lead, LeadTurn, Shard};

use super::super::Found;
use super::{Decision, Look, Rule};
use crate::asked::Asked;
use crate::dialling::is_open;

/// Rounds are 100 ms apart, the trunk takes a call each quarter of a second from all nodes, another campaign may come
/// first, and a campaign whose owner was gone gets another one.
const SOON: Duration = Duration::from_secs(12);

#[derive(Default)]
pub(crate) struct Called {
    found: Found,
    /// Since when, in which term, each campaign could call somebody.
    since: BTreeMap<CampaignId, (u64, Mono)>,
}

impl Rule for Called {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn decided(&mut self, decision: &Decision<'_>) {
        if let Command::Dial(dial) = decision.command
            && matches!(dial.to, DialTo::Lead(_))
        {
            self.since.remove(&dial.campaign);
        }
    }

    fn look(&mut self, look: &Look<'_>) {
        let all = look.config.tenants.iter().flat_map(|tenant| tenant.campaigns.iter().map(|own| (tenant.id, own)));
        let able: BTreeSet<CampaignId> = all
            .filter(|(tenant, campaign)| can_call(look.truth, look.config, *tenant, campaign, look.wall))
            .map(|(_, campaign)| campaign.id)
            .collect();
        self.since.retain(|campaign, (term, _)| able.contains(campaign) && look.led == Some(*term));
        let Some(term) = look.led else { return };
        for campaign in able {
            let (_, since) = self.since.entry(campaign).or_insert((term, look.now));
            if look.now.since(*since) > SOON {
                self.found.breach("called", None, || format!("{campaign} calls nobody, though somebody is due"));
            }
        }
    }
}

fn can_call(truth: &Shard, config: &Asked, tenant: TenantId, campaign: &Campaign, wall: Wall) -> bool {
    let runs = truth.campaign(campaign.id).is_some_and(|ledger| ledger.running && ledger.carrier.may_dial(wall));
    runs && campaign.mode == DialMode::Progressive
        && free(truth, config, campaign) > campaign.keep_idle as usize
        && truth.leads(campaign.id).any(|lead| is_due(truth, tenant, campaign, lead, wall))
}

/// Agents of its queue that nobody waits for.
fn free(truth: &Shard, config: &Asked, campaign: &Campaign) -> usize {
    let waited_for: BTreeSet<_> = truth.places().filter(|place| place.is_waiting()).map(|place| place.queue).collect();
    let serves = |agent: &strowger_model::config::Agent| {
        agent.queues.contains(&campaign.queue) && agent.queues.iter().all(|queue| !waited_for.contains(queue))
    };
    let is_free =
        |agent: &strowger_table::Agent| agent.free_since().is_some() && config.agent(agent.id).is_some_and(&serves);
    truth.agents().filter(|agent| is_free(agent)).count()
}

fn is_due(truth: &Shard, tenant: TenantId, campaign: &Campaign, lead: &Lead, wall: Wall) -> bool {
    let due = matches!(lead.turn(Some(campaign)), LeadTurn::Due { at } if at <= wall);
    let number: E164 = lead.number;
    due && is_open(&campaign.hours, wall, Some(number))
        && !truth.is_barred(BarList::DoNotCall, tenant, number)
        && truth.dialled(tenant, number).is_none()
}
