//! The files of a configuration directory, in memory: what is checked, sent and stored is one consistent set.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// One prompt of an hour, far beyond any use; a larger file is a mistake.
const MAX_FILE_BYTES: u64 = 64 << 20;
/// The whole set is held in memory and sent to the cluster.
const MAX_TOTAL_BYTES: u64 = 512 << 20;
/// Directories within directories: ends loops of symbolic links.
const MAX_DEPTH: usize = 8;
/// The kinds of file a configuration consists of; notes, scripts and editors' copies may lie beside them.
const KINDS: [&str; 2] = ["toml", "wav"];

/// Path relative to the directory, with `/`, to content.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Files(pub BTreeMap<String, Vec<u8>>);

/// Why a configuration directory cannot be read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what each is")]
pub enum ReadFault {
    #[error("cannot read {path}: {source}; check the path and its rights")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the name of {path} is not UTF-8; rename it")]
    Name { path: PathBuf },
    #[error("{path} has {bytes} bytes, more than {MAX_FILE_BYTES}; shorten it or move it out of the directory")]
    TooLarge { path: PathBuf, bytes: u64 },
    #[error("with {path} the directory has more than {MAX_TOTAL_BYTES} bytes; move unused files out of it")]
    TooMuch { path: PathBuf },
    #[error("{path} is more than {MAX_DEPTH} directories deep; is it a loop of symbolic links?")]
    TooDeep { path: PathBuf },
}

/// Reads every `.toml` and `.wav` file under `dir`, except where a name begins with a dot.
pub fn read_dir(dir: &Path) -> Result<Files, ReadFault> {
    let mut reading = Reading { files: Files::default(), bytes: 0 };
    reading.walk(dir, "", 0)?;
    Ok(reading.files)
}

struct Reading {
    files: Files,
    bytes: u64,
}

impl Reading {
    fn walk(&mut self, dir: &Path, prefix: &str, depth: usize) -> Result<(), ReadFault> {
        if depth > MAX_DEPTH {
            return Err(ReadFault::TooDeep { path: dir.to_owned() });
        }
        for entry in fs::read_dir(dir).map_err(unreadable(dir))? {
            let path = entry.map_err(unreadable(dir))?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| ReadFault::Name { path: path.clone() })?;
            if name.starts_with('.') {
                continue;
            }
            let relative = format!("{prefix}{name}");
            let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
            // `metadata` follows symbolic links: directories of mounted secrets consist of them.
            if fs::metadata(&path).map_err(unreadable(&path))?.is_dir() {
                self.walk(&path, &format!("{relative}/"), depth + 1)?;
            } else if KINDS.iter().any(|known| known.eq_ignore_ascii_case(kind)) {
                self.take(&path, relative)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, path: &Path, relative: String) -> Result<(), ReadFault> {
        let bytes = fs::metadata(path).map_err(unreadable(path))?.len();
        if bytes > MAX_FILE_BYTES {
            return Err(ReadFault::TooLarge { path: path.to_owned(), bytes });
        }
        self.bytes += bytes;
        if self.bytes > MAX_TOTAL_BYTES {
            return Err(ReadFault::TooMuch { path: path.to_owned() });
        }
        let content = fs::read(path).map_err(unreadable(path))?;
        self.files.0.insert(relative, content);
        Ok(())
    }
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> ReadFault + '_ {
    |source| ReadFault::Unreadable { path: path.to_owned(), source }
}
