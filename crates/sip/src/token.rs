//! The token that names a call and a leg wherever the far end gives our own text back to us: the user part of
//! our Contact, our tags, our branches. Any node that receives a packet learns from it whose packet it is.
//!
//! A call's id is the index of an entry and can be guessed, so a token carries a MAC of the leg's key: only who got it
//! from us, or saw it on its way, has it (RFC 3261 section 19.3 asks for 32 random bits in a tag). Any node makes the
//! same from the key alone. A text with a wrong MAC is none of ours, whatever leg it names.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use strowger_model::{CallId, LegKey, LegNo};

use crate::message::Message;

/// What every branch made under RFC 3261 begins with (section 8.1.1.7).
const BRANCH_COOKIE: &str = "z9hG4bK";
/// Hexadecimal digits of a MAC: 64 bits, of which somebody who tries a million a second for a year guesses one leg's
/// with a chance of 2 in a million.
const MAC_DIGITS: usize = 16;

/// What a MAC is made for: who reads one in a ticket or a record has none of the other kind.
#[derive(Clone, Copy)]
enum Purpose {
    /// Tags, branches and our Contact: who knows it may speak for the far end.
    Token,
    /// Of an INVITE of ours. It is in records, and opens nothing.
    CallId,
}

/// The secret that tokens are made with, of all nodes of a cluster and of nobody else.
#[derive(Clone)]
pub struct TokenKeys {
    /// The first makes, all are known again. Keyed once, so that a MAC costs two blocks of SHA-256.
    keys: Arc<[Hmac<Sha256>]>,
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.keys.len())
    }
}

impl TokenKeys {
    /// `makes` is for new tokens; those made with one of `knows` are good, too. Each 32 random bytes.
    pub fn new(makes: &[u8; 32], knows: &[[u8; 32]]) -> Self {
        let keyed = |key: &[u8; 32]| Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
        Self { keys: std::iter::once(makes).chain(knows).map(keyed).collect() }
    }

    /// `c` + the call in hexadecimal + `-` + the leg + `-` + the MAC. The call's upper bits are its shard.
    pub fn token(&self, key: LegKey) -> String {
        self.named(Purpose::Token, key)
    }

    /// The Call-ID of our INVITE.
    pub fn call_id(&self, key: LegKey, host: &str) -> String {
        format!("{}@{host}", self.named(Purpose::CallId, key))
    }

    /// Our tag in a dialog. `salt` keeps two dialogs of one leg apart; take it from [`salt`], so the same INVITE always
    /// gets the same tag on whichever node.
    pub fn tag(&self, key: LegKey, salt: u64) -> String {
        let tag = format!("{}.{salt:016x}", self.token(key));
        debug_assert_eq!(self.of_tag(&tag), Some(key), "a far end that says it finds its leg");
        tag
    }

    /// The branch of our request number `cseq`. CSeq numbers are not used twice in a leg, so neither are branches.
    pub fn branch(&self, key: LegKey, cseq: u32, method: &str) -> String {
        let branch = format!("{BRANCH_COOKIE}{}.{cseq}.{method}", self.token(key));
        debug_assert_eq!(self.of_branch(&branch), Some(key), "an answer to it finds its leg");
        branch
    }

    /// The leg that a branch of ours names; none if it is not ours.
    pub fn of_branch(&self, branch: &str) -> Option<LegKey> {
        self.of_dotted(branch.strip_prefix(BRANCH_COOKIE)?)
    }

    /// The leg that a tag of ours names.
    pub fn of_tag(&self, tag: &str) -> Option<LegKey> {
        self.of_dotted(tag)
    }

    /// The leg that the user part of our Contact names.
    pub fn of_user(&self, user: &str) -> Option<LegKey> {
        let (key, mac) = read(user)?;
        self.keys.iter().any(|made_with| mac_of(made_with, Purpose::Token, key) == mac).then_some(key)
    }

    /// Whose this message is: a request says it in its To tag or its Request-URI, a response in its top Via. A request
    /// without a To tag opens something new (or cancels it) and belongs to no leg by name: its Request-URI is the
    /// number it dials, which may happen to look like a token.
    pub fn leg_of(&self, message: &Message) -> Option<LegKey> {
        if !message.is_request() {
            return self.of_branch(message.top_branch());
        }
        if message.to_tag().is_empty() {
            return None;
        }
        self.of_tag(message.to_tag()).or_else(|| self.of_user(message.request_uri_user()))
    }

    /// A dotted text needs its dot: a bare token is a user part, never a tag or branch of ours.
    fn of_dotted(&self, text: &str) -> Option<LegKey> {
        self.of_user(text.split_once('.')?.0)
    }

    fn named(&self, purpose: Purpose, key: LegKey) -> String {
        let mac = mac_of(&self.keys[0], purpose, key);
        format!("c{:x}-{}-{mac:0MAC_DIGITS$x}", key.call.0, key.leg.0)
    }
}

/// The first 64 bits of HMAC-SHA256 (RFC 2104 section 5 has it truncated so). It is compared as a number, of which a
/// far end learns nothing by time: one comparison, over a network.
fn mac_of(key: &Hmac<Sha256>, purpose: Purpose, leg: LegKey) -> u64 {
    let mut mac = key.clone();
    mac.update(&[match purpose {
        Purpose::Token => 1,
        Purpose::CallId => 2,
    }]);
    mac.update(&leg.call.0.to_be_bytes());
    mac.update(&leg.leg.0.to_be_bytes());
    number(&mac.finalize().into_bytes())
}

