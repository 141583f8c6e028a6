//! Which relay carries a leg: one of the leg's site, where the call's other leg is if that is possible, else the one
//! with the fewest legs.

use std::cell::RefCell;
use std::collections::BTreeMap;

use strowger_model::RelayId;
use strowger_table::Shard;

/// A relay that can be reached now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UsableRelay {
    /// By the name that rows know it under.
    pub relay: RelayId,
    /// Where it stands; empty if nobody said.
    pub site: String,
}

/// Chooses relays by a shard's table and by what it has itself given away since.
pub struct RelayChoice<'a> {
    shard: &'a Shard,
    usable: &'a [UsableRelay],
    given: RefCell<BTreeMap<RelayId, usize>>,
}

impl<'a> RelayChoice<'a> {
    /// With nothing given away yet.
    pub fn new(shard: &'a Shard, usable: &'a [UsableRelay]) -> Self {
        Self { shard, usable, given: RefCell::default() }
    }

    /// `site`: where the leg's far end is; empty for anywhere. `near`: the relay of the call's other leg, which saves
    /// the way between relays.
    pub fn choose(&self, site: &str, near: Option<RelayId>) -> Option<RelayId> {
        let at_site = |usable: &UsableRelay| site.is_empty() || usable.site == site;
        // Where nobody of that site is there, far media is better than none.
        let anywhere = !self.usable.iter().any(at_site);
        let candidates = || self.usable.iter().filter(|usable| anywhere || at_site(usable)).map(|usable| usable.relay);
        let relay = match near.filter(|near| candidates().any(|relay| relay == *near)) {
            Some(near) => near,
            None => candidates().min_by_key(|relay| (self.legs(*relay), *relay))?,
        };
        *self.given.borrow_mut().entry(relay).or_insert(0) += 1;
        Some(relay)
    }

    fn legs(&self, relay: RelayId) -> usize {
        self.shard.relay_legs(relay) + self.given.borrow().get(&relay).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use strowger_model::ShardId;

    use super::*;

    fn relays(of: &[(u16, &str)]) -> Vec<UsableRelay> {
        of.iter().map(|(relay, site)| UsableRelay { relay: RelayId(*relay), site: (*site).to_owned() }).collect()
    }

    #[test]
    fn the_site_decides_then_the_other_leg_then_the_load() {
        let shard = Shard::new(ShardId(0));
        let usable = relays(&[(1, "east"), (2, "west"), (3, "west")]);
        let choice = RelayChoice::new(&shard, &usable);
        assert_eq!(choice.choose("west", Some(RelayId(3))), Some(RelayId(3)));
        // 3 has a leg now.
        assert_eq!(choice.choose("west", Some(RelayId(1))), Some(RelayId(2)));
        assert_eq!(choice.choose("", Some(RelayId(1))), Some(RelayId(1)));
        assert_eq!(choice.choose("north", None), Some(RelayId(1)));
        assert_eq!(RelayChoice::new(&shard, &[]).choose("", None), None);
    }

    #[test]
    fn legs_are_spread_evenly() {
        let shard = Shard::new(ShardId(0));
        let usable = relays(&[(1, ""), (2, ""), (3, "")]);
        let choice = RelayChoice::new(&shard, &usable);
        let chosen: Vec<_> = (0..6).filter_map(|_| choice.choose("", None)).map(|relay| relay.0).collect();
        assert_eq!(chosen, [1, 2, 3, 1, 2, 3]);
    }

    #[test]
    fn a_leg_beside_another_one_is_load_as_well() {
        let shard = Shard::new(ShardId(0));
        let usable = relays(&[(1, ""), (2, "")]);
        let choice = RelayChoice::new(&shard, &usable);
        assert_eq!(choice.choose("", Some(RelayId(1))), Some(RelayId(1)));
        assert_eq!(choice.choose("", None), Some(RelayId(2)));
    }

    /// A leg of no site may be carried by any relay, not only by those of which nobody said where they stand.
    #[test]
    fn a_leg_of_no_site_goes_anywhere() {
        let shard = Shard::new(ShardId(0));
        let usable = relays(&[(1, ""), (2, "east")]);
        let choice = RelayChoice::new(&shard, &usable);
        let chosen: Vec<_> = (0..4).filter_map(|_| choice.choose("", None)).map(|relay| relay.0).collect();
        assert_eq!(chosen, [1, 2, 1, 2]);
    }

    /// The other leg's relay may be gone, or be one that no leg goes to any more.
    #[test]
    fn a_relay_that_is_not_usable_is_never_chosen() {
        let shard = Shard::new(ShardId(0));
        let usable = relays(&[(1, "east"), (2, "east")]);
        let choice = RelayChoice::new(&shard, &usable);
        assert_eq!(choice.choose("north", Some(RelayId(9))), Some(RelayId(1)));
        assert_eq!(choice.choose("east", Some(RelayId(9))), Some(RelayId(2)));
    }
}
