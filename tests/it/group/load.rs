//! A load that goes on meanwhile, and how long each partition stands still under it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use eddy_engine::Clock;
use eddy_engine::read::Snapshot;

use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::proof::orders;

/// Produces into all topics until it is told to end; knows how much it was.
pub struct Load {
    end: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Load {
    pub fn start(topics: &Arc<Vec<Topic>>) -> Self {
        let end = Arc::<AtomicBool>::default();
        let (halt, topics) = (Arc::clone(&end), Arc::clone(topics));
        let thread = std::thread::spawn(move || {
            let mut sent = 0;
            while !halt.load(Ordering::SeqCst) {
                for topic in topics.iter() {
                    topic.produce_values(&orders(sent..sent + 60));
                    sent += 60;
                }
                Clock::system().block(Duration::from_millis(50));
            }
            sent
        });
        Self { end, thread }
    }

    pub fn stop(self) -> usize {
        self.end.store(true, Ordering::SeqCst);
        self.thread.join().expect("the load")
    }
}

/// Looks at how long each partition's position stands still.
pub struct Gaps {
    end: Arc<AtomicBool>,
    thread: JoinHandle<BTreeMap<(String, i32), Duration>>,
}

impl Gaps {
    pub fn watch(lake: &TestLake, topics: &[Topic]) -> Self {
        let end = Arc::<AtomicBool>::default();
        let (halt, lake) = (Arc::clone(&end), lake.open());
        let names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
        let all: Vec<(String, i32)> = topics
            .iter()
            .flat_map(|topic| (0..topic.partitions).map(|at| (topic.name.clone(), at)))
            .collect();
        let thread = std::thread::spawn(move || {
            let clock = Clock::system();
            // What nobody has begun with stands still, too.
            let began = clock.monotonic();
            let mut seen: BTreeMap<(String, i32), (i64, Duration)> =
                all.into_iter().map(|place| (place, (0, began))).collect();
            let mut longest: BTreeMap<(String, i32), Duration> = BTreeMap::new();
            while !halt.load(Ordering::SeqCst) {
                for name in &names {
                    let table = lake.table("topics", name);
                    let Ok(Some(snapshot)) = Snapshot::load(&lake, &table, None) else {
                        continue;
                    };
                    let now = clock.monotonic();
                    for ((_, partition), position) in snapshot.positions.iter() {
                        let place = (name.clone(), *partition);
                        let last = seen.entry(place.clone()).or_insert((position.offset, now));
                        let still = now.saturating_sub(last.1);
                        let most = longest.entry(place).or_default();
                        *most = still.max(*most);
                        if last.0 != position.offset {
                            *last = (position.offset, now);
                        }
                    }
                }
                clock.block(Duration::from_millis(100));
            }
            longest
        });
        Self { end, thread }
    }

    /// The longest for each partition.
    pub fn stop(self) -> BTreeMap<(String, i32), Duration> {
        self.end.store(true, Ordering::SeqCst);
        self.thread.join().expect("the watch")
    }
}
