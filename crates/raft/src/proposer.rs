//! The one task that writes to a led group: it stamps log time in the order of writing.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use openraft::errors::{ClientWriteError, ForwardReason};
use openraft::raft::ClientWriteResult;
use strowger_model::{LogTime, Mono};
use strowger_table::{Body, Command, ControlCommand, Outcome, Proposal, Ticks, Written};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::clock;
use crate::group::{Group, Submission, WriteFault};
use crate::pace::Pace;
use crate::types::{Callback, LeaderId, Stamped, Types, node_of};

/// Proposals written and not yet applied: 0.2 s of the largest load planned for one group.
const IN_FLIGHT: usize = 2048;
/// Proposals that wait for the proposer; beyond it callers wait.
pub(crate) const BACKLOG: usize = 1024;
/// Proposals taken at once.
const TAKE: usize = 256;

pub(crate) struct Proposer {
    pub group: Arc<Group>,
    pub leader: LeaderId,
    pub stamper: Stamper,
    pub from: strowger_table::Proposer,
}

/// Log time goes on from the last entry's by this process's own clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamper {
    last: LogTime,
    at: Mono,
}

impl Stamper {
    /// `last` was the newest log time when this process's clock said `at`.
    pub fn new(last: LogTime, at: Mono) -> Self {
        Self { last, at }
    }

    /// What an entry would be stamped now.
    pub fn now(&self, now: Mono) -> LogTime {
        self.last + now.since(self.at)
    }

    fn stamp(&mut self, now: Mono) -> LogTime {
        self.last = self.now(now);
        self.at = self.at.max(now);
        self.last
    }
}

impl Proposer {
    /// Runs until nobody can submit any more or the group has stopped.
    pub async fn run(mut self, mut proposals: mpsc::Receiver<Submission>, mut hold: watch::Receiver<bool>) {
        let room = Arc::new(Semaphore::new(IN_FLIGHT));
        let mut taken = Vec::with_capacity(TAKE);
        let mut ticks = Ticks::new(clock::boottime());
        let mut pace = Pace::new(tokio::time::Instant::now());
        loop {
            if hold.wait_for(|held| !held).await.is_err() {
                return;
            }
            tokio::select! {
                biased;
                changed = hold.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    continue;
                }
                // Before the entries: where they never end, it is due all the same.
                () = tokio::time::sleep(ticks.due().since(clock::boottime())) => {
                    if self.tick().await.is_break() {
                        return;
                    }
                    ticks.ticked(clock::boottime());
                }
                count = proposals.recv_many(&mut taken, TAKE) => {
                    if count == 0 {
                        return;
                    }
                    gather(&mut proposals, &mut taken, &pace).await;
                    pace.round(taken.len(), tokio::time::Instant::now());
                    for submission in taken.drain(..) {
                        match self.write(submission, &room).await {
                            ControlFlow::Break(()) => return,
                            ControlFlow::Continue(false) => {}
                            ControlFlow::Continue(true) => ticks.wrote(clock::boottime()),
                        }
                    }
                }
            }
        }
    }

    /// Whether it was written.
    async fn write(&mut self, submission: Submission, room: &Arc<Semaphore>) -> ControlFlow<(), bool> {
        let Submission { body, answer, .. } = submission;
        let Ok(permit) = room.clone().acquire_owned().await else {
            return ControlFlow::Break(());
        };
        // Whoever asked has given up, and asks again if it is still wanted: after an outage all that was asked meanwhile
        // would be written as often as it was asked.
        if answer.is_closed() {
            return ControlFlow::Continue(false);
        }
        let (begun, shared) = (clock::boottime(), self.group.shared.clone());
        let callback = Callback::new(move |result: ClientWriteResult<Types>| {
            drop(permit);
            let outcome = outcome_of(result);
            if outcome.is_ok() {
                shared.stats.commit.record(clock::boottime().since(begun));
            }
            // Whoever asked may have given up.
            let _gone = answer.send(outcome);
        });
        self.send(body, callback).await?;
        ControlFlow::Continue(true)
    }

    async fn tick(&mut self) -> ControlFlow<()> {
        let body = match self.group.id.shard() {
            None => Body::Control(ControlCommand::Tick),
            Some(_) => Body::Shard(Command::Tick),
        };
        let proposal = Proposal { from: self.from, seq: 0, body };
        match proposal.to_bytes(self.group.layout()) {
            Ok(bytes) => self.send(bytes.into(), Callback::new(drop)).await,
            // The group was raised above what this build knows, and stops.
            Err(_) => ControlFlow::Break(()),
        }
    }

    async fn send(&mut self, body: Bytes, callback: Callback<ClientWriteResult<Types>>) -> ControlFlow<()> {
        let stamped = Stamped { time: self.stamper.stamp(clock::boottime()), wall: clock::wall(), body };
        let written = self.group.raft.write(stamped).with_leader(self.leader).responder(callback).await;
        if written.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Waits for more entries while the group is busy. An urgent one does not wait, and takes along those that do.
async fn gather(proposals: &mut mpsc::Receiver<Submission>, taken: &mut Vec<Submission>, pace: &Pace) {
    let Some(until) = pace.gather_until() else { return };
    while taken.len() < TAKE && !taken.iter().any(|submission| submission.urgent) {
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(until) => return,
            count = proposals.recv_many(taken, TAKE - taken.len()) => if count == 0 {
                return;
            }
        }
    }
}

fn outcome_of(result: ClientWriteResult<Types>) -> Result<Outcome, WriteFault> {
    match result {
        Ok(written) => written.data.ok_or(WriteFault::Unknown),
        Err(ClientWriteError::ForwardToLeader(forward)) => {
            // An expired lease names nobody, and this node may well go on to lead: the caller asks again.
            let elsewhere = forward.reason != ForwardReason::LeaseExpired;
            Err(WriteFault::NotLeader(forward.leader_id.filter(|_| elsewhere).map(node_of)))
        }
        Err(_) => Err(WriteFault::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_follow_the_own_clock_and_never_run_backwards() {
        let mut stamper = Stamper::new(LogTime(1_000), Mono(50));
        assert_eq!(stamper.stamp(Mono(60)), LogTime(1_010));
        assert_eq!(stamper.stamp(Mono(60)), LogTime(1_010));
        assert_eq!(stamper.stamp(Mono(55)), LogTime(1_010), "a clock that steps back adds nothing");
        assert_eq!(stamper.stamp(Mono(61)), LogTime(1_011));
    }
}
