//! Agents whose phones have no connection are spread over the nodes, and are spread again after all nodes were restarted.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use strowger_cluster::{Cluster, Context, Options};
use strowger_link::Identity;
use strowger_model::config::{Agent, Phone, Tenant};
use strowger_model::{AgentId, Far, GroupId, NodeId, PeerId, ShardId, TenantId};
use strowger_table::{RowKey, heir_of};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::rig::free;

const SHARD: ShardId = ShardId(0);
/// What the cluster has for coming back to balance after the last restart.
const BALANCE: Duration = Duration::from_secs(30);

/// A process that can be killed: its tasks end with its runtime, in no order.
struct Process {
    runtime: Runtime,
    cluster: Cluster,
}

struct Nodes {
    links: Vec<(NodeId, SocketAddr)>,
    sip: SocketAddr,
    dir: TempDir,
    running: Vec<Process>,
}

impl Nodes {
    fn start() -> Self {
        let links = (1..=3).map(|id| (NodeId(id), free())).collect();
        let dir = TempDir::new().expect("a temporary directory");
        let mut nodes = Nodes { links, sip: free(), dir, running: Vec::new() };
        nodes.running = nodes.links.iter().map(|(node, link)| nodes.begin(*node, *link)).collect();
        nodes
    }

    fn begin(&self, me: NodeId, link_listen: SocketAddr) -> Process {
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
            nonce_key: vec![7; 32],
            max_calls: 10,
            max_calls_per_second: 10,
            test_break: None,
        };
        let runtime = Runtime::new().expect("a runtime");
        let cluster = runtime.block_on(Cluster::start(options)).expect("a node starts");
        Process { runtime, cluster }
    }

    fn restart(&mut self, at: usize) {
        let Process { runtime, cluster } = self.running.remove(at);
        drop(cluster);
        runtime.shutdown_timeout(Duration::from_secs(5));
        let (node, link) = self.links[at];
        let process = self.begin(node, link);
        self.running.insert(at, process);
    }

    fn contexts(&self) -> impl Iterator<Item = &Arc<Context>> {
        self.running.iter().map(|process| &process.cluster.context)
    }

    /// All are up, and each knows the others as they are now.
    fn are_up(&self) -> bool {
        let now: Vec<_> = self.contexts().map(|context| (context.me, context.incarnation())).collect();
        self.contexts().all(|context| {
            let view = context.groups.view(GroupId::CONTROL);
            context.overview().active && view.machine.control().is_some_and(|control| control.live() == now)
        })
    }

    /// Whether each agent's owner is its heir, and every node has some.
    fn are_in_balance(&self) -> bool {
        let context = &self.running[0].cluster.context;
        let (control, view) = (context.groups.view(GroupId::CONTROL), context.groups.view(SHARD.group()));
        let (Some(control), Some(table)) = (control.machine.control(), view.machine.shard()) else { return false };
        let live = control.live();
        let at_home = |agent: &strowger_table::Agent| {
            agent.owner.is_some() && agent.owner == heir_of(&live, RowKey::Agent(agent.id))
        };
        let owners: BTreeSet<_> = table.agents().filter_map(|agent| agent.owner).collect();
        table.agents().count() > 0 && owners.len() == live.len() && table.agents().all(|agent| at_home(agent))
    }

    fn until(&self, what: &str, within: Duration, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < within, "not within {within:?}: {what}");
            std::thread::sleep(Duration::from_millis(50));
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
    Tenant {
        id: TenantId(1),
        name: "acme".into(),
        realm: "acme.example".into(),
        shard: SHARD,
        numbers: Vec::new(),
        flows: Vec::new(),
        queues: Vec::new(),
        agents: (1..=30).map(agent).collect(),
        campaigns: Vec::new(),
        takes_anonymous: true,
    }
}

#[test]
fn after_a_restart_of_all_nodes_every_agent_is_back_where_it_belongs() {
    let mut nodes = Nodes::start();
    nodes.until("all nodes are up", BALANCE, Nodes::are_up);
    let first = &nodes.running[0];
    let configured = first.cluster.context.configure(1, vec![tenant()], Vec::new());
    first.runtime.block_on(configured).expect("a configuration");
    nodes.until("agents are spread", BALANCE, Nodes::are_in_balance);
    for node in 0..nodes.running.len() {
        nodes.restart(node);
        nodes.until("the node is back", BALANCE, Nodes::are_up);
    }
    nodes.until("agents are spread again", BALANCE, Nodes::are_in_balance);
}
