//! What differs between two configurations, in the operator's words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::Arc;

use strowger_model::config::{Agent, Campaign, Flow, Hours, Number, Phone, Queue, Source, Tenant, Trunk};
use strowger_model::{Far, FlowId, QueueId, Transport, TrunkId};

use crate::change::{Change, Kind, What};
use crate::hours::written;

/// Agents or numbers with the same change told one by one; of more, the first and how many there are.
const ALIKE_SHOWN: usize = 4;

/// Tenants by name, each with what belongs to it; then trunks.
pub fn differences(old: &[Arc<Tenant>], new: &[Tenant], old_trunks: &[Trunk], new_trunks: &[Trunk]) -> Vec<Change> {
    let mut changes = Vec::new();
    let old: Vec<&Tenant> = old.iter().map(|tenant| &**tenant).collect();
    let new: Vec<&Tenant> = new.iter().collect();
    for (name, pair) in pairs(&old, &new, |tenant: &&Tenant| &tenant.name) {
        match pair {
            Pair::New(new) => changes.push(change(What::Added, Kind::Tenant, "", name, size(new))),
            Pair::Old(old) => changes.push(change(What::Removed, Kind::Tenant, "", name, size(old))),
            Pair::Both(old, new) => {
                tenant_changes(old, new, &mut changes);
                changes.extend(campaign_changes((old, old_trunks), (new, new_trunks)));
            }
        }
    }
    changes.extend(compare(Kind::Trunk, "", old_trunks, new_trunks, |trunk| &trunk.name, trunk_detail));
    changes
}

fn tenant_changes(old: &Tenant, new: &Tenant, changes: &mut Vec<Change>) {
    let prefix = format!("{}/", new.name);
    let detail = list([
        field("realm", &old.realm, &new.realm),
        field("takes_anonymous", &old.takes_anonymous.to_string(), &new.takes_anonymous.to_string()),
        field("digest", digest_text(old), digest_text(new)),
    ]);
    if !detail.is_empty() {
        changes.push(change(What::Changed, Kind::Tenant, "", &new.name, detail));
    }
    let number_detail = |a: &Number, b: &Number| list([field("flow", flow_name(old, a.flow), flow_name(new, b.flow))]);
    let numbers = compare(Kind::Number, &prefix, &old.numbers, &new.numbers, |number| &number.number, number_detail);
    changes.extend(summed_up(numbers));
    changes.extend(compare(Kind::Flow, &prefix, &old.flows, &new.flows, |flow| &flow.name, flow_detail));
    changes.extend(compare(Kind::Queue, &prefix, &old.queues, &new.queues, |queue| &queue.name, queue_detail));
    let agent_detail = |a: &Agent, b: &Agent| {
        list([
            field("queues", queue_names(old, &a.queues), queue_names(new, &b.queues)),
            phone_detail(&a.phone, &b.phone),
            field("ready_at_login", a.ready_at_login, b.ready_at_login),
            field("site", or_none(&a.site), or_none(&b.site)),
        ])
    };
    let agents = compare(Kind::Agent, &prefix, &old.agents, &new.agents, |agent| &agent.name, agent_detail);
    changes.extend(summed_up(agents));
}

enum Pair<'a, T> {
    Old(&'a T),
    New(&'a T),
    Both(&'a T, &'a T),
}

/// What is in either list, by name.
fn pairs<'a, T>(old: &'a [T], new: &'a [T], name: impl Fn(&'a T) -> &'a String) -> BTreeMap<&'a str, Pair<'a, T>> {
    let mut pairs: BTreeMap<_, _> = old.iter().map(|thing| (name(thing).as_str(), Pair::Old(thing))).collect();
    for thing in new {
        let pair = match pairs.remove(name(thing).as_str()) {
            Some(Pair::Old(old)) => Pair::Both(old, thing),
            _ => Pair::New(thing),
        };
        pairs.insert(name(thing), pair);
    }
    pairs
}

