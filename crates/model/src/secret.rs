//! Secrets. Logs, snapshots, content and their archives are read by many, so what enters an entry is sealed before.

use std::fmt;

/// Which of the cluster's data keys: a fingerprint, which says nothing of the key.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub struct KeyId(pub u32);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// A secret encrypted under a data key. Each node has the keys from a file of its own.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Sealed {
    /// Under which it was sealed, and opens.
    pub key: KeyId,
    /// Nonce, ciphertext and tag.
    pub bytes: Vec<u8>,
}

impl Sealed {
    /// Bytes that it has more than the secret: a nonce of 12 and a tag of 16.
    pub const OVERHEAD: usize = 12 + 16;
}

/// What is stored instead of a password: H(A1) of RFC 7616 section 3.4.2, which is as good as the password to whoever
/// reads it. So it has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1 {
    /// Of the user as it is configured.
    pub alone: Hashes,
    /// Of `USER@REALM`: phones that name themselves so hash it so. None where hashes were configured, not the password.
    pub at_realm: Option<Hashes>,
}

/// One name with its realm and password, hashed.
#[derive(Clone, PartialEq, Eq)]
pub struct Hashes {
    /// For digest with MD5.
    pub md5: [u8; Self::MD5],
    /// Where the tenant offers SHA-256.
    pub sha256: Option<[u8; Self::SHA256]>,
}

impl Ha1 {
    /// What is sealed.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.each().flat_map(Hashes::to_bytes).collect()
    }

    /// What [`Ha1::to_bytes`] made; none of anything else. No two forms are of one length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        const MD5: usize = Hashes::MD5;
        const BOTH: usize = Hashes::MD5 + Hashes::SHA256;
        const TWICE_MD5: usize = 2 * MD5;
        const TWICE_BOTH: usize = 2 * BOTH;
        let (alone, at_realm) = match bytes.len() {
            MD5 | BOTH => (bytes, None),
            TWICE_MD5 | TWICE_BOTH => {
                let (alone, at_realm) = bytes.split_at(bytes.len() / 2);
                (alone, Some(Hashes::from_bytes(at_realm)?))
            }
            _ => return None,
        };
        Some(Self { alone: Hashes::from_bytes(alone)?, at_realm })
    }

    /// Of each form of the name.
    pub fn each(&self) -> impl Iterator<Item = &Hashes> {
        [Some(&self.alone), self.at_realm.as_ref()].into_iter().flatten()
    }
}

impl Hashes {
    /// Bytes of an MD5.
    pub const MD5: usize = 16;
    /// Bytes of a SHA-256.
    pub const SHA256: usize = 32;

    fn to_bytes(&self) -> Vec<u8> {
        [&self.md5[..], self.sha256.as_ref().map_or(&[], |sha256| &sha256[..])].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (md5, rest) = bytes.split_first_chunk()?;
        let sha256 = if rest.is_empty() { None } else { Some(rest.try_into().ok()?) };
        Some(Self { md5: *md5, sha256 })
    }
}

/// Whose secret it is: sealed, it opens for nobody else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Whose<'a> {
    /// The tenant's realm.
    pub realm: &'a str,
    /// The agent's SIP user.
    pub user: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_come_back_and_nothing_else_is_taken_for_them() {
        let mut lengths = Vec::new();
        for sha256 in [None, Some([7; Hashes::SHA256])] {
            let alone = Hashes { md5: [9; Hashes::MD5], sha256 };
            for at_realm in [None, Some(Hashes { md5: [8; Hashes::MD5], ..alone.clone() })] {
                let ha1 = Ha1 { alone: alone.clone(), at_realm };
                lengths.push(ha1.to_bytes().len());
                assert!(Ha1::from_bytes(&ha1.to_bytes()) == Some(ha1));
            }
        }
        assert_eq!(lengths, [16, 32, 48, 96]);
        for length in (0..200).filter(|length| !lengths.contains(length)) {
            assert!(Ha1::from_bytes(&vec![0; length]).is_none(), "{length}");
        }
    }
}
