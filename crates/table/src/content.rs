//! A tenant's configuration as bytes: what the log carries in parts, what is kept as content to go back to.

use sha2::{Digest as _, Sha256};
use strowger_model::config::Tenant;
use strowger_model::{Digest, TenantId};

use crate::{Command, Part, Shard, limit};

/// Stands first and says which layout follows. 16 bytes keep the layout aligned.
const LAYOUT_V1: [u8; 16] = *b"strowger tenant1";

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content {
    pub digest: Digest,
    pub bytes: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadContent {
    #[error("it is in a layout that this version does not know")]
    Layout,
    #[error("it does not decode: {0}")]
    Bytes(String),
}

impl Content {
    pub fn of(tenant: &Tenant) -> Self {
        let encoded = tenant.encoded();
        let mut bytes = Vec::with_capacity(LAYOUT_V1.len() + encoded.len());
        bytes.extend_from_slice(&LAYOUT_V1);
        bytes.extend_from_slice(&encoded);
        Self::from_bytes(bytes)
    }

    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { digest: Digest(Sha256::digest(&bytes).into()), bytes }
    }

    pub fn tenant(&self) -> Result<Tenant, BadContent> {
        let encoded = self.bytes.strip_prefix(&LAYOUT_V1).ok_or(BadContent::Layout)?;
        Tenant::decoded(encoded).map_err(BadContent::Bytes)
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
    /// All that is to be said to put a configuration in force where nothing of it is yet.
    pub fn configuring(version: u64, tenant: &Tenant) -> Vec<Command> {
        let content = Content::of(tenant);
        let configure = Command::Configure { version, tenant: tenant.id, digest: content.digest };
        (0..content.parts()).map(|no| content.part(tenant.id, no)).chain([configure]).collect()
    }
}
