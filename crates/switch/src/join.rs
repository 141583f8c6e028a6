//! How a process becomes a member of the cluster.

use std::time::Duration;

use strowger_model::{Incarnation, NodeId};
use strowger_table::{Control, ControlCommand};

/// A command of a joining process is proposed this long: longer than an election.
pub const JOIN: Duration = Duration::from_secs(5);
/// One that failed is said again after this.
pub const JOIN_AGAIN: Duration = Duration::from_millis(50);

/// What a process says next in the control group: the first voter says who votes, everybody says hello until it is
/// heard. None: it is known, in a cluster that is founded.
pub fn join(
    control: &Control,
    me: NodeId,
    incarnation: Incarnation,
    voters: &[NodeId],
    shards: u16,
) -> Option<ControlCommand> {
    let is_founded = !control.voters().is_empty();
    if !is_founded && voters.iter().min() == Some(&me) {
        return Some(ControlCommand::Found { voters: voters.to_vec(), shards });
    }
    let is_known = control.node(me).is_some_and(|node| node.incarnation >= incarnation);
    (!is_founded || !is_known).then_some(ControlCommand::Hello { node: me, incarnation })
}
