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
    /// For digest with MD5.
    pub md5: [u8; Self::MD5],
    /// Where the tenant offers SHA-256.
    pub sha256: Option<[u8; Self::SHA256]>,
}

impl Ha1 {
    /// Bytes of an MD5.
    pub const MD5: usize = 16;
    /// Bytes of a SHA-256.
    pub const SHA256: usize = 32;

    /// What is sealed.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.md5[..], self.sha256.as_ref().map_or(&[], |sha256| &sha256[..])].concat()
    }

    /// What [`Ha1::to_bytes`] made; none of anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
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
        for sha256 in [None, Some([7; Ha1::SHA256])] {
            let ha1 = Ha1 { md5: [9; Ha1::MD5], sha256 };
            assert!(Ha1::from_bytes(&ha1.to_bytes()) == Some(ha1));
        }
        for length in [0, Ha1::MD5 - 1, Ha1::MD5 + 1, Ha1::MD5 + Ha1::SHA256 + 1] {
            assert!(Ha1::from_bytes(&vec![0; length]).is_none(), "{length}");
        }
    }
}
