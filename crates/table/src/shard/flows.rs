//! Versions of flows: a call goes on in the flow that it began, also when the configuration has another by now.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::OrdMap;
use strowger_model::config::{Flow, Tenant};
use strowger_model::{Digest, FlowId, TenantId};

use super::Shard;
use super::image::owned;
use super::index::count_down;
use crate::hash;
use crate::rowmap::RowMap;

/// Which version of each flow is in force, and earlier ones that calls count on.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptFlows {
    /// The configuration's version in which each flow last changed.
    current: OrdMap<FlowId, u64>,
    kept: RowMap<(FlowId, u64), KeptFlow>,
    /// Calls on each version; derived from their rows.
    counts: OrdMap<(FlowId, u64), usize>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct KeptFlow {
    pub version: u64,
    pub flow: Flow,
}

pub(crate) struct KeptFlowsImage {
    pub current: Vec<(FlowId, u64)>,
    pub kept: Vec<Arc<KeptFlow>>,
}

impl KeptFlows {
    pub(super) fn hash(&self) -> u64 {
        hash::of(&(self.current.iter().collect::<Vec<_>>(), self.kept.hash()))
    }

    /// What earlier versions play.
    pub(super) fn prompts(&self) -> impl Iterator<Item = Digest> {
        self.kept.iter().flat_map(|(_, kept)| kept.flow.prompts())
    }

    pub(super) fn image(&self) -> KeptFlowsImage {
        KeptFlowsImage {
            current: self.current.iter().map(|(flow, version)| (*flow, *version)).collect(),
            kept: self.kept.iter().map(|(_, kept)| kept.clone()).collect(),
        }
    }

    /// Without counts: calls bring them.
    pub(super) fn from_image(image: KeptFlowsImage) -> Self {
        let mut flows = Self { current: image.current.into_iter().collect(), ..Self::default() };
        image.kept.into_iter().for_each(|kept| flows.kept.put((kept.flow.id, kept.version), owned(kept)));
        flows
    }

    /// The version of a flow that a call has counted on so far, and the one that it counts on from now on.
    pub(super) fn count(&mut self, before: Option<(FlowId, u64)>, after: Option<(FlowId, u64)>) {
        if before == after {
            return;
        }
        if let Some(version) = after {
            *self.counts.entry(version).or_insert(0) += 1;
        }
        if let Some(version) = before {
            count_down(&mut self.counts, &version);
            if !self.counts.contains_key(&version) {
                self.kept.remove(&version);
            }
        }
    }

    /// Another configuration: what changed or went is kept where calls count on it.
    pub(super) fn configure(&mut self, version: u64, old: Option<&Tenant>, new: Option<&Tenant>) {
        let flows = |tenant: Option<&Tenant>| tenant.map_or(&[][..], |tenant| &tenant.flows).to_vec();
        let (old, new) = (flows(old), flows(new));
        let olds: BTreeMap<FlowId, &Flow> = old.iter().map(|flow| (flow.id, flow)).collect();
        let stays = |flow: &Flow| olds.get(&flow.id).is_some_and(|old| *old == flow);
        let staying: Vec<FlowId> = new.iter().filter(|flow| stays(flow)).map(|flow| flow.id).collect();
        for flow in old.iter().filter(|flow| staying.binary_search(&flow.id).is_err()) {
            let Some(version) = self.current.remove(&flow.id) else { continue };
            if self.counts.contains_key(&(flow.id, version)) {
                self.kept.put((flow.id, version), KeptFlow { version, flow: flow.clone() });
            }
        }
        for flow in new.iter().filter(|flow| staying.binary_search(&flow.id).is_err()) {
            self.current.insert(flow.id, version);
        }
    }
}

impl Shard {
    /// The version of a flow that calls begin now.
    pub fn flow_version(&self, flow: FlowId) -> Option<u64> {
        self.flows.current.get(&flow).copied()
    }

    /// A flow as it was in a version.
    pub fn flow(&self, tenant: TenantId, id: FlowId, version: u64) -> Option<&Flow> {
        if self.flow_version(id) == Some(version) {
            return self.tenant(tenant)?.flow(id);
        }
        self.flows.kept.get(&(id, version)).map(|kept| &kept.flow)
    }
}

#[cfg(test)]
mod tests {
    use strowger_model::config::Step;
    use strowger_model::{ShardId, TenantId};

    use super::*;

    fn tenant(flows: &[(u32, usize)]) -> Tenant {
        let flow = |(id, steps): &(u32, usize)| Flow {
            id: FlowId(*id),
            name: format!("f{id}"),
            steps: vec![Step::HangUp; *steps],
        };
        Tenant {
            id: TenantId(1),
            name: String::new(),
            realm: String::new(),
            shard: ShardId(0),
            numbers: Vec::new(),
            flows: flows.iter().map(flow).collect(),
            queues: Vec::new(),
            agents: Vec::new(),
            campaigns: Vec::new(),
            takes_anonymous: true,
            offers_sha256: false,
        }
    }

    #[test]
    fn a_version_stays_while_a_call_counts_on_it() {
        let (first, second, third) = (tenant(&[(1, 1), (2, 1)]), tenant(&[(1, 1), (2, 5)]), tenant(&[(1, 1)]));
        let mut flows = KeptFlows::default();
        flows.configure(1, None, Some(&first));
        flows.count(None, Some((FlowId(2), 1)));
        flows.count(None, Some((FlowId(2), 1)));
        flows.configure(2, Some(&first), Some(&second));
        assert_eq!((flows.current[&FlowId(1)], flows.current[&FlowId(2)]), (1, 2), "the first did not change");
        assert_eq!(flows.kept.get(&(FlowId(2), 1)).unwrap().flow.steps.len(), 1);

        // Nobody is in the second version of it: it goes at once.
        flows.configure(3, Some(&second), Some(&third));
        assert!(flows.kept.get(&(FlowId(2), 2)).is_none() && !flows.current.contains_key(&FlowId(2)));

        let copy = KeptFlows::from_image(flows.image());
        assert_eq!(copy.hash(), flows.hash());
        flows.count(Some((FlowId(2), 1)), None);
        assert!(flows.kept.get(&(FlowId(2), 1)).is_some());
        flows.count(Some((FlowId(2), 1)), None);
        assert!(flows.kept.get(&(FlowId(2), 1)).is_none());
        assert_ne!(copy.hash(), flows.hash());
    }
}
