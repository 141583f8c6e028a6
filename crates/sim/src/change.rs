//! A configuration after another: a queue closes, a flow changes under its calls, an agent or a number goes, a rule of a
//! queue or a campaign's hours are other ones.

use strowger_model::QueueId;
use strowger_model::config::{Flow, Step, Tenant};

use crate::asked::Asked;
use crate::dialling::hours;
use crate::rng::Rng;

/// Of a thousand tenants, those of whom each thing changes.
const SHARE: u64 = 500;
const LONGER_WRAP_UP_MS: u32 = 1500;

pub(crate) fn changed(rng: &mut Rng, asked: &Asked) -> Asked {
    let mut tenants = asked.tenants.clone();
    for tenant in &mut tenants {
        if tenant.queues.len() > 1 && rng.chance(SHARE) {
            close_queue(tenant);
        }
        if rng.chance(SHARE) {
            tenant.flows.iter_mut().for_each(prefix);
        }
        if tenant.agents.len() > 2 && rng.chance(SHARE) {
            let at = rng.below(tenant.agents.len() as u64) as usize;
            tenant.agents.remove(at);
        }
        if rng.chance(SHARE) {
            let at = rng.below(tenant.numbers.len() as u64) as usize;
            tenant.numbers.remove(at);
        }
        if rng.chance(SHARE) {
            tenant.queues.iter_mut().for_each(|queue| queue.wrap_up_ms += LONGER_WRAP_UP_MS);
        }
        if rng.chance(SHARE) {
            tenant.campaigns.iter_mut().for_each(|campaign| campaign.hours = hours(rng));
        }
    }
    Asked::of(tenants)
}

/// The last queue goes: flows, agents and campaigns have the first one instead.
fn close_queue(tenant: &mut Tenant) {
    let Some(closed) = tenant.queues.pop().map(|queue| queue.id) else { return };
    let Some(first) = tenant.queues.first().map(|queue| queue.id) else { return };
    let instead = |queue: &mut QueueId| {
        if *queue == closed {
            *queue = first;
        }
    };
    for step in tenant.flows.iter_mut().flat_map(|flow| &mut flow.steps) {
        if let Step::Enqueue { queue, .. } = step {
            instead(queue);
        }
    }
    for agent in &mut tenant.agents {
        agent.queues.iter_mut().for_each(instead);
        agent.queues.sort();
        agent.queues.dedup();
    }
    tenant.campaigns.iter_mut().for_each(|campaign| instead(&mut campaign.queue));
}

/// A flow that plays something first: every step has another number.
fn prefix(flow: &mut Flow) {
    let first = flow.steps.iter().find_map(|step| match step {
        Step::Play { prompt, .. } | Step::Menu { prompt, .. } => Some(*prompt),
        _ => None,
    });
    let Some(prompt) = first else { return };
    for step in &mut flow.steps {
        match step {
            Step::Play { next, .. } => *next += 1,
            Step::Menu { choices, otherwise, .. } => {
                choices.iter_mut().for_each(|(_, next)| *next += 1);
                *otherwise += 1;
            }
            Step::Enqueue { overflow, .. } => *overflow = overflow.map(|next| next + 1),
            Step::HangUp => {}
        }
    }
    flow.steps.insert(0, Step::Play { prompt, next: 1 });
}
