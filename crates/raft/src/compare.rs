//! Compares this node's state hashes with its leader's, checkpoint by checkpoint.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use strowger_link::{Class, Link, open, seal};
use strowger_model::PeerId;
use tokio::sync::watch;

use crate::group::Group;
use crate::leadership::stopped;
use crate::v1::{AskV1, CommandAnswerV1, CommandV1, GivenV1};

/// For one answer of the leader.
const ANSWER: Duration = Duration::from_secs(1);

/// Runs until `stop` says so. A state that differs is stopped at once: nobody can say which rows are wrong, and what
/// it would answer or decide from then on is worse than silence.
pub(crate) async fn keep(link: Link, group: Arc<Group>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = group.shared.checkpoints.passed.notified() => {}
            () = stopped(&mut stop) => return,
        }
        let Some((index, mine)) = group.shared.checkpoints.newest() else { continue };
        // Without an answer the next checkpoint tells; a difference does not go away.
        let Some(theirs) = leaders_hash(&link, &group, index).await else { continue };
        group.shared.stats.hashes_compared.fetch_add(1, Relaxed);
        if theirs != mine {
            group.shared.stats.groups_diverged.fetch_add(1, Relaxed);
            group.shared.checkpoints.diverge();
            tracing::error!(
                group = %group.id, index, mine = format!("{mine:016x}"), leaders = format!("{theirs:016x}"),
                "the state differs from the leader's: this node applies nothing more in this group; \
                 keep it stopped, and its data directory for analysis; a voter with a blank one takes no part"
            );
        }
    }
}

async fn leaders_hash(link: &Link, group: &Group, index: u64) -> Option<u64> {
    let leader = group.leadership.borrow().leader.filter(|leader| *leader != group.me)?;
    let ask = seal(&CommandV1 { ask: AskV1::Hash { group: group.id.0, index } });
    let bytes = link.ask(PeerId::Node(leader), Class::Command, ask, ANSWER).await.ok()?;
    match open::<CommandAnswerV1>(&bytes).ok()?.answer {
        GivenV1::Hash(hash) => hash,
        _ => None,
    }
}
