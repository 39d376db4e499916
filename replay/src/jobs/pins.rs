//! The versions that replays read stay readable as long as the replays live (P16).
//!
//! A pin is made before the replay is stored and released when it is done or cancelled. In between
//! somebody renews it, a paused replay's too: each process that has replays looks through all of
//! them every hour, and renews what is a day old. After the last process died the pins count for
//! the rest of a week (the engine's `PIN_LIFE`), and so does the pin of a replay that failed:
//! whoever resumes it within six days finds its version.

use std::time::Duration;

use std::sync::Arc;

use eddy_engine::Lake;
use eddy_engine::maintain::Pin;

use super::Inner;
use crate::cell::FOLDER;
use crate::error::{Error, ErrorKind, Result};
use crate::job::{Job, State};
use crate::source::{PinnedTable, RowSource};

/// Between two looks at every replay's pins; they are renewed when they are a day old.
pub(super) const LOOK: Duration = Duration::from_hours(1);

/// What is wrong with one replay only.
const BY_ITSELF: [ErrorKind; 2] = [ErrorKind::Internal, ErrorKind::NotFound];

/// Who pins what replays read. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Pins {
    pub(super) lake: Lake,
    pub(super) source: Arc<dyn RowSource>,
}

impl Pins {
    /// Makes sure that what a replay reads stays for days.
    ///
    /// # Errors
    /// `NotFound` when a version can't be read any more; `Unavailable`.
    pub(crate) async fn pin(&self, job: &Job) -> Result<()> {
        let owner = owner(job);
        let tables = self.source.tables(&job.source);
        self.each(tables.await?, move |lake, table| {
            let path = lake.table(&table.topics_dir, &table.topic);
            Pin::keep(lake, &path, table.version, &owner)
        })
        .await
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::not_found(format!("what it reads is gone: {error}"))
                .with_hint("start a new replay, under another name"),
            _ => error,
        })
    }

    /// Lets go what a replay that has ended read. What fails now, time does.
    pub(crate) async fn unpin(&self, job: &Job) {
        self.unpin_but(job, &[]).await;
    }

    /// Lets go what a replay read that reads newer versions now.
    pub(crate) async fn unpin_replaced(&self, before: &Job, now: &Job) {
        match self.source.tables(&now.source).await {
            Ok(kept) => self.unpin_but(before, &kept).await,
            Err(error) => later(before, &error),
        }
    }

    async fn unpin_but(&self, job: &Job, kept: &[PinnedTable]) {
        let owner = owner(job);
        let tables = match self.source.tables(&job.source).await {
            Ok(tables) => tables,
            Err(error) => return later(job, &error),
        };
        let same = |one: &PinnedTable, other: &PinnedTable| {
            (&one.topics_dir, &one.topic, one.version)
                == (&other.topics_dir, &other.topic, other.version)
        };
        let tables = tables.into_iter();
        let tables = tables.filter(|table| !kept.iter().any(|other| same(table, other)));
        let unpinned = self.each(tables.collect(), move |lake, table| {
            let path = lake.table(&table.topics_dir, &table.topic);
            Pin::release_all(lake, &path, table.version, &owner)
        });
        if let Err(error) = unpinned.await {
            later(job, &error);
        }
    }

    async fn each(
        &self,
        tables: Vec<PinnedTable>,
        work: impl Fn(&Lake, &PinnedTable) -> eddy_engine::Result<()> + Send + 'static,
    ) -> Result<()> {
        let lake = self.lake.clone();
        let worked = tokio::task::spawn_blocking(move || {
            let of = |table: &PinnedTable| table.lake.clone().unwrap_or_else(|| lake.clone());
            tables.iter().try_for_each(|table| work(&of(table), table))
        });
        let worked = worked
            .await
            .map_err(|error| Error::internal(format!("pinning broke off: {error}")))?;
        Ok(worked?)
    }
}

fn later(job: &Job, error: &Error) {
    tracing::info!(replay = job.id, %error, "its version is released in a week");
}

impl Inner {
    /// Renews the pins of every replay that may still read.
    pub(super) async fn renew(&self) -> Result<()> {
        for id in self.store.names(FOLDER).await? {
            let job = match self.load(&id).await {
                Ok((_, job)) if reads_on(&job) => job,
                Ok(_) => continue,
                // One that is broken, or isn't made yet, must not cost the others their versions.
                Err(error) if BY_ITSELF.contains(&error.kind()) => continue,
                Err(error) => return Err(error),
            };
            match self.pins.pin(&job).await {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    tracing::warn!(replay = job.id, %error, "the replay can't go on");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Whether a replay's version must stay for as long as it takes. A failed one's doesn't: its pin
/// counts for the days that it has left.
fn reads_on(job: &Job) -> bool {
    match job.state {
        State::Planned | State::Running | State::Paused => true,
        State::Failed | State::Cancelled | State::Done => false,
    }
}

/// Of two that ask for one name at once only one is stored; the other gives up its own pins alone.
fn owner(job: &Job) -> String {
    format!("replay `{}` of {} us", job.id, job.created_us)
}
