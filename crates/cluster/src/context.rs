//! What every part of a node may use: handles, no state of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use strowger_agent::Guesses;
use strowger_figures::metrics::Counters;
use strowger_link::Link;
use strowger_model::config::Trunk;
use strowger_model::{
    Destinations, Far, GroupId, Incarnation, LegKey, LogNow, Mono, Network, NodeId, OutboundCaps, Owner, ShardId,
    TrunkId,
};
use strowger_raft::{Groups, View, clock};
use strowger_sip::Message;
use strowger_store::Store;
use strowger_switch::{Heard, lines};
use strowger_table::{Body, Command, Control, ControlCommand, Outcome, Refusal, Shard};
use strowger_trunk::{Edge, Incoming, Kind};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::actor::{Agents, Calls, Pacers, pacer};
use crate::board::Boards;
use crate::content::Content;
use crate::data_keys::{DataKeys, KeyInUse};
use crate::directory::Directory;
use crate::done::Performed;
use crate::ending::Ending;
use crate::explain::Decisions;
use crate::keyring::Keyring;
use crate::newest::Newest;
use crate::news::News;
use crate::outbound_names;
use crate::posts::Posts;
use crate::relays::Relays;
use crate::sabotage::TestBreak;
use crate::spending::Spent;
use crate::sweeps::Sweeps;
use crate::tasks::Begun;

/// What the tasks and actors of one node share: what it speaks through, who acts here, what wakes them.
pub struct Context {
    /// Which node this is.
    pub me: NodeId,
    /// Its replicas of all groups, and the way into their logs.
    pub groups: Groups,
    /// To other nodes and to relays.
    pub link: Link,
    /// SIP sockets.
    pub edge: Edge,
    /// What other nodes say for this one.
    pub(crate) posts: Posts,
    /// The relays, and the orders to them.
    pub relays: Relays,
    /// Who acts for the calls that this node owns.
    pub(crate) calls: Calls,
    /// Who acts for the agents that this node owns, or that register here.
    pub(crate) agents: Agents,
    /// Who dials for the campaigns that this node owns: one for all of them.
    pub(crate) pacers: Pacers,
    /// Prompts, lists and configurations on this node's disk.
    pub content: Content,
    /// What this node counts for Prometheus.
    pub(crate) figures: Counters,
    /// Call records.
    pub store: Store,
    /// Where far ends reach the cluster: no phone is there.
    pub(crate) sip_addresses: Vec<SocketAddr>,
    /// With which secrets are sealed and opened, and SIP messages say whose they are.
    pub(crate) keyring: Keyring,
    /// What of the world is dialled.
    destinations: RwLock<Arc<Destinations>>,
    pub(crate) sweeps: Arc<Sweeps>,
    /// What calls there have come to lately.
    pub(crate) spending: Spent,
    /// Where actors leave the duties that they have done.
    pub(crate) performed: Performed,
    /// Who guesses at passwords.
    pub(crate) guesses: Mutex<Guesses>,
    /// For each shard's leader.
    news: Vec<News>,
    /// The control group has a new state, or a group another leader.
    pub(crate) control_changed: Notify,
    /// An outbox may have more.
    pub(crate) records_changed: Notify,
    /// A fault that a test has planted.
    pub(crate) test_break: Option<TestBreak>,
    /// What wallboards show.
    pub(crate) boards: Boards,
    /// What became of the youngest calls, and why.
    pub(crate) decision_log: Decisions,
    /// What goes on here, until the node has ended.
    pub(crate) begun: Begun,
    /// Whether the node was told to stop, and how far it is.
    pub(crate) ending: Ending,
    /// The configuration, for look-ups.
    pub(crate) newest: Newest,
}

/// A command that was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Its entry changed nothing.
    #[error("refused: {0:?}")]
    ByTable(Refusal),
    /// Not within its time; it may be yet.
    #[error("the cluster did not take it: {0}")]
    NotCommitted(String),
    /// Nothing was sent.
    #[error("the command has {bytes} bytes, and the log takes {} in one entry", strowger_raft::MAX_PROPOSAL_BYTES)]
    TooLarge {
        /// Of its entry.
        bytes: usize,
    },
}

