//! What is said to far ends: by this node, or by the one that holds the connection. Runs the switch's rule for what may
//! die with the node that it was handed to.

use std::sync::{Arc, Mutex, PoisonError};

use strowger_link::{Class, seal};
use strowger_model::{Far, PeerId};
use strowger_switch::{StandBy, poster};

use crate::context::Context;
use crate::wire::SendSip;

/// What others were handed lately.
#[derive(Default)]
pub(crate) struct Posts(Mutex<StandBy>);

impl Context {
    /// SIP to a far end, by the node that holds the connection to it if there is one.
    pub(crate) fn send(&self, to: Far, bytes: &[u8]) {
        if !self.hand_over(to, bytes) {
            self.edge.send(to, bytes);
        }
    }

    /// False: it is this node's to say. Most is, and waits for nobody.
    fn hand_over(&self, to: Far, bytes: &[u8]) -> bool {
        if to.line.is_none_or(|line| line.node == self.me) {
            return false;
        }
        // Until it stands in the list: a death that is heard of now is looked at after.
        let mut standing = self.posts.0.lock().unwrap_or_else(PoisonError::into_inner);
        let by = poster(to, self.me, self.edge.is_passive(), |node| self.lives_as(node));
        let Some(by) = by else { return false };
        let post = SendSip { to, message: bytes.to_vec() };
        let is_handed = self.link.cast(PeerId::Node(by.0), Class::Sip, seal(&post)).is_ok();
        if is_handed {
            standing.posted(by, to, post.message, self.now());
        }
        is_handed
    }
}

/// Looks whenever the control group says something, until the node has ended.
pub(crate) async fn stand_by(context: Arc<Context>) {
    loop {
        // Before the look, so that no change falls between.
        let changed = context.control_news();
        let lost = {
            let mut standing = context.posts.0.lock().unwrap_or_else(PoisonError::into_inner);
            standing.look(context.now(), |node| context.lives_as(node))
        };
        lost.into_iter().for_each(|(to, bytes)| context.edge.send(to, &bytes));
        changed.await;
    }
}
