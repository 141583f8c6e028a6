//! Follows who leads one group, and begins and ends this node's leading.

use std::sync::Arc;

use openraft::async_runtime::WatchReceiver as _;
use strowger_table::Proposer as From;
use tokio::sync::{mpsc, watch};

use crate::clock;
use crate::group::{Group, LeaderSeat, Leadership, Leading};
use crate::proposer::{BACKLOG, Proposer, Stamper};
use crate::types::{LeaderId, node_of};

pub(crate) struct LeadershipTask {
    group: Arc<Group>,
    from: From,
    leading: Option<(LeaderId, Leading)>,
}

/// What the consensus says about leadership.
struct Election {
    leader: Option<u64>,
    term: u64,
    /// This node's own leadership.
    mine: Option<LeaderId>,
}

impl LeadershipTask {
    pub fn new(group: Arc<Group>, from: From) -> Self {
        Self { group, from, leading: None }
    }

    /// Runs until the consensus ends or `stop` says so, and ends the consensus with it.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut elections = self.group.raft.server_metrics();
        let mut term_began = self.group.shared.term_began.subscribe();
        let snapshot_due = &self.group.clone().shared.snapshot_due;
        let has_failed = loop {
            let now = election(&elections.borrow_watched(), self.group.me);
            self.follow(&now);
            tokio::select! {
                changed = elections.changed() => {
                    if changed.is_err() {
                        break !*stop.borrow();
                    }
                }
                _ = term_began.changed() => {}
                () = snapshot_due.notified() => {
                    // A group that has stopped says so above.
                    let _stopped = self.group.raft.trigger().snapshot().await;
                }
                // The last handle is gone, or somebody called for the end.
                () = stopped(&mut stop) => break false,
            }
        };
        self.leave();
        let term = self.group.leadership.borrow().term;
        self.announce(Leadership { leader: None, term });
        if has_failed {
            let differs = self.group.shared.checkpoints.diverged();
            tracing::error!(group = %self.group.id, differs, "the group has stopped on this node");
            self.group.shared.observer.stopped(self.group.id, differs);
        }
        if let Err(fault) = self.group.raft.shutdown().await {
            tracing::warn!(group = %self.group.id, %fault, "the group did not end in order");
        }
    }

    fn follow(&mut self, election: &Election) {
        if self.leading.is_some_and(|(leader, _)| election.mine != Some(leader)) {
            self.leave();
        }
        if let Some(leader) = election.mine
            && self.leading.is_none()
        {
            self.begin_leading(leader);
        }
        let me = u64::from(self.group.me.0);
        let leader = election.leader.filter(|leader| *leader != me || self.leading.is_some()).map(node_of);
        self.announce(Leadership { leader, term: election.term });
    }

    /// Begins once the term's first entry has been applied here: before that this node's state may lack what
    /// its predecessor decided.
    fn begin_leading(&mut self, leader: LeaderId) {
        let began = *self.group.shared.term_began.borrow();
        let Some(first) = began.filter(|id| id.leader_id == leader) else {
            return;
        };
        let leading = Leading { term: leader.term, since: clock::boottime(), first_index: first.index };
        let view = self.group.shared.view.get();
        let stamper = Stamper::new(view.machine.last().time, view.received);
        let (proposals, taken) = mpsc::channel(BACKLOG);
        let (hold, held) = watch::channel(false);
        let proposer = Proposer { group: self.group.clone(), leader, stamper, from: self.from };
        tokio::spawn(proposer.run(taken, held));
        self.group.set_seat(Some(LeaderSeat { leading, stamper, proposals, hold: Arc::new(hold) }));
        self.leading = Some((leader, leading));
        tracing::info!(group = %self.group.id, term = leading.term, first = leading.first_index, "this node leads");
    }

    fn leave(&mut self) {
        self.group.set_seat(None);
        if let Some((_, leading)) = self.leading.take() {
            tracing::info!(group = %self.group.id, term = leading.term, "this node leads no longer");
        }
    }

    fn announce(&self, now: Leadership) {
        let before = self.group.leadership.send_replace(now);
        if before == now {
            return;
        }
        self.group.shared.observer.leader_changed(self.group.id, now.leader, now.term);
    }
}

/// Returns when the groups are to end, or nobody holds them any more.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _all_handles_gone = stop.wait_for(|stop| *stop).await.is_err();
}

fn election(
    metrics: &openraft::metrics::RaftServerMetrics<crate::types::Types>,
    me: strowger_model::NodeId,
) -> Election {
    let vote = metrics.vote;
    // A vote alone is not enough: after a restart it still names this node as the leader it was.
    let leads = metrics.state.is_leader() && vote.committed && vote.leader_id.node_id == u64::from(me.0);
    Election { leader: metrics.current_leader, term: vote.leader_id.term, mine: leads.then_some(vote.leader_id) }
}
