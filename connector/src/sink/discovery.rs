//! Which of a connector's topics exist, where their logs end, and whether each partition has a
//! reader; asked every few seconds.
//!
//! The tasks subscribe to exact names, so a topic that matches a pattern is picked up when it
//! appears and not when librdkafka's own refresh comes round, and one that doesn't exist yet is
//! waited for without errors.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use std::time::Duration;

use eddy_engine::Clock;

use crate::connect::{ConnectorConfig, Topics};
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::Admin;
use crate::sink::orphans::Watch;

/// The time between two listings; new topics must be picked up within ten seconds.
const INTERVAL: Duration = Duration::from_secs(3);

/// What was found last, for the connector's tasks.
#[derive(Debug, Default)]
pub(crate) struct TopicBoard {
    generation: AtomicU64,
    found: Mutex<Found>,
    rejoin: Mutex<Option<String>>,
}

/// The topics of a connector.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    /// Those that exist, with their number of partitions.
    pub(crate) topics: BTreeMap<String, i32>,
    /// Those that were named and don't exist yet.
    pub(crate) missing: Vec<String>,
    /// The log ends.
    pub(crate) ends: BTreeMap<String, BTreeMap<i32, i64>>,
    /// Why the last listing failed.
    pub(crate) error: Option<String>,
}

impl TopicBoard {
    /// Raised whenever topics came or went.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// What was found last.
    pub(crate) fn found(&self) -> Found {
        self.lock().clone()
    }

    /// Whether the member `name` was asked to join the group again, since it last asked.
    pub(crate) fn must_rejoin(&self, name: &str) -> bool {
        let mut rejoin = self.rejoin.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = rejoin
            .as_ref()
            .and_then(|member| member.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with('-'));
        if asked {
            *rejoin = None;
        }
        asked
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, next: Found) {
        let mut found = self.lock();
        let changed = found.topics.keys().ne(next.topics.keys());
        if found.missing != next.missing && !next.missing.is_empty() {
            tracing::info!(topics = %next.missing.join(", "), "waiting for topics to be made");
        }
        *found = next;
        drop(found);
        if changed {
            self.generation.fetch_add(1, Ordering::Release);
        }
    }
}

/// The thread that asks.
pub(crate) struct Discovery {
    stop: Arc<(Mutex<bool>, Condvar)>,
}

impl Discovery {
    /// Starts asking.
    ///
    /// # Errors
    /// `Internal` when the thread can't be started.
    pub(crate) fn start(
        admin: Admin,
        config: &Arc<ConnectorConfig>,
        board: &Arc<TopicBoard>,
        _clock: Clock,
    ) -> Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let (config, board) = (Arc::clone(config), Arc::clone(board));
        let stopped = Arc::clone(&stop);
        // It ends by itself: a question may still wait for a dead broker when it is told to.
        std::thread::Builder::new()
            .name(format!("{}-topics", config.name))
            .spawn(move || {
                let mut watch = Watch::default();
                loop {
                    look(&admin, &config, &board);
                    let given = admin.assignments(&config.group());
                    if let Some(member) = watch.look(&board.found().topics, given.as_ref()) {
                        let mut rejoin =
                            board.rejoin.lock().unwrap_or_else(PoisonError::into_inner);
                        *rejoin = Some(member);
                    }
                    let (flag, woken) = &*stopped;
                    let guard = flag.lock().unwrap_or_else(PoisonError::into_inner);
                    let waited = woken.wait_timeout_while(guard, INTERVAL, |stop| !*stop);
                    if *waited.unwrap_or_else(PoisonError::into_inner).0 {
                        return;
                    }
                }
            })
            .map_err(|error| {
                Error::new(ErrorKind::Internal, "a thread can't be started").with_source(error)
            })?;
        Ok(Self { stop })
    }

    /// Asks no more.
    pub(crate) fn stop(&self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        // A question may still wait for a dead broker; the thread ends after it.
        self.stop.1.notify_all();
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        self.stop();
    }
}

fn look(admin: &Admin, config: &ConnectorConfig, board: &TopicBoard) {
    let listed = match admin.all_topics() {
        Ok(listed) => listed,
        Err(error) => {
            // What was known stays known: a broker that is away takes no topics with it.
            let error = Some(error.to_string());
            board.put(Found {
                error,
                ..board.found()
            });
            return;
        }
    };
    let topics: BTreeMap<String, i32> = listed
        .into_iter()
        .filter(|(topic, _)| config.topics.includes(topic))
        .collect();
    let missing = match &config.topics {
        Topics::Named(names) => names
            .iter()
            .filter(|name| !topics.contains_key(*name))
            .cloned()
            .collect(),
        Topics::Matching(_) => Vec::new(),
    };
    // The list of topics goes out first: the ends are only for people.
    let ends = board.found().ends;
    board.put(Found {
        topics: topics.clone(),
        missing: missing.clone(),
        ends,
        error: None,
    });
    let mut ends = BTreeMap::new();
    for (topic, partitions) in &topics {
        let all: Vec<i32> = (0..*partitions).collect();
        if let Ok(marks) = admin.watermarks(topic, &all) {
            let marks = marks
                .into_iter()
                .map(|(partition, marks)| (partition, marks.end));
            ends.insert(topic.clone(), marks.collect());
        }
    }
    board.put(Found {
        topics,
        missing,
        ends,
        error: None,
    });
}
