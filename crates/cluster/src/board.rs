//! The wallboard's figures: what the table says now, and what left the queues lately. Made at most once a second,
//! however many look at it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use strowger_model::{Mono, NodeId, Outcome, QueueId, ShardId};
use strowger_table::{Record, Shard};

use crate::campaigns::CampaignFigures;
use crate::context::{Context, shard_of};
use crate::desk::Overview;
use crate::sums::QueueLine;

/// How far the recent past reaches. Long enough to be calm, short enough to answer "how are we doing?".
const WINDOW_MIN: u64 = 30;
const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;
const SECOND_US: u64 = 1_000_000;

/// All that a wallboard shows. It holds no moment, so that two boards of a quiet cluster are equal.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Board {
    /// Who made it.
    pub node: NodeId,
    /// Whether that node takes calls.
    pub active: bool,
    pub config_version: u64,
    /// Leases past their deadline; must be 0.
    pub stuck: usize,
    /// How many minutes `recent` reaches back.
    pub window_min: u64,
    pub nodes: Vec<NodeBox>,
    pub groups: Vec<GroupBox>,
    pub relays: Vec<RelayBox>,
    pub queues: Vec<QueueBox>,
    pub campaigns: Vec<CampaignFigures>,
    pub agents: BTreeMap<&'static str, usize>,
    pub tenants: Vec<TenantBox>,
    pub calls: BTreeMap<&'static str, usize>,
    /// What left all queues together in the window.
    pub recent: Tally,
    pub service_level: Option<f64>,
    /// Calls that ended since midnight, UTC.
    pub today: BTreeMap<&'static str, u64>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct NodeBox {
    pub node: NodeId,
    pub up: bool,
    pub connected: bool,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct GroupBox {
    /// `control` or `shard-N`.
    pub name: String,
    pub leader: Option<NodeId>,
    /// Known on the leader alone: the most entries that a voter lacks, none while one has not answered.
    pub lag: Option<u64>,
    pub diverged: bool,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct RelayBox {
    pub relay: String,
    pub connected: bool,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct QueueBox {
    pub tenant: String,
    pub name: String,
    pub waiting: usize,
    pub longest_wait_ms: u64,
    pub idle: usize,
    /// A call answered within this time counts into the service level.
    pub service_level_ms: u32,
    /// Share of the calls that left the queue in the window which were answered in time; none when none left.
    pub service_level: Option<f64>,
    #[serde(flatten)]
    pub recent: Tally,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct TenantBox {
    pub tenant: String,
    pub agents: BTreeMap<&'static str, usize>,
    pub calls: BTreeMap<&'static str, usize>,
}

/// How calls left a queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Tally {
    pub answered: u64,
    /// Of those, answered within the queue's service level.
    pub in_time: u64,
    pub abandoned: u64,
    pub overflowed: u64,
    pub failed: u64,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.answered += other.answered;
        self.in_time += other.in_time;
        self.abandoned += other.abandoned;
        self.overflowed += other.overflowed;
        self.failed += other.failed;
    }

    /// In thousandths, so that a board's text stays short.
    pub fn service_level(&self) -> Option<f64> {
        let left = self.answered + self.abandoned + self.overflowed + self.failed;
        (left > 0).then(|| (self.in_time * 1000 / left) as f64 / 1000.0)
    }

    fn count(&mut self, outcome: Outcome, is_in_time: bool) {
        match outcome {
            Outcome::Answered => {
                self.answered += 1;
                self.in_time += u64::from(is_in_time);
            }
            Outcome::Abandoned => self.abandoned += 1,
            Outcome::Overflowed => self.overflowed += 1,
            // A queue's calls do not end otherwise.
            Outcome::Failed | Outcome::Rejected | Outcome::ServedByFlow | Outcome::NotReached => self.failed += 1,
        }
    }
}

/// The newest board and what it remembers from one second to the next.
#[derive(Default)]
pub(crate) struct Boards(Mutex<State>);

#[derive(Default)]
struct State {
    /// With the second it was made in.
    newest: Option<(u64, Arc<Board>)>,
    history: History,
}

impl Context {
    /// Made in this second of this process's clock: whoever asks just after a second began gets it fresh.
    pub fn board(&self) -> Arc<Board> {
        let Mono(now) = self.now();
        let second = now / SECOND_US;
        let mut state = self.boards.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, board)) = state.newest.as_ref().filter(|(made, _)| *made == second) {
            return board.clone();
        }
        self.remember(&mut state.history);
        let board = Arc::new(Board::new(self.me, self.overview(), &state.history));
        state.newest = Some((second, board.clone()));
        board
    }

    fn remember(&self, history: &mut History) {
        let now_ms = wall_ms();
        for shard in self.shards() {
            let Some(view) = self.shard_view(shard) else { continue };
            if let Some(table) = shard_of(&view) {
                history.read(shard, table, now_ms);
            }
        }
        history.forget(now_ms);
    }
}

fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

impl Board {
    fn new(me: NodeId, overview: Overview, history: &History) -> Self {
        let recent = history.recent();
        let mut all = Tally::default();
        recent.values().for_each(|tally| all.add(*tally));
        let queue = |line: QueueLine| QueueBox::new(line, &recent);
        Board {
            node: me,
            active: overview.active,
            config_version: overview.config_version,
            stuck: overview.stuck,
            window_min: WINDOW_MIN,
            nodes: overview
                .nodes
                .into_iter()
                .map(|line| NodeBox { node: line.node, up: line.up, connected: line.connected })
                .collect(),
            groups: overview
                .groups
                .into_iter()
                .map(|line| GroupBox {
                    name: line.name(),
                    leader: line.leader,
                    lag: if line.lag.is_empty() {
                        None
                    } else {
                        line.lag.values().copied().collect::<Option<Vec<u64>>>().and_then(|lags| lags.into_iter().max())
                    },
                    diverged: line.diverged,
                })
                .collect(),
            relays: overview.relays.into_iter().map(|(relay, connected)| RelayBox { relay, connected }).collect(),
            queues: overview.queues.into_iter().map(queue).collect(),
            campaigns: overview.campaigns.into_iter().map(|line| line.figures).collect(),
            agents: overview.agents,
            tenants: overview
                .tenants
                .into_iter()
                .map(|line| TenantBox { tenant: line.tenant, agents: line.agents, calls: line.calls })
                .collect(),
            calls: overview.calls,
            recent: all,
            service_level: all.service_level(),
            today: history.today.iter().map(|(outcome, calls)| (outcome.as_str(), *calls)).collect(),
        }
    }
}

impl QueueBox {
    fn new(line: QueueLine, recent: &HashMap<QueueId, Tally>) -> Self {
        let recent = recent.get(&line.queue).copied().unwrap_or_default();
        Self {
            tenant: line.tenant,
            name: line.name,
            waiting: line.waiting,
            longest_wait_ms: line.longest_wait.as_millis() as u64,
            idle: line.idle,
            service_level_ms: line.service_level_ms,
            service_level: recent.service_level(),
            recent,
        }
    }
}

/// What the outboxes said so far. Each record is read once; a new process reads again what the outboxes still hold.
#[derive(Default)]
struct History {
    cursors: HashMap<ShardId, u64>,
    minutes: BTreeMap<u64, HashMap<QueueId, Tally>>,
    /// In days since the Unix epoch.
    day: u64,
    today: BTreeMap<Outcome, u64>,
}

impl History {
    fn read(&mut self, shard: ShardId, table: &Shard, now_ms: u64) {
        if self.day != now_ms / DAY_MS {
            self.day = now_ms / DAY_MS;
            self.today = Outcome::ALL.into_iter().map(|outcome| (outcome, 0)).collect();
        }
        let mut cursor = self.cursors.get(&shard).copied().unwrap_or_default();
        for (number, record) in table.records(cursor) {
            cursor = number;
            self.take(table, record, now_ms);
        }
        self.cursors.insert(shard, cursor);
    }

    fn take(&mut self, table: &Shard, record: &Record, now_ms: u64) {
        // Its second writing, after the wrap-up: this call was counted when it ended.
        if record.wrap_ms.is_some() {
            return;
        }
        let ended_ms = record.admitted.0 + record.total_ms;
        if ended_ms / DAY_MS == self.day {
            *self.today.entry(record.outcome).or_default() += 1;
        }
        // Who was called has not waited in a queue.
        if record.dial.is_some() {
            return;
        }
        let Some(queue) = record.queue.filter(|_| ended_ms / MINUTE_MS + WINDOW_MIN > now_ms / MINUTE_MS) else {
            return;
        };
        let allowed = table.tenant(record.tenant).and_then(|tenant| tenant.queue(queue));
        let allowed_ms = allowed.map_or(0, |queue| u64::from(queue.service_level_ms));
        let is_in_time = record.wait_ms.is_some_and(|wait_ms| wait_ms <= allowed_ms);
        let tally = self.minutes.entry(ended_ms / MINUTE_MS).or_default().entry(queue).or_default();
        tally.count(record.outcome, is_in_time);
    }

    fn forget(&mut self, now_ms: u64) {
        self.minutes = self.minutes.split_off(&(now_ms / MINUTE_MS + 1).saturating_sub(WINDOW_MIN));
    }

    fn recent(&self) -> HashMap<QueueId, Tally> {
        let mut sum: HashMap<QueueId, Tally> = HashMap::new();
        for (queue, tally) in self.minutes.values().flatten() {
            sum.entry(*queue).or_default().add(*tally);
        }
        sum
    }
}
