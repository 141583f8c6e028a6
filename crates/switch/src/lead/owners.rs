//! Lives that are over, with the rows they owned, and tenants that left the configuration.

use strowger_model::{Incarnation, Mono, TenantId};
use strowger_table::{Command, Control, Node, Outcome, Shard};

use super::{Look, What};
use crate::turn::Turn;

#[derive(Debug, Default)]
pub(super) struct Owners {
    turn: Turn,
    /// No tenant here is gone, as long as the control group's version and the shard's configuration are these.
    complete: Option<(u64, u64)>,
    /// What is under way may show in no row: a tenant goes, or a life is fenced.
    unseen: bool,
}

impl Owners {
    pub fn wake(&mut self) {
        self.turn.wake();
    }

    pub fn again(&self) -> Option<Mono> {
        self.turn.again()
    }

    /// What is gone may not be the only one. A refusal will be repeated until the control group says something new.
    pub fn answered(&mut self, outcome: Option<&Outcome>, now: Mono) {
        self.turn.end(outcome.is_some(), now);
        if outcome == Some(&Outcome::Done) && self.unseen {
            self.turn.wake();
        }
    }

    pub fn look(&mut self, look: &Look<'_>) -> Option<What> {
        if !self.turn.is_on(look.now) {
            return None;
        }
        self.turn.rest();
        let command = adoption(look).or_else(|| self.retirement(look))?;
        self.unseen = match &command {
            Command::Adopt { node, incarnation, .. } => look.shard.fenced(*node) < *incarnation,
            _ => true,
        };
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

/// Lives that are over and have rows here, or are not fenced yet. The latter is said of each before the next one is
/// active: so that nothing late of it counts, and no phone is rung over a connection that it held.
fn adoption(look: &Look<'_>) -> Option<Command> {
    let has_rows = |node, over| look.shard.owners().any(|(owner, life)| owner == node && life <= over);
    let lives = look.control.nodes().map(|(node, known)| (node, over(known)));
    let mut unsaid = lives.filter(|(node, over)| look.shard.fenced(*node) < *over || has_rows(*node, *over));
    let (node, incarnation) = unsaid.next()?;
    let heirs = look.control.live();
    debug_assert!(!heirs.contains(&(node, incarnation)), "the dead inherit nothing");
    Some(Command::Adopt { node, incarnation, heirs })
}

/// What is down is the life that is known: a newer one, whose hello this node has not applied yet, is not.
fn over(known: Node) -> Incarnation {
    if known.down { known.incarnation } else { Incarnation(known.incarnation.0.saturating_sub(1)) }
}

fn gone(shard: &Shard, control: &Control) -> Option<TenantId> {
    shard.tenants().map(|tenant| tenant.id).find(|tenant| control.tenant(*tenant).is_none())
}
