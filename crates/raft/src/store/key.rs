//! Keys of the one keyspace: group, kind, index, all big endian, so that a group's entries lie in order.

use strowger_model::GroupId;

pub(super) const KEY_BYTES: usize = 11;
pub(super) type Key = [u8; KEY_BYTES];

/// Marks sort before entries.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
    Vote = 1,
    Committed = 2,
    Purged = 3,
    Entry = 4,
}

/// Whose store this is; no group has the last number.
pub(super) const IDENTITY: Key = [0xff; KEY_BYTES];

pub(super) fn vote(group: GroupId) -> Key {
    key(group, Kind::Vote, 0)
}

pub(super) fn committed(group: GroupId) -> Key {
    key(group, Kind::Committed, 0)
}

pub(super) fn purged(group: GroupId) -> Key {
    key(group, Kind::Purged, 0)
}

pub(super) fn entry(group: GroupId, index: u64) -> Key {
    key(group, Kind::Entry, index)
}

/// The index in the key of an entry.
pub(super) fn index(key: &[u8]) -> Option<u64> {
    let bytes = key.get(3..KEY_BYTES)?;
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

fn key(group: GroupId, kind: Kind, index: u64) -> Key {
    let [g0, g1] = group.0.to_be_bytes();
    let [i0, i1, i2, i3, i4, i5, i6, i7] = index.to_be_bytes();
    [g0, g1, kind as u8, i0, i1, i2, i3, i4, i5, i6, i7]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_a_group_lie_together_and_in_order() {
        let (one, two) = (GroupId(1), GroupId(2));
        assert!(purged(one) < entry(one, 0));
        assert_eq!((index(&entry(one, 0x0102_0304)), index(&[0; 3])), (Some(0x0102_0304), None));
        assert!(entry(one, 255) < entry(one, 256));
        assert!(entry(one, u64::MAX) < vote(two));
        assert!(vote(two) < committed(two) && committed(two) < IDENTITY);
    }
}
