//! Checkpoints, so that a reader needn't replay the log from its beginning.

use std::sync::Arc;

use delta_kernel::snapshot::CheckpointWriteResult;

use crate::commit::kernel::translate;
use crate::commit::log::TableLog;
use crate::error::Result;
use crate::fault;

/// Commits between checkpoints. More makes loading slower, fewer costs writing: both stay in the
/// milliseconds around this number.
const EVERY: u64 = 100;

impl TableLog {
    /// Writes a checkpoint when one is due. Call it in the background after a commit; a failure
    /// harms nothing but speed.
    ///
    /// # Errors
    /// As [`TableLog::refresh`].
    pub fn checkpoint_if_due(&mut self) -> Result<bool> {
        let last = self.base.log_segment().checkpoint_version.unwrap_or(0);
        if self.version().saturating_sub(last) < EVERY {
            return Ok(false);
        }
        self.checkpoint()
    }

    /// Writes a checkpoint of the version that this log knows, unless there is one. Answers whether
    /// it wrote it.
    ///
    /// # Errors
    /// As [`TableLog::refresh`].
    pub fn checkpoint(&mut self) -> Result<bool> {
        fault::point("before_checkpoint");
        let (written, base) = Arc::clone(&self.base)
            .checkpoint(&self.engine, None)
            .map_err(|error| translate(error, &self.table))?;
        self.base = base;
        fault::point("after_checkpoint");
        Ok(matches!(written, CheckpointWriteResult::Written))
    }
}