/// A leg's key and what is said to be its MAC.
fn read(token: &str) -> Option<(LegKey, u64)> {
    let (call, rest) = token.strip_prefix('c')?.split_once('-')?;
    let (leg, mac) = rest.split_once('-')?;
    // One spelling only: hosts that fold case would otherwise turn one leg into two names.
    let plain = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_plain = call.bytes().chain(mac.bytes()).all(plain) && leg.bytes().all(|byte| byte.is_ascii_digit());
    if !is_plain || mac.len() != MAC_DIGITS {
        return None;
    }
    let key = LegKey { call: CallId(u64::from_str_radix(call, 16).ok()?), leg: LegNo(leg.parse().ok()?) };
    Some((key, u64::from_str_radix(mac, 16).ok()?))
}

/// A number that only someone who has seen both texts can compute.
pub fn salt(call_id: &str, far_tag: &str) -> u64 {
    number(&Sha256::new().chain_update(call_id).chain_update([0]).chain_update(far_tag).finalize())
}

fn number(hash: &[u8]) -> u64 {
    hash[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_model::ShardId;

    const OLD: [u8; 32] = [1; 32];
    const NEW: [u8; 32] = [2; 32];

    fn key() -> LegKey {
        LegKey { call: CallId::new(ShardId(3), 0xbeef), leg: LegNo(12) }
    }

    fn keys() -> TokenKeys {
        TokenKeys::new(&OLD, &[])
    }

    #[test]
    fn a_token_survives_each_of_its_places() {
        let (keys, token) = (keys(), keys().token(key()));
        assert!(token.starts_with("c300000000beef-12-"), "{token}");
        assert_eq!(keys.of_user(&token), Some(key()));
        assert_eq!(keys.of_tag(&keys.tag(key(), 7)), Some(key()));
        assert_eq!(keys.of_branch(&keys.branch(key(), 101, "INVITE")), Some(key()));
        assert_eq!(keys.token(key()), TokenKeys::new(&OLD, &[NEW]).token(key()), "the same on each node");
    }

    /// Who knows all of a token but its MAC has nothing, and neither has who knows the token of another leg.
    #[test]
    fn a_token_is_good_with_its_own_mac_alone() {
        let keys = keys();
        let token = keys.token(key());
        let (named, mac) = token.rsplit_once('-').unwrap();
        for at in 0..mac.len() {
            let mut wrong = mac.to_owned();
            let digit = u32::from_str_radix(&mac[at..=at], 16).unwrap() ^ 1;
            wrong.replace_range(at..=at, &format!("{digit:x}"));
            assert_eq!(keys.of_user(&format!("{named}-{wrong}")), None, "digit {at}");
        }
        let other = LegKey { leg: LegNo(13), ..key() };
        let next = LegKey { call: CallId(key().call.0 + 1), ..key() };
        for stranger in [other, next] {
            let (named, _) = keys.token(stranger).rsplit_once('-').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
            assert_eq!(keys.of_user(&format!("{named}-{mac}")), None);
        }
        let (call_id, _) =
            keys.call_id(key(), "host").split_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert_eq!(keys.of_user(&call_id), None, "a Call-ID, which is in records, is no token");
        assert_eq!(keys.of_user("c300000000beef-12"), None, "as they were before there was a MAC");
    }

    #[test]
    fn a_secret_may_change_while_calls_live() {
        let (old, new) = (keys(), TokenKeys::new(&NEW, &[]));
        let (both, turned) = (TokenKeys::new(&OLD, &[NEW]), TokenKeys::new(&NEW, &[OLD]));
        assert_ne!(old.token(key()), new.token(key()));
        for token in [old.token(key()), new.token(key())] {
            assert_eq!([&both, &turned].map(|keys| keys.of_user(&token)), [Some(key()); 2]);
        }
        assert_eq!(new.of_user(&old.token(key())), None, "a key that was removed opens nothing");
    }

    #[test]
    fn other_texts_are_no_tokens() {
        let mac = "0123456789abcdef";
        for text in
            ["", "c", "c-", "c1", "c1-", "C1-0", "cG-0", "cA-0", "c1-65536", "c11111111111111111-0", "c+1-0", "1-0"]
        {
            assert_eq!(read(text), None, "{text}");
            assert_eq!(read(&format!("{text}-{mac}")), None, "{text}");
        }
        let named = LegKey { call: CallId(1), leg: LegNo(0) };
        assert_eq!(
            read(&format!("c1-0-{mac}")),
            Some((named, 0x0123_4567_89ab_cdef)),
            "the others are wrong by themselves"
        );
        for mac in ["", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF", "+123456789abcdef"] {
            assert_eq!(read(&format!("c1-0-{mac}")), None, "{mac}");
        }
        let (keys, token) = (keys(), keys().token(key()));
        assert_eq!(keys.of_tag(&token), None);
        assert_eq!(keys.of_branch(&format!("{token}.1.INVITE")), None);
        assert_eq!(keys.of_branch(&format!("{BRANCH_COOKIE}{token}")), None);
    }

    #[test]
    fn tags_of_different_dialogs_differ() {
        assert_ne!(keys().tag(key(), salt("a", "b")), keys().tag(key(), salt("ab", "")));
        assert_eq!(salt("a", "b"), salt("a", "b"));
    }
}
