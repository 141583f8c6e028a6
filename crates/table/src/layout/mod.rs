//! Layouts with versions: what lies on disks and travels between nodes is made of frozen types, not of the rows.
//!
//! A row may change with any build. Its bytes may not: rkyv reads bytes of another layout as garbage and says Ok. So each
//! layout has a module of frozen types (`v1`, later `v2` beside it) with conversions both ways, and the log says which
//! layout is in force ([`Raise`](crate::Command::Raise)). A released module is never edited: its text is pinned.
//!
//! The next layout has its own images of what changed, and of what holds those; all others stay the older one's.

mod bytes;
mod frozen;
mod later;
#[cfg(test)]
mod tests;
mod v1;
#[cfg(feature = "next-layout")]
mod v2;

use strowger_model::config::Tenant;

use self::frozen::Frozen;
use strowger_model::NodeId;

use crate::{ControlImage, Outcome, Proposal, Refusal, ShardImage};

pub use self::bytes::HEADER_BYTES;
pub use self::later::Later;

/// What every log begins with.
pub const FIRST: u16 = 1;
/// The newest layout that this build reads and writes.
#[cfg(not(feature = "next-layout"))]
pub const LATEST: u16 = v1::LAYOUT.number;
/// The newest layout that this build reads and writes.
#[cfg(feature = "next-layout")]
pub const LATEST: u16 = v2::LAYOUT.number;

/// Whether a group that is at layout `from` may go on to `to`: upwards, and to what each member says it can read. Who
/// proposes it names all members; one that is away is not known to read anything.
pub(crate) fn may_raise(from: u16, to: u16, members: &[(NodeId, u16)]) -> Result<(), Refusal> {
    if to <= from {
        return Err(Refusal::OldVersion);
    }
    if members.is_empty() || members.iter().any(|(_, can)| *can < to) {
        return Err(Refusal::TooEarly);
    }
    Ok(())
}

/// The layout that a group may go on to: the newest one that all members read, if it is a later one. None while a member
/// is away, for nobody knows what it will be when it comes back.
pub fn next(from: u16, members: &[(NodeId, Option<u16>)]) -> Option<(u16, Vec<(NodeId, u16)>)> {
    let known: Option<Vec<_>> = members.iter().map(|(member, can)| can.map(|can| (*member, can))).collect();
    let members = known?;
    let to = members.iter().map(|(_, can)| *can).min()?;
    may_raise(from, to, &members).is_ok().then_some((to, members))
}

/// Why bytes were not read, or not written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LayoutFault {
    /// Not even a header.
    #[error("{found} bytes are too few to say what they are")]
    Short {
        /// How many.
        found: usize,
    },
    /// They are of something else.
    #[error("it is of kind {found}, where kind {wanted} was expected")]
    Kind {
        /// What they say they are.
        found: u16,
        /// What they should be.
        wanted: u16,
    },
    /// Of a later build.
    #[error(
        "it is in layout {found}, and this build knows none after {latest}: put a build that knows layout {found} on this \
         node; the data is untouched"
    )]
    Unknown {
        /// What they say.
        found: u16,
        /// The last that this build knows.
        latest: u16,
    },
    /// Of a build whose layout was never released.
    #[error(
        "it is in a layout {layout} with text {found:08x}, and this build's has {known:08x}: it was written by a build \
         from between two releases, which only that build reads"
    )]
    Text {
        /// Which layout.
        layout: u16,
        /// Hash of the text they were written by.
        found: u32,
        /// Hash of this build's.
        known: u32,
    },
    /// Damaged.
    #[error("its bytes are no valid value of layout {layout}: {why}; restore this node's store from another voter")]
    Body {
        /// Which layout.
        layout: u16,
        /// What the decoder says.
        why: String,
    },
    /// To be said once the group is raised.
    #[error("it came with layout {since}, and layout {layout} is in force: repeat it when all members run this build")]
    Early {
        /// The one in force.
        layout: u16,
        /// The first that can say it.
        since: u16,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Proposal = 1,
    Outcome = 2,
    Shard = 3,
    Control = 4,
    Tenant = 5,
}

/// Which layout a tenant's configuration is in. It needs not to be one that this build knows.
pub(crate) fn of_tenant(bytes: &[u8]) -> Result<u16, LayoutFault> {
    bytes::layout_of(Kind::Tenant, bytes)
}

/// What is written in the layout that is in force, and read in any that this build knows.
pub trait Written: Sized {
    /// An error if that layout cannot say it, or this build does not know the layout.
    fn to_bytes(&self, layout: u16) -> Result<Vec<u8>, LayoutFault>;
    /// An error if they are of another kind, of an unknown layout, or damaged.
    fn from_bytes(bytes: &[u8]) -> Result<Self, LayoutFault>;
    /// Whether `from_bytes` would read it, and in which layout it is.
    fn check(bytes: &[u8]) -> Result<u16, LayoutFault>;
}

macro_rules! written {
    ($live:ty, $kind:expr, $since:expr, { $($(#[$on:meta])* $layout:path => $image:ty),* $(,)? }) => {
        impl Written for $live {
            fn to_bytes(&self, layout: u16) -> Result<Vec<u8>, LayoutFault> {
                let since: u16 = $since(self);
                if layout < since {
                    return Err(LayoutFault::Early { layout, since });
                }
                $($(#[$on])* if layout == $layout.number {
                    return Ok(bytes::write($kind, $layout, &<$image as Frozen<$live>>::freeze(self)));
                })*
                Err(LayoutFault::unknown(layout))
            }

            fn from_bytes(bytes: &[u8]) -> Result<Self, LayoutFault> {
                let found = bytes::layout_of($kind, bytes)?;
                $($(#[$on])* if found == $layout.number {
                    return bytes::read::<$image>($layout, bytes).map(Frozen::<$live>::thaw);
                })*
                Err(LayoutFault::unknown(found))
            }

            fn check(bytes: &[u8]) -> Result<u16, LayoutFault> {
                let found = bytes::layout_of($kind, bytes)?;
                $($(#[$on])* if found == $layout.number {
                    return bytes::check::<$image>($layout, bytes).map(|()| found);
                })*
                Err(LayoutFault::unknown(found))
            }
        }
    };
}

written!(Proposal, Kind::Proposal, |proposal: &Proposal| proposal.body.since(), {
    v1::LAYOUT => v1::ProposalV1,
    #[cfg(feature = "next-layout")]
    v2::LAYOUT => v2::ProposalV2,
});
written!(Outcome, Kind::Outcome, |_| FIRST, {
    v1::LAYOUT => v1::OutcomeV1,
    #[cfg(feature = "next-layout")]
    v2::LAYOUT => v1::OutcomeV1,
});
written!(ShardImage, Kind::Shard, |_| FIRST, {
    v1::LAYOUT => v1::ShardImageV1,
    #[cfg(feature = "next-layout")]
    v2::LAYOUT => v2::ShardImageV2,
});
written!(ControlImage, Kind::Control, |_| FIRST, {
    v1::LAYOUT => v1::ControlImageV1,
    #[cfg(feature = "next-layout")]
    v2::LAYOUT => v1::ControlImageV1,
});
// The configuration of a tenant, as its parts and its content carry it.
written!(Tenant, Kind::Tenant, |_| FIRST, {
    v1::LAYOUT => v1::TenantV1,
    #[cfg(feature = "next-layout")]
    v2::LAYOUT => v1::TenantV1,
});
