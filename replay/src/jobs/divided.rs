//! What is told to a replay of shards, and what it tells of them.
//!
//! What is wanted of a replay stands in its own register, in one object: that one put is the whole
//! command, and it may be sent again. Its shards follow, at once where this process has them, and
//! elsewhere with the next look (`tending`).

use std::sync::Arc;

use super::entry::Entry;
use super::rate::set_rate;
use super::{Inner, Jobs};
use crate::cell::register;
use crate::divide::{asked_of_shards, shard_id, stop, with_shards};
use crate::error::{ErrorKind, Result};
use crate::job::{Event, Job, State, transition};
use crate::request::is_name;

/// How often a replay is read anew because another process changed it at the same time.
const CHANGES_MAX: u32 = 5;

impl Jobs {
    /// The shards of a replay, if it has some, as they stand; `None` for one that nobody has begun.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn shards(&self, whole: &Job) -> Result<Vec<Option<Job>>> {
        self.0.shards(whole).await
    }
}

impl Inner {
    /// The replay of this id, if it has shards.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable`.
    pub(super) async fn divided(&self, id: &str) -> Result<Option<Job>> {
        // This process has those whose own worker it is, and shards under ids that are no names.
        if is_name(id) && self.entries.lock().await.contains_key(id) {
            return Ok(None);
        }
        let (_, job) = self.load(id).await?;
        Ok(job.is_divided().then_some(job))
    }

    /// The ids under which a replay's entries are stored.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(super) async fn senders(&self, id: &str) -> Result<Vec<String>> {
        match self.divided(id).await {
            Ok(Some(whole)) => {
                let shards = 0..whole.shards.len();
                Ok(shards.map(|index| shard_id(id, index)).collect())
            }
            // What one broken object has to tell must not be missing among all others'.
            Err(error) if ![ErrorKind::NotFound, ErrorKind::Internal].contains(&error.kind()) => {
                Err(error)
            }
            Ok(None) | Err(_) => Ok(vec![id.to_owned()]),
        }
    }

    /// A replay with what its shards have come to.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(super) async fn whole(&self, job: Job) -> Result<Job> {
        // Once it is done it has that itself.
        if !job.is_divided() || job.state == State::Done {
            return Ok(job);
        }
        let shards = self.shards(&job).await?;
        Ok(with_shards(job, &shards))
    }

    async fn shards(&self, whole: &Job) -> Result<Vec<Option<Job>>> {
        let mut shards = Vec::with_capacity(whole.shards.len());
        for index in 0..whole.shards.len() {
            let found = self.shard(&shard_id(&whole.id, index)).await?;
            shards.push(found.map(|(_, job)| job));
        }
        Ok(shards)
    }

    /// A shard as this process last stored it, if it sends it, else as it is stored.
    ///
    /// # Errors
    /// `Unavailable`; `Internal` for an object that this build can't read.
    pub(super) async fn shard(&self, id: &str) -> Result<Option<(u64, Job)>> {
        let cell = {
            let entries = self.entries.lock().await;
            let live = entries.get(id).filter(|entry| entry.is_live());
            live.map(|entry| Arc::clone(&entry.cell))
        };
        if let Some(cell) = cell
            && !cell.is_lost().await
        {
            return Ok(Some(cell.stored().await));
        }
        self.store.latest(&register(id)).await
    }

    /// Applies a command to a replay of shards.
    ///
    /// # Errors
    /// `Conflict` when its state doesn't allow it; `NotFound` when what it reads is gone.
    pub(super) async fn command_shards(self: &Arc<Self>, whole: &Job, event: Event) -> Result<Job> {
        if event == Event::Resume && transition(whole.state, event).is_ok() {
            self.pins.pin(whole).await?;
        }
        let now_us = self.clock.now_us();
        let changed = self.change(&whole.id, |job| {
            let stood = job.state != State::Running;
            job.advance(event, None, now_us)?;
            if event == Event::Resume && stood {
                job.resumes += 1;
            }
            Ok(())
        });
        let changed = changed.await?;
        self.follow(&changed).await;
        if event == Event::Cancel {
            self.pins.unpin(&changed).await;
        }
        self.woken.notify_one();
        self.whole(changed).await
    }

    /// Sets the rate that a replay's shards divide.
    ///
    /// # Errors
    /// `Conflict` when it has ended.
    pub(super) async fn change_rate_of_shards(
        self: &Arc<Self>,
        whole: &Job,
        rate: &str,
    ) -> Result<Job> {
        let changed = self.change(&whole.id, |job| set_rate(job, rate)).await?;
        self.follow(&changed).await;
        self.whole(changed).await
    }

    async fn change(&self, id: &str, change: impl Fn(&mut Job) -> Result<()>) -> Result<Job> {
        let mut tries = 0;
        loop {
            let (number, job) = self.load(id).await?;
            let entry = self.found(number, job);
            tries += 1;
            match entry.cell.update(&change).await {
                Err(error) if error.kind() == ErrorKind::Fenced && tries < CHANGES_MAX => {}
                changed => return changed,
            }
        }
    }

    /// Lets the shards that this process sends do what is wanted of their replay. What can't be
    /// stored now is, if it still matters, with the next look.
    pub(super) async fn follow(self: &Arc<Self>, whole: &Job) {
        let mut entries = self.entries.lock().await;
        for index in 0..whole.shards.len() {
            let Some(entry) = entries.get_mut(&shard_id(&whole.id, index)) else {
                continue;
            };
            if !entry.is_live() || !entry.cell.job().await.state.is_active() {
                continue;
            }
            match asked_of_shards(whole.state) {
                Some(event) => self.stop_shard(entry, whole, event).await,
                None => self.change_shard(entry, whole).await,
            }
        }
    }

    async fn stop_shard(&self, entry: &Entry, whole: &Job, event: Event) {
        let now_us = self.clock.now_us();
        let stopped = entry.cell.update(|shard| stop(shard, whole, event, now_us));
        match stopped.await {
            // What was asked is out of date.
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Ok(_) | Err(_) => entry.stop.cancel(),
        }
    }

    async fn change_shard(self: &Arc<Self>, entry: &mut Entry, whole: &Job) {
        if !whole.state.is_active() || entry.cell.job().await.rate == whole.rate {
            return;
        }
        let changed = entry.cell.update(|shard| {
            shard.rate.clone_from(&whole.rate);
            Ok(())
        });
        match changed.await {
            // Its worker begins anew, behind what is under way.
            Ok(_) => self.spawn(entry),
            Err(error) => {
                tracing::info!(replay = whole.id, %error, "a shard's rate changes later");
            }
        }
    }
}
