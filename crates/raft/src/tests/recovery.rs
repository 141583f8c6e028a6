use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use openraft::storage::{RaftLogReader, RaftLogStorage, RaftLogStorageExt};
use openraft::vote::RaftLeaderId as _;
use strowger_model::{GroupId, LogTime, NodeId, Wall};
use strowger_table::Outcome;

use super::harness::{Cluster, LONG, SHARD, SHARDS, TempDir, trace, until};
use crate::stats::Stats;
use crate::store::{Store, StoreError};
use crate::types::{Entry, LeaderId, LogId, Payload, Stamped, Vote};
use crate::{Groups, Part, PastFault, Retention, StartError, Tuning};

fn open(dir: &TempDir) -> Store {
    // The database lets go of its directory when its last thread has ended.
    let begun = std::time::Instant::now();
    loop {
        match Store::open(dir.path(), (NodeId(1), SHARDS), Retention::default(), Arc::new(Stats::default())) {
            Ok((store, _)) => return store,
            Err(StoreError::InUse { .. }) if begun.elapsed() < LONG => {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            Err(fault) => panic!("{fault}"),
        }
    }
}

fn id(index: u64) -> LogId {
    LogId { leader_id: LeaderId::new(1, 1), index }
}

fn entry(index: u64) -> Entry {
    let body = Bytes::from(index.to_string());
    Entry { log_id: id(index), payload: Payload::Normal(Stamped { time: LogTime(index), wall: Wall(0), body }) }
}

#[tokio::test]
async fn what_was_acknowledged_survives_without_a_shutdown() {
    let dir = TempDir::new();
    let vote = Vote { leader_id: LeaderId::new(1, 1), committed: true };
    {
        let store = open(&dir);
        let mut log = store.log(SHARD).unwrap();
        log.save_vote(&vote).await.unwrap();
        log.blocking_append((0..1000).map(entry)).await.unwrap();
        log.save_committed(Some(id(900))).await.unwrap();
        log.truncate_after(Some(id(950))).await.unwrap();
        log.blocking_append((951..960).map(entry)).await.unwrap();
        log.purge(id(99)).await.unwrap();
        log.blocking_append([entry(960)]).await.unwrap();
        // Another group's rows lie beside it.
        store.log(GroupId(2)).unwrap().blocking_append([entry(0)]).await.unwrap();
    }
    let store = open(&dir);
    let mut log = store.log(SHARD).unwrap();
    assert_eq!(log.read_vote().await.unwrap(), Some(vote));
    assert_eq!(log.read_committed().await.unwrap(), Some(id(900)));
    let state = log.get_log_state().await.unwrap();
    assert_eq!((state.last_purged_log_id, state.last_log_id), (Some(id(99)), Some(id(960))));
    let entries = log.try_get_log_entries(0..).await.unwrap();
    assert_eq!(entries, (100..=960).map(entry).collect::<Vec<_>>());
    let part = log.limited_get_log_entries(200, 300).await.unwrap();
    assert_eq!(part.first().map(|entry| entry.log_id.index), Some(200));
    assert!(store.log(GroupId(0)).unwrap().blank() && !log.blank());
}

#[tokio::test]
async fn reads_join_disk_and_memory() {
    let dir = TempDir::new();
    {
        open(&dir).log(SHARD).unwrap().blocking_append((0..50).map(entry)).await.unwrap();
    }
    let mut log = open(&dir).log(SHARD).unwrap();
    log.blocking_append((50..100).map(entry)).await.unwrap();
    let mut reader = log.get_log_reader().await;
    assert_eq!(reader.try_get_log_entries(40..60).await.unwrap(), (40..60).map(entry).collect::<Vec<_>>());
    assert_eq!(reader.try_get_log_entries(99..200).await.unwrap(), [entry(99)]);
    assert_eq!(reader.try_get_log_entries(100..200).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_node_has_its_state_and_a_new_incarnation() {
    let mut cluster = Cluster::start(Tuning::default()).await;
    let node = cluster.follower(SHARD).await;
    for number in 0..200 {
        cluster.groups(node).propose(SHARD, trace(&number.to_string()), LONG).await.unwrap();
    }
    let index = cluster.agree(SHARD).await;
    let (store, incarnation) = (cluster.groups(node).store_id(), cluster.groups(node).incarnation());
    cluster.kill(node).await;
    cluster.start_node(node).await;
    let groups = cluster.groups(node);
    assert!(groups.incarnation() > incarnation, "{incarnation}");
    assert_eq!(groups.store_id(), store);
    assert!(groups.view(SHARD).applied >= index, "its own log was enough");
    assert!(cluster.nodes[&node].seen.group(SHARD).installs >= 1);
    assert_eq!(groups.propose(SHARD, trace("after"), LONG).await, Ok(Outcome::Done));
    cluster.agree(SHARD).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_cluster_returns_with_its_log_time() {
    let mut cluster = Cluster::start(Tuning::default()).await;
    for number in 0..50 {
        cluster.groups(NodeId(1)).propose(SHARD, trace(&number.to_string()), LONG).await.unwrap();
    }
    cluster.agree(SHARD).await;
    let before = cluster.groups(NodeId(1)).view(SHARD).machine.last();
    for id in cluster.ids() {
        cluster.kill(id).await;
    }
    for id in cluster.ids() {
        cluster.start_node(id).await;
    }
    cluster.groups(NodeId(1)).propose(SHARD, trace("again"), LONG).await.unwrap();
    cluster.agree(SHARD).await;
    let after = cluster.groups(NodeId(1)).view(SHARD).machine.last();
    assert!(after.index > before.index && after.time > before.time);
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_away_too_long_gets_a_snapshot() {
    let tuning = Tuning { snapshot_entries: 200, keep_entries: 20, ..Tuning::default() };
    let mut cluster = Cluster::start(tuning).await;
    let node = cluster.follower(SHARD).await;
    let leader = cluster.leader(SHARD).await;
    cluster.kill(node).await;
    for number in 0..600 {
        cluster.groups(leader).propose(SHARD, trace(&number.to_string()), LONG).await.unwrap();
    }
    until("a snapshot", || (cluster.groups(leader).stats().snapshots_built > 0).then_some(())).await;
    cluster.start_node(node).await;
    cluster.agree(SHARD).await;
    let stats = cluster.groups(node).stats();
    assert!(stats.snapshots_installed > 0, "{stats:?}");
    assert!(cluster.nodes[&node].seen.group(SHARD).installs >= 2, "at start and with the snapshot");

    // And from its own snapshot it starts again.
    let index = cluster.groups(node).view(SHARD).applied;
    cluster.kill(node).await;
    cluster.start_node(node).await;
    assert!(cluster.groups(node).view(SHARD).applied >= index);
    cluster.agree(SHARD).await;
    cluster.end().await;
}

/// A full disk is one of the ordinary faults: the group stopped on that node for good, and the node went on to look
/// alive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_cannot_be_written_stops_nothing_and_comes_when_there_is_room() {
    let tuning = Tuning { snapshot_entries: 50, snapshot_again: Duration::from_millis(100), ..Tuning::default() };
    let cluster = Cluster::start(tuning).await;
    let node = cluster.follower(SHARD).await;
    let dir = cluster.dir(node).join("snapshots");
    std::fs::rename(&dir, dir.with_extension("aside")).unwrap();
    let leader = cluster.leader(SHARD).await;
    for number in 0..200 {
        cluster.groups(leader).propose(SHARD, trace(&number.to_string()), LONG).await.unwrap();
    }
    cluster.agree(SHARD).await;
    assert_eq!(cluster.groups(node).stats().snapshots_built, 0);
    std::fs::rename(dir.with_extension("aside"), &dir).unwrap();
    until("a snapshot", || (cluster.groups(node).stats().snapshots_built > 0).then_some(())).await;
    cluster.groups(leader).propose(SHARD, trace("after"), LONG).await.unwrap();
    cluster.agree(SHARD).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_voter_that_lost_its_disk_takes_no_part() {
    let mut cluster = Cluster::start(Tuning::default()).await;
    cluster.groups(NodeId(1)).propose(SHARD, trace("before"), LONG).await.unwrap();
    cluster.agree(SHARD).await;
    for lost in [NodeId(1), NodeId(2)] {
        cluster.kill(lost).await;
        let (dir, aside) = (cluster.dir(lost), cluster.dir(lost).with_extension("aside"));
        std::fs::rename(&dir, &aside).unwrap();
        cluster.leader(SHARD).await;
        cluster.start_node(lost).await;
        let other = cluster.groups(NodeId(3)).propose(SHARD, trace(&lost.to_string()), LONG).await;
        assert_eq!(other, Ok(Outcome::Done), "the others go on");
        assert!(!cluster.groups(lost).is_member());
        assert_eq!(cluster.groups(lost).view(SHARD).applied, 0, "it neither founds nor follows");
        // With its old directory it is welcome.
        cluster.kill(lost).await;
        std::fs::remove_dir_all(&dir).unwrap();
        std::fs::rename(&aside, &dir).unwrap();
        cluster.start_node(lost).await;
        cluster.agree(SHARD).await;
    }
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_directory_of_another_node_is_refused() {
    let mut cluster = Cluster::start(Tuning::default()).await;
    cluster.leader(SHARD).await;
    let link = cluster.link(NodeId(1));
    let seen = cluster.nodes[&NodeId(1)].seen.clone();
    let mut options = cluster.options(NodeId(1));
    let refused = Groups::start(options.clone(), link.clone(), seen.clone()).await.err();
    assert!(matches!(refused, Some(StartError::Store(StoreError::InUse { .. }))), "{refused:?}");

    cluster.kill(NodeId(2)).await;
    options.dir = cluster.dir(NodeId(2));
    let refused = Groups::start(options.clone(), link.clone(), seen.clone()).await.err().unwrap();
    assert!(matches!(refused, StartError::Store(StoreError::OtherNode { found: NodeId(2), .. })), "{refused:?}");
    assert!(refused.to_string().contains("belongs to node-2, and this is node-1"), "{refused}");

    options.me = NodeId(2);
    options.shards += 1;
    let refused = Groups::start(options.clone(), link.clone(), seen.clone()).await.err();
    assert!(matches!(refused, Some(StartError::Store(StoreError::OtherShards { .. }))), "{refused:?}");

    options.me = NodeId(4);
    let refused = Groups::start(options, link, seen).await.err();
    assert!(matches!(refused, Some(StartError::NotAVoter { .. })), "{refused:?}");
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_past_is_told_after_it_was_purged_and_all_were_started_again() {
    let tuning = Tuning { snapshot_entries: 100, keep_entries: 10, ..Tuning::default() };
    let mut cluster = Cluster::start(tuning).await;
    let node = cluster.follower(SHARD).await;
    let mut hashes = std::collections::BTreeMap::new();
    for number in 0..450 {
        cluster.groups(node).propose(SHARD, trace(&number.to_string()), LONG).await.unwrap();
        let last = cluster.groups(node).view(SHARD);
        hashes.insert(last.applied, last.machine.hash());
        if number % 3 == 0 {
            cluster.groups(node).propose(OTHER, trace(&number.to_string()), LONG).await.unwrap();
        }
    }
    cluster.agree(SHARD).await;
    for id in cluster.ids() {
        let dir = cluster.dir(id);
        let is_archived = || archived(&dir, SHARD).len() >= 3 && !archived(&dir, OTHER).is_empty();
        until("an archive", || is_archived().then_some(())).await;
        cluster.kill(id).await;
    }
    for id in cluster.ids() {
        cluster.start_node(id).await;
    }
    cluster.groups(node).propose(SHARD, trace("again"), LONG).await.unwrap();
    cluster.agree(SHARD).await;
    for id in cluster.ids() {
        let groups = cluster.groups(id).clone();
        let mut past = groups.past(SHARD, 5).unwrap();
        let mut told = 0;
        while let Some(entry) = past.tell().unwrap() {
            told += 1;
            if let Some(then) = hashes.get(&entry.at.index) {
                assert_eq!(past.machine().hash(), *then, "after {}", entry.at.index);
            }
        }
        assert!(told > 450, "from the beginning to the present: {told}");
        assert_eq!(past.machine().hash(), groups.view(SHARD).machine.hash());
        // Less is told from a later state on.
        assert!(groups.past(SHARD, 400).unwrap().machine().last().index >= 100);
        let parts = told_again(&cluster.dir(id));
        let [Part::Told { last, states: compared, differs: false, .. }] = parts[..] else { panic!("{parts:?}") };
        assert!(compared >= 1 && last >= 100, "{parts:?} of {:?}", states(&cluster.dir(id)));
    }
    let gap = take_out_entries(&cluster.dir(node));
    behind_a_gap_the_past_is_told_again(&cluster, node, gap, &hashes);
    // What is lost is not made up.
    std::fs::remove_dir_all(cluster.dir(node).join("archive")).unwrap();
    let mut past = cluster.groups(node).past(SHARD, 5).unwrap();
    let fault = std::iter::from_fn(|| past.tell().transpose()).find_map(Result::err);
    assert!(matches!(fault, Some(PastFault::NotKept { group: SHARD, .. })), "{fault:?}");
    cluster.end().await;
}

const OTHER: GroupId = GroupId(2);

/// The files of a group of one kind, the oldest first.
fn files(dir: &Path, group: GroupId, kind: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(dir.join("archive").join(group.to_string())).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = files.map(|file| file.path()).collect();
    files.retain(|path| path.extension().is_some_and(|is| is == kind));
    files.sort();
    files
}

fn archived(dir: &Path, group: GroupId) -> Vec<PathBuf> {
    files(dir, group, "entries")
}

/// Of which entries a state is kept.
fn states(dir: &Path) -> Vec<u64> {
    let index = |path: PathBuf| path.file_stem()?.to_str()?.parse().ok();
    files(dir, SHARD, "snapshot").into_iter().filter_map(index).collect()
}

/// What came of the shard's past; the other's is whole, whatever this one lacks.
fn told_again(dir: &Path) -> Vec<Part> {
    let replayed = crate::replay(dir);
    let parts = |group| replayed.iter().find(|of| of.group == group).map(|of| of.parts.clone()).unwrap();
    let other = parts(OTHER);
    assert!(matches!(other[..], [Part::Told { differs: false, .. }]), "{other:?}");
    parts(SHARD)
}

/// Removes the second file of entries, of which something stands on both sides; its first entry.
fn take_out_entries(dir: &Path) -> u64 {
    let path = archived(dir, SHARD).swap_remove(1);
    std::fs::remove_file(&path).unwrap();
    path.file_name().unwrap().to_str().unwrap().split_once('-').unwrap().0.parse().unwrap()
}

fn behind_a_gap_the_past_is_told_again(
    cluster: &Cluster,
    node: NodeId,
    gap: u64,
    hashes: &std::collections::BTreeMap<u64, u64>,
) {
    let parts = told_again(&cluster.dir(node));
    let [Part::Told { last: before, differs: false, .. }, Part::Missing { from, upto, damage: None }, behind] =
        &parts[..]
    else {
        panic!("{parts:?}")
    };
    assert!(*before == gap - 1 && *from == gap && *upto > gap, "{parts:?}");
    let Part::Told { first, last, states: compared, differs: false, .. } = behind else { panic!("{parts:?}") };
    let mut between = states(&cluster.dir(node));
    between.retain(|index| (first..=last).contains(&index));
    assert!(*first == upto + 1 && *compared == between.len(), "each state is compared: {parts:?}, {between:?}");
    // Who asks for what was then hears which part it is; what came before and after is told.
    let tell = |index| {
        let mut past = cluster.groups(node).past(SHARD, index).unwrap();
        let mut told = Vec::new();
        loop {
            match past.tell() {
                Ok(Some(entry)) => told.push((entry.at.index, past.machine().hash())),
                Ok(None) => return (told, None),
                Err(fault) => return (told, Some(fault.to_string())),
            }
        }
    };
    let word = format!("entries {gap} to {upto} of shard-0 cannot be told: not all are kept here");
    let (before, fault) = tell(5);
    assert!(fault.as_deref() == Some(&*word) && before.last().is_some_and(|(index, _)| index + 1 == gap), "{fault:?}");
    let (after, fault) = tell(upto + 5);
    assert!(fault.is_none() && after.len() > 100, "{fault:?}");
    for (index, hash) in before.iter().chain(&after) {
        assert!(hashes.get(index).is_none_or(|then| then == hash), "after {index}");
    }
}
