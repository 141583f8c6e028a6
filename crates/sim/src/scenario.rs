//! What a seed says of its world before it begins: how it carries, who calls, what breaks.

use std::time::Duration;

use strowger_model::{Mono, Transport, Wall};

use crate::far::Manners;
use crate::rng::Rng;
use crate::tenant::{SITES, Share};

/// Callers stop coming, and all faults are mended, between these.
const BUSY_SECONDS: (u64, u64) = (30, 60);
const CALLERS: (u64, u64) = (8, 45);
const AGENTS: (u64, u64) = (2, 7);
const QUEUES: (u64, u64) = (1, 3);
/// Worlds of a thousand that have two tenants.
const TWO_TENANTS: u64 = 400;
/// Worlds of a thousand in which somebody proposes what nobody should, and in which actors break.
const STRANGE: u64 = 500;
const BREAKS: u64 = 300;
/// Worlds of a thousand in which callers are barred.
const BARS_CALLERS: u64 = 300;
/// Of a thousand worlds, and of a thousand of these once more: a configuration that is applied while calls are there.
const CHANGES: u64 = 450;
/// The calendar at the beginning of every world, in milliseconds since 1970: 22:13 in London, 7:13 in Tokyo.
const WALL_START_MS: u64 = 1_699_999_980_000;
/// Hours begin and end at full minutes: one comes so long after the beginning, in milliseconds.
const MINUTE_COMES_MS: (u64, u64) = (8000, 30_000);
/// Worlds of a thousand in which far ends speak TCP, and of a thousand far ends there those that do.
const TCP: u64 = 350;
const SPEAKS_TCP: u64 = 600;
/// Worlds of a thousand in which several phones ring for one place.
const RINGS_ALL: u64 = 200;
/// Worlds of a thousand in which calls are merged, and split.
const MERGES: u64 = 200;
/// Worlds of a thousand in which far ends hold, and in which some are gone without a word.
const HOLDS: u64 = 500;
const VANISHING: u64 = 350;
/// Worlds of a thousand whose door is narrow; of a thousand of its limits those that are, and of those worlds the ones in
/// which all call at once.
const NARROW: u64 = 350;
const LIMITED: u64 = 600;
const RUSHES: u64 = 600;
const CALLS: (u64, u64) = (2, 9);
const CALLS_PER_SECOND: (u64, u64) = (1, 3);
/// From the first fault: the cluster has begun by then.
const CALM_START: Duration = Duration::from_secs(3);

/// Which faults a run may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Faults {
    /// A wire and a log without loss, no process dies.
    None,
    /// Each world draws its own.
    All,
}

#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// What the clocks on the walls show as the world begins.
    pub began: Wall,
    pub wire: Carriage,
    pub log: LogHabit,
    pub callers: usize,
    /// What each tenant has, one or two.
    pub shares: Vec<Share>,
    /// Several phones ring for one place. No strategy asks for that yet: it is done to the leader's plans.
    pub rings_all: bool,
    /// Calls are merged, and split.
    pub merges: bool,
    /// Some far ends speak TCP.
    pub tcp: bool,
    /// What far ends do about their media.
    pub manners: Manners,
    /// What a node lets in, and what it lets in of each trunk.
    pub node_limits: Limits,
    pub trunk_limits: [Limits; 2],
    /// All call within a few seconds.
    pub rushes: bool,
    /// Whose relays carry the media of each trunk's callers; empty for any.
    pub trunk_sites: [&'static str; 2],
    pub busy: Duration,
    /// When the next version of the configuration is applied; the third is the first again.
    pub applies: Vec<Mono>,
    /// An operator bars callers.
    pub bars_callers: bool,
    /// Somebody proposes what nobody should.
    pub strange: bool,
    /// Actors break.
    pub breaks: bool,
    pub faults: Vec<(Mono, Fault)>,
}

/// How many calls come in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limits {
    /// At once.
    pub calls: u32,
    /// New ones a second.
    pub rate: u32,
}

/// How datagrams travel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carriage {
    pub lost_per_mille: u64,
    pub twice_per_mille: u64,
    pub delay_ms: (u64, u64),
}

