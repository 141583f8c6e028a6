//! What Prometheus finds: dashboards and alerts are written against names and labels, so none of them changes unseen.

use std::collections::BTreeMap;

use crate::world::World;
use crate::world::campaign::list;

/// `name kind label,label help` of each metric that a node has from its start.
const LIST: &str = include_str!("metrics.txt");

#[tokio::test(flavor = "multi_thread")]
async fn names_kinds_labels_and_helps_stay() {
    let world = World::with_campaigns().await;
    let (_, text) = world.text("GET", "/metrics", None, Vec::new()).await;
    assert_eq!(described(&text), LIST, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_those_of_the_table() {
    let world = World::with_campaigns().await;
    world.import("", list(&["+442071838750,Ann,London", "+442071838751,Bob,London"])).await;
    let call = world.admit().await;
    world.end(call).await;
    let (_, text) = world.text("GET", "/metrics", None, Vec::new()).await;
    let says = |line: &str| assert!(text.lines().any(|other| other == line), "no `{line}` in {text}");
    says("strowger_calls{shard=\"0\",stage=\"ended\"} 1");
    says("strowger_calls{shard=\"0\",stage=\"dialling\"} 0");
    says("strowger_calls{shard=\"0\",stage=\"talking\"} 0");
    says("strowger_agents{shard=\"0\",state=\"reserved\"} 0");
    says("strowger_campaign_running{tenant=\"acme\",campaign=\"spring\"} 0");
    says("strowger_campaign_leads{tenant=\"acme\",campaign=\"spring\"} 2");
    says("strowger_campaign_leads_done{tenant=\"acme\",campaign=\"spring\"} 0");
    says("strowger_campaign_reserved{tenant=\"acme\",campaign=\"spring\"} 0");
    says("strowger_campaign_ringing{tenant=\"acme\",campaign=\"spring\"} 0");
    says("strowger_campaign_talking{tenant=\"acme\",campaign=\"spring\"} 0");
    says("strowger_campaign_dialled_total{tenant=\"acme\",campaign=\"spring\"} 0");
    says("strowger_campaign_dialled_total{tenant=\"acme\",campaign=\"desk\"} 0");
    says("strowger_campaign_results_total{tenant=\"acme\",campaign=\"spring\",result=\"busy\"} 0");
    says("strowger_node{what=\"active\"} 1");
    says("strowger_group{group=\"0\",what=\"leads\"} 1");
    assert!(text.contains("strowger_commit_seconds_bucket{le=\"0.0064\"} "), "{text}");
    assert_eq!(text.matches("strowger_log_fsync_seconds_bucket{le=").count(), 19, "{text}");
}

/// The text without its values, one line a metric, in the order of the names.
fn described(text: &str) -> String {
    let (mut helps, mut kinds, mut labels) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|line| line.split_once(' ')) {
            helps.insert(name, help);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|line| line.split_once(' ')) {
            kinds.insert(name, kind);
        } else {
            let series = line.split(' ').next().unwrap_or_default();
            let (name, of) = series.split_once('{').unwrap_or((series, ""));
            let keys = of.split(',').filter_map(|label| label.split_once('=')).map(|(key, _)| key);
            let bare = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
            let name = bare.filter(|bare| kinds.get(bare) == Some(&"histogram")).unwrap_or(name);
            labels.entry(name).or_insert_with(|| keys.collect::<Vec<_>>().join(","));
        }
    }
    assert!(helps.keys().eq(kinds.keys()) && kinds.keys().eq(labels.keys()), "{text}");
    let line = |(name, help): (&&str, &&str)| format!("{name} {} {} {help}\n", kinds[*name], labels[*name]);
    helps.iter().map(line).collect()
}
