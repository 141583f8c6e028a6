//! The cluster's data keys: with them secrets are sealed before they enter an entry, and opened where they are used. They
//! are what nodes have in common and nobody else, so the keys of SIP tokens and of digest nonces come from them, too.
//!
//! The same secret of the same user sealed twice under the same key gives the same bytes, so a configuration that is
//! applied again is the same configuration: the nonce is a keyed hash of what is sealed (as in RFC 5297), whose 96 bits
//! collide no sooner than random ones would. What this tells a reader of the log is that a password did not change.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::hmac;
use strowger_model::{Ha1, KeyId, Sealed, Whose};
use strowger_sip::TokenKeys;

/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Two would do for a rotation; more are a file nobody tidies.
const KEYS_MAX: usize = 16;

const _: () = assert!(Sealed::OVERHEAD == NONCE_LEN + 16, "AES-GCM has tags of 16 bytes");

/// The first one seals and makes, all open and know again.
pub struct DataKeys(Vec<DataKey>);

struct DataKey {
    id: KeyId,
    aead: LessSafeKey,
    nonces: hmac::Key,
    tokens: [u8; KEY_BYTES],
    digest: [u8; KEY_BYTES],
}

/// Why a file of keys is none. It names lines and never what stands in them.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what each is")]
pub enum DataKeysFault {
    #[error("line {line} is no data key: write 64 hexadecimal digits a line, for example by `openssl rand -hex 32`")]
    NoKey { line: usize },
    #[error("line {line} has the key {key} again: remove one of the two")]
    Twice { line: usize, key: KeyId },
    #[error("there is no data key in it: write 64 hexadecimal digits a line, for example by `openssl rand -hex 32`")]
    None,
    #[error("it has more than {KEYS_MAX} data keys: remove those that nothing is sealed under any more")]
    TooMany,
}

/// Keys that a running node does not go on with: phones could not register at it any more.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "tenant {tenant} of the configuration in force is sealed under data key {key}, which is missing: put it back into the \
     file, or apply the configuration before it is removed"
)]
pub struct KeyInUse {
    /// Its name.
    pub tenant: String,
    /// As the configuration names it.
    pub key: KeyId,
}

/// Why a secret cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CannotOpen {
    #[error("it is sealed under data key {0}, which this node does not have")]
    NoKey(KeyId),
    #[error("it was not sealed under data key {0}, or not for this user")]
    Damaged(KeyId),
}

impl DataKeys {
    /// A key a line in hexadecimal digits. Empty lines, and those that begin with `#`, say nothing.
    pub fn parse(text: &str) -> Result<Self, DataKeysFault> {
        let mut keys: Vec<DataKey> = Vec::new();
        let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
        for (line, text) in lines.filter(|(_, text)| !text.is_empty() && !text.starts_with('#')) {
            let key = DataKey::derive(&from_hex(text).ok_or(DataKeysFault::NoKey { line })?);
            if keys.iter().any(|other| other.id == key.id) {
                return Err(DataKeysFault::Twice { line, key: key.id });
            }
            keys.push(key);
        }
        match keys.len() {
            0 => Err(DataKeysFault::None),
            1..=KEYS_MAX => Ok(Self(keys)),
            _ => Err(DataKeysFault::TooMany),
        }
    }

    pub(crate) fn has(&self, id: KeyId) -> bool {
        self.0.iter().any(|key| key.id == id)
    }

    /// With which this node's SIP tokens are made, and those of all nodes known.
    pub(crate) fn token_keys(&self) -> TokenKeys {
        let (first, others) = self.0.split_first().expect("a file without keys is refused");
        let others: Vec<[u8; KEY_BYTES]> = others.iter().map(|key| key.tokens).collect();
        TokenKeys::new(&first.tokens, &others)
    }

    /// Of the nonces in challenges: the first makes, by all they are known again.
    pub(crate) fn nonce_keys(&self) -> Vec<&[u8]> {
        self.0.iter().map(|key| &key.digest[..]).collect()
    }

