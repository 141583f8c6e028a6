//! A bar for those who watch. Nothing of it reaches a pipe or a file.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::{Duration, Instant};

/// Characters of the bar.
const WIDTH: usize = 30;
/// Eyes see no more pictures than that; a terminal far away is slow.
const REDRAW: Duration = Duration::from_millis(100);

/// Something long that is under way.
pub struct Progress {
    begun: Instant,
    drawn: Option<Instant>,
    is_watched: bool,
}

impl Progress {
    pub fn begin() -> Self {
        Self { begun: Instant::now(), drawn: None, is_watched: stderr().is_terminal() }
    }

    /// Of all bytes so many are done, with so many lines.
    pub fn show(&mut self, done: usize, all: usize, lines: usize) {
        let is_early = self.drawn.is_some_and(|drawn| drawn.elapsed() < REDRAW);
        if !self.is_watched || (is_early && done < all) {
            return;
        }
        self.drawn = Some(Instant::now());
        let share = done as f64 / all.max(1) as f64;
        let full = ((share * WIDTH as f64) as usize).min(WIDTH);
        let a_second = lines as f64 / self.begun.elapsed().as_secs_f64().max(0.001);
        let bar = format!("{}{}", "█".repeat(full), "░".repeat(WIDTH - full));
        // A terminal that is gone is no reason to stop.
        let _gone = write!(stderr(), "\r{bar} {:>3.0} %  {lines} lines, {a_second:.0} a second ", share * 100.0);
        let _gone = stderr().flush();
    }

    /// Takes the bar away, and says how long it took.
    pub fn end(self) -> Duration {
        if self.drawn.is_some() {
            let _gone = write!(stderr(), "\r\x1b[K");
        }
        self.begun.elapsed()
    }
}
