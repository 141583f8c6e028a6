//! The handle everyone holds.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use rusqlite::{Connection, OptionalExtension, params_from_iter};
use strowger_model::{CallId, Outcome, ShardId};
use strowger_table::{Act, Record};
use tokio::sync::oneshot;

use crate::writer::{Batch, PROJECTING, What, Work};
use crate::{ActFilter, ActLine, CallFilter, CallLine, Names, StoreError, act, schema, writer};

const READING: &str = "reading call records";

/// The records database of this voter. One thread writes, one connection reads; clones share both.
#[derive(Clone)]
pub struct Store {
    path: Arc<PathBuf>,
    writer: mpsc::Sender<Work>,
    reader: Arc<Mutex<Connection>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the file, or makes it, and brings its layout up to date.
    pub fn open(path: &Path) -> Result<Store, StoreError> {
        let writing = schema::open_for_writing(path)?;
        let reading = schema::open_for_reading(path)?;
        let writer = writer::start(path.to_owned(), writing)
            .map_err(|_| StoreError::Stopped { path: path.to_owned(), doing: "starting to write call records" })?;
        Ok(Store { path: Arc::new(path.to_owned()), writer, reader: Arc::new(Mutex::new(reading)) })
    }

    /// The number of the last record projected from a shard's outbox; 0 before the first.
    /// Blocks for one look-up: for starting a projection, not for every record.
    pub fn cursor(&self, shard: ShardId) -> Result<u64, StoreError> {
        self.cursor_of(shard.0.into())
    }

    /// The index of the last entry of the control group whose acts are projected; 0 before the first. Blocks likewise.
    pub fn acts_cursor(&self) -> Result<u64, StoreError> {
        self.cursor_of(act::CURSOR)
    }

    fn cursor_of(&self, shard: i64) -> Result<u64, StoreError> {
        self.look(|connection| {
            let cursor = "SELECT number FROM cursors WHERE shard = ?1";
            Ok(connection.query_row(cursor, [shard], |row| row.get(0)).optional()?.unwrap_or(0))
        })
    }

    /// Writes records by call, in one transaction with the cursor, and returns the cursor. Saying the same again
    /// changes nothing; of two records of one call the later number wins and keeps what only the earlier one knew.
    pub async fn project(
        &self,
        shard: ShardId,
        records: Vec<(u64, Arc<Record>)>,
        names: Arc<Names>,
    ) -> Result<u64, StoreError> {
        self.write(What::Records(shard, records), names).await
    }

    /// Writes acts by their number, likewise. Acts that are older than `limit::ACTS_KEPT` go.
    pub async fn project_acts(&self, acts: Vec<(u64, Arc<Act>)>, names: Arc<Names>) -> Result<u64, StoreError> {
        self.write(What::Acts(acts), names).await
    }

    async fn write(&self, what: What, names: Arc<Names>) -> Result<u64, StoreError> {
        let (reply, answer) = oneshot::channel();
        let stopped = || StoreError::Stopped { path: self.path.to_path_buf(), doing: PROJECTING };
        self.writer.send(Work::Project(Batch { what, names, reply })).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// Acts that pass the filter, newest first.
    pub async fn acts(&self, filter: ActFilter) -> Result<Vec<ActLine>, StoreError> {
        self.read(move |connection| {
            let (query, values) = filter.query();
            let mut statement = connection.prepare(&query)?;
            statement.query_map(params_from_iter(values), ActLine::from_row)?.collect()
        })
        .await
    }

    /// Names by id, kept for records that come when the configuration has them no more. Waits for nothing; what cannot be
    /// written is logged, and such a record has an id.
    pub fn remember(&self, names: Vec<(String, String)>) {
        if !names.is_empty() && self.writer.send(Work::Remember(names)).is_err() {
            tracing::warn!("names are not remembered: the thread that writes call records has ended");
        }
    }

    /// Calls that pass the filter, newest first.
    pub async fn calls(&self, filter: CallFilter) -> Result<Vec<CallLine>, StoreError> {
        self.read(move |connection| {
            let (query, values) = filter.query();
            let mut statement = connection.prepare(&query)?;
            statement.query_map(params_from_iter(values), CallLine::from_row)?.collect()
        })
        .await
    }

    /// One call; none where this voter has no record of it (yet).
    pub async fn call(&self, id: CallId) -> Result<Option<CallLine>, StoreError> {
        self.read(move |connection| {
            let query = format!("SELECT {} FROM calls WHERE id = ?1", CallLine::COLUMNS);
            connection.prepare(&query)?.query_row([id.0.cast_signed()], CallLine::from_row).optional()
        })
        .await
    }

    /// Calls by outcome, of one tenant or of all; every outcome is there, with 0 when no call had it.
    pub async fn counts(&self, tenant: Option<String>) -> Result<BTreeMap<&'static str, u64>, StoreError> {
        self.read(move |connection| {
            let query = "SELECT outcome, count(*) FROM calls WHERE ?1 IS NULL OR tenant = ?1 GROUP BY outcome";
            let mut statement = connection.prepare(query)?;
            let rows = statement.query_map([tenant], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u64>(1)?)))?;
            let mut counts: BTreeMap<_, _> = Outcome::ALL.iter().map(|outcome| (outcome.as_str(), 0)).collect();
            for row in rows {
                let (outcome, calls) = row?;
                if let Some(count) = counts.get_mut(outcome.as_str()) {
                    *count = calls;
                }
            }
            Ok(counts)
        })
        .await
    }

    /// Reads off the runtime's threads: a page of old records may come from a slow disk.
    async fn read<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || store.look(ask))
            .await
            .map_err(|_| StoreError::Stopped { path: self.path.to_path_buf(), doing: READING })?
    }

    fn look<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        // A reader that panicked left nothing half done: its statements were dropped with it.
        let connection = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        ask(&connection).map_err(|fault| StoreError::new(&self.path, READING, fault))
    }
}
