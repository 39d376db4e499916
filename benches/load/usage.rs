//! What this process has used so far, for benches that measure themselves.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// The CPU time of every thread of this process, user and system, in nanoseconds. `stat` counts in
/// ticks of 10 ms, which is longer than what is measured here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cpu(BTreeMap<String, u64>);

impl Cpu {
    /// As of now.
    pub(crate) fn now() -> Self {
        let threads = fs::read_dir("/proc/self/task").unwrap();
        let read = threads.filter_map(|thread| {
            let thread = thread.ok()?.file_name().into_string().ok()?;
            // A thread may have ended since the listing.
            let text = fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
            let ran = text.split_whitespace().next()?.parse().ok()?;
            Some((thread, ran))
        });
        Self(read.collect())
    }

    /// The time since `before`. What a thread used that ended meanwhile is not in it: Tokio's
    /// threads stay while there is work every few seconds.
    pub(crate) fn since(&self, before: &Self) -> Duration {
        let used = self.0.iter().map(|(thread, ran)| {
            let before = before.0.get(thread).copied().unwrap_or(0);
            ran.saturating_sub(before)
        });
        Duration::from_nanos(used.sum())
    }
}

/// The CPU time of the calling thread.
pub(crate) fn thread_cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let ran = text.split_whitespace().next().unwrap();
    Duration::from_nanos(ran.parse().unwrap())
}

/// Peak resident memory of this process, in bytes.
pub(crate) fn memory_max() -> u64 {
    memory("VmHWM:")
}

/// Lets the peak begin anew with what is resident now.
pub(crate) fn forget_memory_max() {
    fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// Resident memory of this process now, in bytes.
pub(crate) fn memory_now() -> u64 {
    memory("VmRSS:")
}

fn memory(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib: u64 = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .trim()
        .parse()
        .unwrap();
    kib * 1024
}
