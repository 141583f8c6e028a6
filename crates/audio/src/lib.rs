//! Voice as numbers: RTP and RTCP packets, G.711, digits, tones. No sockets, no clock.

#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

/// Keys pressed, as packets.
pub mod dtmf;
/// A-law and µ-law (ITU-T G.711).
pub mod g711;
/// Reports on streams (RFC 3550, 6).
pub mod rtcp;
/// Packets of a stream (RFC 3550, 5).
pub mod rtp;
/// Loss and jitter of one incoming stream (RFC 3550, A).
pub mod rtp_stats;
/// Sines, made and measured.
pub mod tone;

/// Telephone audio is sampled at 8 kHz; its RTP clock runs at the same rate (RFC 3551, 4.5.14).
pub const RATE_HZ: u32 = 8000;

/// Samples in a frame of 20 ms, the default packet time of G.711 (RFC 3551, table 1).
pub const FRAME_SAMPLES: usize = 160;
