//! One entry: repeats, fences, then the command.

use strowger_model::LogTime;

use super::Shard;
use crate::{Applied, At, Body, Command, Outcome, Proposal, Proposer, Refusal, ToldBy, Touched};

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
    /// See [`Machine::apply`](crate::Machine::apply).
    pub fn apply(&mut self, at: At, proposal: &Proposal) -> Applied {
        debug_assert!(at.index > self.last.index, "entries come in order, once");
        let at = At { index: at.index, time: at.time.max(self.last.time), wall: at.wall.max(self.last.wall) };
        self.last = at;
        self.touched = Touched::nothing();
        let outcome = self.judge(Entry { at, from: proposal.from }, proposal);
        let touched = std::mem::replace(&mut self.touched, Touched::nothing());
        debug_assert_eq!(self.check_touched(&touched), Ok(()), "after {:?}", proposal.body);
        Applied { outcome, touched }
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
        if command.since() > self.layout {
            return Refusal::TooEarly.into();
        }
        match command {
            Command::Tick => {
                self.sessions.forget_old(entry.now());
                self.forget_withdrawn(entry.now());
                Outcome::Done
            }
            Command::Expire => self.expire(entry),
            Command::Raise { layout, members } => self.raise(*layout, members).into(),
            Command::Part(part) => self.stage(entry, part).into(),
            Command::Configure { version, tenant, digest } => self.configure(entry, *version, *tenant, *digest).into(),
            Command::Retire { version, tenant } => self.retire(entry, *version, *tenant).into(),
            Command::Admit(admit) => self.admit(entry, admit),
            Command::Withdraw { key } => self.withdraw(entry, key),
            Command::Answer { leg, dialog, relay } => self.answer(entry, *leg, dialog, *relay).into(),
            Command::Step { call, step, attempt, set } => self.step(entry, *call, *step, *attempt, set).into(),
            Command::Enqueue { call, step, queue, then } => self.enqueue(entry, *call, *step, *queue, *then).into(),
            Command::Plan(plan) => self.plan(entry, plan),
            Command::Missed { leg, miss, observed } => self.missed(entry, *leg, *miss, *observed).into(),
            Command::Answered { leg, dialog, observed } => self.answered(entry, *leg, dialog, *observed).into(),
            Command::Accept { leg, observed } => self.accept(entry, *leg, *observed).into(),
            Command::Left { leg, cause, told_by, observed } => {
                self.left(entry, *leg, *cause, *told_by, *observed).into()
            }
            Command::Dial(dial) => self.dial(entry, dial).unwrap_or_else(Outcome::Refused),
            Command::NotReached { leg, failure, observed } => self.not_reached(entry, *leg, failure, *observed).into(),
            Command::Import { campaign, batch, leads } => {
                self.import(entry, *campaign, *batch, leads).unwrap_or_else(Outcome::Refused)
            }
            Command::Run { campaign, running } => self.run(*campaign, *running).into(),
            Command::Bar { list, scope, numbers, lift } => self.bar(*list, *scope, numbers, *lift),
            Command::Redialog { leg, dialog, relay, holds } => {
                self.redialog(entry, *leg, dialog, (*relay, *holds)).into()
            }
            Command::Rehome { legs } => self.rehome(entry, legs),
            Command::Merge { from, into, by, cseq } => self.merge(entry, (*from, *into), *by, *cseq).into(),
            Command::Split { leg } => self.split(entry, *leg),
            Command::End { call, ended, observed } => self.end_call(entry, *call, *ended, *observed).into(),
            Command::Done { duties } => self.done(entry, duties),
            Command::Bind { agent, binding } => self.bind(entry, *agent, binding).into(),
            Command::Unbind { agent, instance } => self.unbind(entry, *agent, *instance).into(),
            Command::Presence { agent, presence } => self.presence(entry, *agent, presence).into(),
            Command::Dispose { agent, call, code } => self.dispose(entry, *agent, *call, code).into(),
            Command::Adopt { node, incarnation, heirs } => self.adopt(entry, *node, *incarnation, heirs),
            Command::Assign { row, to } => self.assign(entry, *row, *to).into(),
            Command::Retake { row } => self.retake(entry, *row).into(),
            #[cfg(feature = "next-layout")]
            Command::Mark { agent, mark } => self.mark(*agent, *mark).into(),
        }
    }
}

/// What a far end did stays true whoever reports it. What a node decided by itself is worth nothing once it is over.
fn is_fact(command: &Command) -> bool {
    match command {
        Command::Left { told_by, .. } => *told_by == ToldBy::FarEnd,
        Command::NotReached { failure, .. } => failure.status != 0 && !failure.hang_up,
        Command::Missed { miss, .. } => !miss.hang_up,
        Command::Withdraw { .. } => true,
        _ => false,
    }
}
