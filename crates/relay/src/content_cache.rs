//! Prompts and music, by what they are.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strowger_media::content::{MAX_PIECE_BYTES, digest};
use strowger_media::protocol::ContentRefusal;
use strowger_model::Digest;

/// Content in memory, shared by all threads; a copy on disk spares the nodes to send it again after a restart.
pub struct ContentCache {
    held: Mutex<Held>,
    directory: Option<PathBuf>,
}

#[derive(Default)]
struct Held {
    by_digest: HashMap<Digest, Piece>,
    bytes: usize,
    /// Counts uses, to tell the longest unused.
    uses: u64,
}

struct Piece {
    samples: Arc<[u8]>,
    used: u64,
}

/// The directory for copies cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the content directory {}: {source}. `content_dir` must be a directory the relay may write to", .path.display())]
pub struct ContentCacheError {
    path: PathBuf,
    source: std::io::Error,
}

/// All pieces together, in bytes: nine hours of audio.
const MAX_HELD_BYTES: usize = 256 * 1024 * 1024;

const EXTENSION: &str = "ulaw";

impl ContentCache {
    /// An empty cache, or what `directory` keeps. Files that are not what their name says are left alone.
    pub fn open(directory: Option<PathBuf>) -> Result<Self, ContentCacheError> {
        let contents = Self { held: Mutex::default(), directory };
        if let Some(path) = &contents.directory {
            let fault = |source| ContentCacheError { path: path.clone(), source };
            std::fs::create_dir_all(path).map_err(fault)?;
            for entry in std::fs::read_dir(path).map_err(fault)? {
                contents.load(&entry.map_err(fault)?.path());
            }
        }
        Ok(contents)
    }

    /// Keeps content whose digest is right; what is there already stays. Writes to the disk: not for media threads.
    pub fn put(&self, named: Digest, bytes: Vec<u8>) -> Result<(), ContentRefusal> {
        if bytes.is_empty() {
            return Err(ContentRefusal::Empty);
        }
        if bytes.len() > MAX_PIECE_BYTES {
            return Err(ContentRefusal::TooLong);
        }
        if digest(&bytes) != named {
            return Err(ContentRefusal::Mismatch);
        }
        let samples: Arc<[u8]> = bytes.into();
        if self.lock().add(named, samples.clone())? {
            self.save(named, &samples);
        }
        Ok(())
    }

    /// The piece, if it is here; its use is noted.
    pub fn get(&self, digest: Digest) -> Option<Arc<[u8]>> {
        let mut held = self.lock();
        held.uses += 1;
        let now = held.uses;
        let piece = held.by_digest.get_mut(&digest)?;
        piece.used = now;
        Some(piece.samples.clone())
    }

    /// Of all pieces together.
    pub fn bytes(&self) -> u64 {
        self.lock().bytes as u64
    }

    fn load(&self, path: &Path) {
        if path.extension().is_none_or(|extension| extension != EXTENSION) {
            return;
        }
        let named = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        match std::fs::read(path) {
            Ok(bytes) if !bytes.is_empty() && digest(&bytes).to_string() == named => {
                if self.lock().add(digest(&bytes), bytes.into()).is_err() {
                    tracing::warn!(path = %path.display(), "content left on disk: memory for content is full");
                }
            }
            Ok(_) => tracing::warn!(path = %path.display(), "damaged content left alone; nodes send it again"),
            Err(fault) => tracing::warn!(path = %path.display(), %fault, "content not read; nodes send it again"),
        }
    }

    /// A copy that cannot be written costs a transfer after the next start, no more.
    fn save(&self, named: Digest, samples: &[u8]) {
        let Some(directory) = &self.directory else { return };
        let path = directory.join(format!("{named}.{EXTENSION}"));
        let part = directory.join(format!("{named}.part"));
        let written = std::fs::write(&part, samples).and_then(|()| std::fs::rename(&part, &path));
        if let Err(fault) = written {
            tracing::warn!(path = %path.display(), %fault, "content kept in memory only");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Whether it is new. Makes room by dropping the longest unused pieces nobody plays.
    fn add(&mut self, named: Digest, samples: Arc<[u8]>) -> Result<bool, ContentRefusal> {
        if self.by_digest.contains_key(&named) {
            return Ok(false);
        }
        while self.bytes + samples.len() > MAX_HELD_BYTES {
            let idle = self.by_digest.iter().filter(|(_, piece)| Arc::strong_count(&piece.samples) == 1);
            let oldest = idle.min_by_key(|(_, piece)| piece.used).map(|(digest, _)| *digest);
            let dropped = oldest.and_then(|digest| self.by_digest.remove(&digest)).ok_or(ContentRefusal::Full)?;
            self.bytes -= dropped.samples.len();
        }
        self.bytes += samples.len();
        self.uses += 1;
        self.by_digest.insert(named, Piece { samples, used: self.uses });
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_it_is_called_is_kept() {
        let contents = ContentCache::open(None).unwrap();
        let bytes = vec![1, 2, 3];
        assert_eq!(contents.put(Digest([7; 32]), bytes.clone()), Err(ContentRefusal::Mismatch));
        assert_eq!(contents.put(digest(&[]), vec![]), Err(ContentRefusal::Empty));
        let long = vec![0; MAX_PIECE_BYTES + 1];
        assert_eq!(contents.put(digest(&long), long), Err(ContentRefusal::TooLong));
        assert_eq!(contents.put(digest(&bytes), bytes.clone()), Ok(()));
        assert_eq!(contents.put(digest(&bytes), bytes.clone()), Ok(()));
        assert_eq!((contents.get(digest(&bytes)).as_deref(), contents.bytes()), (Some(&bytes[..]), 3));
        assert_eq!(contents.get(Digest([7; 32])), None);
    }

    #[test]
    fn a_directory_outlives_the_process() {
        let directory = std::env::temp_dir().join(format!("strowger-contents-{}", std::process::id()));
        let bytes = vec![9; 800];
        let contents = ContentCache::open(Some(directory.clone())).unwrap();
        contents.put(digest(&bytes), bytes.clone()).unwrap();
        std::fs::write(directory.join(format!("{}.ulaw", Digest([1; 32]))), b"damaged").unwrap();
        let again = ContentCache::open(Some(directory.clone())).unwrap();
        assert_eq!((again.get(digest(&bytes)).as_deref(), again.bytes()), (Some(&bytes[..]), 800));
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn room_is_made_by_dropping_what_nobody_plays() {
        let mut held = Held::default();
        let piece = |byte: u8| -> Arc<[u8]> { vec![byte; MAX_HELD_BYTES / 4].into() };
        let played = piece(0);
        for byte in 0..4 {
            let samples = if byte == 0 { played.clone() } else { piece(byte) };
            assert_eq!(held.add(Digest([byte; 32]), samples), Ok(true));
        }
        assert_eq!(held.add(Digest([9; 32]), piece(9)), Ok(true));
        let gone = |held: &Held, byte| !held.by_digest.contains_key(&Digest([byte; 32]));
        assert!(gone(&held, 1) && !gone(&held, 0) && !gone(&held, 2));
    }
}
