//! What a relay tells a new owner, who starts from it.

use std::net::SocketAddr;

use strowger_model::{LegNo, MediaAddr, RelayId};

use crate::Hears;

/// One live leg of a birth call, as it is now.
#[derive(Clone, PartialEq, Eq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct LegSnapshot {
    /// Under its number in the birth call.
    pub leg: LegNo,
    /// Our RTP address, as advertised.
    pub local: SocketAddr,
    /// Where its media goes, as signalled; none before `Remote`.
    pub remote: Option<MediaAddr>,
    /// Where its media really comes from, once some came.
    pub latched: Option<SocketAddr>,
    /// As the last `Remote` has it.
    pub send: bool,
    /// As the last `Remote` has it.
    pub receive: bool,
    /// What the newest `Hear` says.
    pub hears: Hears,
    /// Of the `Hear` that said so; 0 if there was none. The next one needs a higher number.
    pub no: u64,
    /// How far what plays has come; none unless `hears` is content.
    pub play: Option<PlayState>,
    /// Where its voice is sent.
    pub exports: Vec<RelayId>,
    /// Whether `DeadMedia` was said and not yet `MediaBack`.
    pub dead: bool,
    /// RTP packets accepted since it opened.
    pub packets_in: u64,
    /// RTP packets sent since it opened.
    pub packets_out: u64,
    /// Since the last RTP packet; none if there never was one.
    pub quiet_ms: Option<u64>,
}

/// How far content has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub enum PlayState {
    /// The relay has not the content: put it, and say the same `Hear` again.
    Awaited,
    /// Some of it has been sent, or is about to be.
    Playing,
    /// It came to its end; `PlayDone` was said.
    Over,
}
