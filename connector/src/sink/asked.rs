//! Commits that somebody waits for: an erasure wants to find what was read so far.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The topics whose writers are to commit as soon as they can, for the tasks of one connector.
#[derive(Debug, Default)]
pub(crate) struct Asked(Mutex<BTreeMap<String, usize>>);

/// Somebody waits for commits of a topic, until this is dropped.
#[derive(Debug)]
pub(crate) struct Waiting {
    asked: Arc<Asked>,
    topic: String,
}

impl Asked {
    /// Asks for commits of `topic`.
    pub(crate) fn ask(self: &Arc<Self>, topic: &str) -> Waiting {
        *self.lock().entry(topic.to_owned()).or_default() += 1;
        Waiting {
            asked: Arc::clone(self),
            topic: topic.to_owned(),
        }
    }

    /// Whether somebody waits for commits of `topic`.
    pub(crate) fn wants(&self, topic: &str) -> bool {
        self.lock().contains_key(topic)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut topics = self.asked.lock();
        if let Some(waiting) = topics.get_mut(&self.topic) {
            *waiting -= 1;
            if *waiting == 0 {
                topics.remove(&self.topic);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_wanted_as_long_as_anybody_waits() {
        let asked = Arc::new(Asked::default());
        let first = asked.ask("orders");
        let second = asked.ask("orders");
        assert!(asked.wants("orders") && !asked.wants("others"));
        drop(first);
        assert!(asked.wants("orders"));
        drop(second);
        assert!(!asked.wants("orders"));
    }
}
