//! The one place that changes a stored replay: each change is the next number of its register, so
//! two workers can't both advance it (P23).

use std::collections::VecDeque;

use eddy_engine::Clock;
use tokio::sync::Mutex;

use crate::error::{Error, ErrorKind, Result};
use crate::job::{Event, Job, State};
use crate::progress::Counts;
use crate::store::Store;

/// The folder of all replays' registers.
pub(crate) const FOLDER: &str = "replays";

/// The folder of the registers of shards, in a folder for each replay.
const SHARDS: &str = "replay_shards";

/// How often a number that was taken by an unanswered put of our own is passed over. Each pass
/// settles one such put, and a worker has one at a time.
const PASSES_MAX: u32 = 3;

/// How many unanswered puts are remembered: a store that is away for longer has taken none of the
/// first ones.
const TRIED_MAX: usize = 1_000;

/// A replay as this worker last stored it.
pub(crate) struct Cell {
    store: Store,
    clock: Clock,
    worker: String,
    stored: Mutex<Stored>,
}

struct Stored {
    number: u64,
    job: Job,
    lost: bool,
    /// Puts of this cell that may have landed though nobody said so, oldest first.
    tried: VecDeque<Tried>,
}

/// What a put of one cell is known by: its worker's name isn't enough, since a process may have had
/// another cell of the replay before.
#[derive(PartialEq, Eq)]
struct Tried {
    worker: String,
    updated_us: i64,
    state: State,
    counts: Counts,
}

impl Tried {
    fn of(job: &Job) -> Self {
        Self {
            worker: job.worker.clone(),
            updated_us: job.updated_us,
            state: job.state,
            counts: job.counts,
        }
    }
}

impl Cell {
    /// Stores a new replay.
    ///
    /// # Errors
    /// `Fenced` when there is one of this id.
    pub(crate) async fn create(
        store: Store,
        clock: Clock,
        worker: String,
        job: Job,
    ) -> Result<Self> {
        store.write(&register(&job.id), 0, &job).await?;
        Ok(Self::found(store, clock, worker, 0, job))
    }

    /// Takes up a stored replay. The first change fences whoever had it.
    pub(crate) fn found(store: Store, clock: Clock, worker: String, number: u64, job: Job) -> Self {
        let stored = Mutex::new(Stored {
            number,
            job,
            lost: false,
            tried: VecDeque::new(),
        });
        Self {
            store,
            clock,
            worker,
            stored,
        }
    }

    /// The replay as last stored.
    pub(crate) async fn job(&self) -> Job {
        self.stored.lock().await.job.clone()
    }

    /// The same, and the number of that object.
    pub(crate) async fn stored(&self) -> (u64, Job) {
        let stored = self.stored.lock().await;
        (stored.number, stored.job.clone())
    }

    /// Whether another worker has it now.
    pub(crate) async fn is_lost(&self) -> bool {
        self.stored.lock().await.lost
    }

    /// Takes the replay over for a worker that begins. A put that a dead worker left on its way may
    /// land now and take the number; whoever begins goes past it, whoever is established doesn't.
    ///
    /// # Errors
    /// As [`Cell::apply`].
    pub(crate) async fn take_up(&self) -> Result<Job> {
        let mut passes = 0;
        loop {
            let error = match self.apply(Event::Start, None).await {
                Err(error) if error.kind() == ErrorKind::Fenced => error,
                result => return result,
            };
            passes += 1;
            let mut stored = self.stored.lock().await;
            let register = register(&stored.job.id);
            match self.store.latest::<Job>(&register).await? {
                Some((number, job)) if passes < PASSES_MAX && job.state.is_active() => {
                    stored.number = number;
                    stored.job = job;
                    stored.lost = false;
                }
                _ => return Err(error),
            }
        }
    }

    /// Applies `event` to the state, and stores it.
    ///
    /// # Errors
    /// `Conflict` when the state doesn't allow it; else as [`Cell::update`].
    pub(crate) async fn apply(&self, event: Event, reason: Option<String>) -> Result<Job> {
        let now_us = self.clock.now_us();
        self.update(|job| job.advance(event, reason, now_us)).await
    }

    /// Changes the replay and stores it; memory follows only what is stored.
    ///
    /// # Errors
    /// `Fenced` when another worker has it; `Unavailable` when it may or may not be stored: the
    /// next change settles it.
    pub(crate) async fn update(&self, change: impl FnOnce(&mut Job) -> Result<()>) -> Result<Job> {
        let mut stored = self.stored.lock().await;
        if stored.lost {
            return Err(fenced(&stored.job.id));
        }
        let mut job = stored.job.clone();
        change(&mut job)?;
        job.worker.clone_from(&self.worker);
        job.updated_us = self.clock.now_us();
        let register = register(&job.id);
        if stored.tried.len() >= TRIED_MAX {
            stored.tried.pop_front();
        }
        stored.tried.push_back(Tried::of(&job));
        for _ in 0..PASSES_MAX {
            let number = stored.number + 1;
            match self.store.write(&register, number, &job).await {
                Ok(()) => {
                    stored.number = number;
                    stored.job = job.clone();
                    stored.tried.clear();
                    return Ok(job);
                }
                Err(error) if error.kind() == ErrorKind::Fenced => {}
                Err(error) => return Err(error),
            }
            // The number is taken: by a put of ours that was never answered, or by somebody else,
            // who may be of this process: a command that found the replay lost here.
            let latest = self.store.latest::<Job>(&register).await?;
            match latest {
                Some((there, latest))
                    if there >= number && stored.tried.contains(&Tried::of(&latest)) =>
                {
                    stored.number = there;
                }
                _ => break,
            }
        }
        stored.lost = true;
        Err(fenced(&stored.job.id))
    }
}

/// The register of a replay, or of a shard, whose id has a slash, as no replay's has.
pub(crate) fn register(id: &str) -> String {
    let folder = if id.contains('/') { SHARDS } else { FOLDER };
    format!("{folder}/{id}")
}

fn fenced(id: &str) -> Error {
    Error::fenced(format!("another worker runs replay `{id}` now"))
}
