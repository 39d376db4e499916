//! All replays of a lake: asked for, listed, commanded; and taken up again when a process starts.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use eddy_engine::{Clock, Lake};
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use self::entry::{Entry, Prepared};
pub use self::groups::{GroupOffsets, GroupRequest};
pub(crate) use self::pins::Pins;
pub(crate) use self::rate::rate_of;
use crate::cell::FOLDER;
use crate::destination::{Destinations, no_transactions};
use crate::error::{Error, ErrorKind, Result};
use crate::job::Job;
use crate::plan::Plan;
use crate::request::{Options, Request, is_name};
use crate::run::Tuning;
use crate::source::RowSource;
use crate::store::Store;

mod commands;
mod divided;
mod entry;
mod groups;
mod pins;
mod rate;
mod tending;
mod told;

/// All replays of a lake. Cheap to clone.
#[derive(Clone)]
pub struct Jobs(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    source: Arc<dyn RowSource>,
    pins: Pins,
    destinations: Destinations,
    tuning: Tuning,
    /// Names this process among all that may run replays (P23).
    worker: String,
    stop: CancellationToken,
    /// Wakes who looks after divided replays.
    woken: Arc<Notify>,
    entries: Mutex<BTreeMap<String, Entry>>,
}

/// A replay that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Started {
    /// The replay.
    pub job: Job,
    /// Whether it is new; else the same one was asked for before under this name.
    pub is_new: bool,
}

impl Jobs {
    /// Opens the replays of a lake, and takes up those that are not finished.
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn open(
        lake: Lake,
        source: Arc<dyn RowSource>,
        destinations: Destinations,
    ) -> Result<Self> {
        Self::open_tuned(lake, source, destinations, Tuning::default()).await
    }

    /// The same, for a process that sends at most so many shards of divided replays at once.
    ///
    /// # Errors
    /// As [`Jobs::open`].
    pub async fn open_for_shards(
        lake: Lake,
        source: Arc<dyn RowSource>,
        destinations: Destinations,
        shards: usize,
    ) -> Result<Self> {
        let tuning = Tuning {
            shards,
            ..Tuning::default()
        };
        Self::open_tuned(lake, source, destinations, tuning).await
    }

    pub(crate) async fn open_tuned(
        lake: Lake,
        source: Arc<dyn RowSource>,
        destinations: Destinations,
        tuning: Tuning,
    ) -> Result<Self> {
        let clock = lake.clock().clone();
        let jobs = Self(Arc::new(Inner {
            store: Store::new(&lake),
            pins: Pins {
                source: Arc::clone(&source),
                lake,
            },
            worker: clock.new_id().to_string(),
            clock,
            source,
            destinations,
            tuning,
            stop: CancellationToken::new(),
            woken: Arc::default(),
            entries: Mutex::new(BTreeMap::new()),
        }));
        let mut entries = jobs.0.entries.lock().await;
        for id in jobs.0.store.names(FOLDER).await? {
            match jobs.0.load(&id).await {
                // Shards are taken up as nobody else has them (`tending`).
                Ok((number, job)) if job.state.is_active() && !job.is_divided() => {
                    tracing::info!(replay = id, "the replay is taken up again");
                    let cell = jobs.0.found(number, job);
                    jobs.0.spawn(entries.entry(id).or_insert(cell));
                }
                Ok(_) => {}
                // Its folder is there, as on a disk before its first object is: nobody made it yet.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                // One broken object must not keep all others from going on.
                Err(error) if error.kind() == ErrorKind::Internal => {
                    tracing::error!(replay = id, %error, "the stored replay is left alone");
                }
                Err(error) => return Err(error),
            }
        }
        drop(entries);
        tokio::spawn(renewing(Arc::downgrade(&jobs.0)));
        tokio::spawn(tending::tending(Arc::downgrade(&jobs.0)));
        Ok(jobs)
    }

    /// The destinations that replays send to.
    pub fn destinations(&self) -> &Destinations {
        &self.0.destinations
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The row source that replays read.
    pub fn source(&self) -> &Arc<dyn RowSource> {
        &self.0.source
    }

    /// A dry run: counts, and asks the destination; nothing is stored or sent.
    ///
    /// # Errors
    /// `Invalid` for a SELECT or options that can't be replayed, `NotFound` for a destination that
    /// isn't there. What else is wrong with the destination is in the plan's problems.
    pub async fn plan(&self, request: &Request) -> Result<Plan> {
        Ok(self.prepare(request, true).await?.plan)
    }

    /// Starts a replay; or, under a name that was used, answers the same one.
    ///
    /// # Errors
    /// As [`Jobs::plan`]; `Invalid` when the plan has problems; `Conflict` when the name stands for
    /// another replay.
    pub async fn start(&self, request: &Request) -> Result<Started> {
        let options = Options::parse(&request.options)?;
        if let Some(name) = &options.name
            && let Some(job) = self.same(name, request).await?
        {
            let is_new = false;
            return Ok(Started { job, is_new });
        }
        let prepared = self.prepare(request, false).await?;
        prepared.plan.accept()?;
        let id = options
            .name
            .unwrap_or_else(|| self.0.clock.new_id().to_string());
        let job = self.0.job(id.clone(), request, prepared);
        // The pin comes first (P16): a replay that is stored has what it reads.
        self.0.pins.pin(&job).await?;
        match self.0.create(&job).await {
            Ok(_) if job.is_divided() => {
                self.0.woken.notify_one();
                Ok(Started { job, is_new: true })
            }
            Ok(cell) => {
                let mut entries = self.0.entries.lock().await;
                let entry = entries.entry(id).or_insert_with(|| Entry::new(cell));
                self.0.spawn(entry);
                Ok(Started { job, is_new: true })
            }
            Err(error) if error.kind() == ErrorKind::Fenced => {
                self.0.pins.unpin(&job).await;
                let job = self.same(&id, request).await?.ok_or(error)?;
                Ok(Started { job, is_new: false })
            }
            Err(error) => Err(error),
        }
    }

    /// One replay, with what its shards have come to.
    ///
    /// # Errors
    /// `NotFound` when there is none of this id.
    pub async fn show(&self, id: &str) -> Result<Job> {
        // A shard is none.
        if !is_name(id) {
            return Err(no_replay(id));
        }
        let cell = {
            let entries = self.0.entries.lock().await;
            entries.get(id).map(|entry| entry.cell.clone())
        };
        if let Some(cell) = cell
            && !cell.is_lost().await
        {
            return Ok(cell.job().await);
        }
        let (_, job) = self.0.load(id).await?;
        self.0.whole(job).await
    }

    /// All replays, the newest first.
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn list(&self) -> Result<Vec<Job>> {
        let mut jobs = Vec::new();
        for id in self.0.store.names(FOLDER).await? {
            match self.show(&id).await {
                Ok(job) => jobs.push(job),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) if error.kind() == ErrorKind::Internal => {
                    tracing::error!(replay = id, %error, "the stored replay is left alone");
                }
                Err(error) => return Err(error),
            }
        }
        jobs.sort_by(|a, b| b.created_us.cmp(&a.created_us).then(a.id.cmp(&b.id)));
        Ok(jobs)
    }

