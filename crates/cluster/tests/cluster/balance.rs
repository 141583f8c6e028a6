//! Agents whose phones have no connection, and campaigns, are spread over the nodes, and are spread again after all nodes were
//! restarted.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use strowger_cluster::{Cluster, Context, DataKeys, Options, Retention, Tuning};
use strowger_link::Identity;
use strowger_model::config::{Agent, Campaign, DialMode, LeadColumns, Phone, Queue, Strategy, Tenant};
use strowger_model::{AgentId, CampaignId, Digest, Far, GroupId, NodeId, PeerId, QueueId, ShardId, TenantId, TrunkId};
use strowger_table::{RowKey, heir_of};
use tempfile::TempDir;

use crate::rig::free;

const SHARD: ShardId = ShardId(0);
/// What the cluster has for coming back to balance after the last restart.
const BALANCE: Duration = Duration::from_secs(30);
/// Each with a queue of its own, for campaigns of one queue have one owner.
const CAMPAIGNS: u32 = 12;
/// For a node to come up on a busy machine.
pub(crate) const START: Duration = Duration::from_secs(60);

/// Three nodes, which can be stopped and started again.
pub(crate) struct Nodes {
    links: Vec<(NodeId, SocketAddr)>,
    sip: SocketAddr,
    dir: TempDir,
    pub running: Vec<Cluster>,
}

impl Nodes {
    pub async fn start() -> Self {
        let links = (1..=3).map(|id| (NodeId(id), free())).collect();
        let dir = TempDir::new().expect("a temporary directory");
        let mut nodes = Nodes { links, sip: free(), dir, running: Vec::new() };
        for (node, link) in nodes.links.clone() {
            let begun = nodes.begin(node, link).await;
            nodes.running.push(begun);
        }
        nodes
    }

    async fn begin(&self, me: NodeId, link_listen: SocketAddr) -> Cluster {
        let data_dir = self.dir.path().join(me.to_string());
        std::fs::create_dir_all(&data_dir).expect("a directory");
        let tls = self.dir.path().join("tls");
        let options = Options {
            me,
            voters: self.links.clone(),
            relays: Vec::new(),
            shards: 1,
            data_dir,
            identity: Identity::development(&tls, PeerId::Node(me)).expect("an identity"),
            link_listen,
            sip: strowger_trunk::Options { shared: self.sip, own: None },
            advertised: self.sip.to_string(),
            data_keys: DataKeys::parse(&"07".repeat(32)).expect("a key"),
            destinations: Default::default(),
            caps: Default::default(),
            proxies: Vec::new(),
            max_calls: 10,
            max_calls_per_second: 10,
            retention: Retention::default(),
            tuning: Tuning::default(),
            test_break: None,
        };
        Cluster::start(options).await.expect("a node starts")
    }

    /// Away until the others have taken over what it had.
    async fn restart(&mut self, at: usize) {
        let held = Arc::downgrade(&self.running[at].context);
        self.running.remove(at).stop().await;
        assert!(held.upgrade().is_none(), "something of the node goes on");
        let (node, link) = self.links[at];
        self.until("the others have its agents and campaigns", START, |nodes| !nodes.owners().contains(&node)).await;
        let begun = self.begin(node, link).await;
        self.running.insert(at, begun);
    }

    fn contexts(&self) -> impl Iterator<Item = &Arc<Context>> {
        self.running.iter().map(|node| &node.context)
    }

    /// All are up, and each knows the others as they are now.
    pub fn are_up(&self) -> bool {
        let now: Vec<_> = self.contexts().map(|context| (context.me, context.incarnation())).collect();
        self.contexts().all(|context| {
            let view = context.groups.view(GroupId::CONTROL);
            context.overview().active && view.machine.control().is_some_and(|control| control.live() == now)
        })
    }