    /// As the file has them.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.0.iter().map(|key| key.id)
    }

    /// Under the first key.
    pub fn seal(&self, whose: Whose<'_>, ha1: &Ha1) -> Sealed {
        let key = self.0.first().expect("a file without keys is refused");
        let (bound, mut secret) = (bound_to(whose), ha1.to_bytes());
        let hashed = hmac::sign(&key.nonces, &[&(bound.len() as u64).to_be_bytes(), &bound[..], &secret].concat());
        let nonce: [u8; NONCE_LEN] = *hashed.as_ref().first_chunk().expect("a hash is longer than a nonce");
        key.aead
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound), &mut secret)
            .expect("a secret is far shorter than what AES-GCM takes");
        Sealed { key: key.id, bytes: [&nonce[..], &secret].concat() }
    }

    pub(crate) fn open(&self, whose: Whose<'_>, sealed: &Sealed) -> Result<Ha1, CannotOpen> {
        let key = self.0.iter().find(|key| key.id == sealed.key).ok_or(CannotOpen::NoKey(sealed.key))?;
        let damaged = CannotOpen::Damaged(sealed.key);
        let (nonce, rest) = sealed.bytes.split_first_chunk().ok_or(damaged)?;
        let mut rest = rest.to_vec();
        let opened =
            key.aead.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(bound_to(whose)), &mut rest);
        opened.ok().and_then(|secret| Ha1::from_bytes(secret)).ok_or(damaged)
    }
}

/// What a sealed secret is bound to. Neither realms nor names hold a zero byte.
fn bound_to(Whose { realm, user }: Whose<'_>) -> Vec<u8> {
    [b"ha1\0", realm.as_bytes(), b"\0", user.as_bytes()].concat()
}

