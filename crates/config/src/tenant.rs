//! A tenant's file.

use std::collections::BTreeMap;

use strowger_model::config::{Campaign, Flow, Number, Queue, Tenant, Trunk};
use strowger_model::{FlowId, ShardId, TenantId};

use crate::agent::{Team, read_agents};
use crate::campaign::{Around, read_campaign};
use crate::fault::Faults;
use crate::flow::read_flow;
use crate::limits::{Count, MAX_NUMBERS};
use crate::names::{Names, check_name};
use crate::page::{Place, Written};
use crate::phone::Seal;
use crate::prompts::Prompts;
use crate::queue::read_queue;
use crate::section::Section;

pub(crate) const TENANTS: &str = "tenants/";
/// Digits of an E.164 number, after the `+`.
const NUMBER_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;
/// Digits of a short code, such as an internal number or a service number that a carrier passes on as dialled.
const SHORT_CODE_DIGITS: std::ops::RangeInclusive<usize> = 2..=6;
/// RFC 1035 section 2.3.4.
const MAX_REALM_CHARS: usize = 253;

/// What no two tenants may share, and where it is written; and how many numbers all have.
pub(crate) struct Across {
    numbers: BTreeMap<String, Place>,
    realms: BTreeMap<String, Place>,
    pub(crate) count: Count,
}

impl Across {
    pub(crate) fn new() -> Self {
        Self { numbers: BTreeMap::new(), realms: BTreeMap::new(), count: Count::new("numbers", MAX_NUMBERS) }
    }
}

/// What a tenant's file is read with.
pub(crate) struct Surroundings<'a> {
    pub(crate) prompts: &'a Prompts<'a>,
    /// None when they cannot be read.
    pub(crate) trunks: Option<&'a [Trunk]>,
    pub(crate) seal: &'a Seal<'a>,
}

pub(crate) fn read_tenant(
    top: &Section<'_>,
    file_name: &str,
    &Surroundings { prompts, trunks, seal }: &Surroundings<'_>,
    across: &mut Across,
) -> Tenant {
    let faults = top.page().faults;
    if let Some(name) = top.text("name", &format!("name = \"{file_name}\"")) {
        check_name("tenant", &name, faults);
        if name.value != file_name {
            let what = format!("tenant `{}` is written in the file of tenant `{file_name}`", name.value);
            top.fault_at(&name.at, what, format!("rename the file to {}.toml, or correct the name", name.value));
        }
    }
    let realm = read_realm(top, file_name, across);
    let sha256 = read_digest(top);
    let queues = top.list("queue", "[[queue]]");
    let queue_names = names_of("queue", &queues, faults);
    let queues: Vec<Queue> =
        queues.iter().enumerate().map(|(position, section)| read_queue(section, position, prompts)).collect();
    let flows = top.list("flow", "[[flow]]");
    let flow_names = names_of("flow", &flows, faults);
    let read = |(position, section)| read_flow(section, position, &queue_names, prompts);
    let flows: Vec<Flow> = flows.iter().enumerate().map(read).collect();
    let numbers = top.list("number", "[[number]]");
    let numbers = numbers.iter().filter_map(|section| read_number(section, file_name, &flow_names, across)).collect();
    let agents = read_agents(top, &Team { realm: &realm, sha256, seal, queues: &queue_names });
    let campaigns = read_campaigns(top, &Around { queues: &queue_names, trunks });
    let takes_anonymous = top.flag("takes_anonymous", true);
    top.finish();
    Tenant {
        id: TenantId(0),
        name: file_name.to_owned(),
        realm,
        shard: ShardId(0),
        numbers,
        flows,
        queues,
        agents,
        campaigns,
        takes_anonymous,
        offers_sha256: sha256,
    }
}

fn read_campaigns(top: &Section<'_>, around: &Around<'_>) -> Vec<Campaign> {
    let sections = top.list("campaign", "[[campaign]]");
    // Only for their faults: nothing points to a campaign.
    names_of("campaign", &sections, top.page().faults);
    let read = |(position, section)| read_campaign(section, position, around);
    sections.iter().enumerate().filter_map(read).collect()
}

/// Collected before anything is read: things may point to what is written further down.
fn names_of<'a>(kind: &'static str, sections: &[Section<'a>], faults: &'a Faults) -> Names<'a> {
    let mut names = Names::new(kind, faults);
    for (position, section) in sections.iter().enumerate() {
        if let Some(name) = section.text("name", "name = \"NAME\"") {
            names.add(position, &name);
        }
    }
    names
}

fn read_realm(top: &Section<'_>, tenant: &str, across: &mut Across) -> String {
    let Some(realm) = top.text("realm", "realm = \"acme.example.com\"") else { return String::new() };
    // Hashes of passwords are made over the realm letter by letter, while domains ignore case: with one way of writing
    // it, the two cannot disagree.
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
    if realm.value.is_empty() || realm.value.len() > MAX_REALM_CHARS || !realm.value.chars().all(plain) {
        let fix = format!("write a domain of 1 to {MAX_REALM_CHARS} of a-z 0-9 . -, in lower case");
        top.fault_at(&realm.at, format!("`{}` is no realm", realm.value), fix);
    }
    claim(top, "realm", tenant, &realm, &mut across.realms);
    realm.value
}

/// Whether phones are offered SHA-256 beside MD5.
fn read_digest(top: &Section<'_>) -> bool {
    let Some(digest) = top.optional_text("digest", "digest = \"md5\"") else { return false };
    if !matches!(digest.value.as_str(), "md5" | "sha-256") {
        top.fault_at(&digest.at, format!("`{}` is no digest", digest.value), "write md5 or sha-256");
    }
    digest.value == "sha-256"
}

fn read_number(section: &Section<'_>, tenant: &str, flows: &Names<'_>, across: &mut Across) -> Option<Number> {
    let number = section.text("number", "number = \"+4930123456\"");
    let flow = section.text("flow", "flow = \"main\"");
    section.finish();
    let flow = flow.and_then(|flow| flows.find(&flow));
    let number = number?;
    if !is_number(&number.value) {
        let fix = "write + and 7 to 15 digits beginning with the country code, or a short code of 2 to 6 digits";
        section.fault_at(&number.at, format!("`{}` is no number", number.value), fix);
    }
    across.count.one(|| number.at.clone());
    claim(section, "number", tenant, &number, &mut across.numbers);
    Some(Number { number: number.value, flow: FlowId(flow? as u32) })
}

fn claim(
    section: &Section<'_>,
    kind: &str,
    tenant: &str,
    value: &Written<String>,
    taken: &mut BTreeMap<String, Place>,
) {
    if let Some(first) = taken.get(&value.value) {
        let owner = tenant_of(&first.file).unwrap_or_default();
        let what = format!("{kind} {} is already used by tenant {owner} ({first})", value.value);
        let fix = if owner == tenant { "remove one of the two" } else { "give it to one of them" };
        section.fault_at(&value.at, what, fix);
        return;
    }
    taken.insert(value.value.clone(), value.at.clone());
}

fn is_number(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match text.strip_prefix('+') {
        // No country code begins with 0: such a number was written with a trunk prefix.
        Some(e164) => digits(e164) && NUMBER_DIGITS.contains(&e164.len()) && !e164.starts_with('0'),
        None => digits(text) && SHORT_CODE_DIGITS.contains(&text.len()),
    }
}

/// `acme` for `tenants/acme.toml`.
pub(crate) fn tenant_of(file: &str) -> Option<&str> {
    let name = file.strip_prefix(TENANTS)?.strip_suffix(".toml")?;
    (!name.contains('/')).then_some(name)
}
