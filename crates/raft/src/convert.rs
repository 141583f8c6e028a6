//! Between the consensus library's types and the frozen ones.

use std::collections::{BTreeMap, BTreeSet};

use openraft::vote::RaftLeaderId as _;
use strowger_model::{LogTime, Wall};

use crate::types::{Entry, LeaderId, LogId, Membership, Payload, SnapshotMeta, Stamped, StoredMembership, Vote};
use crate::v1::{EntryV1, LogIdV1, MembershipV1, PayloadV1, SnapshotMetaV1, VoteV1};

impl From<LogId> for LogIdV1 {
    fn from(id: LogId) -> Self {
        Self { term: id.leader_id.term, node: id.leader_id.node_id, index: id.index }
    }
}

impl From<LogIdV1> for LogId {
    fn from(id: LogIdV1) -> Self {
        LogId { leader_id: LeaderId::new(id.term, id.node), index: id.index }
    }
}

impl From<Vote> for VoteV1 {
    fn from(vote: Vote) -> Self {
        Self { term: vote.leader_id.term, node: vote.leader_id.node_id, committed: vote.committed }
    }
}

impl From<VoteV1> for Vote {
    fn from(vote: VoteV1) -> Self {
        Vote { leader_id: LeaderId::new(vote.term, vote.node), committed: vote.committed }
    }
}

impl From<&Membership> for MembershipV1 {
    fn from(membership: &Membership) -> Self {
        let configs = membership.get_joint_config().iter().map(|set| set.iter().copied().collect()).collect();
        Self { configs, nodes: membership.nodes().map(|(id, ())| *id).collect() }
    }
}

impl From<MembershipV1> for Membership {
    fn from(membership: MembershipV1) -> Self {
        let configs: Vec<BTreeSet<u64>> = membership.configs.into_iter().map(|set| set.into_iter().collect()).collect();
        let nodes: BTreeMap<u64, ()> = membership.nodes.into_iter().map(|id| (id, ())).collect();
        // Ours never has a voter that is no member; a default one that names no voters at all is valid too.
        Membership::new(configs, nodes).unwrap_or_default()
    }
}

impl From<&Entry> for EntryV1 {
    fn from(entry: &Entry) -> Self {
        let payload = match &entry.payload {
            Payload::Blank => PayloadV1::Blank,
            Payload::Normal(stamped) => {
                PayloadV1::Normal { time_us: stamped.time.0, wall_ms: stamped.wall.0, body: stamped.body.clone() }
            }
            Payload::Membership(membership) => PayloadV1::Membership(membership.into()),
        };
        Self { id: entry.log_id.into(), payload }
    }
}

impl From<EntryV1> for Entry {
    fn from(entry: EntryV1) -> Self {
        let payload = match entry.payload {
            PayloadV1::Blank => Payload::Blank,
            PayloadV1::Normal { time_us, wall_ms, body } => {
                Payload::Normal(Stamped { time: LogTime(time_us), wall: Wall(wall_ms), body })
            }
            PayloadV1::Membership(membership) => Payload::Membership(membership.into()),
        };
        Entry { log_id: entry.id.into(), payload }
    }
}

impl From<&SnapshotMeta> for SnapshotMetaV1 {
    fn from(meta: &SnapshotMeta) -> Self {
        Self {
            last: meta.last_log_id.map(Into::into),
            membership_at: meta.last_membership.log_id().map(Into::into),
            membership: meta.last_membership.membership().into(),
        }
    }
}

impl From<SnapshotMetaV1> for SnapshotMeta {
    fn from(meta: SnapshotMetaV1) -> Self {
        SnapshotMeta {
            last_log_id: meta.last.map(Into::into),
            last_membership: StoredMembership::new(meta.membership_at.map(Into::into), meta.membership.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use strowger_link::{open, seal};

    fn log_id(index: u64) -> LogId {
        LogId { leader_id: LeaderId::new(3, 2), index }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn entries_of_every_kind_return_as_they_were() {
        let voters = BTreeSet::from([1, 2, 3]);
        let nodes: BTreeMap<u64, ()> = (1..=4).map(|id| (id, ())).collect();
        let membership = Membership::new(vec![voters, BTreeSet::from([2, 3, 4])], nodes).unwrap();
        let stamped = Stamped { time: LogTime(7), wall: Wall(8), body: Bytes::from_static(b"body") };
        for payload in [Payload::Blank, Payload::Normal(stamped), Payload::Membership(membership)] {
            let entry = Entry { log_id: log_id(9), payload };
            let bytes = seal(&EntryV1::from(&entry));
            assert_eq!(Entry::from(open::<EntryV1>(&bytes).unwrap()), entry);
        }
        let meta = SnapshotMeta::default();
        assert_eq!(SnapshotMeta::from(SnapshotMetaV1::from(&meta)), meta);
    }

    /// These bytes lie on disks: if this test fails, the change needs a `v2`, not a new expectation.
    #[test]
    fn golden_bytes() {
        let body = Bytes::from_static(b"body");
        let stamped = Stamped { time: LogTime(7), wall: Wall(8), body };
        let entry = Entry { log_id: log_id(9), payload: Payload::Normal(stamped) };
        assert_eq!(
            hex(&seal(&EntryV1::from(&entry))),
            concat!(
                "5354525701000102d4897bf140000000e9942d70",
                "626f647900000000",
                "030000000000000002000000000000000900000000000000",
                "0100000000000000070000000000000008000000",
                "00000000c8ffffff04000000",
            )
        );
        let vote = Vote { leader_id: LeaderId::new(3, 2), committed: true };
        assert_eq!(
            hex(&seal(&VoteV1::from(vote))),
            concat!("5354525701000202d411db6a18000000f4499ecf", "030000000000000002000000000000000100000000000000",)
        );
    }
}
