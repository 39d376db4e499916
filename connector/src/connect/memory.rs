//! How a worker's memory (`worker.memory`) is divided, so that all of it together stays within.

/// What the process needs besides records: code, runtime, clients, the logs' snapshots.
const PROCESS_BYTES: usize = 96 << 20;
/// The most that one task's Kafka client holds of fetched records.
const QUEUE_MOST_BYTES: usize = 64 << 20;
/// The most for committed rows that stay readable for a moment.
const COMMITTED_MOST_BYTES: usize = 64 << 20;
/// The most for buffers that are filled again: what a cut lets go of at once, and its file's.
const REUSED_MOST_BYTES: usize = 128 << 20;
/// So much less than an eighth is theirs: a worker with little memory needs it for other things.
const REUSED_LESS_BYTES: usize = 32 << 20;

/// Of what is left for the writers, the part that is theirs to count. The rest is what no count
/// sees: what the allocator rounds up by, and what it keeps on each thread (`make bench T=memory`).
const COUNTED: (usize, usize) = (2, 3);

/// The parts, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    /// For each task's Kafka client.
    pub(super) queue: usize,
    /// For committed rows within their grace time.
    pub(super) committed: usize,
    /// For large buffers that wait to be filled again.
    pub(super) reused: usize,
    /// For what the writers hold: builders, batches, commits in flight.
    pub(super) writers: usize,
}

impl Memory {
    /// Divides `bytes` for a worker of `tasks`. A quarter is left to the writers however small it
    /// is: they can't work with nothing.
    pub(super) fn divide(bytes: usize, tasks: usize) -> Self {
        let queue = (bytes / 8 / tasks.max(1)).clamp(1 << 20, QUEUE_MOST_BYTES);
        let committed = (bytes / 16).min(COMMITTED_MOST_BYTES);
        let reused = (bytes / 8).saturating_sub(REUSED_LESS_BYTES).max(committed);
        let reused = reused.min(REUSED_MOST_BYTES);
        let others = PROCESS_BYTES + queue * tasks + committed + reused;
        Self {
            queue,
            committed,
            reused,
            writers: (bytes.saturating_sub(others) / COUNTED.1 * COUNTED.0).max(bytes / 4),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_together_are_the_whole() {
        for (mebibytes, tasks) in [(256, 1), (512, 1), (512, 8), (1_024, 4), (8_192, 16)] {
            let bytes = mebibytes << 20;
            let memory = Memory::divide(bytes, tasks);
            let parts = memory.committed + memory.reused + memory.writers;
            let all = PROCESS_BYTES + memory.queue * tasks + parts;
            assert!(all <= bytes, "{mebibytes} MiB, {tasks} tasks: {memory:?}");
            assert!(memory.writers >= bytes / 4);
        }
        assert_eq!(Memory::divide(64 << 20, 1).writers, 16 << 20);
    }
}
