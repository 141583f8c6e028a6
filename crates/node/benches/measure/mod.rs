//! What the benches of this crate measure with: percentiles, CPU and memory of processes, the disk's floor.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Linux counts CPU in hundredths of a second for user space, whatever the kernel's own clock does (`man 5 proc`).
const TICK: Duration = Duration::from_millis(10);
const FLOOR_SAMPLES: usize = 500;
const FLOOR_BYTES: usize = 256;

pub fn percentile<T: Copy + Ord + Default>(samples: &mut [T], percent: usize) -> T {
    samples.sort_unstable();
    samples.get((samples.len() * percent / 100).min(samples.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// CPU time that a process used since it began; zero once it is gone.
pub fn cpu_of(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The second field is a name in parentheses and may hold anything; utime and stime are fields 14 and 15.
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace()).into_iter().flatten();
    let ticks: u32 = fields.skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
    TICK * ticks
}

pub fn cpu_of_all(pids: &[u32]) -> Duration {
    pids.iter().map(|pid| cpu_of(*pid)).sum()
}

/// One minute's load average: a box that does other work as well gives other numbers.
pub fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or_default()
}

/// Milliseconds of `fdatasync` after a small append, p50 and p99.
pub fn fdatasync_ms(dir: &Path) -> std::io::Result<(f64, f64)> {
    let mut file = File::create(dir.join("floor"))?;
    let mut took = Vec::with_capacity(FLOOR_SAMPLES);
    for _ in 0..FLOOR_SAMPLES {
        let begun = Instant::now();
        file.write_all(&[7; FLOOR_BYTES])?;
        file.sync_data()?;
        took.push(begun.elapsed());
    }
    Ok((ms(percentile(&mut took, 50)), ms(percentile(&mut took, 99))))
}

pub fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}
