//! Who may use the API: tokens, each with its name, its role, the tenant it is for, and how long it is good.

use std::sync::Arc;

use imbl::OrdMap;
use strowger_model::{TenantId, Wall};

use crate::{Refusal, limit};

/// The one role the table knows: of the tokens for the whole cluster one that is an admin's stays.
pub const ADMIN: &str = "admin";

/// A token. It is kept under the SHA-256 of its text, which nobody keeps.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Token {
    /// 1 to `limit::TOKEN_NAME` bytes; one of a kind among the tokens of its tenant, or among those of none.
    pub name: String,
    /// What it may do, in the words of whoever asks for it.
    pub role: String,
    /// Whose matters alone it sees and touches; none: the whole cluster's.
    pub tenant: Option<TenantId>,
    /// When it was granted, as its entry is stamped.
    pub made: Wall,
    /// From then on it is worth nothing; none: until it is revoked.
    pub expires: Option<Wall>,
    /// When it was used last, at most `limit::TOKEN_USE` too early; none: never.
    pub last_use: Option<Wall>,
}

impl Token {
    /// Whether it is good at that time, as the control group's entries are stamped.
    pub fn is_good(&self, now: Wall) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    /// Whether a use at that time is news.
    pub fn is_use_news(&self, now: Wall) -> bool {
        self.last_use.is_none_or(|last| now.0.saturating_sub(last.0) >= limit::TOKEN_USE.as_millis() as u64)
    }

    fn is_admin_of_all(&self, now: Wall) -> bool {
        self.role == ADMIN && self.tenant.is_none() && self.is_good(now)
    }
}

/// A token that is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// Of its text.
    pub token_sha256: [u8; 32],
    /// See [`Token::name`].
    pub name: String,
    /// See [`Token::role`].
    pub role: String,
    /// See [`Token::tenant`].
    pub tenant: Option<TenantId>,
    /// How long it is good, in milliseconds from its entry on; none: until it is revoked.
    pub lasts_ms: Option<u64>,
}

/// All tokens, those that expired among them until they are revoked or others need their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tokens(OrdMap<[u8; 32], Arc<Token>>);

impl Tokens {
    pub fn get(&self, token_sha256: &[u8; 32]) -> Option<&Token> {
        self.0.get(token_sha256).map(|token| &**token)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&[u8; 32], &Arc<Token>)> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Of a text that is known already, what is said last holds.
    pub fn grant(&mut self, grant: &Grant, now: Wall) -> Result<(), Refusal> {
        if grant.name.is_empty() || grant.name.len() > limit::TOKEN_NAME {
            return Err(Refusal::TooLong);
        }
        if let Some((of, token)) = self.named(grant.tenant, &grant.name).filter(|(of, _)| *of != grant.token_sha256) {
            if token.is_good(now) {
                return Err(Refusal::NameTaken);
            }
            self.0.remove(&of);
        }
        if self.0.len() >= limit::TOKENS && !self.0.contains_key(&grant.token_sha256) {
            return Err(Refusal::Full);
        }
        let token = Token {
            name: grant.name.clone(),
            role: grant.role.clone(),
            tenant: grant.tenant,
            made: now,
            expires: grant.lasts_ms.map(|lasts| Wall(now.0.saturating_add(lasts))),
            last_use: None,
        };
        self.0.insert(grant.token_sha256, Arc::new(token));
        Ok(())
    }

    /// Nobody is to lock everybody out: the last admin's token of the whole cluster goes only after another is made.
    pub fn revoke(&mut self, tenant: Option<TenantId>, name: &str, now: Wall) -> Result<(), Refusal> {
        let (of, token) = self.named(tenant, name).ok_or(Refusal::NoSuchToken)?;
        let others = self.0.iter().filter(|(other, _)| **other != of);
        if token.is_admin_of_all(now) && !others.into_iter().any(|(_, other)| other.is_admin_of_all(now)) {
            return Err(Refusal::LastAdmin);
        }
        self.0.remove(&of);
        Ok(())
    }

    pub fn used(&mut self, token_sha256: &[u8; 32], now: Wall) {
        if let Some(token) = self.0.get_mut(token_sha256).filter(|token| token.is_use_news(now)) {
            Arc::make_mut(token).last_use = Some(now);
        }
    }

    fn named(&self, tenant: Option<TenantId>, name: &str) -> Option<([u8; 32], Arc<Token>)> {
        let found = self.0.iter().find(|(_, token)| token.tenant == tenant && token.name == name);
        found.map(|(of, token)| (*of, token.clone()))
    }

    pub fn image(&self) -> Vec<([u8; 32], Arc<Token>)> {
        self.0.iter().map(|(of, token)| (*of, token.clone())).collect()
    }