/// How entries travel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogHabit {
    pub commit_ms: (u64, u64),
    pub lag_ms: (u64, u64),
    pub lost_per_mille: u64,
    pub twice_per_mille: u64,
    /// Between processes of the cluster.
    pub hop_ms: (u64, u64),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    Kill {
        node: usize,
        away: Duration,
    },
    /// A node dies in the middle of its next round of calls to leads; where none is made, whoever leads dies at once.
    KillPacer {
        away: Duration,
    },
    /// All others die at once: no majority is left, and whoever leads next is a new process.
    Outage {
        stays: usize,
        away: Duration,
    },
    Freeze {
        node: usize,
        away: Duration,
    },
    /// Whoever next asks a relay for a port, or the log for an entry of a call, stops in that moment for a while.
    FreezeMidway {
        away: Duration,
    },
    /// The node cannot reach the others or the relays; far ends still reach it.
    Cut {
        node: usize,
        away: Duration,
    },
    /// The node applies nothing for a while, then all at once, or a snapshot.
    Stall {
        node: usize,
        away: Duration,
    },
    /// A relay opens no port for a while.
    RelayFull {
        relay: usize,
        away: Duration,
    },
    /// A relay answers late for a while.
    RelaySlow {
        relay: usize,
        away: Duration,
        by: Duration,
    },
    /// A relay's process ends and begins again.
    RelayRestart {
        relay: usize,
    },
    /// Some lines break.
    LinesBreak,
    /// A relay's process ends for ever.
    RelayDies {
        relay: usize,
    },
    /// The lead goes to somebody else.
    MoveLead,
}

impl Scenario {
    pub fn draw(rng: &mut Rng, faults: Faults, nodes: usize) -> Self {
        let busy = Duration::from_secs(rng.between(BUSY_SECONDS.0, BUSY_SECONDS.1));
        let calm = faults == Faults::None;
        let wire = if calm { Carriage::calm() } else { Carriage::draw(rng) };
        let log = if calm { LogHabit::calm() } else { LogHabit::draw(rng) };
        let tcp = rng.chance(TCP);
        let began = Wall(WALL_START_MS + 60_000 - rng.between(MINUTE_COMES_MS.0, MINUTE_COMES_MS.1));
        Self {
            began,
            wire,
            log,
            callers: rng.between(CALLERS.0, CALLERS.1) as usize,
            shares: draw_shares(rng),
            rings_all: rng.chance(RINGS_ALL),
            merges: rng.chance(MERGES),
            tcp,
            manners: Manners::default(),
            node_limits: Limits::OPEN,
            trunk_limits: [Limits::OPEN; 2],
            rushes: false,
            trunk_sites: [(); 2].map(|()| rng.pick(&["", SITES[0], SITES[1]]).unwrap_or_default()),
            busy,
            applies: draw_applies(rng),
            bars_callers: rng.chance(BARS_CALLERS),
            strange: rng.chance(STRANGE),
            breaks: !calm && rng.chance(BREAKS),
            faults: if calm { Vec::new() } else { draw_faults(rng, busy, nodes, tcp) },
        }
    }
}

impl Scenario {
    /// What was thought of later has chance of its own, so that worlds without it are what they were.
    pub fn with(self, more: &mut Rng) -> Self {
        let manners = Manners { hold: more.chance(HOLDS), vanish: more.chance(VANISHING) };
        if !more.chance(NARROW) {
            return Self { manners, ..self };
        }
        let trunk_limits = [(); 2].map(|()| Limits::draw(more));
        Self { manners, node_limits: Limits::draw(more), trunk_limits, rushes: more.chance(RUSHES), ..self }
    }

    /// For a planted bug: all call at once, and only the trunks' rates keep them out.
    pub fn rush(self) -> Self {
        let trunk = Limits { rate: CALLS_PER_SECOND.0 as u32, ..Limits::OPEN };
        Self { node_limits: Limits::OPEN, trunk_limits: [trunk; 2], rushes: true, ..self }
    }

    /// How a far end speaks.
    pub fn way(&self, rng: &mut Rng) -> Transport {
        if self.tcp && rng.chance(SPEAKS_TCP) { Transport::Tcp } else { Transport::Udp }
    }
}

fn draw_applies(rng: &mut Rng) -> Vec<Mono> {
    let mut applies = Vec::new();
    let mut at = Mono::ZERO + rng.millis(8000, 25_000);
    while applies.len() < 2 && rng.chance(CHANGES) {
        applies.push(at);
        at = at + rng.millis(3000, 12_000);
    }
    applies
}

