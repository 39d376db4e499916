//! What should run as it is known here, and how far the log has been read for that.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::entry::{Change, Entry};
use super::wanted::Wanted;
use crate::error::{Error, Result};

/// The log so far.
#[derive(Default)]
pub(in crate::connect) struct Folded {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Default)]
struct State {
    wanted: Wanted,
    /// The offset of the last entry.
    at: Option<i64>,
    /// Everything that was there at the start has been read.
    whole: bool,
}

impl Folded {
    /// Takes in an entry, at its offset where the log has offsets; answers what it says.
    pub(in crate::connect) fn take(&self, entry: &Entry, offset: Option<i64>) -> Change {
        let change = entry.change();
        let mut state = self.lock();
        state.wanted.apply(&change);
        state.at = offset.or(state.at);
        drop(state);
        self.moved.notify_all();
        change
    }

    /// From now on what should run is known.
    pub(in crate::connect) fn set_whole(&self) {
        self.lock().whole = true;
        self.moved.notify_all();
    }

    /// Whether what should run is known.
    pub(in crate::connect) fn is_whole(&self) -> bool {
        self.lock().whole
    }

    /// Looks at what should run.
    pub(in crate::connect) fn read<T>(&self, look: impl FnOnce(&Wanted) -> T) -> T {
        look(&self.lock().wanted)
    }

    /// Waits until the entry at `offset` has been taken in.
    ///
    /// # Errors
    /// `Unavailable` when it isn't `within`.
    pub(super) fn wait_for(&self, offset: i64, within: Duration) -> Result<()> {
        let behind = |state: &mut State| state.at.is_none_or(|at| at < offset);
        let waited = self.moved.wait_timeout_while(self.lock(), within, behind);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match state.at.is_some_and(|at| at >= offset) {
            true => Ok(()),
            false => Err(Error::unavailable(
                "the change was written, but its topic can't be read at present; look again later",
            )),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::super::entry::Target;
    use super::*;

    #[test]
    fn whoever_waits_for_an_entry_finds_what_it_says() {
        let folded = Arc::new(Folded::default());
        assert!(folded.wait_for(4, Duration::ZERO).is_err());
        let reader = Arc::clone(&folded);
        let thread = std::thread::spawn(move || {
            for offset in [3, 4] {
                reader.take(&Entry::target("a", Target::Paused), Some(offset));
            }
            reader.take(&Entry::config("a", &[].into()), Some(5));
        });
        folded.wait_for(5, Duration::from_secs(30)).unwrap();
        let wish = folded.read(|wanted| wanted.get("a")).unwrap();
        assert_eq!(wish.target, Target::Paused);
        folded.wait_for(3, Duration::ZERO).unwrap();
        assert!(!folded.is_whole());
        thread.join().unwrap();
    }
}
