//! The configuration turned round for look-ups: by number, by realm, by where a packet comes from.
//!
//! A million numbers and fifty thousand agents are in it, and tenants change one by one while their configuration comes
//! into force. So it is made of maps that share what did not change, and the next one is the last one with those tenants
//! exchanged that differ; it is made beside the log, whose entries do not wait for it.

use std::collections::HashMap;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use strowger_model::config::{Agent, Phone, Tenant, Trunk};
use strowger_model::{AgentId, CampaignId, Far, KeyId, QueueId, TenantId};
use strowger_store::Names;
use strowger_switch::Destination;
use strowger_table::Control;

use crate::context::Context;
use crate::data_keys::DataKeys;

/// A configuration as this node looks things up in it. Copies are cheap.
#[derive(Clone, Default, Debug)]
pub struct Directory {
    /// Of the cluster's configuration; 0 before the first.
    pub version: u64,
    /// In the order of the files.
    pub trunks: Arc<Vec<Trunk>>,
    /// For records, which outlive what they name.
    pub names: Arc<Names>,
    pub(crate) mark: Mark,
    tenants: OrdMap<TenantId, Arc<Known>>,
    /// While a number moves from one tenant to another both may have it: each has its own, and the younger one counts.
    numbers: OrdMap<(PackedNumber, TenantId), Destination>,
    realms: OrdSet<(String, TenantId)>,
    agents: OrdMap<AgentId, TenantId>,
    queues: OrdMap<QueueId, TenantId>,
}

/// Of what a directory shows: the version of the control group, and what tells each shard's configurations apart.
pub(crate) type Mark = (u64, Vec<u64>);

/// A number's digits and whether a `+` is before them: a third of what the text takes.
type PackedNumber = u64;

/// A tenant, and what is looked up within it.
#[derive(Debug)]
struct Known {
    tenant: Arc<Tenant>,
    /// By SIP user, which phones register with.
    users: HashMap<String, AgentId>,
    /// A data key that its secrets are sealed under and this node does not have.
    missing_key: Option<KeyId>,
}

/// Keeps it new. Ends with the node.
pub(crate) async fn run(context: Arc<Context>) {
    loop {
        context.newest.until_old().await;
        let context = context.clone();
        if let Err(fault) = tokio::task::spawn_blocking(move || context.refresh_directory()).await {
            tracing::error!(%fault, "the configuration could not be turned round for look-ups");
        }
    }
}

impl Directory {
    /// The next one. `tenants` are what the shards have of those that the control group names.
    pub(crate) fn followed_by(&self, mark: Mark, control: &Control, tenants: &[Arc<Tenant>], keys: &DataKeys) -> Self {
        let mut next = Self { version: control.version(), trunks: control.trunks(), mark, ..self.clone() };
        let mut names = (*self.names).clone();
        names.name_trunks(&next.trunks);
        let new: HashMap<TenantId, &Arc<Tenant>> = tenants.iter().map(|tenant| (tenant.id, tenant)).collect();
        for known in self.tenants.values() {
            if new.get(&known.tenant.id).is_none_or(|new| !Arc::ptr_eq(new, &known.tenant)) {
                next.forget(&known.tenant);
                names.forget(&known.tenant);
            }
        }
        for tenant in tenants.iter().filter(|tenant| !next.tenants.contains_key(&tenant.id)).collect::<Vec<_>>() {
            next.learn(tenant, keys);
            names.learn(tenant);
        }
        next.names = Arc::new(names);
        next
    }

