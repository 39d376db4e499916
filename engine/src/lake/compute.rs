//! Few threads for what takes CPU and memory instead of patience: encoding.
//!
//! Commits wait for the store on threads of their own, many at once. What they encode they hand
//! over to as many threads as there are cores: more would not be faster, each would hold an
//! encoder's buffers, and each thread that ever encoded keeps some memory of it for the next time.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::error::{Error, Result};

type Work = Box<dyn FnOnce() + Send>;

/// The threads; started when there is work, and gone with the last reference to the pool.
#[derive(Default)]
pub(super) struct Compute {
    queue: Mutex<Option<Sender<Work>>>,
}

impl Compute {
    /// Runs `work` on one of the threads and waits for its answer. The queue is as long as there
    /// are callers waiting.
    ///
    /// # Errors
    /// `Internal` when `work` panicked or a thread can't be started.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let (tx, rx) = channel();
        let work = move || {
            // The caller waits below.
            drop(tx.send(work()));
        };
        self.queue()?
            .send(Box::new(work))
            .map_err(|_| Error::internal("the encoding threads are gone"))?;
        rx.recv()
            .map_err(|_| Error::internal("encoding panicked; this is a bug of Eddy"))
    }

    fn queue(&self) -> Result<Sender<Work>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queue.as_ref() {
            return Ok(queue.clone());
        }
        let (tx, rx) = channel();
        start(rx)?;
        Ok(queue.insert(tx).clone())
    }
}

fn start(works: Receiver<Work>) -> Result<()> {
    let works = Arc::new(Mutex::new(works));
    for number in 0..thread::available_parallelism().map_or(2, usize::from) {
        let works = Arc::clone(&works);
        thread::Builder::new()
            .name(format!("encode-{number}"))
            .spawn(move || {
                while let Some(work) = next(&works) {
                    // The caller finds out; the thread goes on for the others.
                    drop(catch_unwind(AssertUnwindSafe(work)));
                }
            })
            .map_err(|error| {
                Error::internal("a thread for encoding can't be started").with_source(error)
            })?;
    }
    Ok(())
}

fn next(works: &Mutex<Receiver<Work>>) -> Option<Work> {
    let works = works.lock().unwrap_or_else(PoisonError::into_inner);
    works.recv().ok()
}

impl fmt::Debug for Compute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compute").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn work_that_panics_is_an_error_to_its_caller_and_to_nobody_else() {
        let compute = Compute::default();
        for round in 0..64 {
            assert!(
                compute
                    .run(|| panic!("as a bug would"))
                    .map(|()| 0)
                    .is_err()
            );
            assert_eq!(compute.run(move || round * 2).unwrap(), round * 2);
        }
    }
}
