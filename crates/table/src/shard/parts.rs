//! A tenant's configuration arrives in parts and waits for the entry that puts it in force.

use strowger_model::config::Tenant;
use strowger_model::{Digest, LogTime, TenantId};

use super::Shard;
use super::apply::Entry;
use crate::{Content, Part, Refusal, RowKey, limit};

/// Whose part, and which.
pub(crate) type PartKey = (TenantId, u16);

/// The parts of one configuration of a tenant that have come so far.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Staged {
    pub digest: Digest,
    pub of: u16,
    pub have: u16,
    /// They are dropped then.
    pub until: LogTime,
}

/// One more than the content itself fills: its layout is named at its head.
const PARTS_MAX: usize = Tenant::MAX_BYTES.div_ceil(limit::PART_BYTES) + 1;

impl Shard {
    /// A tenant has one set of parts at a time: the first part of another one replaces it.
    pub(super) fn stage(&mut self, entry: Entry, part: &Part) -> Result<(), Refusal> {
        if part.bytes.len() > limit::PART_BYTES || usize::from(part.of) > PARTS_MAX {
            return Err(Refusal::TooLong);
        }
        if part.bytes.is_empty() || part.no >= part.of {
            return Err(Refusal::BadParts);
        }
        let until = entry.now() + limit::PARTS_KEPT;
        let mut staged = match self.staged.get(&part.tenant) {
            Some(staged) if staged.digest == part.digest && staged.of == part.of => (**staged).clone(),
            Some(staged) if staged.digest == part.digest => return Err(Refusal::BadParts),
            _ => {
                self.drop_parts(part.tenant);
                Staged { digest: part.digest, of: part.of, have: 0, until }
            }
        };
        let key = (part.tenant, part.no);
        match self.parts.get(&key) {
            Some(first) if **first != part.bytes => return Err(Refusal::BadParts),
            Some(_) => {}
            None => {
                self.parts.put(key, part.bytes.clone());
                staged.have += 1;
            }
        }
        staged.until = until;
        self.put_staged(part.tenant, staged);
        Ok(())
    }

    /// Whether all parts of a configuration are here, so that it can be put in force.
    pub fn has_staged(&self, tenant: TenantId, digest: Digest) -> bool {
        self.staged.get(&tenant).is_some_and(|staged| staged.digest == digest && staged.have == staged.of)
    }

    /// The first part that is not here.
    pub(crate) fn missing_part(&self, tenant: TenantId, digest: Digest, of: u16) -> Option<u16> {
        let is_ours = self.staged.get(&tenant).is_some_and(|staged| staged.digest == digest);
        (0..of).find(|no| !is_ours || self.parts.get(&(tenant, *no)).is_none())
    }

    /// The staged configuration put together; what turns out to be none is dropped.
    pub(super) fn assemble(&mut self, tenant: TenantId, digest: Digest) -> Result<Content, Refusal> {
        if !self.has_staged(tenant, digest) {
            return Err(Refusal::NotWhole);
        }
        let parts = self.parts.range((tenant, 0)..=(tenant, u16::MAX));
        let bytes = parts.fold(Vec::new(), |mut whole, (_, part)| {
            whole.extend_from_slice(part);
            whole
        });
        self.drop_parts(tenant);
        let content = Content::from_bytes(bytes);
        if content.digest == digest { Ok(content) } else { Err(Refusal::BadParts) }
    }

    pub(super) fn put_staged(&mut self, tenant: TenantId, staged: Staged) {
        let before = self.staged.get(&tenant).map(|old| old.until);
        self.move_lease(before, Some(staged.until), RowKey::Parts(tenant));
        self.staged.put(tenant, staged);
    }

    pub(super) fn drop_parts(&mut self, tenant: TenantId) {
        let Some(staged) = self.staged.remove(&tenant) else { return };
        self.move_lease(Some(staged.until), None, RowKey::Parts(tenant));
        for no in 0..staged.of {
            self.parts.remove(&(tenant, no));
        }
    }
}
