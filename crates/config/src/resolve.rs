//! Gives a draft its ids, by what the cluster runs now: a name that is there keeps its id, a new one takes the next.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use strowger_model::config::{NextIds, Step, Tenant, Trunk};
use strowger_model::{AgentId, CampaignId, FlowId, QueueId, ShardId, TenantId, TrunkId};

use crate::change::Change;
use crate::diff::differences;
use crate::draft::Draft;

/// A configuration as the cluster runs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolved {
    /// By id.
    pub tenants: Vec<Tenant>,
    /// By id.
    pub trunks: Vec<Trunk>,
    /// What differs from what runs now.
    pub changes: Vec<Change>,
    /// What to pass as `floor` the next time.
    pub next_ids: NextIds,
}

/// `floor` is what the last call returned as `next_ids`. Without it, `NextIds::default()`, only ids in use count, and
/// the highest one may be given again after what it named is removed.
///
/// A tenant that is there stays on its shard; a new one goes to the shard with the fewest, which for a new cluster is
/// each in turn.
///
/// # Panics
/// Without shards: there is nowhere to put a tenant.
pub fn resolve(draft: &Draft, current: &[Arc<Tenant>], trunks: &[Trunk], shards: u16, floor: NextIds) -> Resolved {
    assert!(shards > 0, "a cluster has at least one shard");
    let mut next = floor.above(current.iter().map(|tenant| &**tenant), trunks);
    let mut load: BTreeMap<ShardId, usize> = (0..shards).map(|shard| (ShardId(shard), 0)).collect();
    let by_name: HashMap<&str, &Tenant> = current.iter().map(|tenant| (tenant.name.as_str(), &**tenant)).collect();
    let staying = draft.tenants.iter().filter_map(|tenant| by_name.get(tenant.name.as_str()));
    for tenant in staying {
        *load.entry(tenant.shard).or_default() += 1;
    }
    let mut place = |old: Option<&Tenant>| {
        old.map_or_else(
            || {
                let (shard, count) = load.iter_mut().min_by_key(|(_, count)| **count).expect("there is a shard");
                *count += 1;
                *shard
            },
            |old| old.shard,
        )
    };
    // Before the tenants, whose campaigns point to them.
    let trunk_ids = trunk_ids(draft, trunks, &mut next.trunk);
    let mut resolved_tenants: Vec<Tenant> = draft
        .tenants
        .iter()
        .map(|tenant| {
            let old = by_name.get(tenant.name.as_str()).copied();
            resolve_tenant(tenant, old, place(old), &trunk_ids, &mut next)
        })
        .collect();
    resolved_tenants.sort_by_key(|tenant| tenant.id);
    let resolved_trunks = resolve_trunks(draft, &trunk_ids);
    let changes = differences(current, &resolved_tenants, trunks, &resolved_trunks);
    Resolved { tenants: resolved_tenants, trunks: resolved_trunks, changes, next_ids: next }
}

/// Everything is sorted, so that moving lines about in a file changes nothing.
fn resolve_tenant(
    draft: &Tenant,
    old: Option<&Tenant>,
    shard: ShardId,
    trunk_ids: &[TrunkId],
    next: &mut NextIds,
) -> Tenant {
    let id = TenantId(id_of(old.map(|old| old.id.0), &mut next.tenant));
    let old_flows = ids(old.map_or(&[], |old| &old.flows), |flow| (&flow.name, flow.id.0));
    let old_queues = ids(old.map_or(&[], |old| &old.queues), |queue| (&queue.name, queue.id.0));
    let old_agents = ids(old.map_or(&[], |old| &old.agents), |agent| (&agent.name, agent.id.0));
    let old_campaigns = ids(old.map_or(&[], |old| &old.campaigns), |campaign| (&campaign.name, campaign.id.0));
    let give = |name: &String, old: &HashMap<&str, u32>, next: &mut u32| id_of(old.get(name.as_str()).copied(), next);

    let flow_ids: Vec<_> =
        draft.flows.iter().map(|flow| FlowId(give(&flow.name, &old_flows, &mut next.flow))).collect();
    let queue_ids: Vec<_> =
        draft.queues.iter().map(|queue| QueueId(give(&queue.name, &old_queues, &mut next.queue))).collect();

    // In the draft, ids are positions.
    let mut tenant = Tenant { id, shard, ..draft.clone() };
    for number in &mut tenant.numbers {
        number.flow = flow_ids[number.flow.0 as usize];
    }
    for (flow, id) in tenant.flows.iter_mut().zip(&flow_ids) {
        flow.id = *id;
        for step in &mut flow.steps {
            if let Step::Enqueue { queue, .. } = step {
                *queue = queue_ids[queue.0 as usize];
            }
        }
    }
    for (queue, id) in tenant.queues.iter_mut().zip(&queue_ids) {
        queue.id = *id;
    }
    for agent in &mut tenant.agents {
        agent.id = AgentId(give(&agent.name, &old_agents, &mut next.agent));
        agent.queues.iter_mut().for_each(|queue| *queue = queue_ids[queue.0 as usize]);
        agent.queues.sort();
    }
    for campaign in &mut tenant.campaigns {
        campaign.id = CampaignId(give(&campaign.name, &old_campaigns, &mut next.campaign));
        campaign.queue = queue_ids[campaign.queue.0 as usize];
        campaign.trunk = trunk_ids[campaign.trunk.0 as usize];
        campaign.retries.sort_by_key(|retry| retry.result);
    }
    tenant.numbers.sort_by(|a, b| a.number.cmp(&b.number));
    tenant.flows.sort_by_key(|flow| flow.id);
    tenant.queues.sort_by_key(|queue| queue.id);
    tenant.agents.sort_by_key(|agent| agent.id);
    tenant.campaigns.sort_by_key(|campaign| campaign.id);
    tenant
}

/// The id of each trunk, in the order of the draft.
fn trunk_ids(draft: &Draft, current: &[Trunk], next: &mut u32) -> Vec<TrunkId> {
    let old = ids(current, |trunk| (&trunk.name, trunk.id.0));
    draft.trunks.iter().map(|trunk| TrunkId(id_of(old.get(trunk.name.as_str()).copied(), next))).collect()
}

fn resolve_trunks(draft: &Draft, trunk_ids: &[TrunkId]) -> Vec<Trunk> {
    let with_id = |(trunk, id): (&Trunk, &TrunkId)| {
        let mut trunk = Trunk { id: *id, ..trunk.clone() };
        trunk.sources.sort_by_key(|source| (source.ip, source.port));
        trunk
    };
    let mut trunks: Vec<Trunk> = draft.trunks.iter().zip(trunk_ids).map(with_id).collect();
    trunks.sort_by_key(|trunk| trunk.id);
    trunks
}

fn ids<T>(things: &[T], name_and_id: impl Fn(&T) -> (&String, u32)) -> HashMap<&str, u32> {
    things.iter().map(name_and_id).map(|(name, id)| (name.as_str(), id)).collect()
}

fn id_of(old: Option<u32>, next: &mut u32) -> u32 {
    old.unwrap_or_else(|| {
        let id = *next;
        *next = id.checked_add(1).expect("ids of 32 bits last longer than any cluster");
        id
    })
}
