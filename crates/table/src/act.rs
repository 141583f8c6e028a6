//! What people did through the API: each administrative act, who asked for it and what it came to. Kept here until every
//! voter has it in its records.

use std::sync::Arc;

use imbl::OrdMap;
use strowger_model::{NodeId, TenantId, Wall};

use crate::limit;

/// What is known of an act before it is done.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Intent {
    /// Name of the token that asked.
    pub who: String,
    /// The tenant that token is for; none: the whole cluster.
    pub tenant: Option<TenantId>,
    /// Method and path.
    pub what: String,
    /// The body, or how much of one there was; secrets are not in it.
    pub asked: String,
    /// IP address that the request came from.
    pub from: String,
    /// The node that was asked.
    pub node: NodeId,
}

/// An act.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Act {
    /// The index of its entry in the control group.
    pub id: u64,
    /// As that entry is stamped.
    pub at: Wall,
    /// What was asked for, by whom.
    pub intent: Intent,
    /// None while it is being done; and for ever, where the node that did it died or lost whoever asked.
    pub result: Option<ActResult>,
}

/// What an act came to, as the API answered.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ActResult {
    /// HTTP status.
    pub status: u16,
    /// An error's code, or what was made; often empty.
    pub told: String,
}

/// The youngest `limit::ACTS` by the index of the entry that wrote them last, so that whoever reads on from an index
/// misses no result.
#[derive(Clone, Debug, Default)]
pub(crate) struct Acts(OrdMap<u64, Arc<Act>>);

impl Acts {
    pub fn begin(&mut self, index: u64, at: Wall, intent: &Intent) {
        self.put(index, Act { id: index, at, intent: intent.clone(), result: None });
    }

    /// Once: what is said of an act that has its result, or is gone, changes nothing.
    pub fn end(&mut self, index: u64, id: u64, result: &ActResult) {
        if self.0.get(&id).is_none_or(|act| act.id != id || act.result.is_some()) {
            return;
        }
        if let Some(act) = self.0.remove(&id) {
            self.put(index, Act { result: Some(result.clone()), ..Arc::unwrap_or_clone(act) });
        }
    }

    fn put(&mut self, index: u64, act: Act) {
        self.0.insert(index, Arc::new(act));
        while self.0.len() > limit::ACTS {
            let Some(oldest) = self.0.get_min().map(|(index, _)| *index) else { break };
            self.0.remove(&oldest);
        }
    }

    pub fn after(&self, index: u64) -> impl Iterator<Item = (u64, &Arc<Act>)> {
        self.0.range(index.saturating_add(1)..).map(|(index, act)| (*index, act))
    }

    pub fn image(&self) -> Vec<(u64, Arc<Act>)> {
        self.0.iter().map(|(index, act)| (*index, act.clone())).collect()
    }

    pub fn from_image(image: Vec<(u64, Arc<Act>)>) -> Self {
        Self(image.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(what: &str) -> Intent {
        Intent {
            who: "first".to_owned(),
            tenant: None,
            what: what.to_owned(),
            asked: String::new(),
            from: "192.0.2.1".to_owned(),
            node: NodeId(1),
        }
    }

    fn done() -> ActResult {
        ActResult { status: 200, told: String::new() }
    }

    #[test]
    fn a_result_comes_once_and_is_found_by_who_read_the_act_before() {
        let mut acts = Acts::default();
        acts.begin(5, Wall(50), &intent("a"));
        acts.begin(6, Wall(60), &intent("b"));
        let seen: Vec<u64> = acts.after(0).map(|(index, _)| index).collect();
        assert_eq!(seen, [5, 6]);
        acts.end(8, 5, &done());
        acts.end(9, 5, &ActResult { status: 500, told: String::new() });
        acts.end(10, 7, &done());
        acts.end(11, 8, &done());
        let news: Vec<_> = acts.after(6).map(|(index, act)| (index, act.id, act.at, act.result.clone())).collect();
        assert_eq!(news, [(8, 5, Wall(50), Some(done()))]);
        assert_eq!(acts.after(0).count(), 2);
        assert_eq!(Acts::from_image(acts.image()).image(), acts.image());
    }

    #[test]
    fn the_youngest_are_kept() {
        let mut acts = Acts::default();
        let last = limit::ACTS as u64 + 3;
        (1..=last).for_each(|index| acts.begin(index, Wall(index), &intent("a")));
        assert_eq!(acts.after(0).map(|(index, _)| index).collect::<Vec<_>>(), (4..=last).collect::<Vec<_>>());
        acts.end(last + 1, 1, &done());
        assert_eq!(acts.after(last).count(), 0, "it was dropped");
    }
}