    /// Deletes a destination that no unfinished replay needs.
    ///
    /// # Errors
    /// `Conflict` when one does, or when it stands in the configuration file; `NotFound`.
    pub async fn delete_destination(&self, name: &str) -> Result<()> {
        let jobs = self.list().await?;
        let user = jobs
            .iter()
            .find(|job| needs(job, name) && !job.state.is_final());
        if let Some(job) = user {
            return Err(Error::conflict(format!(
                "replay `{}` is {} and needs destination `{name}`",
                job.id,
                job.state.as_str()
            ))
            .with_hint("cancel the replay first"));
        }
        self.0.destinations.delete(name).await
    }

    /// Stops all workers of this process with their progress stored; the replays stay as they are
    /// and are taken up when a process opens them again.
    pub async fn shutdown(&self) {
        self.0.stop.cancel();
        let tasks: Vec<_> = {
            let mut entries = self.0.entries.lock().await;
            entries
                .values_mut()
                .filter_map(|entry| entry.task.take())
                .collect()
        };
        for task in tasks {
            // A worker that panicked has nothing left to store.
            let _ = task.await;
        }
    }

    /// The replay of this name, if it is the same one.
    async fn same(&self, id: &str, request: &Request) -> Result<Option<Job>> {
        let job = match self.show(id).await {
            Ok(job) => job,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let is_same = job.text.trim() == request.text.trim()
            && job.destination == request.destination
            && job.options == request.options;
        if !is_same {
            return Err(Error::conflict(format!(
                "replay `{id}` was started with another text; a replay's query never changes"
            ))
            .with_hint("choose another name"));
        }
        let mut entries = self.0.entries.lock().await;
        let is_own = job.worker == self.0.worker && !job.is_divided();
        if job.state.is_active() && is_own && !entries.contains_key(id) {
            // It was stored, but the store's answer never came, so nobody runs it yet.
            let (number, job) = self.0.load(id).await?;
            let entry = self.0.found(number, job);
            self.0.spawn(entries.entry(id.to_owned()).or_insert(entry));
        }
        Ok(Some(job))
    }

    /// Plans a replay; what would be sent is only measured if asked for.
    async fn prepare(&self, request: &Request, measured: bool) -> Result<Prepared> {
        let options = Options::parse(&request.options)?;
        let (destinations, name) = (&self.0.destinations, &request.destination);
        let destination = destinations.connect(name, &options).await?;
        let (select, payload) = (&request.select, options.payload);
        let (source, checked) = tokio::join!(
            self.0.source.plan(select, payload, None, measured),
            destinations.ask(name, &*destination)
        );
        let source = source?;
        let checked = match options.exactly_once && !destination.has_transactions() {
            true => checked.and(Err(no_transactions(&destination.target()))),
            false => checked,
        };
        self.0.check_others(request, &options).await?;
        Ok(Prepared {
            select: source.select.clone(),
            payload: options.payload,
            target: destination.target(),
            exactly_once: options.exactly_once,
            shards: options.shards,
            plan: Plan::new(source, checked, &options),
        })
    }
}

/// Looks after the pins of all replays until the last handle on them is gone.
async fn renewing(jobs: Weak<Inner>) {
    loop {
        let Some(inner) = jobs.upgrade() else { return };
        if let Err(error) = inner.renew().await {
            tracing::warn!(%error, "the versions that replays read are pinned again later");
        }
        let (clock, stop) = (inner.clock.clone(), inner.stop.clone());
        drop(inner);
        tokio::select! {
            () = stop.cancelled() => return,
            () = clock.sleep(pins::LOOK) => {}
        }
    }
}

/// Whether a replay sends anything to this destination.
fn needs(job: &Job, destination: &str) -> bool {
    let options = Options::parse(&job.options);
    let dead_letter = options.ok().and_then(|options| options.dead_letter);
    job.destination == destination || dead_letter.as_deref() == Some(destination)
}

fn no_replay(id: &str) -> Error {
    Error::not_found(format!("there is no replay `{id}`"))
}

#[cfg(test)]
mod tests;
