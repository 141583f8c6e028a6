//! Prompts, music and what lists of leads say besides numbers, by their digest: on this node's disk, and fetched from the others when missing.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use strowger_link::{Class, Link, open, seal};
use strowger_media::protocol::{ContentAnswer, ContentPut};
use strowger_model::{Digest, PeerId};
use tokio::task::JoinSet;

use crate::wire::ContentWanted;

const FETCH: Duration = Duration::from_secs(5);
/// How long a MiB may take on top, to a node that is busy: a tenant has up to 15.
const SLOWEST_MIB: Duration = Duration::from_secs(1);
/// Of SHA-256, in hexadecimal.
const DIGEST_DIGITS: usize = 64;
/// Tells apart the files of those who write the same content at the same moment.
static WRITING: AtomicU64 = AtomicU64::new(0);

/// A directory of files named by their SHA-256.
#[derive(Clone)]
pub struct Content {
    dir: PathBuf,
}

/// Why content is not where it should be.
#[derive(Debug, thiserror::Error)]
pub enum ContentFault {
    /// This node's disk does not take it.
    #[error("cannot write {path}: {cause}; make room or check its permissions")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// Fewer than a majority of the voters; those that have it keep it.
    #[error("only {have} of the {want} nodes needed have taken the content: see `strowger status` for who is missing")]
    TooFew {
        /// This node among them.
        have: usize,
        /// A majority.
        want: usize,
    },
}

impl Content {
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Written whole or not at all: a reader never finds half a prompt.
    #[expect(clippy::disallowed_methods, reason = "files carry the wall's time")]
    pub fn put(&self, digest: Digest, bytes: &[u8]) -> Result<(), ContentFault> {
        let path = self.path(digest);
        let write = |path: &Path| {
            std::fs::create_dir_all(&self.dir)?;
            let turn = WRITING.fetch_add(1, Ordering::Relaxed);
            let part = path.with_extension(format!("part-{}-{turn}", std::process::id()));
            let written = write_all(&part, bytes).and_then(|()| std::fs::rename(&part, path));
            if written.is_err() {
                // On a full disk the log needs its space more.
                let _never_begun = std::fs::remove_file(&part);
            }
            written
        };
        if self.read(digest).is_some() {
            // As new as if it had been written now: what is about to be named is not pruned.
            let fresh = std::fs::File::options().write(true).open(&path);
            let renewed = fresh.and_then(|file| file.set_modified(SystemTime::now()));
            return renewed.map_err(|cause| ContentFault::Write { path, cause });
        }
        write(&path).map_err(|cause| ContentFault::Write { path, cause })
    }

    /// What is on this node's disk, if it is what was put there.
    pub fn read(&self, digest: Digest) -> Option<Vec<u8>> {
        let path = self.path(digest);
        let bytes = std::fs::read(&path).ok()?;
        if digest_of(&bytes) == digest {
            return Some(bytes);
        }
        tracing::error!(path = %path.display(), "content on this node's disk is damaged; another node is asked for it");
        None
    }

