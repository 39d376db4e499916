//! The replays that this process has: loaded, made, and each with its worker.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Inner, no_replay};
use crate::cell::{Cell, register};
use crate::divide::divide;
use crate::error::{Error, ErrorKind, Result};
use crate::job::{FORMAT, FORMAT_OF_SHARDS, Job, State, Transactions};
use crate::plan::Plan;
use crate::progress::Counts;
use crate::request::{Options, Payload, Request, is_name};
use crate::run::Worker;
use crate::source::Pinned;

/// How often a new replay is stored until it is known whether it is.
const CREATES: u32 = 4;
const BETWEEN_CREATES: Duration = Duration::from_millis(200);

/// A replay that this process has.
pub(super) struct Entry {
    pub(super) cell: Arc<Cell>,
    pub(super) stop: CancellationToken,
    pub(super) task: Option<JoinHandle<()>>,
}

/// What a request comes to.
pub(super) struct Prepared {
    pub(super) select: String,
    pub(super) payload: Option<Payload>,
    pub(super) target: String,
    pub(super) exactly_once: bool,
    /// The most shards that it is divided into.
    pub(super) shards: u32,
    pub(super) plan: Plan,
}

impl Entry {
    pub(super) fn new(cell: Cell) -> Self {
        Self {
            cell: Arc::new(cell),
            stop: CancellationToken::new(),
            task: None,
        }
    }

    /// Whether its worker has not ended yet.
    pub(super) fn is_live(&self) -> bool {
        self.task.as_ref().is_some_and(|task| !task.is_finished())
    }
}

impl Inner {
    pub(super) async fn load(&self, id: &str) -> Result<(u64, Job)> {
        // The store isn't asked for what it may have no word for.
        if !is_name(id) {
            return Err(no_replay(id));
        }
        match self.store.latest::<Job>(&register(id)).await? {
            Some(found) if [FORMAT, FORMAT_OF_SHARDS].contains(&found.1.format) => Ok(found),
            Some((_, job)) => Err(Error::internal(format!(
                "replay `{id}` is stored in format {}, which this build doesn't know",
                job.format
            ))),
            None => Err(no_replay(id)),
        }
    }

    /// The replay among those of this process, and whether it had to be taken from elsewhere:
    /// another process may have it, and the next change takes it over (P23).
    pub(super) async fn entry<'a>(
        &self,
        entries: &'a mut BTreeMap<String, Entry>,
        id: &str,
    ) -> Result<(&'a mut Entry, bool)> {
        let lost = match entries.get(id) {
            Some(entry) => entry.cell.is_lost().await,
            None => true,
        };
        if lost {
            let (number, job) = self.load(id).await?;
            let mut found = self.found(number, job);
            if let Some(before) = entries.remove(id) {
                // Its worker may not know yet: the next one waits for its end.
                before.stop.cancel();
                found.task = before.task;
            }
            entries.insert(id.to_owned(), found);
        }
        let entry = entries.get_mut(id);
        Ok((entry.ok_or_else(|| no_replay(id))?, lost))
    }

    /// Stores a new replay. Where nobody knows whether it landed the same put settles it: left
    /// behind, it would begin when a process starts the next time.
    ///
    /// # Errors
    /// `Fenced` when there is one of this id, `Unavailable` when it may be stored all the same.
    pub(super) async fn create(&self, job: &Job) -> Result<Cell> {
        let create = || {
            let (store, clock) = (self.store.clone(), self.clock.clone());
            Cell::create(store, clock, self.worker.clone(), job.clone())
        };
        for _ in 1..CREATES {
            match create().await {
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    self.clock.sleep(BETWEEN_CREATES).await;
                }
                created => return created,
            }
        }
        create().await
    }

    pub(super) fn found(&self, number: u64, job: Job) -> Entry {
        let (store, clock) = (self.store.clone(), self.clock.clone());
        Entry::new(Cell::found(store, clock, self.worker.clone(), number, job))
    }

    /// Makes sure of what a replay needs besides its source and its destination.
    ///
    /// # Errors
    /// `NotFound` when there is no destination for dead letters, else what it answers; `Invalid`
    /// when a canary's query can't be asked.
    pub(super) async fn check_others(&self, request: &Request, options: &Options) -> Result<()> {
        if let Some(name) = &options.dead_letter {
            if *name == request.destination {
                let told = format!("dead_letter = `{name}` is where the records are refused");
                return Err(Error::invalid(told).with_hint("name another destination"));
            }
            self.destinations.check(name).await?;
        }
        if let Some(canary) = &options.canary {
            self.source.ask(&canary.expect).await?;
        }
        Ok(())
    }

    /// Starts a worker; it begins when the one before it has left, and lets the version go at the
    /// replay's end.
    pub(super) fn spawn(self: &Arc<Self>, entry: &mut Entry) {
        // Whoever has it ends: nobody could stop that one any more.
        entry.stop.cancel();
        entry.stop = self.stop.child_token();
        let worker = Worker {
            cell: entry.cell.clone(),
            source: self.source.clone(),
            destinations: self.destinations.clone(),
            pins: self.pins.clone(),
            store: self.store.clone(),
            clock: self.clock.clone(),
            stop: entry.stop.clone(),
            tuning: self.tuning,
            looks: Arc::default(),
        };
        let before = entry.task.take();
        let (inner, cell) = (Arc::downgrade(self), Arc::clone(&entry.cell));
        entry.task = Some(tokio::spawn(async move {
            if let Some(before) = before {
                let _ = before.await;
            }
            worker.run().await;
            let job = cell.job().await;
            let Some(inner) = inner.upgrade() else { return };
            if job.part.is_some() {
                // What its replay reads stays for the other shards, and what it has come to is seen
                // with theirs.
                inner.woken.notify_one();
            } else if job.state.is_final() {
                inner.pins.unpin(&job).await;
            }
        }));
    }

    pub(super) fn job(&self, id: String, request: &Request, prepared: Prepared) -> Job {
        let now_us = self.clock.now_us();
        let transactions = prepared.exactly_once.then(|| Transactions {
            name: format!("eddy-replay-{id}-{}", self.clock.new_id()),
            open: false,
        });
        let shards = divide(&prepared.plan.partitions, prepared.shards);
        // Nobody has to begin one of shards: these begin.
        let (format, state) = match shards.is_empty() {
            true => (FORMAT, State::Planned),
            false => (FORMAT_OF_SHARDS, State::Running),
        };
        Job {
            format,
            id,
            text: request.text.clone(),
            source: Pinned {
                select: prepared.select,
                table: prepared.plan.table.clone(),
                version: prepared.plan.version,
                payload: prepared.payload,
            },
            destination: request.destination.clone(),
            target: prepared.target,
            options: request.options.clone(),
            plan: prepared.plan,
            state,
            reason: None,
            progress: Vec::new(),
            counts: Counts::default(),
            canary_passed: false,
            rate: None,
            transactions,
            shards,
            part: None,
            resumes: 0,
            worker: self.worker.clone(),
            created_us: now_us,
            updated_us: now_us,
            finished_us: None,
        }
    }
}
