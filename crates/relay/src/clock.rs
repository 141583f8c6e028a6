//! The process's clocks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use strowger_model::Mono;

/// CLOCK_BOOTTIME: runs on while the machine sleeps, so a lease ends when it should.
pub(crate) fn now() -> Mono {
    let time = clock_gettime(ClockId::Boottime);
    Mono(time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1000)
}

/// CPU time this thread has used, in nanoseconds.
pub(crate) fn thread_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Wall time as NTP has it: seconds since 1900 in the upper 32 bits, fractions in the lower.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub(crate) fn ntp() -> u64 {
    const FROM_1900_TO_1970_S: u64 = 2_208_988_800;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
    (since.as_secs() + FROM_1900_TO_1970_S) << 32 | fraction
}

/// A point of time in units of the 8 kHz RTP clock, wrapping as RTP timestamps do.
pub(crate) fn rtp_units(at: Mono) -> u32 {
    (at.0 / MICROS_PER_UNIT) as u32
}

/// A span in units of the 8 kHz RTP clock.
pub(crate) fn samples(span: Duration) -> u32 {
    (span.as_micros() as u64 / MICROS_PER_UNIT) as u32
}

/// One unit of the 8 kHz RTP clock.
pub(crate) const MICROS_PER_UNIT: u64 = 125;