fn compare<'a, T: PartialEq>(
    kind: Kind,
    prefix: &str,
    old: &'a [T],
    new: &'a [T],
    name: impl Fn(&'a T) -> &'a String,
    detail: impl Fn(&T, &T) -> String,
) -> Vec<Change> {
    let change_of = |(name, pair)| match pair {
        Pair::New(_) => Some(change(What::Added, kind, prefix, name, String::new())),
        Pair::Old(_) => Some(change(What::Removed, kind, prefix, name, String::new())),
        Pair::Both(old, new) if old == new => None,
        Pair::Both(old, new) => Some(change(What::Changed, kind, prefix, name, detail(old, new))),
    };
    pairs(old, new, name).into_iter().filter_map(change_of).collect()
}

fn change(what: What, kind: Kind, prefix: &str, name: &str, detail: String) -> Change {
    Change { what, kind, name: format!("{prefix}{name}"), detail }
}

/// A range of hundreds of agents is one line to write and shall be one to read; numbers come by thousands.
fn summed_up(changes: Vec<Change>) -> Vec<Change> {
    let alike = |change: &Change| (change.what as u8, change.detail.clone());
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    for change in &changes {
        *counts.entry(alike(change)).or_default() += 1;
    }
    let mut told = BTreeSet::new();
    let mut shown = Vec::new();
    for mut change in changes {
        let key = alike(&change);
        let count = counts[&key];
        if count <= ALIKE_SHOWN {
            shown.push(change);
        } else if told.insert(key) {
            change.name = format!("{} and {} more", change.name, count - 1);
            shown.push(change);
        }
    }
    shown
}

fn size(tenant: &Tenant) -> String {
    let count = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    list([
        Some(count(tenant.numbers.len(), "number")),
        Some(count(tenant.flows.len(), "flow")),
        Some(count(tenant.queues.len(), "queue")),
        Some(count(tenant.agents.len(), "agent")),
        (!tenant.campaigns.is_empty()).then(|| count(tenant.campaigns.len(), "campaign")),
    ])
}

fn flow_detail(old: &Flow, new: &Flow) -> String {
    if old.steps.len() != new.steps.len() {
        return format!("{} → {} steps", old.steps.len(), new.steps.len());
    }
    let steps = old.steps.iter().zip(&new.steps).enumerate().filter(|(_, (old, new))| old != new);
    let steps: Vec<_> = steps.map(|(position, _)| (position + 1).to_string()).collect();
    format!("step {}", steps.join(", "))
}

fn queue_detail(old: &Queue, new: &Queue) -> String {
    list([
        field("strategy", old.strategy.as_str(), new.strategy.as_str()),
        (old.music != new.music).then(|| "music".to_owned()),
        field("ring_timeout_ms", old.ring_timeout_ms, new.ring_timeout_ms),
        field("wrap_up_ms", old.wrap_up_ms, new.wrap_up_ms),
        field("max_misses", old.max_misses, new.max_misses),
        field("miss_pause_ms", old.miss_pause_ms, new.miss_pause_ms),
        field("max_waiting", old.max_waiting, new.max_waiting),
        field("max_wait_ms", old.max_wait_ms, new.max_wait_ms),
        field("service_level_ms", old.service_level_ms, new.service_level_ms),
    ])
}

pub(crate) fn digest_text(tenant: &Tenant) -> &str {
    if tenant.offers_sha256 { "sha-256" } else { "md5" }
}

/// Under one key the same secret is the same sealed; whether it is under another, only the keys could tell.
fn phone_detail(old: &Phone, new: &Phone) -> Option<String> {
    match (old, new) {
        _ if old == new => None,
        (Phone::Registers { ha1: old }, Phone::Registers { ha1: new }) => {
            field("data key", old.key, new.key).or_else(|| Some("password".to_owned()))
        }
        _ => field("phone", phone_text(old), phone_text(new)),
    }
}

fn phone_text(phone: &Phone) -> &str {
    match phone {
        Phone::Registers { .. } => "registers",
        Phone::Static { uri, .. } => uri,
    }
}

