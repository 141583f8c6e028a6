//! The progressive pacer: one lead is dialled for each agent that is free, and the agent is kept for it. So nobody
//! who answers is without an agent, and the share of abandoned calls is what agents' phones make of it.

use std::collections::{BTreeMap, BTreeSet};

use strowger_acd::UsableRelay;
use strowger_model::config::{Campaign, DialMode, Tenant, Trunk};
use strowger_model::{
    AgentId, CampaignId, Destinations, E164, Incarnation, LeadId, Mono, NodeId, QueueId, TenantId, TrunkId, Wall,
};
use strowger_table::{Dial, DialTo, Medium, Shard};

use crate::aside::Aside;
use crate::due::DueLeads;
use crate::placing::{Placing, Wanted};
use crate::spending::{Payer, Spending};

/// Dials of one round. A shard has up to ten rounds a second: this is beyond what trunks take, and small
/// enough that calls of those who wait come between two rounds.
pub const PER_ROUND: usize = 64;
/// Leads that a campaign may pass over in a round because their numbers are on a call already, from another list. The next
/// round goes on behind them, as it does behind those that are forbidden (`Aside`). Barred leads are not in the index of
/// due ones at all.
const PASSED_OVER_PER_ROUND: usize = 1000;

/// What there is to dial with.
pub struct Means<'a> {
    /// By which calling hours are judged.
    pub wall: Wall,
    /// Nodes that can own a call, in the same order each time.
    pub nodes: &'a [(NodeId, Incarnation)],
    /// Those that answer.
    pub relays: &'a [UsableRelay],
    /// As the configuration in force has them.
    pub trunks: &'a [Trunk],
    /// What of the world is dialled.
    pub destinations: &'a Destinations,
    /// What calls have come to lately, and their caps.
    pub spending: &'a Spending,
    /// On this process's clock, by which that is counted.
    pub now: Mono,
    /// New calls that each trunk takes now; one that is not named takes none.
    pub allowance: &'a BTreeMap<TrunkId, usize>,
}

/// The calls to begin now, for the campaigns of one process. Cost: one step for each idle agent of the queues and each
/// dial; with more than one campaign that can dial, one for each live call too; and a bounded number for leads that are
/// not dialled.
pub fn pace(shard: &Shard, means: &Means<'_>, owner: (NodeId, Incarnation), aside: &mut Aside) -> Vec<Dial> {
    let mut placing = Placing::new(shard, means);
    let mut turns = turns(&placing, owner, aside);
    let mut staff = Staff::new(shard);
    let mut numbers = BTreeSet::new();
    let mut dials = Vec::new();
    while dials.len() < PER_ROUND {
        // In turn: who has the fewest calls dials next, so campaigns that share agents come to have as many each.
        let Some(at) = (0..turns.len()).min_by_key(|at| (turns[*at].live, turns[*at].campaign.id)) else { break };
        match turns[at].dial(&mut placing, &mut staff, &mut numbers, aside) {
            Some(dial) => {
                turns[at].live += 1;
                dials.push(dial);
            }
            None => drop(turns.swap_remove(at)),
        }
    }
    dials
}

/// A campaign that has somebody to call.
struct Turn<'a> {
    tenant: &'a Tenant,
    campaign: &'a Campaign,
    /// Who was passed over is not free for the rest of the round.
    agents: Box<dyn Iterator<Item = AgentId> + 'a>,
    leads: DueLeads<'a>,
    /// Calls that it may still begin in this round.
    most: usize,
    /// Its calls, those of this round included.
    live: usize,
    passed_over: usize,
}

fn turns<'a>(placing: &Placing<'a>, owner: (NodeId, Incarnation), aside: &mut Aside) -> Vec<Turn<'a>> {
    aside.begin(|id| placing.shard.campaign(id).is_some_and(|ledger| ledger.running && ledger.is_owned_by(owner)));
    let mut turn = |ledger: &strowger_table::Ledger| {
        let (tenant, campaign) = placing.configured(ledger)?;
        let dials = ledger.running
            && ledger.is_owned_by(owner)
            && campaign.mode == DialMode::Progressive
            && ledger.carrier.may_dial(placing.wall);
        let anyone = dials && placing.shard.idle(campaign.queue, Medium::Voice).next().is_some();
        let trunk = placing.trunk(campaign.trunk).ok().filter(|_| anyone)?;
        let behind = aside.behind(campaign.id, (&tenant.name, &trunk.name), placing.now());
        let leads = DueLeads::open(placing, campaign, ledger, behind);
        let agents = Box::new(placing.shard.idle(campaign.queue, Medium::Voice).map(|(_, agent, _)| agent));
        // One call tells whether a carrier that failed is back.
        let most = if ledger.carrier.pause.is_some() { 1 } else { PER_ROUND };
        Some(Turn { tenant, campaign, agents, leads, most, live: 0, passed_over: 0 })
    };
    let mut turns: Vec<Turn<'a>> = placing.shard.campaigns().filter_map(|ledger| turn(ledger)).collect();
    aside.share(turns.len());
    if turns.len() > 1 {
        let live = live_calls(placing.shard);
        turns.iter_mut().for_each(|turn| turn.live = live.get(&turn.campaign.id).copied().unwrap_or_default());
    }
    turns
}

