//! What a seed says of its world before it begins: how it carries, who calls, what breaks.

use std::time::Duration;

use strowger_model::Mono;

use crate::rng::Rng;
use crate::tenant::SITES;

/// Callers stop coming, and all faults are mended, between these.
const BUSY_SECONDS: (u64, u64) = (30, 60);
const CALLERS: (u64, u64) = (8, 45);
const AGENTS: (u64, u64) = (2, 7);
/// From the first fault: the cluster has begun by then.
const CALM_START: Duration = Duration::from_secs(3);

/// Which faults a run may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Faults {
    /// A wire and a log without loss, no process dies.
    None,
    All,
}

#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub wire: Carriage,
    pub log: LogHabit,
    pub callers: usize,
    pub agents: usize,
    pub queues: u32,
    /// Whose relays carry the callers' media; empty for any.
    pub trunk_site: &'static str,
    pub busy: Duration,
    pub faults: Vec<(Mono, Fault)>,
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
    /// Whoever leads dies in the middle of the next round of calls to leads; where none is made, at once.
    KillPacer {
        away: Duration,
    },
    Freeze {
        node: usize,
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
    /// The lead goes to somebody else.
    MoveLead,
}

impl Scenario {
    pub fn draw(rng: &mut Rng, faults: Faults, nodes: usize) -> Self {
        let busy = Duration::from_secs(rng.between(BUSY_SECONDS.0, BUSY_SECONDS.1));
        let calm = faults == Faults::None;
        let wire = if calm { Carriage::calm() } else { Carriage::draw(rng) };
        let log = if calm { LogHabit::calm() } else { LogHabit::draw(rng) };
        Self {
            wire,
            log,
            callers: rng.between(CALLERS.0, CALLERS.1) as usize,
            agents: rng.between(AGENTS.0, AGENTS.1) as usize,
            queues: rng.between(1, 3) as u32,
            trunk_site: rng.pick(&["", SITES[0], SITES[1]]).unwrap_or_default(),
            busy,
            faults: if calm { Vec::new() } else { draw_faults(rng, busy, nodes) },
        }
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

fn draw_faults(rng: &mut Rng, busy: Duration, nodes: usize) -> Vec<(Mono, Fault)> {
    let mut faults = Vec::new();
    // One world in five has no broken process, only a bad network and log.
    let many = if rng.chance(200) { 0 } else { rng.between(1, 6) };
    for _ in 0..many {
        let at = Mono::ZERO + CALM_START + rng.millis(0, (busy - CALM_START).as_millis() as u64);
        let node = rng.below(nodes as u64) as usize;
        faults.push((at, Fault::draw(rng, node)));
    }
    faults.sort_by_key(|(at, _)| *at);
    faults
}

impl Fault {
    fn draw(rng: &mut Rng, node: usize) -> Self {
        match rng.below(14) {
            0..3 => Fault::Kill { node, away: rng.millis(200, 8000) },
            3 => Fault::KillPacer { away: rng.millis(200, 8000) },
            4 | 5 => Fault::Freeze { node, away: rng.millis(300, 5000) },
            6 | 7 => Fault::Cut { node, away: rng.millis(300, 5000) },
            8 => Fault::Stall { node, away: rng.millis(500, 6000) },
            // As many relays as nodes.
            9 => Fault::RelayFull { relay: node, away: rng.millis(500, 6000) },
            10 => Fault::RelaySlow { relay: node, away: rng.millis(500, 6000), by: rng.millis(100, 1500) },
            11 | 12 => Fault::RelayRestart { relay: node },
            _ => Fault::MoveLead,
        }
    }
}
