//! Leads are spread over the voters: each group's lead belongs to one of them, and goes there when that one is alive.

use std::collections::BTreeMap;
use std::time::Duration;

use strowger_model::{Incarnation, Mono, NodeId};
use strowger_table::Control;

use super::Led;

/// A voter keeps a lead that is not its own for so long before it hands it on: the other must have settled.
const SETTLED: Duration = Duration::from_secs(3);
/// A home that did not take the lead lacks entries, or is about to be declared dead.
const AGAIN: Duration = Duration::from_secs(1);
/// Each time it does not take it, it is asked half as often, down to this: a slow disk stays slow.
const AGAIN_MOST: Duration = Duration::from_secs(32);

/// Processes that have said that they were told to stop, by their nodes. They live until they fall silent, and take no
/// lead: each would be left to an election a moment later.
pub type Leaving = BTreeMap<NodeId, Incarnation>;

/// Whether a lead is handed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HandOver {
    /// Now, to that voter.
    To(NodeId),
    /// Not before then.
    At(Mono),
    /// Not before the control group says something new, or an answer comes; never, for a lead that is at home.
    No,
}

impl HandOver {
    /// When to look again if nothing happens before.
    pub fn again(self) -> Option<Mono> {
        match self {
            HandOver::At(at) => Some(at),
            HandOver::To(_) | HandOver::No => None,
        }
    }
}

/// The rule of one group's lead.
#[derive(Debug)]
pub struct HandOn {
    me: NodeId,
    home: NodeId,
    /// The leadership that the rest is of: a new one begins anew.
    led: Option<Led>,
    under_way: bool,
    not_before: Mono,
    pause: Duration,
}

impl HandOn {
    /// `home`: the voter that the lead belongs to.
    pub fn new(me: NodeId, home: NodeId) -> Self {
        Self { me, home, led: None, under_way: false, not_before: Mono::ZERO, pause: AGAIN }
    }

    /// Every node can be asked, and acts only while it leads.
    pub fn look(&mut self, led: Led, control: &Control, leaving: &Leaving, now: Mono) -> HandOver {
        if self.led != Some(led) {
            *self = Self { led: Some(led), ..Self::new(self.me, self.home) };
        }
        let leaves = leaving.get(&self.home);
        let stays = control.node(self.home).is_some_and(|node| !node.down && leaves != Some(&node.incarnation));
        if self.home == self.me || self.under_way || !stays {
            return HandOver::No;
        }
        let at = self.not_before.max(led.since + SETTLED);
        if at > now {
            return HandOver::At(at);
        }
        self.under_way = true;
        HandOver::To(self.home)
    }

    /// Whoever still leads then was not relieved.
    pub fn answered(&mut self, now: Mono) {
        (self.under_way, self.not_before) = (false, now + self.pause);
        self.pause = AGAIN_MOST.min(self.pause * 2);
    }
}
