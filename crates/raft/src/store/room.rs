//! The room that is left for the log on its disk. The past lies on the same one, on every voter alike: were it to fill them,
//! all would end at about the same time, and none would start again.

use std::io;
use std::path::Path;

/// Kept free of the past: a 20th of the disk, but at least this much. It takes the log between two snapshots, and a snapshot
/// beside the one before.
const LEAST: u64 = 256 << 20;
/// And at most this, on large disks: some hours of the largest load planned for a node.
const MOST: u64 = 8 << 30;

/// Whether the past has to give way. What cannot be asked is no reason to remove it.
pub(super) fn is_short(dir: &Path) -> bool {
    disk_of(dir).is_some_and(|disk| disk.free < wanted(disk.of))
}

/// In bytes.
#[derive(Clone, Copy, Debug)]
struct Disk {
    free: u64,
    of: u64,
}

/// The one that it lies on, or will lie on; none: it cannot be asked.
fn disk_of(dir: &Path) -> Option<Disk> {
    let asked = dir.ancestors().find_map(|dir| rustix::fs::statvfs(dir).ok())?;
    Some(Disk { free: asked.f_bavail * asked.f_frsize, of: asked.f_blocks * asked.f_frsize })
}

/// An error where nothing more of the past may be written.
pub(super) fn check(dir: &Path) -> io::Result<()> {
    match is_short(dir) {
        true => Err(io::Error::new(io::ErrorKind::StorageFull, "the disk has no room beside the log's")),
        false => Ok(()),
    }
}

fn wanted(of: u64) -> u64 {
    (of / 20).clamp(LEAST, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_twentieth_is_for_the_log_within_bounds() {
        assert_eq!([1 << 30, 100 << 30, 1 << 40].map(wanted), [LEAST, 5 << 30, MOST]);
    }

    #[test]
    fn of_a_directory_that_is_not_there_yet_its_parent_is_asked() {
        let there = std::env::temp_dir();
        let [parent, asked] = [there.clone(), there.join("strowger/not/there")].map(|dir| disk_of(&dir));
        assert_eq!(asked.expect("a disk").of, parent.expect("a disk").of);
        assert!(!is_short(Path::new("")), "nothing can be asked");
    }
}