/// The parts a context is made of.
pub(crate) struct Parts {
    pub me: NodeId,
    pub groups: Groups,
    pub link: Link,
    pub edge: Edge,
    pub relays: Relays,
    pub content: Content,
    pub store: Store,
    pub sip_addresses: Vec<SocketAddr>,
    pub keyring: Keyring,
    pub destinations: Destinations,
    pub caps: OutboundCaps,
    pub proxies: Vec<Network>,
    pub performed: Performed,
    pub shards: u16,
    pub test_break: Option<TestBreak>,
}

impl Context {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            newest: Newest::new(parts.groups.clone(), parts.shards),
            me: parts.me,
            groups: parts.groups,
            link: parts.link,
            edge: parts.edge,
            posts: Posts::default(),
            relays: parts.relays,
            calls: Calls::new(),
            agents: Agents::new(),
            pacers: Pacers::new(),
            content: parts.content,
            figures: Counters::default(),
            store: parts.store,
            sip_addresses: parts.sip_addresses,
            keyring: parts.keyring,
            destinations: RwLock::new(Arc::new(parts.destinations)),
            sweeps: Arc::new(Sweeps::new(parts.shards)),
            spending: Spent::new(parts.caps),
            performed: parts.performed,
            guesses: Mutex::new(Guesses::beside(parts.proxies)),
            news: (0..parts.shards).map(|_| News::default()).collect(),
            control_changed: Notify::new(),
            records_changed: Notify::new(),
            test_break: parts.test_break,
            boards: Boards::default(),
            decision_log: Decisions::default(),
            begun: Begun::new(),
            ending: Ending::new(),
        }
    }

    /// Resolves when something changes in the control group after this was asked, or a lead does.
    pub fn control_news(&self) -> Notified<'_> {
        self.control_changed.notified()
    }

    /// Ends with the node at the latest.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.begun.tasks.spawn(task);
    }

    /// Needed as long as the node lives: begins anew when it breaks.
    pub(crate) fn keep<F>(self: &Arc<Self>, name: &'static str, task: impl Fn(Arc<Self>) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        // Weakly: the context holds its tasks.
        let context = Arc::downgrade(self);
        self.begun.tasks.keep(name, move || {
            let task = context.upgrade().map(&task);
            async move {
                if let Some(task) = task {
                    task.await;
                }
            }
        });
    }

    /// What of the world is dialled at present.
    pub(crate) fn destinations(&self) -> Arc<Destinations> {
        self.destinations.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on other numbers are dialled, and so many; calls that are under way go on.
    pub fn renew_outbound(&self, destinations: Destinations, caps: OutboundCaps) {
        *self.destinations.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(destinations);
        self.spending.cap(caps);
        // Without caps no call was counted: those that are there count from now on.
        self.shards().for_each(|shard| self.sweeps.want(shard));
        self.tell_all_shards(Heard::everything);
        outbound_names::tell_unknown(self);
    }

    /// Which start of the node this is.
    pub fn incarnation(&self) -> Incarnation {
        self.groups.incarnation()
    }

    /// The clock of this process, which goes on while the machine sleeps.
    pub fn now(&self) -> Mono {
        clock::boottime()
    }

    /// Whether this start of this node is meant.
    pub fn owns(&self, owner: Owner) -> bool {
        (owner.node, owner.incarnation) == (self.me, self.incarnation())
    }

    /// All shards of the cluster; each node has a replica of each.
    pub fn shards(&self) -> impl Iterator<Item = ShardId> + use<> {
        (0..self.news.len() as u16).map(ShardId)
    }

    /// A shard as it is applied here; none if the cluster has no such shard.
    pub fn shard_view(&self, shard: ShardId) -> Option<Arc<View>> {
        (usize::from(shard.0) < self.news.len()).then(|| self.groups.view(shard.group()))
    }

    /// Lines of a trunk that calls of all shards take, as they are applied here, and calls that this node has under way to
    /// numbers outside.
    pub(crate) fn lines_of(&self, trunk: TrunkId) -> usize {
        let directory = self.directory();
        let Some(trunk) = directory.trunks.iter().find(|known| known.id == trunk) else { return 0 };
        let views: Vec<_> = self.shards().filter_map(|shard| self.shard_view(shard)).collect();
        lines(views.iter().filter_map(|view| shard_of(view)), trunk, self.spending.lines_under_way(&trunk.name))
    }

    /// How many more calls each trunk takes at once.
    pub(crate) fn free_lines(&self) -> BTreeMap<TrunkId, usize> {
        let directory = self.directory();
        let free = |trunk: &Trunk| (trunk.max_calls as usize).saturating_sub(self.lines_of(trunk.id));
        directory.trunks.iter().map(|trunk| (trunk.id, free(trunk))).collect()
    }

    /// For the leader of a shard that exists.
    pub(crate) fn news(&self, shard: ShardId) -> &News {
        &self.news[usize::from(shard.0)]
    }

    /// Something has changed that leaders and the pacer go by, in no shard's rows.
    pub(crate) fn tell_all_shards(&self, change: fn(&mut Heard)) {
        for shard in self.shards() {
            self.news(shard).tell(change);
            pacer::tell(self, shard);
        }
    }

    /// What an entry of that shard would be stamped now, as far as this node knows.
    pub fn log_now(&self, shard: ShardId) -> LogNow {
        self.groups.log_now(shard.group())
    }

    /// The configuration, for look-ups, as this node knows it.
    pub fn directory(&self) -> Arc<Directory> {
        self.newest.get()
    }

    /// Makes the directory anew if it is old; the edge hears of the trunks.
    pub(crate) fn refresh_directory(&self) {
        let before = self.directory().names.clone();
        self.newest.refresh(&self.keyring);
        // Before any record that comes under this configuration or a later one.
        self.store.remember(self.directory().names.since(&before));
        self.edge.known().set_trunks(self.directory().trunks.clone());
        outbound_names::tell_unknown(self);
    }

    /// With which secrets are sealed and opened at present.
    pub fn data_keys(&self) -> Arc<DataKeys> {
        self.keyring.data_keys()
    }

    /// Goes on with these keys. Calls that are there keep the first key of before, so it must stay among these until they
    /// are over.
    pub fn renew_data_keys(&self, keys: DataKeys) -> Result<(), KeyInUse> {
        let tokens = keys.token_keys();
        self.newest.exchange_keys(keys, &self.keyring)?;
        self.edge.renew(tokens);
        Ok(())
    }

    /// Whether the control group or a shard has another configuration than the directory shows.
    pub fn is_directory_old(&self) -> bool {
        self.newest.is_old()
    }

    /// A message that came to an actor which has its leg no more: whose it is now is asked anew. Over TCP no far end says
    /// it again.
    pub(crate) fn hear_again(&self, leg: LegKey, message: Message, source: Far) {
        let (edge, incoming) = (self.edge.clone(), Incoming { message, source, kind: Kind::Leg(leg) });
        self.spawn(async move { edge.hear_again(incoming).await });
    }

    /// Nodes that are up, as far as this one knows, without it.
    pub(crate) fn other_nodes(&self) -> impl Iterator<Item = NodeId> {
        let view = self.groups.view(GroupId::CONTROL);
        let live = view.machine.control().map_or_else(Vec::new, Control::live);
        let me = self.me;
        live.into_iter().map(|(node, _)| node).filter(move |node| *node != me)
    }

    /// None: it is down, as far as this node knows.
    pub(crate) fn lives_as(&self, node: NodeId) -> Option<Incarnation> {
        let view = self.groups.view(GroupId::CONTROL);
        let state = view.machine.control()?.node(node).filter(|state| !state.down)?;
        Some(state.incarnation)
    }

    /// Proposes to a shard, again until it is committed or `within` is over.
    pub async fn command(&self, shard: ShardId, command: Command, within: Duration) -> Result<Outcome, Refused> {
        self.propose(shard.group(), Body::Shard(command), within).await
    }

    /// Proposes to the control group, likewise.
    pub async fn control(&self, command: ControlCommand, within: Duration) -> Result<Outcome, Refused> {
        self.propose(GroupId::CONTROL, Body::Control(command), within).await
    }

    async fn propose(&self, group: GroupId, body: Body, within: Duration) -> Result<Outcome, Refused> {
        match self.groups.propose(group, body, within).await {
            Ok(Outcome::Refused(refusal)) => Err(Refused::ByTable(refusal)),
            Ok(outcome) => Ok(outcome),
            Err(strowger_raft::ProposeError::TooLarge { bytes }) => Err(Refused::TooLarge { bytes }),
            Err(fault) => Err(Refused::NotCommitted(fault.to_string())),
        }
    }
}

/// The shard of a view that is known to be one.
pub(crate) fn shard_of(view: &View) -> Option<&Shard> {
    view.machine.shard()
}
