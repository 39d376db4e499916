//! Who looks after the shards of divided replays, in each process that may run replays.
//!
//! Every look goes over all replays that have shards and haven't ended. What a process sees is
//! stored, and what it does is the next number of a register, so looks of several processes may
//! come to the same at once: one of them does it (P23).
//!
//! - A shard that nobody has is taken up, one a look, so that several processes take about as many.
//! - Whoever sends a shard stores it every few seconds, even where nothing is new. One that stays
//!   the same for twenty (`silence`) was left by the dead. Each looks at its own clock for that:
//!   nobody compares the clocks of two machines. Who was only slow is fenced as with any replay.
//! - What one of the shards, or all of them have come to, the replay comes to.
//!
//! What a crash leaves: a new replay has its shards in its one object, so it is whole or isn't
//! there, and a shard without an object is one that nobody has begun.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Inner;
use super::entry::Entry;
use crate::cell::FOLDER;
use crate::divide::{ended, is_free, shard, shard_id, take_up, with_shards};
use crate::error::{ErrorKind, Result};
use crate::job::{Event, Job};

/// So many times in the time after which it would count as dead a process stores a shard.
const TOUCHES: u32 = 4;

/// Looks until the last handle on the replays is gone.
pub(super) async fn tending(jobs: Weak<Inner>) {
    let mut known = Known::default();
    loop {
        let Some(inner) = jobs.upgrade() else { return };
        if let Err(error) = Box::pin(inner.tend(&mut known)).await {
            tracing::warn!(%error, "divided replays are looked after later");
        }
        let (clock, stop) = (inner.clock.clone(), inner.stop.clone());
        let (woken, pause) = (Arc::clone(&inner.woken), inner.tuning.tend);
        drop(inner);
        tokio::select! {
            () = stop.cancelled() => return,
            () = woken.notified() => {}
            () = clock.sleep(pause) => {}
        }
    }
}

/// What earlier looks have seen.
#[derive(Default)]
struct Known {
    /// Replays that nobody has to look after: without shards, or ended.
    settled: BTreeSet<String>,
    /// Shards that have ended, of replays that haven't.
    ended: BTreeMap<String, (u64, Job)>,
    /// Since when each shard's newest object is known, and its number.
    since: BTreeMap<String, (u64, Duration)>,
}

impl Known {
    /// How long ago it was first seen that object `number` is a shard's newest.
    fn quiet_for(&mut self, id: &str, number: u64, now: Duration) -> Duration {
        let since = self.since.entry(id.to_owned()).or_insert((number, now));
        if since.0 != number {
            *since = (number, now);
        }
        now.saturating_sub(since.1)
    }

    fn settle(&mut self, whole: &Job) {
        for index in 0..whole.shards.len() {
            let id = shard_id(&whole.id, index);
            self.ended.remove(&id);
            self.since.remove(&id);
        }
        self.settled.insert(whole.id.clone());
    }
}

