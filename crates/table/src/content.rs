//! A tenant's configuration as bytes: what the log carries in parts, what is kept as content to go back to.

use sha2::{Digest as _, Sha256};
use strowger_model::config::Tenant;
use strowger_model::{Digest, TenantId};

use crate::layout::{self, LayoutFault, Written};
use crate::{Command, Part, Shard, limit};

/// A tenant's configuration as bytes, under their digest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content {
    /// SHA-256 of the bytes.
    pub digest: Digest,
    /// With a header that says in which layout.
    pub bytes: Vec<u8>,
}

impl Content {
    /// In the layout that is in force in the control group, which all who are to read it know.
    pub fn of(tenant: &Tenant, layout: u16) -> Result<Self, LayoutFault> {
        tenant.to_bytes(layout).map(Self::from_bytes)
    }

    /// As they came; nothing is checked.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { digest: Digest(Sha256::digest(&bytes).into()), bytes }
    }

    /// Reads it; an error if it is in no layout that this build knows, or damaged.
    pub fn tenant(&self) -> Result<Tenant, LayoutFault> {
        Tenant::from_bytes(&self.bytes)
    }

    /// Which layout it is in, also where this build does not know it.
    pub(crate) fn layout(&self) -> Result<u16, LayoutFault> {
        layout::of_tenant(&self.bytes)
    }

    fn parts(&self) -> u16 {
        self.bytes.len().div_ceil(limit::PART_BYTES) as u16
    }

    fn part(&self, tenant: TenantId, no: u16) -> Command {
        let bytes = self.bytes.chunks(limit::PART_BYTES).nth(no.into()).unwrap_or_default().to_vec();
        Command::Part(Box::new(Part { tenant, digest: self.digest, no, of: self.parts(), bytes }))
    }

    /// What is to be said next to bring a tenant's configuration into force on its shard; none when it is, or a newer
    /// one.
    pub fn next(&self, shard: &Shard, version: u64, tenant: TenantId) -> Option<Command> {
        if shard.config_version(tenant).is_some_and(|have| have >= version) {
            return None;
        }
        let in_force = shard.config_digest(tenant) == Some(self.digest);
        let missing = (!in_force).then(|| shard.missing_part(tenant, self.digest, self.parts())).flatten();
        let configure = Command::Configure { version, tenant, digest: self.digest };
        Some(missing.map_or(configure, |no| self.part(tenant, no)))
    }
}

impl Command {
    /// All that is to be said to put a configuration in force where nothing of it is yet, in the layout that every log
    /// begins with.
    pub fn configuring(version: u64, tenant: &Tenant) -> Vec<Command> {
        let content = Content::of(tenant, layout::FIRST).expect("every build writes the first layout");
        let configure = Command::Configure { version, tenant: tenant.id, digest: content.digest };
        (0..content.parts()).map(|no| content.part(tenant.id, no)).chain([configure]).collect()
    }
}
