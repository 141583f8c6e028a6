//! `[outbound]` of a node's file: which numbers are dialled.

use std::collections::BTreeMap;

use strowger_model::{Destinations, Prefix, Prefixes};

use crate::limits::Count;
use crate::section::Section;

/// Prefixes of one list: each is looked at for every number that is dialled.
const MAX_PREFIXES: usize = 1000;

pub(super) fn read_outbound(top: &Section<'_>) -> Destinations {
    let Some(section) = top.sub("outbound", "[outbound]") else { return Destinations::default() };
    let destinations = Destinations {
        everyone: read_prefixes(&section),
        tenants: read_named(&section, "tenant", "[[outbound.tenant]]"),
        trunks: read_named(&section, "trunk", "[[outbound.trunk]]"),
    };
    section.finish();
    destinations
}

fn read_named(section: &Section<'_>, key: &'static str, title: &'static str) -> BTreeMap<String, Prefixes> {
    let mut named = BTreeMap::new();
    for section in section.list(key, title) {
        let name = section.text("name", "name = \"acme\"");
        let prefixes = read_prefixes(&section);
        section.finish();
        let Some(name) = name else { continue };
        if named.insert(name.value.clone(), prefixes).is_some() {
            let what = format!("{key} `{}` stands twice in `outbound`", name.value);
            section.fault_at(&name.at, what, "put both together");
        }
    }
    named
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
