//! `[outbound]` of a node's file: which numbers are dialled, and how many.

use std::collections::BTreeMap;

use strowger_model::{Caps, Destinations, OutboundCaps, Prefix, Prefixes};

use crate::limits::{Count, Limit, OUTBOUND_CALLS, OUTBOUND_MINUTES, OUTBOUND_NUMBERS};
use crate::names::check_name;
use crate::section::Section;

/// Prefixes of one list: each is looked at for every number that is dialled.
const MAX_PREFIXES: usize = 1000;

pub(super) fn read_outbound(top: &Section<'_>) -> (Destinations, OutboundCaps) {
    let (mut destinations, mut caps) = (Destinations::default(), OutboundCaps::default());
    let Some(section) = top.sub("outbound", "[outbound]") else { return (destinations, caps) };
    destinations.everyone = read_prefixes(&section);
    caps.each_agent = read_each(&section, "each_agent", "[outbound.each_agent]");
    caps.each_tenant = read_each(&section, "each_tenant", "[outbound.each_tenant]");
    caps.each_trunk = read_each(&section, "each_trunk", "[outbound.each_trunk]");
    (destinations.tenants, caps.tenants) = read_named(&section, "tenant", "[[outbound.tenant]]");
    (destinations.trunks, caps.trunks) = read_named(&section, "trunk", "[[outbound.trunk]]");
    section.finish();
    (destinations, caps)
}

fn read_each(section: &Section<'_>, key: &'static str, title: &'static str) -> Caps {
    let Some(section) = section.sub(key, title) else { return Caps::default() };
    let caps = read_caps(&section);
    section.finish();
    caps
}

fn read_caps(section: &Section<'_>) -> Caps {
    // A zero that is written goes before a cap of all; one that is not does not.
    let cap = |limit: &Limit| {
        let most = section.limit(limit);
        section.has(limit.key).then_some(most)
    };
    Caps {
        calls: cap(&OUTBOUND_CALLS),
        numbers_per_hour: cap(&OUTBOUND_NUMBERS),
        minutes_per_hour: cap(&OUTBOUND_MINUTES),
    }
}

type ByName<T> = BTreeMap<String, T>;

fn read_named(section: &Section<'_>, key: &'static str, title: &'static str) -> (ByName<Prefixes>, ByName<Caps>) {
    let (mut all_prefixes, mut all_caps) = (BTreeMap::new(), BTreeMap::new());
    for section in section.list(key, title) {
        let name = section.text("name", "name = \"acme\"");
        let (prefixes, caps) = (read_prefixes(&section), read_caps(&section));
        section.finish();
        let Some(name) = name else { continue };
        check_name(key, &name, section.page().faults);
        all_caps.insert(name.value.clone(), caps);
        if all_prefixes.insert(name.value.clone(), prefixes).is_some() {
            let what = format!("{key} `{}` stands twice in `outbound`", name.value);
            section.fault_at(&name.at, what, "put both together");
        }
    }
    (all_prefixes, all_caps)
}

fn read_prefixes(section: &Section<'_>) -> Prefixes {
    Prefixes {
        allow: read_list(section, "allow", "allow = [\"+49\", \"+43\"]"),
        deny: read_list(section, "deny", "deny = [\"+4932\"]"),
        costly: read_list(section, "costly", "costly = [\"+8816\"]"),
    }
}

fn read_list(section: &Section<'_>, key: &'static str, example: &str) -> Vec<Prefix> {
    let mut count = Count::new("prefixes", MAX_PREFIXES);
    let mut prefixes = Vec::new();
    for written in section.texts(key, example).into_iter().flatten() {
        count.one(|| written.at.clone());
        match written.value.parse() {
            Ok(prefix) => prefixes.push(prefix),
            Err(why) => {
                section.fault_at(
                    &written.at,
                    format!("`{}` begins no number: {why}", written.value),
                    format!("write {example}"),
                );
            }
        }
    }
    count.check("a list", "put them together into shorter ones", section.page().faults);
    prefixes
}
