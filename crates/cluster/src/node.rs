//! What the link and the log speak to. They are there before it, and it owns them: so they know it weakly.

use std::sync::{Arc, OnceLock, Weak};

use crate::context::Context;
use crate::intake::Intake;
use crate::vitals;

pub(crate) struct Node {
    pub context: Arc<Context>,
    pub intake: Arc<Intake>,
    pub vitals: vitals::Shared,
}

/// Unknown before it has begun and after it has ended.
#[derive(Default)]
pub(crate) struct Known(OnceLock<Weak<Node>>);

impl Known {
    /// Once.
    pub fn is(&self, node: &Arc<Node>) {
        let first = self.0.set(Arc::downgrade(node));
        debug_assert!(first.is_ok(), "a node begins once");
    }

    pub fn get(&self) -> Option<Arc<Node>> {
        self.0.get()?.upgrade()
    }
}
