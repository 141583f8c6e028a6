//! One entry: repeats, fences, then the command.

use strowger_model::{HangupBy, LogTime};

use super::Shard;
use crate::{Applied, At, Body, Command, Outcome, Proposal, Proposer, Refusal};

/// The entry a command stands in: what it may know besides the rows.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub at: At,
    pub from: Proposer,
}

impl Entry {
    pub fn now(self) -> LogTime {
        self.at.time
    }

    /// A time somebody observed: never ahead of the log.
    pub fn observed(self, observed: LogTime) -> LogTime {
        observed.min(self.at.time)
    }
}

impl Shard {
    pub fn apply(&mut self, at: At, proposal: &Proposal) -> Applied {
        debug_assert!(at.index > self.last.index, "entries come in order, once");
        let at = At { index: at.index, time: at.time.max(self.last.time), wall: at.wall.max(self.last.wall) };
        self.last = at;
        self.touched.clear();
        let outcome = self.judge(Entry { at, from: proposal.from }, proposal);
        Applied { outcome, touched: std::mem::take(&mut self.touched) }
    }

    fn judge(&mut self, entry: Entry, proposal: &Proposal) -> Outcome {
        let Body::Shard(command) = &proposal.body else { return Refusal::WrongGroup.into() };
        if proposal.seq == 0 {
            return self.obey(entry, command);
        }
        if let Some(first) = self.sessions.answer(proposal.from, proposal.seq) {
            return first.clone();
        }
        let outcome = if self.is_fenced(proposal.from) && !is_fact(command) {
            Refusal::Fenced.into()
        } else {
            self.obey(entry, command)
        };
        self.sessions.remember(proposal.from, proposal.seq, outcome.clone());
        outcome
    }

    fn obey(&mut self, entry: Entry, command: &Command) -> Outcome {
        match command {
            Command::Tick => {
                self.sessions.forget_old(entry.now());
                self.forget_withdrawn(entry.now());
                Outcome::Done
            }
            Command::Expire => self.expire(entry),
            Command::Part(part) => self.stage(entry, part).into(),
            Command::Configure { version, tenant, digest } => self.configure(entry, *version, *tenant, *digest).into(),
            Command::Retire { version, tenant } => self.retire(entry, *version, *tenant).into(),
            Command::Admit { .. } => self.admit(entry, command),
            Command::Withdraw { key } => self.withdraw(entry, key),
            Command::Answer { call, dialog, relay } => self.answer(entry, *call, dialog, *relay).into(),
            Command::Step { call, step } => self.step(entry, *call, *step).into(),
            Command::Enqueue { call, step, queue, overflow } => {
                self.enqueue(entry, *call, *step, *queue, *overflow).into()
            }
            Command::Plan(plan) => self.plan(entry, plan),
            Command::Missed { call, leg, miss, observed } => self.missed(entry, *call, *leg, *miss, *observed).into(),
            Command::Connect { call, leg, dialog, observed } => {
                self.connect(entry, *call, *leg, dialog, *observed).into()
            }
            Command::Dial(dial) => self.dial(entry, dial).unwrap_or_else(Outcome::Refused),
            Command::Reached { call, dialog, observed } => self.reached(entry, *call, dialog, *observed).into(),
            Command::NotReached { call, failure, observed } => {
                self.not_reached(entry, *call, failure, *observed).into()
            }
            Command::Import { campaign, batch, leads } => {
                self.import(entry, *campaign, *batch, leads).unwrap_or_else(Outcome::Refused)
            }
            Command::Run { campaign, running } => self.run(*campaign, *running).into(),
            Command::Bar { list, scope, numbers, lift } => self.bar(*list, *scope, numbers, *lift),
            Command::Redialog { call, leg, dialog } => self.redialog(entry, *call, *leg, dialog).into(),
            Command::End { call, ended, observed } => self.end_call(entry, *call, *ended, *observed).into(),
            Command::Done { duties } => self.done(entry, duties),
            Command::Register { agent, contact } => self.register(entry, *agent, contact).into(),
            Command::Unregister { agent } => self.unregister(entry, *agent).into(),
            Command::Ready { agent } => self.ready(entry, *agent).into(),
            Command::NotReady { agent, reason } => self.not_ready(entry, *agent, reason).into(),
            Command::Dispose { agent, call, code } => self.dispose(entry, *agent, *call, code).into(),
            Command::Adopt { node, incarnation, heirs } => self.adopt(entry, *node, *incarnation, heirs),
        }
    }
}

/// What a far end did stays true whoever reports it. What a node decided by itself is worth nothing once it is over.
fn is_fact(command: &Command) -> bool {
    match command {
        Command::End { ended, .. } => ended.by != HangupBy::System,
        Command::NotReached { failure, .. } => failure.status != 0 && !failure.hang_up,
        Command::Missed { .. } | Command::Withdraw { .. } => true,
        _ => false,
    }
}
