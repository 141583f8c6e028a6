//! Three clocks that never mix: a process's own, a shard's, and the calendar's.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A second, in microseconds: the unit of the clocks that rules go by.
pub const SECOND_US: u64 = 1_000_000;

macro_rules! micros {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default,
            rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize, serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The beginning.
            pub const ZERO: Self = Self(0);
            /// Never.
            pub const MAX: Self = Self(u64::MAX);

            /// So many milliseconds after the beginning.
            pub const fn from_millis(millis: u64) -> Self {
                Self(millis * 1000)
            }

            /// Time since `earlier`, zero if that lies ahead.
            pub fn since(self, earlier: Self) -> Duration {
                Duration::from_micros(self.0.saturating_sub(earlier.0))
            }
        }

        impl Add<Duration> for $name {
            type Output = Self;
            fn add(self, span: Duration) -> Self {
                Self(self.0.saturating_add(span.as_micros() as u64))
            }
        }

        impl Sub<Duration> for $name {
            type Output = Self;
            fn sub(self, span: Duration) -> Self {
                Self(self.0.saturating_sub(span.as_micros() as u64))
            }
        }
    };
}

micros!(
    /// Microseconds of a process's own CLOCK_BOOTTIME. Means nothing on another machine.
    Mono
);
micros!(
    /// Microseconds of a shard's log time: stamped by its leader, never runs backwards.
    /// Every deadline in the table is in log time.
    LogTime
);

/// Milliseconds since the Unix epoch, for calendars and records only; no rule waits for it.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    Default,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct Wall(pub u64);

impl fmt::Display for LogTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / SECOND_US, self.0 % SECOND_US)
    }
}
