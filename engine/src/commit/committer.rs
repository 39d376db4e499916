//! Our end of the kernel's transaction: it composes a version, we put it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use delta_kernel::committer::{CommitMetadata, CommitResponse, Committer, PublishMetadata};
use delta_kernel::engine::arrow_utils::to_json_bytes;
use delta_kernel::{
    Engine, FileMeta, FilteredEngineData, KernelError, KernelResult, KernelResultIterator,
};
use uuid::Uuid;

use crate::commit::put::{self, Outcome, Payload};
use crate::lake::Lake;
use crate::path::TablePath;

/// Serialises the kernel's actions once, adds our own lines, and puts the whole under the rules of
/// P9. The kernel's answer to an error only says that there was one, so what really happened is
/// left in [`Sent`].
pub(super) struct LogCommitter {
    pub(super) lake: Lake,
    pub(super) table: TablePath,
    pub(super) id: Uuid,
    /// `add` and `metaData` actions, which we have as text already.
    pub(super) lines: Vec<u8>,
    pub(super) based_at: Duration,
    pub(super) sent: Sent,
}

/// The payload that was put and what became of it; empty when the kernel refused before the put.
#[derive(Debug, Clone, Default)]
pub(super) struct Sent(Arc<Mutex<Option<(Payload, Outcome)>>>);

impl Sent {
    pub(super) fn take(&self) -> Option<(Payload, Outcome)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Committer for LogCommitter {
    fn commit(
        &self,
        _engine: &dyn Engine,
        actions: KernelResultIterator<'_, FilteredEngineData>,
        metadata: CommitMetadata,
    ) -> KernelResult<CommitResponse> {
        let mut bytes = to_json_bytes(actions)?;
        bytes.extend_from_slice(&self.lines);
        let payload = Payload {
            id: self.id,
            version: metadata.version(),
            bytes: Bytes::from(bytes),
            based_at: self.based_at,
        };
        let outcome = put::put(&self.lake, &self.table, &payload);
        let response = match &outcome {
            Outcome::Ours => Ok(CommitResponse::Committed {
                file_meta: FileMeta::new(
                    metadata.published_commit_path()?,
                    metadata.in_commit_timestamp(),
                    payload.bytes.len() as u64,
                ),
            }),
            Outcome::Other => Ok(CommitResponse::Conflict {
                version: payload.version,
            }),
            Outcome::Unsettled(_) => Err(KernelError::generic("the put is not settled")),
        };
        let mut sent = self.sent.0.lock().unwrap_or_else(PoisonError::into_inner);
        *sent = Some((payload, outcome));
        response
    }

    fn is_catalog_committer(&self) -> bool {
        false
    }

    fn publish(&self, _engine: &dyn Engine, _metadata: PublishMetadata) -> KernelResult<()> {
        Ok(())
    }
}