fn trunk_detail(old: &Trunk, new: &Trunk) -> String {
    list([
        field("sources", sources_text(&old.sources), sources_text(&new.sources)),
        field("max_calls_per_second", old.max_calls_per_second, new.max_calls_per_second),
        field("max_calls", old.max_calls, new.max_calls),
        field("destination", destination_text(old.destination), destination_text(new.destination)),
        field("max_dials_per_second", old.max_dials_per_second, new.max_dials_per_second),
        field("site", or_none(&old.site), or_none(&new.site)),
    ])
}

pub(crate) fn destination_text(destination: Option<Far>) -> String {
    match destination {
        None => "none".to_owned(),
        Some(Far { transport: Transport::Udp, addr, .. }) => addr.to_string(),
        Some(Far { transport: Transport::Tcp, addr, .. }) => format!("{addr};transport=tcp"),
    }
}

fn campaign_changes(old: (&Tenant, &[Trunk]), new: (&Tenant, &[Trunk])) -> Vec<Change> {
    let prefix = format!("{}/", new.0.name);
    let detail = |a: &Campaign, b: &Campaign| campaign_detail(a, old, b, new);
    compare(Kind::Campaign, &prefix, &old.0.campaigns, &new.0.campaigns, |campaign| &campaign.name, detail)
}

/// Each with what its ids point into.
fn campaign_detail(
    old: &Campaign,
    (old_tenant, old_trunks): (&Tenant, &[Trunk]),
    new: &Campaign,
    (new_tenant, new_trunks): (&Tenant, &[Trunk]),
) -> String {
    list([
        field("mode", old.mode.as_str(), new.mode.as_str()),
        field("queue", queue_names(old_tenant, &[old.queue]), queue_names(new_tenant, &[new.queue])),
        field("trunk", trunk_name(old_trunks, old.trunk), trunk_name(new_trunks, new.trunk)),
        field("caller_id", old.caller_id, new.caller_id),
        field("ring_timeout_ms", old.ring_timeout_ms, new.ring_timeout_ms),
        field("keep_idle", old.keep_idle, new.keep_idle),
        field("start", old.start, new.start),
        field("max_attempts", old.max_attempts, new.max_attempts),
        field("retry_after_s", retries_text(old), retries_text(new)),
        field("zone", zone_text(&old.zone), zone_text(&new.zone)),
        field("hours", hours_text(&old.hours), hours_text(&new.hours)),
        (old.columns != new.columns).then(|| "columns".to_owned()),
    ])
}

pub(crate) fn trunk_name(trunks: &[Trunk], id: TrunkId) -> &str {
    trunks.iter().find(|trunk| trunk.id == id).map_or("?", |trunk| trunk.name.as_str())
}

fn retries_text(campaign: &Campaign) -> String {
    let retries = campaign.retries.iter().map(|retry| format!("{} {}", retry.result, retry.after_s));
    or_none(&retries.collect::<Vec<_>>().join(" ")).to_owned()
}

fn zone_text(zone: &Option<String>) -> &str {
    zone.as_deref().unwrap_or("none")
}

fn hours_text(hours: &[Hours]) -> String {
    hours.iter().map(written).collect::<Vec<_>>().join(" and ")
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

fn sources_text(sources: &[Source]) -> String {
    sources.iter().map(source_text).collect::<Vec<_>>().join(" ")
}

pub(crate) fn source_text(source: &Source) -> String {
    match source.port {
        Some(port) => std::net::SocketAddr::new(source.ip, port).to_string(),
        None => source.ip.to_string(),
    }
}

pub(crate) fn flow_name(tenant: &Tenant, id: FlowId) -> &str {
    tenant.flow(id).map_or("?", |flow| flow.name.as_str())
}

pub(crate) fn queue_name(tenant: &Tenant, id: QueueId) -> &str {
    tenant.queue(id).map_or("?", |queue| queue.name.as_str())
}

fn queue_names(tenant: &Tenant, ids: &[QueueId]) -> String {
    let names: Vec<_> = ids.iter().filter_map(|id| tenant.queue(*id)).map(|queue| queue.name.as_str()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(" ") }
}

fn field<T: PartialEq + Display>(name: &str, old: T, new: T) -> Option<String> {
    (old != new).then(|| format!("{name} {old} → {new}"))
}

fn list(parts: impl IntoIterator<Item = Option<String>>) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
