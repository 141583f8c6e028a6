//! Who guesses at agents' passwords. After some wrong ones an address hears nothing more, as if nobody were there: for the
//! account that it guesses at, or for all when it tries many. Whether there is such an account makes no difference.
//!
//! Only an answer to a challenge that was sent to the address counts (`strowger_sip::claim`), so nobody silences another by
//! writing his address. Where an agent's phone is registered a guesser beside it is slowed down, and the phone heard. Behind
//! a proxy many phones have one address: there, where the operator says so, only the accounts that are guessed at go silent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use strowger_model::{Mono, Network, TenantId};

/// Wrong passwords for one account from one address: who set a phone up and mistyped gets it right by then.
pub const TRIES: u32 = 10;
/// Wrong passwords from one address, whatever the accounts: the same few passwords tried at many.
pub const TRIES_OF_ADDRESS: u32 = 30;
/// How long nothing is heard, from the last try that counted on. Ten tries in it are 350 000 a year.
pub const SILENCE: Duration = Duration::from_secs(900);
/// Between two tries at an account where one of its phones is registered, beyond [`TRIES`].
const PAUSE: Duration = Duration::from_secs(1);
/// Accounts at addresses, and addresses, that are remembered: some 10 MB of each. Then the oldest are forgotten.
const MOST: usize = 100_000;

/// An account as somebody claims it: a fingerprint, because what it is named is a stranger's text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Account {
    /// Whose realm it is in.
    pub tenant: TenantId,
    /// Of the user's name.
    pub user: u64,
}

impl Account {
    /// Of that name, whether or not there is one.
    pub fn new(tenant: TenantId, user: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(user).into();
        let (first, _) = digest.split_at(size_of::<u64>());
        Self { tenant, user: first.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)) }
    }
}

/// What a wrong password came to, told once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Silenced {
    /// From now on that account is not heard from that address.
    Account,
    /// From now on nobody is heard from that address.
    Address,
}

/// An address that is not heard, all of it or for some accounts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quiet {
    /// Of IPv6 the first of its /64.
    pub network: IpAddr,
    /// For how many accounts it guessed too often.
    pub accounts: usize,
    /// Nobody is heard from there, whatever the account.
    pub all: bool,
    /// Until it is heard again, unless it goes on.
    pub left: Duration,
}

/// What one node knows of wrong passwords, its own and those that others told it of.
#[derive(Debug, Default)]
pub struct Guesses {
    accounts: Tally<(Account, IpAddr)>,
    addresses: Tally<IpAddr>,
    /// Where one address is many phones'.
    proxies: Vec<Network>,
}

impl Guesses {
    /// Nothing is known yet; an address of these networks is never silenced as a whole.
    pub fn beside(proxies: Vec<Network>) -> Self {
        Self { proxies, ..Self::default() }
    }

    /// Whether a password of the account from there is looked at, or a challenge sent. `is_registered`: one of the
    /// account's phones is at that address.
    pub fn is_heard(&mut self, account: Account, from: IpAddr, is_registered: bool, now: Mono) -> bool {
        let (is_a_proxy, from) = (self.is_a_proxy(from), network(from));
        let tries = self.accounts.of(&(account, from), now);
        if is_registered {
            return tries.is_none_or(|tries| tries.wrong < TRIES || now.since(tries.last) >= PAUSE);
        }
        // One that shares its network (IPv6) with a neighbour who guesses is heard all the same.
        tries.is_none_or(|tries| tries.wrong < TRIES)
            && (is_a_proxy || self.addresses.of(&from, now).is_none_or(|tries| tries.wrong < TRIES_OF_ADDRESS))
    }

    fn is_a_proxy(&self, from: IpAddr) -> bool {
        self.proxies.iter().any(|proxies| proxies.contains(from.to_canonical()))
    }

