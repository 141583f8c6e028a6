//! Dials for campaigns, on the node that owns them, round by round: the next one begins on the state that the last one
//! left, so nothing is dialled twice for an agent. A round is made when something has changed, and when a lead becomes
//! due or a trunk has room by itself.
//!
//! A node has one pacer for all its campaigns, because a trunk has one rate: each node that dials over it has its share.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use strowger_acd::UsableRelay;
use strowger_dialer::{Aside, Means, Payer, Spending, next_due, pace};
use strowger_model::config::{DialMode, Trunk};
use strowger_model::{CampaignId, Destinations, Incarnation, Mono, NodeId, ShardId, TrunkId, Wall};
use strowger_table::{Command, Control, Dial, Outcome, RowKey, Shard};

use crate::Gate;
use crate::turn::Turn;

/// Rounds of a shard are so far apart at least: each costs a step for every idle agent, and with more than one campaign
/// one for every live call, while calls that come in may change the shard hundreds of times a second.
const ROUND: Duration = Duration::from_millis(100);
/// While campaigns run, no round is later than this: what is due is due by the clock on the wall, which may be set.
const WALL_TRUSTED: Duration = Duration::from_secs(60);

/// While all lines of a trunk are taken, or a cap of it is reached, this later there may be room: its calls are in all shards,
/// and a shard's round hears of its own alone.
const LINE_FREE: Duration = Duration::from_secs(1);

type Process = (NodeId, Incarnation);

/// What the pacer looks at: this node's replicas, and what there is to dial with.
pub struct Scene<'a> {
    /// As far as each is applied here.
    pub shards: &'a [&'a Shard],
    /// Which nodes are up, and the trunks.
    pub control: &'a Control,
    /// Those that answer this node.
    pub relays: &'a [UsableRelay],
    /// What of the world is dialled.
    pub destinations: &'a Destinations,
    /// What calls have come to lately, those that are under way included.
    pub spending: &'a Spending,
    /// On this process's clock.
    pub now: Mono,
    /// The calendar's time.
    pub wall: Wall,
}

/// Lines of a trunk that calls take: those of the rows of all shards, and those of calls that this node has under way. No
/// entry can judge how many there are, as for calls that come in: what others dial at this moment is the most that it misses.
pub fn lines<'a>(shards: impl IntoIterator<Item = &'a Shard>, trunk: &Trunk, under_way: usize) -> usize {
    let rows: usize = shards.into_iter().map(|shard| shard.lines(trunk.id)).sum();
    rows + under_way
}

/// The dials of one process.
#[derive(Debug)]
pub struct Pacer {
    me: Process,
    shards: BTreeMap<ShardId, Rounds>,
    /// Of the trunks that campaigns of this node use.
    gates: BTreeMap<TrunkId, (Share, Gate)>,
}

/// The rounds of one shard.
#[derive(Debug, Default)]
struct Rounds {
    turn: Turn,
    /// Proposals under way.
    open: usize,
    /// The last call of the round: the next is made when it is a row here.
    upto: u64,
    /// It is not one yet: entries will tell.
    behind: bool,
    /// When somebody can be called of whom nothing else will tell.
    due: Option<Mono>,
    /// Who dials over each trunk, for campaigns of this shard.
    users: BTreeMap<TrunkId, BTreeSet<Process>>,
    /// Leads that are not dialled, and how far each campaign has gone past them.
    aside: Aside,
    /// Campaigns that a pacer which broke had, with the epochs that it dialled in, until they have later ones.
    old: BTreeMap<CampaignId, u64>,
}

/// What of a trunk's rate is this node's: of so many dials a second, one part of so many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Share {
    per_second: u32,
    among: u32,
}

impl Pacer {
    /// What others have taken of trunks, or this process before its pacer broke, is not known: each trunk has room for
    /// one call after the time that one costs.
    pub fn new(node: NodeId, incarnation: Incarnation) -> Self {
        Self { me: (node, incarnation), shards: BTreeMap::new(), gates: BTreeMap::new() }
    }

    /// Rows of a shard have changed.
    pub fn wake(&mut self, shard: ShardId) {
        self.rounds(shard).turn.wake();
    }

    /// The lists of the node's file are others: who was passed over is judged anew.
    pub fn lists_changed(&mut self) {
        self.shards.values_mut().for_each(|rounds| rounds.aside = Aside::default());
    }

    /// An earlier pacer of this process broke. What that one has under way counts no more once its campaigns have a new
    /// epoch: before they have, nobody is dialled for any of the shard's.
    pub fn follow_broken(&mut self, shard: &Shard) {
        let ours = shard.campaigns().filter(|ledger| ledger.is_owned_by(self.me));
        let old = ours.filter_map(|ledger| Some((ledger.campaign, ledger.owner?.epoch))).collect();
        self.rounds(shard.id()).old = old;
    }