impl Inner {
    async fn tend(self: &Arc<Self>, known: &mut Known) -> Result<()> {
        for id in self.store.names(FOLDER).await? {
            if known.settled.contains(&id) {
                continue;
            }
            if self.stop.is_cancelled() {
                return Ok(());
            }
            match self.load(&id).await {
                Ok((_, job)) if !job.is_divided() => {
                    known.settled.insert(id);
                }
                Ok((number, whole)) => {
                    // What is wrong with one must not keep the others from going on.
                    let tended = Box::pin(self.tend_one(number, &whole, known)).await;
                    if let Err(error) = tended {
                        tracing::warn!(replay = id, %error, "its shards are looked after later");
                    }
                }
                // Somebody is just making it.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                // It was told when the process began.
                Err(error) if error.kind() == ErrorKind::Internal => {
                    known.settled.insert(id);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn tend_one(self: &Arc<Self>, number: u64, whole: &Job, known: &mut Known) -> Result<()> {
        self.follow(whole).await;
        if !whole.state.is_active() {
            if whole.state.is_final() {
                known.settle(whole);
            }
            return Ok(());
        }
        let mut found = Vec::with_capacity(whole.shards.len());
        for index in 0..whole.shards.len() {
            found.push(self.seen(&shard_id(&whole.id, index), known).await?);
        }
        let shards: Vec<Option<Job>> = found
            .iter()
            .map(|found| found.as_ref().map(|(_, job)| job.clone()))
            .collect();
        if let Some((event, reason)) = ended(whole, &shards) {
            return self.end(number, whole, &shards, event, reason).await;
        }
        let now = self.clock.monotonic();
        let mut free = Vec::new();
        for (index, found) in found.into_iter().enumerate() {
            let id = shard_id(&whole.id, index);
            let stored = found.as_ref();
            let quiet = stored.map(|(number, _)| known.quiet_for(&id, *number, now));
            let quiet = quiet.unwrap_or_default();
            if self.keeps(&id, quiet).await {
                continue;
            }
            let is_silent = quiet >= self.tuning.silence;
            if is_free(whole, stored.map(|(_, job)| job), is_silent) {
                free.push((index, found));
            }
        }
        for (index, found) in free {
            if self.sends().await >= self.tuning.shards || self.claim(whole, index, found).await? {
                break;
            }
        }
        Ok(())
    }

    /// A shard as it stands; what has ended isn't read again.
    async fn seen(&self, id: &str, known: &mut Known) -> Result<Option<(u64, Job)>> {
        if let Some(ended) = known.ended.get(id) {
            return Ok(Some(ended.clone()));
        }
        let found = self.shard(id).await?;
        if let Some((number, job)) = &found
            && job.state.is_final()
        {
            known.ended.insert(id.to_owned(), (*number, job.clone()));
        }
        Ok(found)
    }

    /// Whether this process sends a shard. That is stored if nothing was for a while.
    async fn keeps(&self, id: &str, quiet: Duration) -> bool {
        let cell = {
            let entries = self.entries.lock().await;
            let live = entries.get(id).filter(|entry| entry.is_live());
            live.map(|entry| Arc::clone(&entry.cell))
        };
        let Some(cell) = cell else { return false };
        if cell.is_lost().await || !cell.job().await.state.is_active() {
            return false;
        }
        if quiet >= self.tuning.silence / TOUCHES
            && let Err(error) = cell.update(|_| Ok(())).await
        {
            tracing::info!(shard = id, %error, "that it is sent here is not stored");
        }
        true
    }

    /// How many shards this process sends.
    async fn sends(&self) -> usize {
        let entries = self.entries.lock().await;
        let live = entries.iter().filter(|(_, entry)| entry.is_live());
        // What isn't divided has no slash in its id.
        live.filter(|(id, _)| id.contains('/')).count()
    }

    /// Takes a free shard up, unless somebody else comes first.
    async fn claim(
        self: &Arc<Self>,
        whole: &Job,
        index: usize,
        found: Option<(u64, Job)>,
    ) -> Result<bool> {
        let id = shard_id(&whole.id, index);
        let mut entries = self.entries.lock().await;
        if self.stop.is_cancelled() {
            return Ok(false);
        }
        let own = match entries.get(&id) {
            // What is under way there is still stored, under the next number.
            Some(entry) if entry.is_live() => !entry.cell.is_lost().await,
            _ => false,
        };
        if !own {
            let Some(mut entry) = self.first(whole, index, found).await? else {
                return Ok(false);
            };
            if let Some(before) = entries.remove(&id) {
                before.stop.cancel();
                entry.task = before.task;
            }
            entries.insert(id.clone(), entry);
        }
        let Some(entry) = entries.get_mut(&id) else {
            return Ok(false);
        };
        match entry.cell.update(|shard| take_up(shard, whole)).await {
            Ok(_) => {}
            Err(error) if is_taken(error.kind()) => return Ok(false),
            Err(error) => return Err(error),
        }
        tracing::info!(replay = whole.id, shard = index, "the shard is taken up");
        self.spawn(entry);
        Ok(true)
    }

    /// A shard that this process doesn't send: as it is stored, else stored now; `None` when
    /// somebody else was faster.
    async fn first(
        &self,
        whole: &Job,
        index: usize,
        found: Option<(u64, Job)>,
    ) -> Result<Option<Entry>> {
        if let Some((number, job)) = found {
            return Ok(Some(self.found(number, job)));
        }
        let Some(job) = shard(whole, index, &self.worker, self.clock.now_us()) else {
            return Ok(None);
        };
        match self.create(&job).await {
            Ok(cell) => Ok(Some(Entry::new(cell))),
            Err(error) if is_taken(error.kind()) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stores what a replay's shards have come to; a command that came first holds, and the next
    /// look goes by it.
    async fn end(
        &self,
        number: u64,
        whole: &Job,
        shards: &[Option<Job>],
        event: Event,
        reason: Option<String>,
    ) -> Result<()> {
        let now_us = self.clock.now_us();
        let come_to = with_shards(whole.clone(), shards);
        let entry = self.found(number, whole.clone());
        let ended = entry.cell.update(|job| {
            job.counts = come_to.counts;
            job.progress = come_to.progress;
            job.advance(event, reason, now_us)
        });
        let job = match ended.await {
            Ok(job) => job,
            Err(error) if is_taken(error.kind()) => return Ok(()),
            Err(error) => return Err(error),
        };
        let state = job.state.as_str();
        tracing::info!(
            replay = job.id,
            state,
            "the replay is what its shards have come to"
        );
        if job.state.is_final() {
            self.pins.unpin(&job).await;
        }
        self.woken.notify_one();
        Ok(())
    }
}

/// Whether somebody else was faster.
fn is_taken(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Fenced | ErrorKind::Conflict)
}
