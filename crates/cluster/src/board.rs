//! The wallboard: made at most once a second and day's beginning, however many look at it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use strowger_dialer::Zone;
use strowger_figures::{AgentFigures, Board, Overview, Recent, agents};
use strowger_model::{Mono, SECOND_US, Wall};
use strowger_raft::clock;

use crate::context::{Context, shard_of};

/// The newest board and what it remembers from one second to the next.
#[derive(Default)]
pub(crate) struct Boards(Mutex<State>);

#[derive(Default)]
struct State {
    newest: Option<Made>,
    recent: Recent,
}

/// What was read in one second.
struct Made {
    second: u64,
    overview: Overview,
    present: Vec<AgentFigures>,
    /// By when the day began; the zones of the world have some forty such moments.
    boards: BTreeMap<Wall, Arc<Board>>,
}

impl Context {
    /// Made in this second of this process's clock: whoever asks just after a second began gets it fresh. The zone's clock
    /// says when the day began.
    pub fn board(&self, zone: &Zone) -> Arc<Board> {
        let Mono(now) = self.now();
        let (second, wall) = (now / SECOND_US, clock::wall());
        let mut state = self.boards.0.lock().unwrap_or_else(PoisonError::into_inner);
        let State { newest, recent } = &mut *state;
        let made = newest.take().filter(|made| made.second == second).unwrap_or_else(|| {
            self.read_outboxes(recent, wall);
            Made { second, overview: self.overview(), present: self.present(), boards: BTreeMap::new() }
        });
        let Made { overview, present, boards, .. } = newest.insert(made);
        let midnight = zone.midnight(wall);
        let make = || Board::new(self.me, overview.clone(), present.clone(), recent, &recent.today(midnight));
        boards.entry(midnight).or_insert_with(|| Arc::new(make())).clone()
    }

    fn present(&self) -> Vec<AgentFigures> {
        let of_shard = |shard| {
            let view = self.shard_view(shard)?;
            Some(agents(shard_of(&view)?, view.log_now().at_least))
        };
        self.shards().filter_map(of_shard).flatten().collect()
    }

    fn read_outboxes(&self, recent: &mut Recent, now: Wall) {
        for view in self.shards().filter_map(|shard| self.shard_view(shard)) {
            if let Some(table) = shard_of(&view) {
                recent.read(table, now);
            }
        }
        recent.forget(now);
    }
}