    /// What is still to be said of the campaigns that have the epoch of a pacer which broke.
    fn retakes(&mut self, shard: &Shard) -> Vec<Command> {
        let me = self.me;
        let has_still = |id: CampaignId, old: u64| {
            let ledger = shard.campaign(id).filter(|ledger| ledger.is_owned_by(me));
            ledger.and_then(|ledger| ledger.owner).is_some_and(|owner| owner.epoch == old)
        };
        let rounds = self.rounds(shard.id());
        rounds.old.retain(|id, old| has_still(*id, *old));
        rounds.old.keys().map(|id| Command::Retake { row: RowKey::Campaign(*id) }).collect()
    }

    /// What is to be proposed now, and when to look again if nothing happens before.
    pub fn look(&mut self, scene: &Scene<'_>) -> (Vec<(ShardId, Command)>, Option<Mono>) {
        let on: Vec<&Shard> = scene.shards.iter().copied().filter(|shard| self.is_on(shard, scene.now)).collect();
        for shard in &on {
            let rounds = self.rounds(shard.id());
            rounds.rest();
            rounds.users = users(shard);
        }
        if !on.is_empty() {
            self.follow(&scene.control.trunks(), scene.now);
        }
        let mut todo = Vec::new();
        // A copy: what is planned for one shard counts for the next, and what comes of it is the caller's to tell.
        let mut spending = scene.spending.clone();
        for shard in on {
            let mut said = self.retakes(shard);
            if said.is_empty() {
                said.extend(
                    self.round(shard, scene, &mut spending).into_iter().map(|dial| Command::Dial(Box::new(dial))),
                );
            }
            let rounds = self.rounds(shard.id());
            rounds.open = said.len();
            if !said.is_empty() {
                rounds.turn.begin();
            }
            todo.extend(said.into_iter().map(|command| (shard.id(), command)));
        }
        (todo, self.shards.values().filter_map(Rounds::again).min())
    }

    fn is_on(&mut self, shard: &Shard, now: Mono) -> bool {
        let rounds = self.rounds(shard.id());
        if rounds.due.is_some_and(|due| due <= now) {
            rounds.turn.wake();
        }
        rounds.behind = shard.last().index < rounds.upto;
        !rounds.behind && rounds.turn.is_on(now)
    }

    fn round(&mut self, shard: &Shard, scene: &Scene<'_>, spending: &mut Spending) -> Vec<Dial> {
        if shard.campaigns().next().is_some() {
            // Also where others dial: whoever looks counts the campaigns.
            self.rounds(shard.id()).turn.hold(scene.now + ROUND);
        }
        if !shard.campaigns().any(|ledger| ledger.running && ledger.is_owned_by(self.me)) {
            return Vec::new();
        }
        let (trunks, nodes) = (scene.control.trunks(), scene.control.live());
        let free = free_lines(scene, &trunks, spending);
        let allowed = |(trunk, (_, gate)): (&TrunkId, &mut (Share, Gate))| {
            (*trunk, gate.available(scene.now).min(free.get(trunk).copied().unwrap_or_default()))
        };
        let allowance = self.gates.iter_mut().map(allowed).collect();
        let means = Means {
            wall: scene.wall,
            nodes: &nodes,
            relays: scene.relays,
            trunks: &trunks,
            destinations: scene.destinations,
            spending,
            now: scene.now,
            allowance: &allowance,
        };
        let me = self.me;
        let dials = pace(shard, &means, me, &mut self.rounds(shard.id()).aside);
        for dial in &dials {
            let gate = trunk_of(shard, dial).and_then(|trunk| self.gates.get_mut(&trunk));
            let admitted = gate.is_some_and(|(_, gate)| gate.admit(scene.now));
            debug_assert!(admitted, "what was planned within the allowance is let in");
            let began = Payer::of(dial, shard, &trunks).map(|payers| spending.begin(payers, scene.now));
            debug_assert!(matches!(began, Some(Ok(_))), "what was planned within the caps is let in");
        }
        let due = self.next(shard, scene, spending);
        self.rounds(shard.id()).due = Some(due);
        dials
    }

