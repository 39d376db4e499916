//! What comes after an attempt that sent all that it was to send: the end, newer records, or the
//! answer to what a canary expects.

use crate::attempt::End;
use crate::error::{Error, ErrorKind, Result};
use crate::request::{Canary, Options};
use crate::run::Worker;

/// What a worker does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The replay is done.
    Finished,
    /// There is more to send.
    GoesOn,
    /// It was told to stop.
    Stopped,
}

impl Worker {
    /// Waits for what the replay waits for once its rows are settled.
    ///
    /// # Errors
    /// `GaveUp` when a canary's query didn't come true in time; as the source's, and as a change of
    /// the stored replay.
    pub(super) async fn after(&self, end: End) -> Result<Next> {
        let options = Options::parse(&self.cell.job().await.options)?;
        match (end, &options.canary) {
            (End::Stopped, _) => Ok(Next::Stopped),
            (End::Canary, Some(canary)) => self.look(canary).await,
            _ if options.continuous => self.follow().await,
            _ => Ok(Next::Finished),
        }
    }

    /// Asks a canary's query until it is true.
    async fn look(&self, canary: &Canary) -> Result<Next> {
        let until = self.clock.monotonic().saturating_add(canary.within);
        loop {
            let saw = match self.source.ask(&canary.expect).await {
                Ok(answered) if answered.holds => {
                    let passed = self.cell.update(|job| {
                        job.canary_passed = true;
                        Ok(())
                    });
                    passed.await?;
                    return Ok(Next::GoesOn);
                }
                Ok(answered) => answered.saw,
                Err(error) if error.kind() == ErrorKind::Unavailable => error.to_string(),
                Err(error) => return Err(error),
            };
            let left = until.saturating_sub(self.clock.monotonic());
            if left.is_zero() {
                return Err(unexpected(canary, &saw));
            }
            if self.stopped_within(left.min(self.tuning.look)).await {
                return Ok(Next::Stopped);
            }
        }
    }

    /// Waits for a newer version of the table, and lets the replay read it from its marks on. The
    /// new version is pinned before the replay says that it reads it (P16).
    async fn follow(&self) -> Result<Next> {
        let before = self.cell.job().await;
        let newest = loop {
            let newest = self.source.newest(&before.source).await?;
            if newest > before.source.version {
                break newest;
            }
            if self.stopped_within(self.tuning.look).await {
                return Ok(Next::Stopped);
            }
        };
        let mut next = before.clone();
        next.source.version = newest;
        self.pins.pin(&next).await?;
        let read = self.cell.update(|job| {
            job.source.version = newest;
            Ok(())
        });
        read.await?;
        self.pins.unpin_replaced(&before, &next).await;
        Ok(Next::GoesOn)
    }

    /// Waits, and tells whether the worker was stopped meanwhile.
    async fn stopped_within(&self, time: std::time::Duration) -> bool {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => true,
            () = self.clock.sleep(time) => false,
        }
    }
}

fn unexpected(canary: &Canary, saw: &str) -> Error {
    let Canary {
        records, within, ..
    } = canary;
    Error::new(
        ErrorKind::GaveUp,
        format!("{within:?} after the first {records} records its canary's query says: {saw}"),
    )
    .with_hint("`resume` asks again and goes on when it is true, `cancel` ends the replay")
}
