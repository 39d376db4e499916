//! What a person tells a replay to do.

use super::Jobs;
use crate::error::{Error, Result};
use crate::job::{Event, Job, State, transition};

impl Jobs {
    /// Stops a replay until it is resumed. What is under way is still waited for.
    ///
    /// # Errors
    /// `NotFound`, and `Conflict` when its state doesn't allow it.
    pub async fn pause(&self, id: &str) -> Result<Job> {
        self.command(id, Event::Pause, None).await
    }

    /// Lets a paused or failed replay go on from its progress. Whoever sends the text along wants
    /// to be sure that it goes on with that text.
    ///
    /// # Errors
    /// `NotFound`, and `Conflict` when its state doesn't allow it or the text is another one.
    pub async fn resume(&self, id: &str, text: Option<&str>) -> Result<Job> {
        self.command(id, Event::Resume, text).await
    }

    /// Stops a replay for good.
    ///
    /// # Errors
    /// `NotFound`, and `Conflict` when it is done.
    pub async fn cancel(&self, id: &str) -> Result<Job> {
        self.command(id, Event::Cancel, None).await
    }

    async fn command(&self, id: &str, event: Event, text: Option<&str>) -> Result<Job> {
        if let Some(whole) = self.0.divided(id).await? {
            check_text(&whole, text)?;
            return Box::pin(self.0.command_shards(&whole, event)).await;
        }
        let mut entries = self.0.entries.lock().await;
        let (entry, lost) = self.0.entry(&mut entries, id).await?;
        let before = entry.cell.job().await;
        check_text(&before, text)?;
        if event == Event::Resume && transition(before.state, event).is_ok() {
            self.0.pins.pin(&before).await?;
        }
        let job = entry.cell.apply(event, None).await?;
        match event {
            Event::Resume if before.state != State::Running || lost => self.0.spawn(entry),
            Event::Pause => entry.stop.cancel(),
            Event::Cancel => {
                entry.stop.cancel();
                self.0.pins.unpin(&job).await;
            }
            _ => {}
        }
        Ok(job)
    }
}

/// Refuses a text that isn't the replay's.
fn check_text(job: &Job, text: Option<&str>) -> Result<()> {
    let is_own = |text: &str| text == job.text.trim() || text == job.source.select.trim();
    match text.map(str::trim) {
        Some(text) if !is_own(text) => Err(Error::conflict(format!(
            "replay `{}` was started with another text; a replay's query never changes",
            job.id
        ))),
        _ => Ok(()),
    }
}
