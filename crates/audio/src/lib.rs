//! Voice as numbers: RTP and RTCP packets, G.711, digits, tones. No sockets, no clock.

#![forbid(unsafe_code)]

pub mod dtmf;
pub mod g711;
pub mod rtcp;
pub mod rtp;
pub mod rtp_stats;
pub mod tone;

/// Telephone audio is sampled at 8 kHz; its RTP clock runs at the same rate (RFC 3551, 4.5.14).
pub const RATE_HZ: u32 = 8000;

/// Samples in a frame of 20 ms, the default packet time of G.711 (RFC 3551, table 1).
pub const FRAME_SAMPLES: usize = 160;