    pub fn from_image(image: Vec<([u8; 32], Arc<Token>)>) -> Self {
        Self(image.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACME: Option<TenantId> = Some(TenantId(1));

    fn grant(of: u8, name: &str, role: &str, tenant: Option<TenantId>, lasts_ms: Option<u64>) -> Grant {
        Grant { token_sha256: [of; 32], name: name.to_owned(), role: role.to_owned(), tenant, lasts_ms }
    }

    #[test]
    fn a_token_is_good_until_the_time_that_its_entry_set() {
        let mut tokens = Tokens::default();
        tokens.grant(&grant(1, "wall", "viewer", None, Some(50)), Wall(100)).unwrap();
        tokens.grant(&grant(2, "ever", "viewer", None, None), Wall(100)).unwrap();
        tokens.grant(&grant(3, "far", "viewer", None, Some(u64::MAX)), Wall(100)).unwrap();
        let is_good = |of: u8, now| tokens.get(&[of; 32]).unwrap().is_good(Wall(now));
        assert!(is_good(1, 149) && !is_good(1, 150));
        assert!(is_good(2, u64::MAX) && is_good(3, u64::MAX - 1));
    }

    #[test]
    fn a_name_is_one_tokens_among_those_of_its_tenant_while_that_is_good() {
        let mut tokens = Tokens::default();
        tokens.grant(&grant(1, "wall", "viewer", None, Some(50)), Wall(100)).unwrap();
        tokens.grant(&grant(2, "wall", "viewer", ACME, None), Wall(100)).unwrap();
        assert_eq!(tokens.grant(&grant(3, "wall", "viewer", None, None), Wall(149)), Err(Refusal::NameTaken));
        assert_eq!(tokens.grant(&grant(3, "wall", "viewer", ACME, None), Wall(200)), Err(Refusal::NameTaken));
        tokens.grant(&grant(3, "wall", "viewer", None, None), Wall(150)).unwrap();
        assert!(tokens.get(&[1; 32]).is_none() && tokens.get(&[2; 32]).is_some() && tokens.get(&[3; 32]).is_some());
        for name in ["", &"x".repeat(limit::TOKEN_NAME + 1)] {
            assert_eq!(tokens.grant(&grant(4, name, "viewer", None, None), Wall(150)), Err(Refusal::TooLong));
        }
    }

    #[test]
    fn what_is_revoked_is_gone_and_the_last_admin_stays() {
        let mut tokens = Tokens::default();
        tokens.grant(&grant(1, "first", ADMIN, None, None), Wall(1)).unwrap();
        tokens.grant(&grant(2, "wall", "viewer", ACME, None), Wall(1)).unwrap();
        tokens.grant(&grant(3, "theirs", ADMIN, ACME, None), Wall(1)).unwrap();
        tokens.grant(&grant(4, "short", ADMIN, None, Some(10)), Wall(1)).unwrap();
        assert_eq!(tokens.revoke(None, "wall", Wall(2)), Err(Refusal::NoSuchToken), "it is of acme");
        assert_eq!(tokens.revoke(ACME, "wall", Wall(2)), Ok(()));
        assert!(tokens.get(&[2; 32]).is_none());
        assert_eq!(tokens.revoke(None, "first", Wall(11)), Err(Refusal::LastAdmin), "the other has expired");
        assert_eq!(tokens.revoke(None, "first", Wall(10)), Ok(()));
        assert_eq!(tokens.revoke(None, "short", Wall(10)), Err(Refusal::LastAdmin));
        assert_eq!(tokens.revoke(None, "short", Wall(11)), Ok(()), "it is worth nothing any more");
    }

    #[test]
    fn there_are_so_many_and_no_more() {
        let mut tokens = Tokens::default();
        let numbered = |no: usize| Grant {
            token_sha256: std::array::from_fn(|at| (no >> (8 * (at % 4))) as u8),
            ..grant(0, &format!("t{no}"), "viewer", None, None)
        };
        (0..limit::TOKENS).for_each(|no| tokens.grant(&numbered(no), Wall(1)).unwrap());
        assert_eq!(tokens.grant(&numbered(limit::TOKENS), Wall(1)), Err(Refusal::Full));
        assert_eq!(tokens.grant(&numbered(0), Wall(1)), Ok(()), "one that is there may be granted again");
    }

    #[test]
    fn a_use_is_news_once_in_a_while() {
        let mut tokens = Tokens::default();
        tokens.grant(&grant(1, "wall", "viewer", None, None), Wall(0)).unwrap();
        let every = limit::TOKEN_USE.as_millis() as u64;
        for (now, last) in [(5, 5), (4 + every, 5), (5 + every, 5 + every), (6 + every, 5 + every), (3, 5 + every)] {
            tokens.used(&[1; 32], Wall(now));
            assert_eq!(tokens.get(&[1; 32]).unwrap().last_use, Some(Wall(last)), "at {now}");
        }
        tokens.used(&[9; 32], Wall(5));
    }
}
