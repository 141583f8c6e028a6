//! Dials for campaigns, round by round: the next one begins on the state that the last one left, so nothing is dialled
//! twice for an agent. A round is made when something has changed, and when a lead becomes due or a trunk has room by
//! itself.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_dialer::{Means, next_due, pace};
use strowger_model::config::Trunk;
use strowger_model::{Mono, TrunkId};
use strowger_table::{Command, Dial, Shard};

use super::turn::Turn;
use super::{Look, What};
use crate::Gate;

/// Rounds are so far apart at least: each costs a step for every idle agent, and with more than one campaign one for
/// every live call, while calls that come in may change the shard hundreds of times a second.
const ROUND: Duration = Duration::from_millis(100);
/// While campaigns run, no round is later than this: what is due is due by the clock on the wall, which may be set.
const WALL_TRUSTED: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Pacing {
    turn: Turn,
    /// Dials under way.
    open: usize,
    /// Each with the rate that it is for.
    gates: BTreeMap<TrunkId, (u32, Gate)>,
    /// When somebody can be called of whom nothing else will tell.
    due: Option<Mono>,
}

impl Pacing {
    /// What trunks have taken from others is not known: each has room for one call after the time that one costs.
    pub fn begin_anew(&mut self) {
        *self = Self::default();
    }

    pub fn wake(&mut self) {
        self.turn.wake();
    }

    pub fn look(&mut self, look: &Look<'_>) -> Vec<What> {
        if self.due.is_some_and(|due| due <= look.now) {
            self.turn.wake();
        }
        if !self.turn.is_on(look.now) {
            return Vec::new();
        }
        self.turn.rest();
        self.due = None;
        if !look.shard.campaigns().any(|ledger| ledger.running) {
            return Vec::new();
        }
        self.turn.hold(look.now + ROUND);
        let dials = self.round(look);
        self.due = Some(self.next(look));
        self.open = dials.len();
        if !dials.is_empty() {
            self.turn.begin();
        }
        dials.into_iter().map(|dial| What::propose(Command::Dial(Box::new(dial)))).collect()
    }

    fn round(&mut self, look: &Look<'_>) -> Vec<Dial> {
        let (trunks, nodes) = (look.control.trunks(), look.control.live());
        self.follow(&trunks, look.now);
        let allowed = |(trunk, (_, gate)): (&TrunkId, &mut (u32, Gate))| (*trunk, gate.available(look.now));
        let allowance = self.gates.iter_mut().map(allowed).collect();
        let means =
            Means { wall: look.wall, nodes: &nodes, relays: look.relays, trunks: &trunks, allowance: &allowance };
        let dials = pace(look.shard, &means);
        for dial in &dials {
            let gate = trunk_of(look.shard, dial).and_then(|trunk| self.gates.get_mut(&trunk));
            let admitted = gate.is_some_and(|(_, gate)| gate.admit(look.now));
            debug_assert!(admitted, "what was planned within the allowance is let in");
        }
        dials
    }

    /// A trunk whose rate has changed begins anew with it.
    fn follow(&mut self, trunks: &[Trunk], now: Mono) {
        let has = |id, rate| trunks.iter().any(|trunk| trunk.id == id && trunk.max_dials_per_second == rate);
        self.gates.retain(|id, (rate, _)| has(*id, *rate));
        for trunk in trunks {
            let rate = trunk.max_dials_per_second;
            self.gates.entry(trunk.id).or_insert_with(|| (rate, Gate::empty(rate, now)));
        }
    }

    /// When somebody may be called whom this round could not call.
    fn next(&self, look: &Look<'_>) -> Mono {
        let wall = look.wall.max(look.shard.last().wall);
        let lead = next_due(look.shard, wall).map(|due| look.now + Duration::from_millis(due.0.saturating_sub(wall.0)));
        let room = self.gates.values().filter_map(|(_, gate)| gate.reopens()).min();
        let latest = look.now + WALL_TRUSTED;
        [lead, room].into_iter().flatten().fold(latest, Mono::min)
    }

    /// A round is over with its last dial. What was not committed makes the next one come a little later.
    pub fn answered(&mut self, done: bool, now: Mono) {
        self.open = self.open.saturating_sub(1);
        if !done {
            self.turn.wait(now + ROUND);
        }
        if self.open == 0 {
            self.turn.end(true, now);
        }
    }

    /// When it looks again by itself.
    pub fn again(&self) -> Option<Mono> {
        let due = self.due.and_then(|due| self.turn.from(due));
        [self.turn.again(), due].into_iter().flatten().min()
    }
}

fn trunk_of(shard: &Shard, dial: &Dial) -> Option<TrunkId> {
    let tenant = shard.tenant(shard.campaign(dial.campaign)?.tenant)?;
    Some(tenant.campaign(dial.campaign)?.trunk)
}
