//! Whose data directory it is, and which start of it this is.

use std::fmt;
use std::io;
use std::path::Path;

use fjall::{Database, Keyspace, PersistMode};
use strowger_link::{open, seal};
use strowger_model::{Incarnation, NodeId};

use super::log::{damaged, get};
use super::{StoreError, key, snapshot_dir};
use crate::clock;
use crate::v1::IdentityV1;

/// Drawn when a data directory is formatted: a voter is its disk, not its name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct StoreId(pub u128);

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// One start of one data directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Started {
    pub store: StoreId,
    pub incarnation: Incarnation,
    pub member: bool,
}

/// Formats a blank directory, refuses a foreign one, and makes the next incarnation durable before anyone uses it.
pub(super) fn take_incarnation(
    dir: &Path,
    db: &Database,
    rows: &Keyspace,
    me: NodeId,
    shards: u16,
) -> Result<Started, StoreError> {
    let fault = |why: io::Error| StoreError::Damaged { dir: dir.to_owned(), why: format!("its identity: {why}") };
    let found = get(rows, key::IDENTITY).map_err(fault)?;
    let mut identity = match found {
        Some(bytes) => open::<IdentityV1>(&bytes).map_err(damaged).map_err(fault)?,
        None => format(dir, me, shards).map_err(fault)?.ok_or(StoreError::LogLost { dir: dir.to_owned() })?,
    };
    if identity.node != me.0 {
        return Err(StoreError::OtherNode { dir: dir.to_owned(), found: NodeId(identity.node), me });
    }
    if identity.shards != shards {
        return Err(StoreError::OtherShards { dir: dir.to_owned(), found: identity.shards, wanted: shards });
    }
    // Seconds of the calendar where they are ahead: a directory that was lost and formatted anew does not count
    // from the beginning again, so an old start of this node and a new one stay different.
    identity.incarnation = (identity.incarnation + 1).max(clock::wall().0 / 1000);
    save(db, rows, &identity).map_err(fault)?;
    Ok(Started {
        store: StoreId(identity.store),
        incarnation: Incarnation(identity.incarnation),
        member: identity.member,
    })
}

/// From now on this directory's votes and acknowledgements count.
pub(super) fn make_member(db: &Database, rows: &Keyspace) -> io::Result<()> {
    let bytes = get(rows, key::IDENTITY)?.ok_or(io::ErrorKind::NotFound)?;
    let identity = open::<IdentityV1>(&bytes).map_err(damaged)?;
    save(db, rows, &IdentityV1 { member: true, ..identity })
}

fn save(db: &Database, rows: &Keyspace, identity: &IdentityV1) -> io::Result<()> {
    let mut batch = db.batch().durability(Some(PersistMode::SyncAll));
    batch.insert(rows, key::IDENTITY.as_slice(), seal(identity));
    batch.commit().map_err(io::Error::other)
}

/// A new identity; none if this directory was somebody's before.
fn format(dir: &Path, me: NodeId, shards: u16) -> io::Result<Option<IdentityV1>> {
    let mut snapshots = std::fs::read_dir(snapshot_dir(dir))?;
    if snapshots.next().is_some() {
        return Ok(None);
    }
    let mut store = [0; 16];
    getrandom::fill(&mut store).map_err(io::Error::other)?;
    Ok(Some(IdentityV1 { node: me.0, store: u128::from_le_bytes(store), shards, incarnation: 0, member: false }))
}