    /// A wrong password came from there, to this node or another.
    pub fn wrong(&mut self, account: Account, from: IpAddr, now: Mono) -> Option<Silenced> {
        let (is_a_proxy, from) = (self.is_a_proxy(from), network(from));
        let at_account = self.accounts.count((account, from), now);
        if is_a_proxy {
            return (at_account == TRIES).then_some(Silenced::Account);
        }
        match self.addresses.count(from, now) {
            TRIES_OF_ADDRESS => Some(Silenced::Address),
            _ if at_account == TRIES => Some(Silenced::Account),
            _ => None,
        }
    }

    /// Who is not heard now, by address.
    pub fn quiet(&self, now: Mono) -> Vec<Quiet> {
        let mut quiet: BTreeMap<IpAddr, Quiet> = BTreeMap::new();
        let mut add = |network: IpAddr, tries: Tries, accounts: usize, all: bool| {
            let new = Quiet { network, accounts: 0, all: false, left: Duration::ZERO };
            let it = quiet.entry(network).or_insert(new);
            let left = (tries.last + SILENCE).since(now);
            *it = Quiet { accounts: it.accounts + accounts, all: it.all || all, left: it.left.max(left), ..*it };
        };
        self.accounts.beyond(TRIES, now).for_each(|((_, network), tries)| add(network, tries, 1, false));
        self.addresses.beyond(TRIES_OF_ADDRESS, now).for_each(|(network, tries)| add(network, tries, 0, true));
        quiet.into_values().collect()
    }

    /// Somebody who may says that it is heard again from there.
    pub fn lift(&mut self, from: IpAddr) {
        let from = network(from);
        self.addresses.forget(&from);
        let of_it: Vec<_> = self.accounts.by_key.keys().filter(|(_, at)| *at == from).copied().collect();
        of_it.iter().for_each(|key| self.accounts.forget(key));
    }

    /// The right one came from there: what was mistyped before is forgotten.
    pub fn right(&mut self, account: Account, from: IpAddr) {
        self.accounts.forget(&(account, network(from)));
    }
}

/// What one customer has: of IPv6 a whole /64 (RFC 6177 gives a site no less).
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
    }
}

#[derive(Clone, Copy, Debug)]
struct Tries {
    wrong: u32,
    last: Mono,
}

#[derive(Debug)]
struct Tally<K> {
    by_key: BTreeMap<K, Tries>,
    by_time: BTreeSet<(Mono, K)>,
}

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self { by_key: BTreeMap::new(), by_time: BTreeSet::new() }
    }
}

impl<K: Ord + Copy> Tally<K> {
    /// None: none that still count.
    fn of(&self, key: &K, now: Mono) -> Option<Tries> {
        self.by_key.get(key).copied().filter(|tries| now.since(tries.last) < SILENCE)
    }

    /// Those with so many or more.
    fn beyond(&self, most: u32, now: Mono) -> impl Iterator<Item = (K, Tries)> {
        let counts = move |tries: &Tries| tries.wrong >= most && now.since(tries.last) < SILENCE;
        self.by_key.iter().map(|(key, tries)| (*key, *tries)).filter(move |(_, tries)| counts(tries))
    }

    /// One more; how many there are now.
    fn count(&mut self, key: K, now: Mono) -> u32 {
        let wrong = self.of(&key, now).map_or(0, |tries| tries.wrong).saturating_add(1);
        self.forget(&key);
        if self.by_key.len() >= MOST
            && let Some((_, oldest)) = self.by_time.first().copied()
        {
            self.forget(&oldest);
        }
        self.by_key.insert(key, Tries { wrong, last: now });
        self.by_time.insert((now, key));
        debug_assert_eq!(self.by_key.len(), self.by_time.len(), "each is found both ways");
        wrong
    }