fn draw_shares(rng: &mut Rng) -> Vec<Share> {
    let mut shares = Vec::new();
    let (mut agents_before, mut queues_before) = (0, 0);
    for at in 0..1 + usize::from(rng.chance(TWO_TENANTS)) {
        let agents = rng.between(AGENTS.0, AGENTS.1) as usize;
        let queues = rng.between(QUEUES.0, QUEUES.1) as u32;
        shares.push(Share { at, agents_before, queues_before, agents, queues });
        (agents_before, queues_before) = (agents_before + agents, queues_before + queues);
    }
    shares
}

impl Limits {
    /// More than any world has.
    pub const OPEN: Limits = Limits { calls: 10_000, rate: 10_000 };

    fn draw(more: &mut Rng) -> Self {
        let mut below = |(low, high), open| if more.chance(LIMITED) { more.between(low, high) as u32 } else { open };
        Self { calls: below(CALLS, Self::OPEN.calls), rate: below(CALLS_PER_SECOND, Self::OPEN.rate) }
    }
}

impl Carriage {
    /// A good network, also the one after all faults are mended.
    pub fn calm() -> Self {
        Self { lost_per_mille: 0, twice_per_mille: 0, delay_ms: (1, 3) }
    }

    fn draw(rng: &mut Rng) -> Self {
        let delays = [(1, 3), (1, 20), (5, 60), (10, 200)];
        Self {
            lost_per_mille: rng.pick(&[0, 0, 10, 50, 120]).unwrap_or_default(),
            twice_per_mille: rng.pick(&[0, 10, 50]).unwrap_or_default(),
            delay_ms: rng.pick(&delays).unwrap_or((1, 3)),
        }
    }
}

impl LogHabit {
    pub fn calm() -> Self {
        Self { commit_ms: (1, 2), lag_ms: (0, 2), lost_per_mille: 0, twice_per_mille: 0, hop_ms: (0, 1) }
    }

    fn draw(rng: &mut Rng) -> Self {
        Self {
            commit_ms: rng.pick(&[(1, 2), (1, 10), (5, 60)]).unwrap_or((1, 2)),
            lag_ms: rng.pick(&[(0, 2), (0, 20), (10, 150)]).unwrap_or((0, 2)),
            lost_per_mille: rng.pick(&[0, 10, 50]).unwrap_or_default(),
            twice_per_mille: rng.pick(&[0, 20]).unwrap_or_default(),
            hop_ms: rng.pick(&[(0, 1), (0, 10), (1, 50)]).unwrap_or((0, 1)),
        }
    }
}

fn draw_faults(rng: &mut Rng, busy: Duration, nodes: usize, tcp: bool) -> Vec<(Mono, Fault)> {
    let mut faults = Vec::new();
    // One world in five has no broken process, only a bad network and log.
    let many = if rng.chance(200) { 0 } else { rng.between(1, 6) };
    let when = |rng: &mut Rng| Mono::ZERO + CALM_START + rng.millis(0, (busy - CALM_START).as_millis() as u64);
    for _ in 0..if tcp { rng.between(0, 3) } else { 0 } {
        faults.push((when(rng), Fault::LinesBreak));
    }
    for _ in 0..many {
        let at = when(rng);
        let node = rng.below(nodes as u64) as usize;
        faults.push((at, Fault::draw(rng, node)));
    }
    faults.sort_by_key(|(at, _)| *at);
    faults
}

impl Fault {
    fn draw(rng: &mut Rng, node: usize) -> Self {
        match rng.below(17) {
            0..3 => Fault::Kill { node, away: rng.millis(200, 8000) },
            3 => Fault::KillPacer { away: rng.millis(200, 8000) },
            4 | 5 => Fault::Freeze { node, away: rng.millis(300, 5000) },
            6 | 7 => Fault::Cut { node, away: rng.millis(300, 5000) },
            8 => Fault::Stall { node, away: rng.millis(500, 6000) },
            // As many relays as nodes.
            9 => Fault::RelayFull { relay: node, away: rng.millis(500, 6000) },
            10 => Fault::RelaySlow { relay: node, away: rng.millis(500, 6000), by: rng.millis(100, 1500) },
            11 | 12 => Fault::RelayRestart { relay: node },
            14 => Fault::RelayDies { relay: node },
            13 => Fault::Outage { stays: node, away: rng.millis(1000, 8000) },
            15 => Fault::FreezeMidway { away: rng.millis(1500, 5000) },
            _ => Fault::MoveLead,
        }
    }
}
