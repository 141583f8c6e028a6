//! Names in `[outbound]` of the node's file: whether the configuration in force has them. One that is misspelt would let
//! pass what its list denies, and nobody would see it.

use std::collections::BTreeMap;

use strowger_model::{Destinations, GroupId, Prefixes};

use crate::context::Context;

/// So many of the names that are known are shown.
const SHOWN: usize = 8;

/// Says what of the file names nothing, for each configuration that comes in force. The node goes on: a tenant that was
/// removed is no reason to take no calls.
pub(crate) fn tell_unknown(context: &Context) {
    let directory = context.directory();
    let view = context.groups.view(GroupId::CONTROL);
    let Some(control) = view.machine.control() else { return };
    let tenants: Vec<&str> = directory.tenants().map(|tenant| tenant.name.as_str()).collect();
    // While a node catches up, some of the tenants are not here yet, or nothing is.
    if directory.version == 0 || tenants.len() < control.tenants().len() {
        return;
    }
    let trunks: Vec<&str> = directory.trunks.iter().map(|trunk| trunk.name.as_str()).collect();
    for fault in unknown(&context.destinations(), &tenants, &trunks) {
        tracing::error!("{fault}");
    }
}

fn unknown(lists: &Destinations, tenants: &[&str], trunks: &[&str]) -> Vec<String> {
    let of_kind = |kind: &'static str, named: &BTreeMap<String, Prefixes>, known: &[&str]| {
        let mut shown = known.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
        if known.len() > SHOWN {
            shown += &format!(" and {} more", known.len() - SHOWN);
        }
        let unknown = named.keys().filter(|name| !known.contains(&name.as_str()));
        let say = |name: &String| {
            format!(
                "[[outbound.{kind}]] of this node's file names `{name}`, and the configuration in force has no {kind} of \
                 that name, so these lists and caps count for nobody: write one of those that it has ({shown}) and tell \
                 the node to read its file again (SIGHUP), or apply a configuration with `{name}`"
            )
        };
        unknown.map(say).collect::<Vec<_>>()
    };
    let (tenants, trunks) = (of_kind("tenant", &lists.tenants, tenants), of_kind("trunk", &lists.trunks, trunks));
    tenants.into_iter().chain(trunks).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_the_configuration_does_not_have_is_told_with_those_that_it_has() {
        let named = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), Prefixes::default())).collect();
        let lists =
            Destinations { tenants: named(&["acem", "acme"]), trunks: named(&["carrier"]), ..Destinations::default() };
        let told = unknown(&lists, &["acme", "beta"], &["carrier"]);
        let [fault] = &told[..] else { panic!("{told:?}") };
        for part in ["[[outbound.tenant]]", "`acem`", "(acme, beta)", "count for nobody"] {
            assert!(fault.contains(part), "{part}: {fault}");
        }
        let many: Vec<String> = (0..10).map(|no| format!("t{no}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let told = unknown(&lists, &["acem", "acme"], &many);
        assert!(
            told.len() == 1 && told[0].contains("[[outbound.trunk]]") && told[0].contains("t7 and 2 more"),
            "{told:?}"
        );
    }
}
