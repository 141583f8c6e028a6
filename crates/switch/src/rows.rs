//! What the log changed, and what a node does about it.

use std::collections::BTreeSet;

use strowger_call::{Machine, Rows, Setting};
use strowger_model::{AgentId, CallId};
use strowger_table::{AdmitKey, Agent, Call, RowKey, Shard, Touched};

use crate::around::Around;
use crate::intake::Pending;
use crate::standby::Life;

/// The rows that entries changed, each once; none: too many to name, so that all are looked at.
pub fn touched<'a>(entries: impl IntoIterator<Item = &'a Touched>) -> Option<BTreeSet<RowKey>> {
    let mut rows = BTreeSet::new();
    for entry in entries {
        match entry {
            Touched::Few(few) => rows.extend(few.iter().copied()),
            Touched::Many => return None,
        }
    }
    Some(rows)
}

/// Changed rows, as those look at them who act.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changed {
    /// Calls that changed, or whose places did.
    pub calls: BTreeSet<CallId>,
    /// Agents that changed.
    pub agents: BTreeSet<AgentId>,
}

impl Changed {
    /// Of the rows that entries named, as `table` has them after.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a RowKey>, table: &Shard) -> Self {
        let mut changed = Self::default();
        for row in rows {
            match row {
                RowKey::Call(id) => drop(changed.calls.insert(*id)),
                RowKey::Place(id) => changed.calls.extend(table.place(*id).and_then(|place| place.call)),
                RowKey::Agent(id) => drop(changed.agents.insert(*id)),
                RowKey::Campaign(_) | RowKey::Parts(_) | RowKey::Queue(_) => {}
            }
        }
        changed
    }
}

/// Where an entry touched more rows than it names, or a snapshot leapt over some: rows that somebody may have to be told
/// of, and calls of the shard with an actor here, whose rows may be gone.
pub fn all_rows(table: &Shard, seated: impl IntoIterator<Item = CallId>) -> BTreeSet<RowKey> {
    let calls = table.calls().map(|row| row.id).chain(seated).map(RowKey::Call);
    calls.chain(table.agents().map(|row| RowKey::Agent(row.id))).collect()
}

/// What a node does about a call's row that an entry changed, or that a sweep found.
#[derive(Debug)]
pub enum Due {
    /// Its actor has heard of it, or there is nothing to do.
    Nothing,
    /// The call is another node's: a seat that it has here is left over.
    LetGo,
    /// It gets an actor.
    Begin(Begin),
}

/// Whether its owner has an actor for it. One that is there already stays until all far ends know that the call is over.
pub fn has_work(row: &Call) -> bool {
    !row.is_over() || !row.duties.is_empty()
}

/// Whether an agent's row gives that node an actor for it.
pub fn has_phones_at(row: &Agent, node: Life) -> bool {
    row.owner == Some(node) && !row.bindings.is_empty()
}

/// How an actor begins.
#[derive(Debug)]
pub enum Begin {
    /// With the INVITE that came to this node.
    Admitted(Box<Pending>),
    /// An outbound call, given to this node, for which nothing was done before.
    Dialled,
    /// From nothing but the rows.
    Adopted,
}

/// `is_told`: an actor here has heard of the row. `seat` takes the INVITE that waits here for the call; it is asked only
/// for a call of this node that has no actor.
pub fn due(row: &Call, is_told: bool, is_ours: bool, seat: impl FnOnce(&AdmitKey) -> Option<Pending>) -> Due {
    if is_told {
        return Due::Nothing;
    }
    if !is_ours {
        return Due::LetGo;
    }
    // Also of a call that is over already: its INVITE waits no more.
    let pending = row.key().and_then(seat);
    if !has_work(row) {
        return Due::Nothing;
    }
    Due::Begin(match pending {
        Some(pending) => Begin::Admitted(Box::new(pending)),
        None if row.outbound().is_some() && !row.was_adopted() => Begin::Dialled,
        None => Begin::Adopted,
    })
}

impl Begin {
    /// The machine that the actor runs.
    pub fn machine(self, rows: Rows, around: &impl Around) -> Machine {
        let row = &rows.call;
        let relay = match &self {
            Begin::Admitted(pending) => Some(pending.relay),
            Begin::Dialled | Begin::Adopted => {
                let own = row.customer().and_then(|leg| leg.relay);
                own.or_else(|| around.relay(row.id.shard(), ""))
            }
        };
        let setting = Setting { local: (*around.local()).clone(), relay: relay.unwrap_or_default() };
        match self {
            Begin::Admitted(pending) => Machine::admitted(rows, &pending.invite, pending.source, setting),
            Begin::Dialled => Machine::dialled(rows, setting),
            Begin::Adopted => Machine::adopted(rows, setting),
        }
    }
}
