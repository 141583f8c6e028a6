//! The file: whose it is, which layout it has, and how an older layout becomes the newest.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::{StoreError, limit};

/// `application_id` in the file's header: "STRG".
const APPLICATION: i64 = 0x5354_5247;

/// Step n brings layout n to n + 1; `user_version` says how many have been taken. Steps are never changed, only added.
const STEPS: [&str; 5] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
];

const OPENING: &str = "opening the call records";

/// The connection that writes; it makes the file or brings it up to date.
pub(crate) fn open_for_writing(path: &Path) -> Result<Connection, StoreError> {
    let fault = |source| StoreError::new(path, OPENING, source);
    let mut connection = Connection::open(path).map_err(fault)?;
    connection.busy_timeout(limit::BUSY_WAIT).map_err(fault)?;
    check_owner(path, &connection)?;
    // Readers go on while a projection is written. What power loss takes with NORMAL goes together with the
    // cursor of the same transaction, so it is projected again.
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;").map_err(fault)?;
    migrate(path, &mut connection)?;
    Ok(connection)
}

pub(crate) fn open_for_reading(path: &Path) -> Result<Connection, StoreError> {
    let fault = |source| StoreError::new(path, OPENING, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(fault)?;
    connection.busy_timeout(limit::BUSY_WAIT).map_err(fault)?;
    Ok(connection)
}

/// Refuses a database that somebody else made, before anything in it is changed.
fn check_owner(path: &Path, connection: &Connection) -> Result<(), StoreError> {
    let fault = |source| StoreError::new(path, OPENING, source);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(fault)?;
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(fault)?;
    if application == APPLICATION || application == 0 && tables == 0 {
        return Ok(());
    }
    Err(StoreError::OtherDatabase { path: path.to_owned() })
}

fn migrate(path: &Path, connection: &mut Connection) -> Result<(), StoreError> {
    let fault = |source| StoreError::new(path, "bringing the call records up to date", source);
    // The version is read under the write lock: two processes opening at once take each step once.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(fault)?;
    let known = STEPS.len() as i64;
    let Some(steps) = usize::try_from(found).ok().and_then(|taken| STEPS.get(taken..)) else {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    };
    for step in steps {
        transaction.execute_batch(step).map_err(fault)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION).map_err(fault)?;
    transaction.pragma_update(None, "user_version", known).map_err(fault)?;
    transaction.commit().map_err(fault)
}
