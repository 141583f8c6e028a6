//! As much SIP as a telephone needs (RFC 3261), over UDP.

pub(crate) mod answers;
pub(crate) mod client;
pub(crate) mod dialog;
pub(crate) mod digest;
pub(crate) mod draft;
pub(crate) mod message;
pub(crate) mod sdp;
pub(crate) mod wire;

use std::time::Duration;

/// RFC 3261 table 4: the estimate of a round trip, and so the first wait before something is sent again.
pub(crate) const T1: Duration = Duration::from_millis(500);
/// The longest wait between two repetitions of anything but an INVITE request.
pub(crate) const T2: Duration = Duration::from_secs(4);
/// 64 × T1: when a request or an answer is given up, and how long what was sent is remembered.
pub(crate) const GIVE_UP: Duration = Duration::from_secs(32);
