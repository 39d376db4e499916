//! The threads that commit: few, and the one that committed last takes the next.
//!
//! A commit of a topic with thousands of partitions makes megabytes of actions, and the allocator
//! keeps of each thread what it used last. On a pool that takes turns, every thread would come to
//! hold as much; here only as many do as commits run at once.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::error::{Error, Result};

/// Commits that run at once. Each waits for I/O most of the time, and encodes in memory: more hide
/// more of the store's latency, and hold more.
const AT_ONCE: usize = 16;

/// How long a thread waits for another commit before it ends.
const IDLE: Duration = Duration::from_secs(10);

type Work = Box<dyn FnOnce() + Send>;

/// The threads; started when there is work.
#[derive(Clone, Default)]
pub(super) struct Commits(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    threads: usize,
    /// Who waits for work, the last one on top. A slot takes one piece.
    idle: Vec<(u64, SyncSender<Work>)>,
    /// What waits for a thread: at most as much as there are writers.
    queue: VecDeque<Work>,
    next_id: u64,
}

impl Commits {
    /// Runs `work` on one of the threads, as soon as one is free.
    ///
    /// # Errors
    /// `Internal` when a thread can't be started and none runs.
    pub(super) fn run(&self, work: impl FnOnce() + Send + 'static) -> Result<()> {
        let mut work: Work = Box::new(work);
        let mut state = self.state();
        while let Some((_, slot)) = state.idle.pop() {
            // Who waits is gone only after it took itself off the stack, and its slot is empty.
            match slot.try_send(work) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(back) | TrySendError::Disconnected(back)) => work = back,
            }
        }
        state.queue.push_back(work);
        if state.threads >= AT_ONCE {
            return Ok(());
        }
        let threads = self.clone();
        let started = thread::Builder::new()
            .name("commit".to_owned())
            .spawn(move || threads.work());
        match started {
            Ok(_) => state.threads += 1,
            // The others get to it.
            Err(_) if state.threads > 0 => {}
            Err(error) => {
                state.queue.pop_back();
                let message = "a thread for commits can't be started";
                return Err(Error::internal(message).with_source(error));
            }
        }
        Ok(())
    }

    /// Waits until no commit runs, not even one that nobody waits for any more.
    #[cfg(test)]
    pub(super) fn settle(&self) {
        let ended = |state: &State| state.idle.len() == state.threads && state.queue.is_empty();
        while !ended(&self.state()) {
            thread::yield_now();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a thread does until there is nothing to do for a while.
    fn work(&self) {
        loop {
            let mut state = self.state();
            if let Some(work) = state.queue.pop_front() {
                drop(state);
                // Who waits for the work finds out; the thread goes on for the others.
                drop(catch_unwind(AssertUnwindSafe(work)));
                continue;
            }
            let (slot, next) = sync_channel(1);
            let id = state.next_id;
            state.next_id += 1;
            state.idle.push((id, slot));
            drop(state);
            let work = next.recv_timeout(IDLE).or_else(|_| {
                let mut state = self.state();
                state.idle.retain(|(other, _)| *other != id);
                // It may have come at the last moment.
                let late = next.try_recv();
                state.threads -= usize::from(late.is_err());
                late
            });
            match work {
                Ok(work) => drop(catch_unwind(AssertUnwindSafe(work))),
                Err(_) => return,
            }
        }
    }
}

impl fmt::Debug for Commits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commits").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::collections::BTreeSet;
    use std::sync::mpsc::{Sender, channel};
    use std::thread::ThreadId;

    use super::*;

    #[test]
    fn work_that_comes_one_by_one_is_all_done_by_the_thread_that_was_busy_last() {
        let commits = Commits::default();
        let (tx, rx) = channel::<ThreadId>();
        let (open, gate) = channel::<()>();
        let ids = tx.clone();
        let slow = move || {
            ids.send(thread::current().id()).unwrap();
            gate.recv().unwrap();
        };
        commits.run(slow).unwrap();
        let first = rx.recv().unwrap();
        let say = |tx: &Sender<ThreadId>| {
            let tx = tx.clone();
            move || tx.send(thread::current().id()).unwrap()
        };
        commits.run(say(&tx)).unwrap();
        assert_ne!(rx.recv().unwrap(), first);
        // The second is idle before the first, which then has the last word.
        while commits.state().idle.is_empty() {
            thread::yield_now();
        }
        open.send(()).unwrap();
        for _ in 0..20 {
            commits.settle();
            commits.run(say(&tx)).unwrap();
            assert_eq!(rx.recv().unwrap(), first);
        }
    }

    #[test]
    fn more_work_than_threads_waits_its_turn_and_a_panic_stops_nobody() {
        let commits = Commits::default();
        let (tx, rx) = channel();
        let (open, gate) = channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        for number in 0..AT_ONCE * 4 {
            let (tx, gate) = (tx.clone(), Arc::clone(&gate));
            let work = move || {
                gate.lock().unwrap().recv().unwrap();
                tx.send(number).unwrap();
                assert!(number % 7 != 3, "as a bug would");
            };
            commits.run(work).unwrap();
        }
        assert!(commits.state().threads <= AT_ONCE);
        for _ in 0..AT_ONCE * 4 {
            open.send(()).unwrap();
        }
        let done: BTreeSet<usize> = rx.iter().take(AT_ONCE * 4).collect();
        assert_eq!(done.len(), AT_ONCE * 4);
        assert!(commits.state().threads <= AT_ONCE);
    }
}
