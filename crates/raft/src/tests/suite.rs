//! The consensus library's own tests of a store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use strowger_model::NodeId;
use strowger_table::Machine;
use tokio::sync::{Notify, watch};

use super::harness::{SHARD, SHARDS, Seen, TempDir};
use crate::checkpoint::{CHECKPOINT_ENTRIES, Checkpoints};
use crate::replica::{Replica, Shared};
use crate::stats::Stats;
use crate::store::{Log, Store};
use crate::types::Types;
use crate::view::ViewCell;
use crate::{Retention, Tuning};

struct Builder;

impl StoreBuilder<Types, Log, Replica, (Store, TempDir)> for Builder {
    async fn build(&self) -> Result<((Store, TempDir), Log, Replica), StorageError<Types>> {
        let dir = TempDir::new();
        let stats = Arc::new(Stats::default());
        let (store, _) = Store::open(dir.path(), (NodeId(1), SHARDS), Retention::default(), stats.clone())
            .expect("a blank directory opens");
        let shared = Shared {
            group: SHARD,
            view: ViewCell::new(Machine::new(SHARD)),
            observer: Arc::new(Seen::default()),
            stats,
            live: AtomicBool::new(true),
            term_began: watch::Sender::default(),
            snapshot_due: Notify::new(),
            snapshot_bytes: AtomicU64::new(0),
            checkpoints: Checkpoints::new(CHECKPOINT_ENTRIES),
        };
        let log = store.log(SHARD).expect("a blank log opens");
        let replica = Replica::new(Arc::new(shared), store.snapshots(SHARD), Tuning::default());
        Ok(((store, dir), log, replica))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_passes_the_suite() {
    Suite::test_all(Builder).await.unwrap();
}
