//! A relay as a process: what it uses, and its end.

use std::fs;
use std::process::Child;

pub struct Process {
    child: Child,
    /// Resident before it had calls.
    pub idle_bytes: u64,
}

impl Process {
    pub fn new(child: Child) -> Self {
        Self { child, idle_bytes: 0 }
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub fn note_idle(&mut self) {
        self.idle_bytes = self.resident_bytes();
    }

    /// CPU time of all its threads, by the scheduler's own count.
    pub fn cpu_ns(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten();
        let texts = tasks.filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok());
        texts.filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok()).sum()
    }

    pub fn resident_bytes(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        kib.unwrap_or_default() * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = (self.child.kill(), self.child.wait());
    }
}
