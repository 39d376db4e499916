//! Threads that carry out orders: one connector's one after another, those of several at once, so
//! that one whose last commit takes its time holds up no other.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Connectors that are worked on at once.
const AT_ONCE: usize = 16;

/// What is done and what waits, by connector.
#[derive(Default)]
pub(super) struct Lanes(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    /// The connectors that a thread works on, with what waits for it.
    busy: BTreeMap<String, VecDeque<Job>>,
}

/// Something to be done for one connector.
pub(super) type Job = Box<dyn FnOnce() + Send>;

impl Lanes {
    /// Has `job` done after what was given for `name` before. Waits while too many are worked on.
    pub(super) fn give(&self, name: &str, job: Job) {
        let (state, freed) = &*self.0;
        let mut held = lock(state);
        loop {
            if let Some(waiting) = held.busy.get_mut(name) {
                waiting.push_back(job);
                return;
            }
            if held.busy.len() < AT_ONCE {
                break;
            }
            held = freed.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        held.busy.insert(name.to_owned(), VecDeque::from([job]));
        drop(held);
        let (shared, lane) = (Arc::clone(&self.0), name.to_owned());
        let thread = std::thread::Builder::new().name(format!("{name}-orders"));
        if let Err(error) = thread.spawn(move || work(&shared, &lane)) {
            tracing::error!(%error, connector = name, "a thread can't be started");
            lock(&self.0.0).busy.remove(name);
        }
    }

    /// Waits until nothing is worked on, at most for `within`.
    pub(super) fn settle(&self, within: Duration) {
        let (state, freed) = &*self.0;
        let held = lock(state);
        let waited = freed.wait_timeout_while(held, within, |state| !state.busy.is_empty());
        drop(waited);
    }
}

fn work(shared: &(Mutex<State>, Condvar), lane: &str) {
    let (state, freed) = shared;
    loop {
        let mut held = lock(state);
        let Some(job) = held.busy.get_mut(lane).and_then(VecDeque::pop_front) else {
            held.busy.remove(lane);
            freed.notify_all();
            return;
        };
        drop(held);
        job();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::mpsc::channel;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn one_that_takes_its_time_holds_up_only_its_own() {
        let lanes = Lanes::default();
        let (go, gone) = channel::<()>();
        let (tell, told) = channel();
        let first = tell.clone();
        lanes.give(
            "a",
            Box::new(move || {
                gone.recv_timeout(PATIENCE).unwrap();
                first.send("a1").unwrap();
            }),
        );
        for (name, word) in [("a", "a2"), ("b", "b1")] {
            let tell = tell.clone();
            lanes.give(name, Box::new(move || tell.send(word).unwrap()));
        }
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), "b1");
        go.send(()).unwrap();
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), "a1");
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), "a2");
        lanes.settle(PATIENCE);
        assert!(lock(&lanes.0.0).busy.is_empty());
    }
}