    fn learn(&mut self, tenant: &Arc<Tenant>, keys: &DataKeys) {
        let id = tenant.id;
        for number in &tenant.numbers {
            let to = Destination { tenant: id, flow: number.flow, shard: tenant.shard };
            let packed = packed(&number.number);
            debug_assert!(packed.is_some(), "what is no number is refused where the configuration is read");
            self.numbers.extend(packed.map(|packed| ((packed, id), to)));
        }
        self.realms.insert((tenant.realm.to_ascii_lowercase(), id));
        self.agents.extend(tenant.agents.iter().map(|agent| (agent.id, id)));
        self.queues.extend(tenant.queues.iter().map(|queue| (queue.id, id)));
        let users = tenant.agents.iter().map(|agent| (agent.name.clone(), agent.id)).collect();
        let missing_key = keys_of(tenant).find(|key| !keys.has(*key));
        self.tenants.insert(id, Arc::new(Known { tenant: tenant.clone(), users, missing_key }));
    }

    /// The same, as a node sees it that has these keys.
    pub(crate) fn with_keys(&self, keys: &DataKeys) -> Self {
        let mut next = self.clone();
        for (id, known) in &self.tenants {
            let missing_key = keys_of(&known.tenant).find(|key| !keys.has(*key));
            if missing_key != known.missing_key {
                let (tenant, users) = (known.tenant.clone(), known.users.clone());
                next.tenants.insert(*id, Arc::new(Known { tenant, users, missing_key }));
            }
        }
        next
    }

    /// A tenant all of whose secrets could be read before, and a key that one is sealed under and that is missing now.
    pub(crate) fn lost_key(&self, before: &Self) -> Option<(&Tenant, KeyId)> {
        let mut lost = self.tenants.values().filter(|known| before.missing_key(known.tenant.id).is_none());
        lost.find_map(|known| Some((&*known.tenant, known.missing_key?)))
    }

    fn forget(&mut self, tenant: &Tenant) {
        let id = tenant.id;
        for number in tenant.numbers.iter().filter_map(|number| packed(&number.number)) {
            self.numbers.remove(&(number, id));
        }
        self.realms.remove(&(tenant.realm.to_ascii_lowercase(), id));
        for agent in &tenant.agents {
            self.agents.remove(&agent.id);
        }
        for queue in &tenant.queues {
            self.queues.remove(&queue.id);
        }
        self.tenants.remove(&id);
    }

    /// By id.
    pub fn tenants(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.tenants.values().map(|known| &known.tenant)
    }

    /// A tenant of the configuration.
    pub fn tenant(&self, id: TenantId) -> Option<&Arc<Tenant>> {
        self.tenants.get(&id).map(|known| &known.tenant)
    }

    /// Walks all tenants: for people.
    pub fn tenant_named(&self, name: &str) -> Option<&Arc<Tenant>> {
        self.tenants().find(|tenant| tenant.name == name)
    }

    /// Where calls to a number go, which is in the form that the edge gives it (`Message::called_number`).
    pub fn number(&self, number: &str) -> Option<Destination> {
        let packed = packed(number)?;
        let mut theirs = self.numbers.range((packed, TenantId(0))..=(packed, TenantId(u32::MAX)));
        theirs.next_back().map(|(_, destination)| *destination)
    }

    /// The tenant of a SIP domain, in whatever case.
    pub fn realm(&self, realm: &str) -> Option<&Arc<Tenant>> {
        let realm = realm.to_ascii_lowercase();
        let mut theirs = self.realms.range((realm.clone(), TenantId(0))..=(realm, TenantId(u32::MAX)));
        theirs.next_back().and_then(|(_, id)| self.tenant(*id))
    }

    /// The data key that a tenant's secrets are sealed under, if this node does not have it.
    pub fn missing_key(&self, id: TenantId) -> Option<KeyId> {
        self.tenants.get(&id)?.missing_key
    }

    /// An agent and whose it is.
    pub fn agent(&self, id: AgentId) -> Option<(&Arc<Tenant>, &Agent)> {
        let tenant = self.tenant(*self.agents.get(&id)?)?;
        Some((tenant, tenant.agent(id)?))
    }

    /// The agent of a SIP user.
    pub fn agent_named(&self, tenant: &Tenant, name: &str) -> Option<AgentId> {
        self.tenants.get(&tenant.id)?.users.get(name).copied()
    }

