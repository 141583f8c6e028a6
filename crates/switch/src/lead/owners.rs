//! Rows whose owners are dead, and tenants that left the configuration.

use strowger_model::{Incarnation, Mono, NodeId, TenantId};
use strowger_table::{Command, Control, Outcome, Shard};

use super::turn::Turn;
use super::{Look, What};

#[derive(Debug, Default)]
pub(super) struct Owners {
    turn: Turn,
    /// No tenant here is gone, as long as the control group's version and the shard's configuration are these.
    complete: Option<(u64, u64)>,
    /// What is under way is about a tenant; what is said of owners shows in the rows.
    retiring: bool,
}

impl Owners {
    pub fn wake(&mut self) {
        self.turn.wake();
    }

    pub fn again(&self) -> Option<Mono> {
        self.turn.again()
    }

    /// One that is gone may not be the only one. A refusal will be repeated until the control group says something new.
    pub fn answered(&mut self, outcome: Option<&Outcome>, now: Mono) {
        self.turn.end(outcome.is_some(), now);
        if outcome == Some(&Outcome::Done) && self.retiring {
            self.turn.wake();
        }
    }

    pub fn look(&mut self, look: &Look<'_>) -> Option<What> {
        if !self.turn.is_on(look.now) {
            return None;
        }
        self.turn.rest();
        let command = adoption(look).or_else(|| self.retirement(look))?;
        self.retiring = matches!(command, Command::Retire { .. });
        Some(self.turn.propose(command))
    }

    fn retirement(&mut self, look: &Look<'_>) -> Option<Command> {
        let (version, mark) = (look.control.version(), look.shard.config_mark());
        if self.complete == Some((version, mark)) {
            return None;
        }
        let gone = gone(look.shard, look.control);
        if gone.is_none() {
            self.complete = Some((version, mark));
        }
        gone.map(|tenant| Command::Retire { version, tenant })
    }
}

/// An incarnation that owns rows here and is over.
fn adoption(look: &Look<'_>) -> Option<Command> {
    let (node, incarnation) = look.shard.owners().find(|(node, life)| is_over(look.control, *node, *life))?;
    let heirs = look.control.live();
    debug_assert!(!heirs.contains(&(node, incarnation)), "the dead inherit nothing");
    Some(Command::Adopt { node, incarnation, heirs })
}

/// What is down is the life that is known: a newer one, whose hello this node has not applied yet, is not.
fn is_over(control: &Control, node: NodeId, incarnation: Incarnation) -> bool {
    let known = control.node(node);
    known.is_some_and(|known| known.incarnation > incarnation || (known.incarnation == incarnation && known.down))
}

fn gone(shard: &Shard, control: &Control) -> Option<TenantId> {
    shard.tenants().map(|tenant| tenant.id).find(|tenant| control.tenant(*tenant).is_none())
}
