//! The token that names a call and a leg wherever the far end gives our own text back to us: the user part of
//! our Contact, our tags, our branches. Any node that receives a packet learns from it whose packet it is.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use strowger_model::{CallId, LegKey, LegNo};

use crate::message::Message;

/// What every branch made under RFC 3261 begins with (section 8.1.1.7).
const BRANCH_COOKIE: &str = "z9hG4bK";

/// Text form of a leg's key: `c` + the call in hexadecimal + `-` + the leg. The call's upper bits are its shard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token(pub LegKey);

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{:x}-{}", self.0.call.0, self.0.leg.0)
    }
}

/// Text that is not a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a leg's token")]
pub struct NotAToken;

impl FromStr for Token {
    type Err = NotAToken;

    fn from_str(text: &str) -> Result<Self, NotAToken> {
        let (call, leg) = text.strip_prefix('c').and_then(|rest| rest.split_once('-')).ok_or(NotAToken)?;
        // One spelling only: hosts that fold case would otherwise turn one leg into two names.
        let plain = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if !call.bytes().all(plain) || !leg.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotAToken);
        }
        Ok(Token(LegKey {
            call: CallId(u64::from_str_radix(call, 16).map_err(|_| NotAToken)?),
            leg: LegNo(leg.parse().map_err(|_| NotAToken)?),
        }))
    }
}

/// Our tag in a dialog. `salt` keeps two dialogs of one leg apart and makes the tag hard to guess; take it from
/// [`salt`], so the same INVITE always gets the same tag on whichever node.
pub fn tag(key: LegKey, salt: u64) -> String {
    let tag = format!("{}.{salt:016x}", Token(key));
    debug_assert_eq!(of_tag(&tag), Some(key), "a far end that says it finds its leg");
    tag
}

/// A number that only someone who has seen both texts can compute.
pub fn salt(call_id: &str, far_tag: &str) -> u64 {
    let digest = Sha256::new().chain_update(call_id).chain_update([0]).chain_update(far_tag).finalize();
    digest[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The branch of our request number `cseq`. CSeq numbers are not used twice in a leg, so neither are branches.
pub fn branch(key: LegKey, cseq: u32, method: &str) -> String {
    let branch = format!("{BRANCH_COOKIE}{}.{cseq}.{method}", Token(key));
    debug_assert_eq!(of_branch(&branch), Some(key), "an answer to it finds its leg");
    branch
}

/// The leg that a branch of ours names; none if it is not ours.
pub fn of_branch(branch: &str) -> Option<LegKey> {
    of_dotted(branch.strip_prefix(BRANCH_COOKIE)?)
}

/// The leg that a tag of ours names.
pub fn of_tag(tag: &str) -> Option<LegKey> {
    of_dotted(tag)
}

/// The leg that the user part of our Contact names.
pub fn of_user(user: &str) -> Option<LegKey> {
    user.parse().ok().map(|Token(key)| key)
}

/// Whose message this is: a request says it in its To tag or its Request-URI, a response in its top Via. A request
/// without a To tag opens something new (or cancels it) and belongs to no leg by name: its Request-URI is the
/// number it dials, which may happen to look like a token.
pub fn leg_of(message: &Message) -> Option<LegKey> {
    if !message.is_request() {
        return of_branch(message.top_branch());
    }
    if message.to_tag().is_empty() {
        return None;
    }
    of_tag(message.to_tag()).or_else(|| of_user(message.request_uri_user()))
}

/// A dotted text needs its dot: a bare token is a user part, never a tag or branch of ours.
fn of_dotted(text: &str) -> Option<LegKey> {
    of_user(text.split_once('.')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_model::ShardId;

    fn key() -> LegKey {
        LegKey { call: CallId::new(ShardId(3), 0xbeef), leg: LegNo(12) }
    }

    #[test]
    fn a_token_survives_each_of_its_places() {
        assert_eq!(Token(key()).to_string(), "c300000000beef-12");
        assert_eq!(of_user("c300000000beef-12"), Some(key()));
        assert_eq!(of_tag(&tag(key(), 7)), Some(key()));
        assert_eq!(of_branch(&branch(key(), 101, "INVITE")), Some(key()));
    }

    #[test]
    fn other_texts_are_no_tokens() {
        for text in
            ["", "c", "c-", "c1", "c1-", "C1-0", "cG-0", "cA-0", "c1-65536", "c11111111111111111-0", "c+1-0", "1-0"]
        {
            assert_eq!(of_user(text), None, "{text}");
        }
        assert_eq!(of_tag("c1-0"), None);
        assert_eq!(of_branch("c1-0.1.INVITE"), None);
        assert_eq!(of_branch("z9hG4bKc1-0"), None);
    }

    #[test]
    fn tags_of_different_dialogs_differ() {
        assert_ne!(tag(key(), salt("a", "b")), tag(key(), salt("ab", "")));
        assert_eq!(salt("a", "b"), salt("a", "b"));
    }
}