impl DataKey {
    /// One key for each use (RFC 5869), so that none of them says anything of another.
    fn derive(key: &[u8; KEY_BYTES]) -> Self {
        let main = Salt::new(HKDF_SHA256, &[]).extract(key);
        let id = u32::from_be_bytes(expand(&main, "strowger data key 1: id"));
        let aead = expand::<KEY_BYTES>(&main, "strowger data key 1: seal");
        let nonces = expand::<KEY_BYTES>(&main, "strowger data key 1: nonce");
        let aead = UnboundKey::new(&AES_256_GCM, &aead).expect("AES-256 has keys of 32 bytes");
        Self {
            id: KeyId(id),
            aead: LessSafeKey::new(aead),
            nonces: hmac::Key::new(hmac::HMAC_SHA256, &nonces),
            tokens: expand(&main, "strowger data key 1: sip tokens"),
            digest: expand(&main, "strowger data key 1: digest nonces"),
        }
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand<const N: usize>(main: &Prk, purpose: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let purpose = [purpose.as_bytes()];
    let filled = main.expand(&purpose, Length(N)).and_then(|expanded| expanded.fill(&mut bytes));
    filled.expect("HKDF gives up to 8160 bytes");
    bytes
}

fn from_hex(text: &str) -> Option<[u8; KEY_BYTES]> {
    if text.len() != 2 * KEY_BYTES || !text.is_ascii() {
        return None;
    }
    let mut key = [0; KEY_BYTES];
    for (byte, at) in key.iter_mut().zip((0..).step_by(2)) {
        // `from_str_radix` takes a sign.
        let digits = text.get(at..at + 2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use strowger_model::{CallId, Hashes, LegKey, LegNo};

    use super::*;

    const OLD: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const NEW: &str = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeffE0E1E2E3E4E5E6E7E8E9EAEBECEDEEEF";
    const ALICE: Whose<'static> = Whose { realm: "acme.example", user: "alice" };

    fn keys(lines: &[&str]) -> DataKeys {
        DataKeys::parse(&lines.join("\n")).unwrap_or_else(|fault| panic!("{fault}"))
    }

    fn secret() -> Ha1 {
        let alone = Hashes { md5: [0xa5; Hashes::MD5], sha256: Some([0x5a; Hashes::SHA256]) };
        Ha1 { alone, at_realm: None }
    }

    #[test]
    fn the_newest_seals_and_all_open() {
        let (old, both) = (keys(&[OLD]), keys(&["# since spring", NEW, "", OLD]));
        let (first, second) = (old.seal(ALICE, &secret()), both.seal(ALICE, &secret()));
        assert_eq!(Some(first.key), both.ids().nth(1));
        assert_eq!(Some(second.key), both.ids().next());
        for sealed in [&first, &second] {
            assert!(both.open(ALICE, sealed) == Ok(secret()));
            assert_eq!(sealed.bytes.len(), secret().to_bytes().len() + Sealed::OVERHEAD);
        }
        assert!(old.open(ALICE, &second) == Err(CannotOpen::NoKey(second.key)));
    }

    /// On the way from one key to the next nodes differ in what they make, and each knows what the others made.
    #[test]
    fn tokens_of_each_key_are_known_where_it_is_in_the_file() {
        let leg = LegKey { call: CallId(7), leg: LegNo(1) };
        let token = |lines: &[&str]| keys(lines).token_keys().token(leg);
        let knows = |lines: &[&str], token: &str| keys(lines).token_keys().of_user(token).is_some();
        for lines in [&[OLD, NEW], &[NEW, OLD]] {
            assert!(knows(lines, &token(&[OLD])) && knows(lines, &token(&[NEW])));
            assert_eq!(token(lines), token(&lines[..1]), "the first makes");
        }
        assert!(!knows(&[NEW], &token(&[OLD])) && !knows(&[OLD], &token(&[NEW])));
    }

    /// What somebody learns of one of them says nothing of the others.
    #[test]
    fn a_data_key_gives_another_key_for_each_use() {
        let [one, other] = [OLD, NEW].map(|line| DataKey::derive(&from_hex(line).unwrap()));
        let all = [one.tokens, one.digest, other.tokens, other.digest, from_hex(OLD).unwrap()];
        assert_eq!(std::collections::BTreeSet::from(all).len(), all.len());
        assert_eq!(keys(&[NEW, OLD]).nonce_keys()[0], other.digest);
    }

    #[test]
    fn sealing_again_gives_the_same_and_anything_else_another() {
        let keys = keys(&[OLD]);
        let sealed = keys.seal(ALICE, &secret());
        assert_eq!(sealed, keys.seal(ALICE, &secret()));
        let other = [
            keys.seal(Whose { user: "bob", ..ALICE }, &secret()),
            keys.seal(Whose { realm: "bolt.example", ..ALICE }, &secret()),
            keys.seal(ALICE, &Ha1 { at_realm: Some(secret().alone), ..secret() }),
        ];
        let nonce = |sealed: &Sealed| sealed.bytes[..NONCE_LEN].to_vec();
        assert!(other.iter().all(|other| nonce(other) != nonce(&sealed)));
    }

    #[test]
    fn what_was_changed_or_moved_does_not_open() {
        let keys = keys(&[OLD]);
        let sealed = keys.seal(ALICE, &secret());
        let damaged = CannotOpen::Damaged(sealed.key);
        assert!(keys.open(Whose { user: "bob", ..ALICE }, &sealed) == Err(damaged));
        for at in 0..sealed.bytes.len() {
            let mut changed = sealed.clone();
            changed.bytes[at] ^= 1;
            assert!(keys.open(ALICE, &changed) == Err(damaged), "byte {at}");
        }
        for length in 0..sealed.bytes.len() {
            let cut = Sealed { bytes: sealed.bytes[..length].to_vec(), ..sealed.clone() };
            assert!(keys.open(ALICE, &cut) == Err(damaged), "{length} bytes");
        }
    }

    #[test]
    fn a_file_of_keys_that_is_none_is_told_by_line_and_without_its_text() {
        let fault = |text: &str| DataKeys::parse(text).err().unwrap().to_string();
        assert!(fault("# none yet\n").starts_with("there is no data key"));
        let signed = format!("+1{}", &OLD[2..]);
        for bad in ["secret-that-leaked", &OLD[1..], &signed, "é"] {
            let said = fault(&format!("\n{NEW}\n{bad}\n"));
            assert!(said.starts_with("line 3 is no data key") && !said.contains(bad), "{said}");
        }
        assert!(fault(&format!("{OLD}\n{}", OLD.to_uppercase())).starts_with("line 2 has the key "));
        let many: Vec<String> = (0..=KEYS_MAX).map(|no| format!("{no:064x}")).collect();
        assert!(fault(&many.join("\n")).contains("more than 16"));
    }
}