    /// Who dials over a trunk shares its rate with all that do. A share that has changed begins anew, with nothing saved
    /// up: what another had, or has taken, counts for nobody else. So the shares of all nodes are the trunk's rate, but
    /// while a node has not heard yet that another begins.
    fn follow(&mut self, trunks: &[Trunk], now: Mono) {
        let share = |trunk: &Trunk| {
            let users = self.shards.values().filter_map(|rounds| rounds.users.get(&trunk.id)).flatten();
            let users: BTreeSet<&Process> = users.collect();
            let among = u32::try_from(users.len()).unwrap_or(u32::MAX);
            users.contains(&self.me).then_some((trunk.id, Share { per_second: trunk.max_dials_per_second, among }))
        };
        let shares: BTreeMap<TrunkId, Share> = trunks.iter().filter_map(share).collect();
        self.gates.retain(|id, (share, _)| shares.get(id) == Some(share));
        for (id, share) in shares {
            self.gates.entry(id).or_insert_with(|| (share, Gate::share(share.per_second, share.among, now)));
        }
    }

    /// When somebody may be called whom this round could not call.
    fn next(&self, shard: &Shard, scene: &Scene<'_>, spending: &Spending) -> Mono {
        let wall = scene.wall.max(shard.last().wall);
        let due = next_due(shard, wall, self.me);
        let lead = due.map(|due| scene.now + Duration::from_millis(due.0.saturating_sub(wall.0)));
        let room = self.gates.values().filter_map(|(_, gate)| gate.reopens()).min();
        let free = free_lines(scene, &scene.control.trunks(), spending);
        let is_full = self.gates.keys().any(|trunk| free.get(trunk) == Some(&0));
        let line = is_full.then(|| scene.now + LINE_FREE);
        let is_cut = self.shards.get(&shard.id()).is_some_and(|rounds| rounds.aside.is_cut());
        let more = is_cut.then(|| scene.now + ROUND);
        let latest = scene.now + WALL_TRUSTED;
        [lead, room, line, more].into_iter().flatten().fold(latest, Mono::min)
    }

    /// What came of a proposal; none: that is unknown. A round is over with its last one. What was not committed, or was
    /// refused by what has not come here yet, makes the next one come a little later.
    pub fn answered(&mut self, shard: ShardId, outcome: Option<&Outcome>, now: Mono) {
        let rounds = self.rounds(shard);
        rounds.open = rounds.open.saturating_sub(1);
        match outcome {
            Some(Outcome::Dialled { call }) => rounds.upto = rounds.upto.max(call.index()),
            _ => rounds.turn.wait(now + ROUND),
        }
        if rounds.open == 0 {
            rounds.turn.end(true, now);
        }
    }

    fn rounds(&mut self, shard: ShardId) -> &mut Rounds {
        self.shards.entry(shard).or_default()
    }
}

impl Rounds {
    fn rest(&mut self) {
        self.turn.rest();
        self.due = None;
    }

    /// When it looks again by itself.
    fn again(&self) -> Option<Mono> {
        if self.behind {
            return None;
        }
        let due = self.due.and_then(|due| self.turn.from(due));
        [self.turn.again(), due].into_iter().flatten().min()
    }
}

/// How many more calls each trunk takes at once: of its `max_calls`, and none while a cap of it is reached.
fn free_lines(scene: &Scene<'_>, trunks: &[Trunk], spending: &Spending) -> BTreeMap<TrunkId, usize> {
    let is_capped =
        |trunk: &Trunk| spending.check(&[Payer::Trunk(trunk.name.clone())], &BTreeMap::new(), scene.now).is_err();
    let taken = |trunk: &Trunk| lines(scene.shards.iter().copied(), trunk, spending.lines_under_way(&trunk.name));
    let free = |trunk: &Trunk| match is_capped(trunk) {
        true => 0,
        false => (trunk.max_calls as usize).saturating_sub(taken(trunk)),
    };
    trunks.iter().map(|trunk| (trunk.id, free(trunk))).collect()
}

/// Who dials by itself over each trunk.
fn users(shard: &Shard) -> BTreeMap<TrunkId, BTreeSet<Process>> {
    let mut users: BTreeMap<TrunkId, BTreeSet<Process>> = BTreeMap::new();
    for ledger in shard.campaigns().filter(|ledger| ledger.running) {
        let campaign = shard.tenant(ledger.tenant).and_then(|tenant| tenant.campaign(ledger.campaign));
        let campaign = campaign.filter(|campaign| campaign.mode == DialMode::Progressive);
        if let (Some(campaign), Some(owner)) = (campaign, ledger.owner) {
            users.entry(campaign.trunk).or_default().insert((owner.node, owner.incarnation));
        }
    }
    users
}

fn trunk_of(shard: &Shard, dial: &Dial) -> Option<TrunkId> {
    let tenant = shard.tenant(shard.campaign(dial.campaign)?.tenant)?;
    Some(tenant.campaign(dial.campaign)?.trunk)
}