    /// A queue's name.
    pub fn queue_name(&self, id: QueueId) -> Option<&str> {
        let tenant = self.tenant(*self.queues.get(&id)?)?;
        tenant.queue(id).map(|queue| queue.name.as_str())
    }

    /// Its id in place of a name that is not there any more.
    pub fn campaign_name(&self, id: CampaignId) -> String {
        self.names.campaigns.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// The trunk that sends from there; the first in the files that covers it.
    pub fn trunk(&self, source: Far) -> Option<&Trunk> {
        self.trunks.iter().find(|trunk| trunk.sends_from(source))
    }
}

/// None for what no tenant can have: a configuration's numbers are 2 to 15 digits.
fn packed(number: &str) -> Option<PackedNumber> {
    const DIGITS_MAX: usize = 15;
    let (digits, is_e164) = number.strip_prefix('+').map_or((number, false), |digits| (digits, true));
    if digits.is_empty() || digits.len() > DIGITS_MAX || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    // With a 1 before them, because zeros at the beginning count.
    let digits = digits.bytes().fold(1, |number, digit| number * 10 + u64::from(digit - b'0'));
    Some(digits << 1 | u64::from(is_e164))
}

/// The keys that a tenant's secrets are sealed under.
pub(crate) fn keys_of(tenant: &Tenant) -> impl Iterator<Item = KeyId> {
    tenant.agents.iter().filter_map(|agent| match &agent.phone {
        Phone::Registers { ha1 } => Some(ha1.key),
        Phone::Static { .. } => None,
    })
}

#[cfg(test)]
mod tests {
    use strowger_model::config::{Number, Phone};
    use strowger_model::{FlowId, Ha1, Hashes, Sealed, ShardId, Whose};

    use super::*;

    fn keys() -> DataKeys {
        DataKeys::parse(&"42".repeat(32)).unwrap()
    }

    fn tenant(id: u32, realm: &str, numbers: &[&str], agents: &[u32]) -> Arc<Tenant> {
        let agent = |agent: &u32| Agent {
            id: AgentId(*agent),
            name: format!("name-{agent}"),
            queues: Vec::new(),
            phone: Phone::Registers { ha1: Sealed::default() },
            ready_at_login: true,
            site: String::new(),
        };
        let number = |number: &&str| Number { number: (*number).to_owned(), flow: FlowId(id) };
        Arc::new(Tenant {
            id: TenantId(id),
            name: format!("tenant-{id}"),
            realm: realm.to_owned(),
            shard: ShardId(0),
            numbers: numbers.iter().map(number).collect(),
            flows: Vec::new(),
            queues: Vec::new(),
            agents: agents.iter().map(agent).collect(),
            campaigns: Vec::new(),
            takes_anonymous: true,
            offers_sha256: false,
        })
    }

    fn after(before: &Directory, tenants: &[Arc<Tenant>]) -> Directory {
        before.followed_by(Mark::default(), &Control::default(), tenants, &keys())
    }

    fn owner(directory: &Directory, number: &str) -> Option<u32> {
        directory.number(number).map(|destination| destination.tenant.0)
    }

    /// Whatever came before, it shows what is there now and nothing else.
    #[test]
    fn the_next_directory_is_as_one_made_from_nothing() {
        let (one, two) =
            (tenant(1, "one.example", &["+4930111", "110"], &[1, 2]), tenant(2, "two.example", &["112"], &[3]));
        let moved = tenant(1, "uno.example", &["+4930111"], &[2, 4]);
        let both = after(&Directory::default(), &[one.clone(), two.clone()]);
        for (before, now) in [
            (&both, vec![moved.clone(), two.clone()]),
            (&both, vec![two.clone()]),
            (&after(&both, &[]), vec![one.clone(), moved.clone()][1..].to_vec()),
            (&both, vec![one, two]),
        ] {
            let (grown, fresh) = (after(before, &now), after(&Directory::default(), &now));
            assert_eq!(format!("{:?}", grown.numbers), format!("{:?}", fresh.numbers));
            assert_eq!((&grown.realms, &grown.agents, &grown.queues), (&fresh.realms, &fresh.agents, &fresh.queues));
            assert_eq!(grown.names.agents, fresh.names.agents);
            assert_eq!(grown.names.tenants, fresh.names.tenants);
            assert!(grown.tenants().eq(fresh.tenants()));
            for tenant in &now {
                for agent in &tenant.agents {
                    assert_eq!(grown.agent_named(tenant, &agent.name), Some(agent.id));
                    assert_eq!(grown.agent(agent.id).unwrap().0, tenant);
                }
                assert_eq!(grown.realm(&tenant.realm.to_uppercase()), Some(tenant));
                assert_eq!(grown.missing_key(tenant.id), Some(KeyId(0)));
            }
        }
    }