fn live_calls(shard: &Shard) -> BTreeMap<CampaignId, usize> {
    let mut live = BTreeMap::new();
    for outbound in shard.calls().filter(|call| !call.is_over()).filter_map(|call| call.outbound()) {
        *live.entry(outbound.campaign).or_insert(0) += 1;
    }
    live
}

impl Turn<'_> {
    /// None: there is nobody to call, nobody to call for or nothing to call with, and there will not be in this round.
    fn dial(
        &mut self,
        placing: &mut Placing<'_>,
        staff: &mut Staff<'_>,
        numbers: &mut BTreeSet<(TenantId, E164)>,
        aside: &mut Aside,
    ) -> Option<Dial> {
        if self.most == 0 || staff.count(self.campaign.queue) <= self.campaign.keep_idle as usize {
            return None;
        }
        // The longest idle of those for whom a call may be made.
        let may_spend = |agent: AgentId| placing.may_spend(&[Payer::Agent(agent)]).is_ok();
        let agent = self.agents.find(|agent| staff.is_free(*agent) && may_spend(*agent))?;
        let (lead, number, not_after) = self.next_lead(placing, numbers, aside)?;
        let (tenant, campaign) = (self.tenant, self.campaign);
        let wanted = Wanted { tenant, campaign, agent, to: DialTo::Lead(lead), not_after };
        let dial = placing.place(&wanted).ok()?;
        self.most -= 1;
        staff.take(agent);
        numbers.insert((tenant.id, number));
        Some(dial)
    }

    fn next_lead(
        &mut self,
        placing: &Placing<'_>,
        numbers: &BTreeSet<(TenantId, E164)>,
        aside: &mut Aside,
    ) -> Option<(LeadId, E164, Wall)> {
        let (tenant, campaign) = (self.tenant, self.campaign);
        for (at, closes) in self.leads.by_ref() {
            let lead = at.1;
            let number = placing.shard.lead(lead)?.number;
            let is_forbidden = || placing.may_reach(tenant, campaign, number).is_err();
            if aside.is_known(campaign.id, lead) {
                if !aside.pass(campaign.id, at) {
                    return None;
                }
            } else if numbers.contains(&(tenant.id, number)) || placing.is_free(tenant, number).is_err() {
                self.passed_over += 1;
                if self.passed_over >= PASSED_OVER_PER_ROUND {
                    aside.cut(campaign.id, at);
                    return None;
                }
            } else if !is_forbidden() {
                return Some((lead, number, closes));
            } else if !aside.pass(campaign.id, at) {
                return None;
            }
        }
        aside.is_through(campaign.id);
        None
    }
}

/// Agents that are free for outbound calls: inbound goes first.
pub(crate) struct Staff<'a> {
    shard: &'a Shard,
    /// Queues in which calls wait: their agents are the planner's.
    waiting: BTreeSet<QueueId>,
    taken: BTreeSet<AgentId>,
    /// How many are free in each queue that was asked for.
    free: BTreeMap<QueueId, usize>,
}

impl<'a> Staff<'a> {
    pub(crate) fn new(shard: &'a Shard) -> Self {
        let waiting = shard.waiting_queues().collect();
        Self { shard, waiting, taken: BTreeSet::new(), free: BTreeMap::new() }
    }

    pub(crate) fn count(&mut self, queue: QueueId) -> usize {
        let idle = || self.shard.idle(queue, Medium::Voice);
        let count = || idle().filter(|(_, agent, _)| self.is_free(*agent)).count();
        let free = self.free.get(&queue).copied().unwrap_or_else(count);
        self.free.insert(queue, free);
        free
    }

    fn take(&mut self, id: AgentId) {
        self.taken.insert(id);
        let Some(agent) = self.shard.agent(id) else { return };
        for queue in &agent.queues {
            if let Some(free) = self.free.get_mut(queue) {
                *free = free.saturating_sub(1);
            }
        }
    }

    pub(crate) fn is_free(&self, id: AgentId) -> bool {
        let none_waits = |agent: &strowger_table::Agent| agent.queues.iter().all(|queue| !self.waiting.contains(queue));
        !self.taken.contains(&id) && self.shard.agent(id).is_some_and(|agent| none_waits(agent))
    }
}
