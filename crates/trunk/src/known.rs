//! Whom this node knows: trunks, and phones where they registered. Anybody else is a stranger. What a stranger says that is
//! no call's and no REGISTER is not answered with a word, so that who scans the network learns not even that SIP is spoken
//! here.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use strowger_model::config::Trunk;
use strowger_model::{AgentId, Far, ShardId};

/// Kept up to date by whoever has the configuration and the log; asked for each message that names no leg.
#[derive(Default)]
pub struct Known(RwLock<Everybody>);

#[derive(Default)]
struct Everybody {
    trunks: Arc<Vec<Trunk>>,
    /// Of how many agents a phone is at each address: an office behind a NAT is one.
    hosts: HashMap<IpAddr, usize>,
    agents: HashMap<AgentId, (ShardId, Vec<IpAddr>)>,
}

impl Known {
    /// Those of the configuration in force.
    pub fn set_trunks(&self, trunks: Arc<Vec<Trunk>>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).trunks = trunks;
    }

    /// Where an agent's phones are now; nowhere, when the agent is gone.
    pub fn set_phones(&self, shard: ShardId, agent: AgentId, at: impl IntoIterator<Item = IpAddr>) {
        let mut at: Vec<IpAddr> = at.into_iter().map(|ip| ip.to_canonical()).collect();
        at.sort_unstable();
        at.dedup();
        // Rows change with each call, and phones seldom move.
        let is_as_before = self.read(|all| all.agents.get(&agent).map_or(at.is_empty(), |(_, before)| *before == at));
        if !is_as_before {
            self.0.write().unwrap_or_else(PoisonError::into_inner).move_phones(shard, agent, at);
        }
    }

    /// Forgets those agents of a shard that it does not have any more.
    pub fn keep_agents(&self, shard: ShardId, has: impl Fn(AgentId) -> bool) {
        let of_shard = |all: &Everybody| -> Vec<AgentId> {
            all.agents.iter().filter(|(_, (of, _))| *of == shard).map(|(agent, _)| *agent).collect()
        };
        let gone: Vec<AgentId> = self.read(of_shard).into_iter().filter(|agent| !has(*agent)).collect();
        gone.into_iter().for_each(|agent| self.set_phones(shard, agent, []));
    }

    /// Whether calls come from there: phones are called, and trunks call.
    pub(crate) fn may_call(&self, far: Far) -> bool {
        self.read(|all| all.trunks.iter().any(|trunk| trunk.sends_from(far)))
    }

    /// Whether a trunk or a phone is there. Of a phone the host counts: behind a NAT the port may be any.
    pub fn has(&self, far: Far) -> bool {
        self.read(|all| all.is_trunk(far) || all.hosts.contains_key(&far.addr.ip().to_canonical()))
    }

    fn read<T>(&self, look: impl FnOnce(&Everybody) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Everybody {
    fn is_trunk(&self, far: Far) -> bool {
        let goes_there = |trunk: &Trunk| trunk.destination.is_some_and(|to| to.addr.ip() == far.addr.ip());
        self.trunks.iter().any(|trunk| trunk.sends_from(far) || goes_there(trunk))
    }

    fn move_phones(&mut self, shard: ShardId, agent: AgentId, at: Vec<IpAddr>) {
        let (_, before) = self.agents.remove(&agent).unwrap_or((shard, Vec::new()));
        for ip in before {
            if let Some(count) = self.hosts.get_mut(&ip) {
                *count -= 1;
                if *count == 0 {
                    self.hosts.remove(&ip);
                }
            }
        }
        for ip in &at {
            *self.hosts.entry(*ip).or_default() += 1;
        }
        if !at.is_empty() {
            self.agents.insert(agent, (shard, at));
        }
    }
}

#[cfg(test)]
mod tests {
    use strowger_model::TrunkId;
    use strowger_model::config::Source;

    use super::*;

    const SHARD: ShardId = ShardId(1);

    fn ip(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    fn at(last: u8, port: u16) -> Far {
        Far::udp((ip(last), port))
    }

    fn trunk() -> Trunk {
        Trunk {
            id: TrunkId(1),
            name: "carrier".to_owned(),
            sources: vec![Source { ip: ip(10), port: Some(5060) }],
            max_calls_per_second: 1,
            max_calls: 1,
            destination: Some(at(11, 5060)),
            max_dials_per_second: 1,
            site: String::new(),
        }
    }

    #[test]
    fn a_trunk_is_known_where_it_sends_from_and_where_it_is_called() {
        let known = Known::default();
        assert!(!known.has(at(10, 5060)), "before there is a configuration");
        known.set_trunks(Arc::new(vec![trunk()]));
        assert!(known.has(at(10, 5060)) && known.has(at(11, 40_000)));
        assert!(
            known.may_call(at(10, 5060)) && !known.may_call(at(11, 40_000)),
            "from where it is called it does not call"
        );
        assert!(!known.has(at(10, 5061)), "somebody else on its host");
        assert!(known.has(Far::tcp((ip(10), 40_000))));
        known.set_trunks(Arc::default());
        assert!(!known.has(at(10, 5060)));
    }

    #[test]
    fn a_host_is_known_as_long_as_a_phone_is_there() {
        let known = Known::default();
        let (one, two) = (AgentId(1), AgentId(2));
        known.set_phones(SHARD, one, [ip(21), ip(21)]);
        known.set_phones(SHARD, two, [ip(21), ip(22)]);
        assert!(known.has(at(21, 9)) && known.has(at(22, 9)) && !known.may_call(at(21, 9)));
        known.set_phones(SHARD, one, [ip(23)]);
        assert!(known.has(at(21, 9)) && known.has(at(23, 9)), "the other's phone is there still");
        known.set_phones(SHARD, two, []);
        assert!(!known.has(at(21, 9)) && !known.has(at(22, 9)) && known.has(at(23, 9)));
        let mapped = "::ffff:192.0.2.23".parse::<IpAddr>().unwrap();
        assert!(known.has(Far::udp((mapped, 9))), "as a socket for both families has it");
    }

    #[test]
    fn who_leaves_a_shard_unseen_is_forgotten() {
        let known = Known::default();
        for (shard, agent) in [(SHARD, 1), (SHARD, 2), (ShardId(2), 3)] {
            known.set_phones(shard, AgentId(agent), [ip(agent as u8)]);
        }
        known.keep_agents(SHARD, |agent| agent == AgentId(1));
        assert_eq!([1, 2, 3].map(|last| known.has(at(last, 9))), [true, false, true]);
    }
}
