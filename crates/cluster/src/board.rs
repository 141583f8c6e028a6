//! The wallboard: made at most once a second, however many look at it.

use std::sync::{Arc, Mutex, PoisonError};

use strowger_figures::{Board, Recent};
use strowger_model::{Mono, SECOND_US};
use strowger_raft::clock;

use crate::context::{Context, shard_of};

/// The newest board and what it remembers from one second to the next.
#[derive(Default)]
pub(crate) struct Boards(Mutex<State>);

#[derive(Default)]
struct State {
    /// With the second it was made in.
    newest: Option<(u64, Arc<Board>)>,
    recent: Recent,
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
        self.read_outboxes(&mut state.recent);
        let board = Arc::new(Board::new(self.me, self.overview(), &state.recent));
        state.newest = Some((second, board.clone()));
        board
    }

    fn read_outboxes(&self, recent: &mut Recent) {
        let now = clock::wall();
        for view in self.shards().filter_map(|shard| self.shard_view(shard)) {
            if let Some(table) = shard_of(&view) {
                recent.read(table, now);
            }
        }
        recent.forget(now);
    }
}
