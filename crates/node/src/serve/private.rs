//! Files for nobody but the user whom this process runs as: there are records of calls in them, and hashes of passwords.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::Mode;

/// Of a directory that its owner alone enters.
const DIRECTORY: u32 = 0o700;
/// Of a file that its owner alone reads and writes.
const FILE: u32 = 0o600;

/// From now on, what this process makes is its user's alone, whoever in it makes it.
pub fn umask() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// Makes a directory, and closes one to others that was open to them: what is in it may be older than this rule.
pub fn directory(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY).create(path)?;
    let is_open = std::fs::metadata(path)?.permissions().mode() & 0o077 != 0;
    if is_open { std::fs::set_permissions(path, Permissions::from_mode(DIRECTORY)) } else { Ok(()) }
}

/// A file with this text in place of whatever was there.
pub fn file(path: &Path, text: &str) -> std::io::Result<()> {
    // One that is there may be open to others, and a link may lead elsewhere.
    if path.symlink_metadata().is_ok() {
        std::fs::remove_file(path)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_was_open_to_others_is_closed() {
        let dir = std::env::temp_dir().join(format!("strowger-private-{}", std::process::id()));
        let (inner, secret) = (dir.join("data"), dir.join("data/secret"));
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(&secret, "old").unwrap();
        for path in [&inner, &secret] {
            std::fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        }
        directory(&inner).unwrap();
        file(&secret, "new").unwrap();
        directory(&dir.join("another/one")).unwrap();
        assert_eq!((mode(&inner), mode(&secret), mode(&dir.join("another/one"))), (DIRECTORY, FILE, DIRECTORY));
        assert_eq!(std::fs::read_to_string(&secret).unwrap(), "new");
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
