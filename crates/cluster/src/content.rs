//! Prompts, music and what lists of leads say besides numbers, by their digest: on this node's disk, and fetched from the others when missing.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use strowger_link::{Class, Link, open, seal};
use strowger_media::protocol::{ContentAnswer, ContentPut};
use strowger_model::{Digest, PeerId};

use crate::wire::ContentWanted;

const FETCH: Duration = Duration::from_secs(5);
/// Tells apart the files of those who write the same content at the same moment.
static WRITING: AtomicU64 = AtomicU64::new(0);

/// A directory of files named by their SHA-256.
#[derive(Clone)]
pub struct Content {
    dir: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum ContentFault {
    #[error("cannot write {path}: {cause}; make room or check its permissions")]
    Write { path: PathBuf, cause: std::io::Error },
    #[error("only {have} of the {want} nodes needed have taken the content: see `strowger status` for who is missing")]
    TooFew { have: usize, want: usize },
}

impl Content {
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub fn has(&self, digest: Digest) -> bool {
        self.path(digest).exists()
    }

    /// Written whole or not at all: a reader never finds half a prompt.
    pub fn put(&self, digest: Digest, bytes: &[u8]) -> Result<(), ContentFault> {
        let path = self.path(digest);
        let write = |path: &Path| {
            std::fs::create_dir_all(&self.dir)?;
            let turn = WRITING.fetch_add(1, Ordering::Relaxed);
            let part = path.with_extension(format!("part-{}-{turn}", std::process::id()));
            std::fs::write(&part, bytes)?;
            std::fs::File::open(&part)?.sync_all()?;
            std::fs::rename(&part, path)
        };
        if path.exists() {
            return Ok(());
        }
        write(&path).map_err(|cause| ContentFault::Write { path, cause })
    }

    pub fn read(&self, digest: Digest) -> Option<Vec<u8>> {
        std::fs::read(self.path(digest)).ok()
    }

    /// From disk, else from the first node that has it.
    pub async fn get(&self, link: &Link, digest: Digest) -> Option<Vec<u8>> {
        if let Ok(bytes) = tokio::fs::read(self.path(digest)).await {
            return Some(bytes);
        }
        let nodes = link.peers().into_iter().filter(|peer| matches!(peer, PeerId::Node(_)));
        for node in nodes {
            let Ok(answer) = link.ask(node, Class::Content, seal(&ContentWanted { digest }), FETCH).await else {
                continue;
            };
            if let Ok(ContentPut { bytes, .. }) = open(&answer)
                && !bytes.is_empty()
            {
                if let Err(fault) = self.put(digest, &bytes) {
                    tracing::warn!(%fault, "content fetched but not kept");
                }
                return Some(bytes);
            }
        }
        None
    }

    /// Puts content here and on the other nodes; enough of them must have it before a configuration names it.
    pub async fn spread(&self, link: &Link, digest: Digest, bytes: &[u8], want: usize) -> Result<(), ContentFault> {
        self.put(digest, bytes)?;
        let mut have = 1;
        for peer in link.peers() {
            let PeerId::Node(_) = peer else { continue };
            let put = seal(&ContentPut { digest, bytes: bytes.to_vec() });
            let answer = link.ask(peer, Class::Content, put, FETCH).await;
            if matches!(answer.map(|answer| open(&answer)), Ok(Ok(ContentAnswer { refused: None }))) {
                have += 1;
            }
        }
        if have >= want { Ok(()) } else { Err(ContentFault::TooFew { have, want }) }
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.dir.join(digest.to_string())
    }
}
