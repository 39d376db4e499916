//! Which tables this process keeps up, and when: a thread beside the tasks.
//!
//! A table's keeper is whoever reads Kafka partition 0 of its topic. That spreads the work and
//! costs nothing to agree on; while a group rebalances two processes may both be the keeper of a
//! table, or none, and neither does harm (the engine's `maintain`).

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use eddy_engine::budget::Budget;
use eddy_engine::maintain::Keeper;
use eddy_engine::{Lake, TablePath};

use crate::connect::config::ConnectorConfig;
use crate::connect::connectors::Running;
use crate::error::{Error, ErrorKind, Result};
use crate::sink::{PartitionState, TaskHandle};

/// The longest time between two looks at what this process owns.
const LOOK: Duration = Duration::from_secs(1);

/// Between two looks at what uploads left behind.
const SWEEP: Duration = Duration::from_mins(10);

/// After a failed pass a table is left alone for at least so long.
const BACKOFF: Duration = Duration::from_secs(30);

/// The upkeep of one process; stopped by [`Upkeep::stop`].
pub(super) struct Upkeep {
    halt: Arc<AtomicBool>,
    ended: Mutex<Receiver<()>>,
}

/// The connectors of this process, which come and go.
pub(super) type Owners = Arc<RwLock<BTreeMap<String, Arc<Running>>>>;

impl Upkeep {
    /// Starts the thread.
    ///
    /// # Errors
    /// `Internal` when it can't be started.
    pub(super) fn start(lake: &Lake, budget: &Arc<Budget>, owners: Owners) -> Result<Self> {
        let halt = Arc::new(AtomicBool::new(false));
        let (end, ended) = channel::<()>();
        let rounds = Rounds {
            lake: lake.clone(),
            keeper: Keeper::new(lake, budget),
            owners,
            sweep_at: Duration::ZERO,
            due: BTreeMap::new(),
            halt: Arc::clone(&halt),
        };
        std::thread::Builder::new()
            .name("upkeep".to_owned())
            .spawn(move || {
                rounds.until_halted();
                drop(end);
            })
            .map_err(|error| {
                Error::new(ErrorKind::Internal, "the upkeep's thread can't be started")
                    .with_source(error)
            })?;
        Ok(Self {
            halt,
            ended: Mutex::new(ended),
        })
    }

    /// Asks it to leave what it is doing, without waiting.
    pub(super) fn ask_to_stop(&self) {
        self.halt.store(true, Ordering::Relaxed);
    }

    /// Waits for its end, at most for `within`. What it is doing then is given up with the process,
    /// which harms nothing.
    pub(super) fn stop(&self, within: Duration) {
        self.ask_to_stop();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = ended.recv_timeout(within);
    }
}

struct Rounds {
    lake: Lake,
    keeper: Keeper,
    owners: Owners,
    /// When the upload journals are looked at next.
    sweep_at: Duration,
    /// When each table is looked at next, on the monotonic clock.
    due: BTreeMap<TablePath, Duration>,
    halt: Arc<AtomicBool>,
}

impl Rounds {
    fn until_halted(mut self) {
        while !self.halted() {
            self.round();
            let owners = self.owners();
            let shortest = owners.iter().map(|owner| owner.config.upkeep.interval);
            let look = shortest.min().unwrap_or(LOOK).min(LOOK);
            self.lake.clock().block(look);
        }
    }

    fn owners(&self) -> Vec<Arc<Running>> {
        let owners = self.owners.read().unwrap_or_else(PoisonError::into_inner);
        let here = owners.values().filter(|owner| owner.lake.is(&self.lake));
        here.cloned().collect()
    }

    fn halted(&self) -> bool {
        self.halt.load(Ordering::Relaxed)
    }

    /// One pass over every table that is owned and due, and over the upload journals.
    fn round(&mut self) {
        let now = self.lake.clock().monotonic();
        if now >= self.sweep_at {
            self.sweep_at = now + SWEEP;
            if let Err(error) = self.keeper.sweep() {
                tracing::debug!(%error, "the upload journals are looked at later");
            }
        }
        for owner in self.owners() {
            let config = &owner.config;
            for topic in owned(&owner.tasks()) {
                if self.halted() {
                    return;
                }
                let table = self.lake.table(&config.topics_dir, &topic);
                let now = self.lake.clock().monotonic();
                if self.due.get(&table).is_some_and(|due| now < *due) {
                    continue;
                }
                let wait = self.keep(&table, config);
                self.due.insert(table, self.lake.clock().monotonic() + wait);
            }
        }
    }

    /// Keeps up one table; answers the time until the next look.
    fn keep(&mut self, table: &TablePath, config: &ConnectorConfig) -> Duration {
        let upkeep = &config.upkeep;
        let (keeper, halt) = (&mut self.keeper, &self.halt);
        let kept = catch_unwind(AssertUnwindSafe(|| {
            keeper.pass(table, &upkeep.policy, halt)
        }));
        match kept {
            Ok(Ok(_)) => upkeep.interval,
            Ok(Err(error)) => {
                tracing::warn!(topic = table.topic(), %error, "the upkeep of a table waits");
                upkeep.interval.max(BACKOFF)
            }
            Err(_) => {
                tracing::error!(topic = table.topic(), "the upkeep panicked; a bug of Eddy");
                upkeep.interval.max(BACKOFF * 20)
            }
        }
    }
}

/// The topics whose partition 0 one of `tasks` reads, and the tables that their records are sent
/// to.
fn owned(tasks: &[Arc<TaskHandle>]) -> Vec<String> {
    let partitions = tasks.iter().flat_map(|task| task.status().partitions);
    partitions
        .filter(|partition| partition.partition == 0 && partition.state == PartitionState::Running)
        .flat_map(|partition| std::iter::once(partition.topic).chain(partition.others))
        .collect()
}