    fn forget(&mut self, key: &K) {
        if let Some(tries) = self.by_key.remove(key) {
            self.by_time.remove(&(tries.last, *key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: Mono = Mono(1_000_000);

    fn account(user: &str) -> Account {
        Account::new(TenantId(1), user)
    }

    fn ip(last: u8) -> IpAddr {
        [203, 0, 113, last].into()
    }

    fn guess(guesses: &mut Guesses, user: &str, from: IpAddr, times: u32, now: Mono) -> Vec<Silenced> {
        (0..times).filter_map(|_| guesses.wrong(account(user), from, now)).collect()
    }

    #[test]
    fn ten_wrong_ones_and_an_account_is_silent_for_who_guessed_and_for_nobody_else() {
        let mut guesses = Guesses::default();
        assert_eq!(guess(&mut guesses, "1001", ip(66), TRIES - 1, BEGIN), []);
        assert!(guesses.is_heard(account("1001"), ip(66), false, BEGIN), "the tenth may be the right one");
        assert_eq!(guess(&mut guesses, "1001", ip(66), 1, BEGIN), [Silenced::Account], "told once");
        assert!(!guesses.is_heard(account("1001"), ip(66), false, BEGIN));
        assert!(guesses.is_heard(account("1001"), ip(21), false, BEGIN), "its owner, elsewhere");
        assert!(guesses.is_heard(account("1002"), ip(66), false, BEGIN), "a colleague behind the same NAT");
        let still = BEGIN + SILENCE - Duration::from_micros(1);
        assert!(!guesses.is_heard(account("1001"), ip(66), false, still));
        assert!(guesses.is_heard(account("1001"), ip(66), false, BEGIN + SILENCE));
        assert_eq!(guess(&mut guesses, "1001", ip(66), TRIES - 1, BEGIN + SILENCE), [], "it counts anew");
    }

    #[test]
    fn who_tries_many_accounts_is_silent_for_all() {
        let mut guesses = Guesses::default();
        for no in 0..TRIES_OF_ADDRESS - 1 {
            assert_eq!(guess(&mut guesses, &no.to_string(), ip(66), 1, BEGIN), []);
        }
        assert!(guesses.is_heard(account("1001"), ip(66), false, BEGIN));
        assert_eq!(guess(&mut guesses, "1000", ip(66), 1, BEGIN), [Silenced::Address]);
        assert!(!guesses.is_heard(account("1001"), ip(66), false, BEGIN));
        assert!(guesses.is_heard(account("1001"), ip(66), true, BEGIN), "whose phone is registered there");
    }

    /// Of IPv6 a network is silenced, not an address.
    #[test]
    fn a_proxy_is_heard_whoever_guesses_in_its_network() {
        let [proxy, neighbour] = ["2001:db8::7", "2001:db8::8"].map(|ip| ip.parse::<IpAddr>().unwrap());
        let mut guesses = Guesses::beside(vec!["2001:db8::7".parse().unwrap()]);
        for no in 0..TRIES_OF_ADDRESS {
            guess(&mut guesses, &no.to_string(), neighbour, 1, BEGIN);
        }
        assert!(!guesses.is_heard(account("1001"), neighbour, false, BEGIN));
        assert!(guesses.is_heard(account("1001"), proxy, false, BEGIN));
    }

    /// One who mistypes behind an office's proxy silenced the office.
    #[test]
    fn behind_a_proxy_one_is_silenced_and_the_others_are_heard() {
        let proxies = vec!["203.0.113.66".parse().unwrap(), "2001:db8:1::/48".parse().unwrap()];
        let v6 = "2001:db8:1:2::3".parse().unwrap();
        for proxy in [ip(66), v6, "::ffff:203.0.113.66".parse().unwrap()] {
            let mut guesses = Guesses::beside(proxies.clone());
            for no in 0..10 * TRIES_OF_ADDRESS {
                assert_eq!(guess(&mut guesses, &no.to_string(), proxy, 1, BEGIN), [], "{proxy}");
            }
            assert_eq!(guess(&mut guesses, "1001", proxy, 2 * TRIES, BEGIN), [Silenced::Account], "{proxy}");
            assert!(!guesses.is_heard(account("1001"), proxy, false, BEGIN), "{proxy}");
            assert!(guesses.is_heard(account("1002"), proxy, false, BEGIN), "{proxy}");
            assert_eq!(guess(&mut guesses, "1001", ip(67), TRIES_OF_ADDRESS, BEGIN).last(), Some(&Silenced::Address));
        }
    }

    /// Who sits beside an agent's phone must not lock it out, nor guess as fast as he can.
    #[test]
    fn a_phone_that_is_registered_is_heard_where_somebody_guesses() {
        let mut guesses = Guesses::default();
        guess(&mut guesses, "1001", ip(21), TRIES, BEGIN);
        assert!(!guesses.is_heard(account("1001"), ip(21), true, BEGIN + PAUSE - Duration::from_micros(1)));
        assert!(guesses.is_heard(account("1001"), ip(21), true, BEGIN + PAUSE));
        guesses.right(account("1001"), ip(21));
        assert!(guesses.is_heard(account("1001"), ip(21), true, BEGIN));
    }

    #[test]
    fn the_right_one_forgives_what_was_mistyped_and_not_the_address() {
        let mut guesses = Guesses::default();
        guess(&mut guesses, "1001", ip(66), TRIES - 1, BEGIN);
        guesses.right(account("1001"), ip(66));
        assert_eq!(guess(&mut guesses, "1001", ip(66), TRIES - 1, BEGIN), []);
        for no in 0..TRIES_OF_ADDRESS - 2 * (TRIES - 1) - 1 {
            assert_eq!(guess(&mut guesses, &no.to_string(), ip(66), 1, BEGIN), []);
            guesses.right(account("own"), ip(66));
        }
        assert_eq!(guess(&mut guesses, "1000", ip(66), 1, BEGIN), [Silenced::Address], "an own account buys nothing");
    }

    #[test]
    fn who_is_silenced_is_shown_and_can_be_lifted() {
        let mut guesses = Guesses::default();
        guess(&mut guesses, "1001", ip(66), TRIES, BEGIN);
        guess(&mut guesses, "1002", ip(66), TRIES - 1, BEGIN);
        guess(&mut guesses, "1001", ip(67), TRIES_OF_ADDRESS, BEGIN + PAUSE);
        let shown = |network, accounts, all, left| Quiet { network, accounts, all, left };
        let now = BEGIN + PAUSE;
        assert_eq!(guesses.quiet(now), [shown(ip(66), 1, false, SILENCE - PAUSE), shown(ip(67), 1, true, SILENCE)]);
        guesses.lift(ip(67));
        assert!(
            guesses.is_heard(account("1001"), ip(67), false, now) && guesses.is_heard(account("1"), ip(67), false, now)
        );
        assert!(!guesses.is_heard(account("1001"), ip(66), false, now));
        assert_eq!(guesses.quiet(BEGIN + SILENCE), [], "all of them are heard again by themselves");
    }

    #[test]
    fn addresses_of_one_customer_are_one() {
        let mut guesses = Guesses::default();
        let of = |last: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, last));
        let told: Vec<_> =
            (1..).zip(0..TRIES).filter_map(|(no, _)| guesses.wrong(account("1001"), of(no), BEGIN)).collect();
        assert_eq!(told, [Silenced::Account]);
        assert!(!guesses.is_heard(account("1001"), of(999), false, BEGIN));
        let next = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 3, 0, 0, 0, 1));
        assert!(guesses.is_heard(account("1001"), next, false, BEGIN));
        let mapped = "::ffff:203.0.113.66".parse().unwrap();
        guess(&mut guesses, "1001", ip(66), TRIES, BEGIN);
        assert!(!guesses.is_heard(account("1001"), mapped, false, BEGIN));
    }

    #[test]
    fn the_oldest_are_forgotten_when_there_are_too_many() {
        let mut tally = Tally::default();
        for key in 0..=MOST {
            tally.count(key, BEGIN + Duration::from_micros(key as u64));
        }
        let now = BEGIN + Duration::from_micros(MOST as u64);
        assert_eq!((tally.by_key.len(), tally.by_time.len()), (MOST, MOST));
        assert!(tally.of(&0, now).is_none() && tally.of(&1, now).is_some());
    }
}