    /// Takes off what nobody names and was put here before `before`, also what was never written whole. How many files.
    pub fn prune(&self, named: &BTreeSet<Digest>, before: SystemTime) -> std::io::Result<usize> {
        let named: BTreeSet<String> = named.iter().map(ToString::to_string).collect();
        let mut pruned = 0;
        for entry in std::fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            let digits = name.split('.').next().unwrap_or_default();
            let is_ours = digits.len() == DIGEST_DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            if is_ours && !named.contains(name) && entry.metadata()?.modified()? < before {
                std::fs::remove_file(entry.path())?;
                pruned += 1;
            }
        }
        Ok(pruned)
    }

    /// What has this digest: from disk, else from the first node that has it.
    pub async fn get(&self, link: &Link, digest: Digest) -> Option<Vec<u8>> {
        if let Some(bytes) = self.blocking(move |content| content.read(digest)).await.flatten() {
            return Some(bytes);
        }
        let nodes = link.peers().into_iter().filter(|peer| matches!(peer, PeerId::Node(_)));
        for node in nodes {
            let Ok(answer) = link.ask(node, Class::Content, seal(&ContentWanted { digest }), FETCH).await else {
                continue;
            };
            let kept = self.blocking(move |content| content.keep(digest, node, &answer)).await.flatten();
            if kept.is_some() {
                return kept;
            }
        }
        None
    }

    /// What another node sent, if it is what was asked for.
    fn keep(&self, digest: Digest, from: PeerId, answer: &[u8]) -> Option<Vec<u8>> {
        let ContentPut { bytes, .. } = open(answer).ok().filter(|put: &ContentPut| !put.bytes.is_empty())?;
        if digest_of(&bytes) != digest {
            tracing::warn!(%digest, %from, "content from another node is damaged");
            return None;
        }
        match self.put(digest, &bytes) {
            Ok(()) => tracing::info!(%digest, %from, "content was fetched from another node"),
            Err(fault) => tracing::warn!(%fault, "content fetched but not kept"),
        }
        Some(bytes)
    }

    /// Puts content here and on the other nodes; enough of them must have it before a configuration names it.
    pub async fn spread(&self, link: &Link, digest: Digest, bytes: Vec<u8>, want: usize) -> Result<(), ContentFault> {
        let within = time_for(bytes.len());
        let put = Bytes::from(seal(&ContentPut { digest, bytes: bytes.clone() }));
        let mut asked = JoinSet::new();
        for peer in link.peers().into_iter().filter(|peer| matches!(peer, PeerId::Node(_))) {
            let (link, put) = (link.clone(), put.clone());
            asked.spawn(async move { link.ask(peer, Class::Content, put, within).await });
        }
        let here = self.blocking(move |content| content.put(digest, &bytes)).await;
        here.ok_or(ContentFault::TooFew { have: 0, want })??;
        let mut have = 1;
        while let Some(answer) = asked.join_next().await {
            let answer = answer.ok().and_then(Result::ok);
            if matches!(answer.map(|answer| open(&answer)), Some(Ok(ContentAnswer { refused: None }))) {
                have += 1;
            }
        }
        if have >= want { Ok(()) } else { Err(ContentFault::TooFew { have, want }) }
    }

    /// Files of megabytes are written, synced and hashed where nobody waits for the thread.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> T + Send + 'static) -> Option<T> {
        let content = self.clone();
        tokio::task::spawn_blocking(move || work(&content)).await.ok()
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.dir.join(digest.to_string())
    }
}

fn write_all(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// How long content may take on its way.
pub(crate) fn time_for(bytes: usize) -> Duration {
    FETCH + SLOWEST_MIB * (bytes >> 20) as u32
}

fn digest_of(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_is_not_taken_and_is_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let content = Content::new(dir.path().join("content"));
        let digest = digest_of(b"a prompt");
        assert_eq!(content.read(digest), None);
        for damage in [None, Some(&b"a promqt"[..]), Some(b"")] {
            if let Some(damage) = damage {
                std::fs::write(content.path(digest), damage).unwrap();
                assert_eq!(content.read(digest), None);
            }
            content.put(digest, b"a prompt").unwrap();
            assert_eq!(content.read(digest).as_deref(), Some(&b"a prompt"[..]));
        }
    }

    /// As on a disk that is full: here a file cannot take a directory's name.
    #[test]
    fn what_was_not_written_whole_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let content = Content::new(dir.path().join("content"));
        let digest = digest_of(b"a prompt");
        let taken = content.path(digest);
        std::fs::create_dir_all(&taken).unwrap();
        assert!(matches!(content.put(digest, b"a prompt"), Err(ContentFault::Write { .. })));
        let left: Vec<PathBuf> = std::fs::read_dir(&content.dir).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(left, [taken]);
    }

    #[test]
    fn only_what_nobody_names_and_is_old_is_pruned() {
        let dir = tempfile::tempdir().unwrap();
        let content = Content::new(dir.path().join("content"));
        let all = [&b"named"[..], b"old", b"put again"].map(|bytes| (digest_of(bytes), bytes));
        all.iter().for_each(|(digest, bytes)| content.put(*digest, bytes).unwrap());
        let begun = dir.path().join("content").join(format!("{}.part-1-1", all[0].0));
        let [strange, begun] = [dir.path().join("content/README"), begun];
        [&strange, &begun].into_iter().for_each(|path| std::fs::write(path, "x").unwrap());
        let long_ago = SystemTime::now() - Duration::from_secs(3600);
        for path in all.iter().map(|(digest, _)| content.path(*digest)).chain([strange.clone(), begun.clone()]) {
            std::fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
        }
        content.put(all[2].0, all[2].1).unwrap();
        let named = BTreeSet::from([all[0].0]);
        assert_eq!(content.prune(&named, long_ago - Duration::from_secs(1)).unwrap(), 0, "nothing is as old as that");
        assert_eq!(content.prune(&named, long_ago + Duration::from_secs(1)).unwrap(), 2);
        let there: Vec<bool> = all.iter().map(|(digest, _)| content.read(*digest).is_some()).collect();
        assert_eq!(there, [true, false, true]);
        assert_eq!((strange.exists(), begun.exists()), (true, false));
    }
}