    fn owners(&self) -> BTreeSet<NodeId> {
        let view = self.running[0].context.groups.view(SHARD.group());
        let Some(table) = view.machine.shard() else { return BTreeSet::new() };
        let of_agents = table.agents().filter_map(|agent| agent.owner).map(|(node, _)| node);
        of_agents.chain(table.campaigns().filter_map(|ledger| ledger.owner).map(|owner| owner.node)).collect()
    }

    /// Whether each agent's and each campaign's owner is its heir, and every node has some.
    fn are_in_balance(&self) -> bool {
        let context = &self.running[0].context;
        let (control, view) = (context.groups.view(GroupId::CONTROL), context.groups.view(SHARD.group()));
        let (Some(control), Some(table)) = (control.machine.control(), view.machine.shard()) else { return false };
        let live = control.live();
        let at_home = |agent: &strowger_table::Agent| {
            agent.owner.is_some() && agent.owner == heir_of(&live, RowKey::Agent(agent.id))
        };
        let paced_at_home = |ledger: &strowger_table::Ledger| {
            let owner = ledger.owner.map(|owner| (owner.node, owner.incarnation));
            owner.is_some() && owner == heir_of(&live, ledger.heir_key())
        };
        table.agents().count() > 0
            && table.campaigns().count() == CAMPAIGNS as usize
            && self.owners().len() == live.len()
            && table.agents().all(|agent| at_home(agent))
            && table.campaigns().all(|ledger| paced_at_home(ledger))
    }

    pub async fn until(&self, what: &str, within: Duration, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < within, "not within {within:?}: {what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn tenant() -> Tenant {
    let agent = |id: u32| Agent {
        id: AgentId(id),
        name: id.to_string(),
        queues: Vec::new(),
        phone: Phone::Static { uri: format!("sip:{id}@192.0.2.20"), far: Far::udp(([192, 0, 2, 20], 5060)) },
        ready_at_login: true,
        site: String::new(),
    };
    let queue = |id: u32| Queue {
        id: QueueId(id),
        name: id.to_string(),
        strategy: Strategy::LongestIdle,
        music: Digest([7; 32]),
        ring_timeout_ms: 15_000,
        wrap_up_ms: 0,
        max_misses: 0,
        miss_pause_ms: 0,
        max_waiting: 10,
        max_wait_ms: 60_000,
        service_level_ms: 20_000,
    };
    // Nobody starts them: whoever would pace them is their owner all the same.
    let campaign = |id: u32| Campaign {
        id: CampaignId(id),
        name: id.to_string(),
        mode: DialMode::Progressive,
        queue: QueueId(id),
        trunk: TrunkId(1),
        caller_id: "+4930100".parse().expect("a number"),
        ring_timeout_ms: 2500,
        keep_idle: 0,
        start: false,
        max_attempts: 1,
        retries: Vec::new(),
        zone: Some("Europe/Berlin".into()),
        hours: Vec::new(),
        columns: LeadColumns { number: "number".into(), zone: None },
    };
    Tenant {
        id: TenantId(1),
        name: "acme".into(),
        realm: "acme.example".into(),
        shard: SHARD,
        numbers: Vec::new(),
        flows: Vec::new(),
        queues: (1..=CAMPAIGNS).map(queue).collect(),
        agents: (1..=30).map(agent).collect(),
        campaigns: (1..=CAMPAIGNS).map(campaign).collect(),
        takes_anonymous: true,
        offers_sha256: false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_of_all_nodes_every_agent_and_campaign_is_back_where_it_belongs() {
    let mut nodes = Nodes::start().await;
    nodes.until("all nodes are up", START, Nodes::are_up).await;
    let configured = nodes.running[0].context.configure(1, vec![tenant()], Vec::new()).await;
    configured.expect("a configuration");
    nodes.until("all are spread", BALANCE, Nodes::are_in_balance).await;
    for node in 0..nodes.running.len() {
        nodes.restart(node).await;
        nodes.until("the node is back", START, Nodes::are_up).await;
    }
    nodes.until("all are spread again", BALANCE, Nodes::are_in_balance).await;
}
