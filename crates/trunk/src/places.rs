//! How many connections the system lets this process have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The part of the file descriptors that connections of one kind may take, and there are two kinds: the other half is
/// for the log's files and the link, which no stranger must be able to starve.
const SHARE: u64 = 4;

/// At most `wanted`; asks the system for as many file descriptors as that needs, and says so if it gives fewer.
pub(crate) fn allowed(wanted: usize) -> usize {
    let needed = (wanted as u64).saturating_mul(SHARE);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let mut files = current.unwrap_or(u64::MAX);
    let most = needed.min(maximum.unwrap_or(u64::MAX));
    if files < most && setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum }).is_ok() {
        files = most;
    }
    if files >= needed {
        return wanted;
    }
    let places = (files / SHARE) as usize;
    tracing::warn!(
        files,
        places,
        "fewer open files allowed than SIP over TCP may need; raise LimitNOFILE (systemd) or `ulimit -n`"
    );
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_a_share_of_what_the_system_gives() {
        let most = getrlimit(Resource::Nofile).maximum.map_or(usize::MAX, |most| most as usize);
        assert_eq!(allowed(8), 8.min(most / 4));
        assert!(allowed(most / 2) <= most / 4 + 1);
    }
}
