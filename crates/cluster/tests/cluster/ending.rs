//! A node that is told to stop gives its leads away, and lives on for some seconds.

use std::time::{Duration, Instant};

use strowger_model::GroupId;

use crate::balance::{Nodes, START};

/// Longer than the others wait before they bring a lead home.
const WHILE: Duration = Duration::from_secs(6);

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_ends_is_not_handed_its_leads_back() {
    let nodes = Nodes::start().await;
    nodes.until("all nodes are up", START, Nodes::are_up).await;
    // The control group is at home at the first voter.
    let leads = |nodes: &Nodes, at: usize| nodes.running[at].context.groups.leads(GroupId::CONTROL).is_some();
    nodes.until("the lead is at home", START, |nodes| leads(nodes, 0)).await;
    nodes.running[0].retire().await;
    nodes.until("another leads", START, |nodes| leads(nodes, 1) || leads(nodes, 2)).await;
    let begun = Instant::now();
    while begun.elapsed() < WHILE {
        assert!(!leads(&nodes, 0), "it leads again after {:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