    #[test]
    fn a_number_that_moves_is_somebodys_all_the_time() {
        let (had, gave) = (tenant(1, "one.example", &["110"], &[]), tenant(1, "one.example", &[], &[]));
        let (lacked, got) = (tenant(2, "two.example", &[], &[]), tenant(2, "two.example", &["110"], &[]));
        let before = after(&Directory::default(), &[had.clone(), lacked.clone()]);
        let taken_first = after(&before, &[had.clone(), got.clone()]);
        let given_first = after(&before, &[gave.clone(), lacked]);
        assert_eq!(
            [&before, &taken_first, &given_first].map(|directory| owner(directory, "110")),
            [Some(1), Some(2), None]
        );
        assert_eq!(owner(&after(&taken_first, &[gave.clone(), got.clone()]), "110"), Some(2));
        assert_eq!(owner(&after(&given_first, &[gave, got.clone()]), "110"), Some(2));
        // Where it is made from nothing while both have it, and one gives it away.
        let made_anew = after(&Directory::default(), &[had, got.clone()]);
        assert_eq!(owner(&after(&made_anew, &[tenant(1, "one.example", &[], &[]), got]), "110"), Some(2));
    }

    /// A key that comes is there at once, and one that is needed does not go.
    #[test]
    fn keys_are_exchanged_under_a_directory() {
        let one = tenant(1, "one.example", &[], &[1]);
        let mut sealed = (*one).clone();
        let (mine, other) = (keys(), DataKeys::parse(&"43".repeat(32)).unwrap());
        let whose = Whose { realm: "one.example", user: "name-1" };
        let ha1 = Ha1 { alone: Hashes { md5: [1; Hashes::MD5], sha256: None }, at_realm: None };
        sealed.agents[0].phone = Phone::Registers { ha1: mine.seal(whose, &ha1) };
        let before = after(&Directory::default(), &[Arc::new(sealed), tenant(2, "two.example", &[], &[2])]);
        assert_eq!((before.missing_key(TenantId(1)), before.missing_key(TenantId(2))), (None, Some(KeyId(0))));
        let without = before.with_keys(&other);
        let lost = without.lost_key(&before).map(|(tenant, key)| (tenant.id, Some(key)));
        assert_eq!(lost, Some((TenantId(1), mine.ids().next())), "the other one's was missing before");
        let again = without.with_keys(&keys());
        assert!(again.missing_key(TenantId(1)).is_none() && again.lost_key(&before).is_none());
        assert_eq!(again.agent_named(&one, "name-1"), Some(AgentId(1)));
    }

    #[test]
    fn numbers_are_told_apart() {
        let all = ["110", "0110", "+110", "00110", "112", "+49301234567", "49301234567", "999999999999999"];
        let mut packed: Vec<u64> = all.iter().map(|number| packed(number).unwrap()).collect();
        packed.sort_unstable();
        packed.dedup();
        assert_eq!(packed.len(), all.len());
        for none in ["", "+", "1a", "+ 49", "٣", "1000000000000000", "anonymous"] {
            assert_eq!(super::packed(none), None, "{none}");
        }
    }
}
