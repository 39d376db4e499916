//! What the bodies of requests may take together, bounded in number and in bytes.
//!
//! Room for a whole body is reserved before any of it is read: two requests that each held a part
//! of theirs would wait for each other for ever.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::CollectorOptions;
use crate::error::{Error, Result};

/// Room for the bodies of requests, over HTTP and gRPC together.
pub(super) struct Room {
    requests: Arc<Semaphore>,
    kibibytes: Arc<Semaphore>,
    kibibytes_max: usize,
}

/// The room of one body, until it is dropped.
pub(super) type Held = [OwnedSemaphorePermit; 2];

impl Room {
    pub(super) fn new(options: &CollectorOptions) -> Self {
        let kibibytes_max = (options.memory_bytes >> 10).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            requests: Arc::new(Semaphore::new(
                options.requests_max.clamp(1, Semaphore::MAX_PERMITS),
            )),
            kibibytes: Arc::new(Semaphore::new(kibibytes_max)),
            kibibytes_max,
        }
    }

    /// Waits until a body of so many bytes has room; one that is larger than all of it gets all.
    ///
    /// # Errors
    /// `Unavailable` when the collector is closed.
    pub(super) async fn enter(&self, bytes: usize) -> Result<Held> {
        let closed = |_| Error::unavailable("the collector is closed");
        let kibibytes = (bytes >> 10).saturating_add(1).min(self.kibibytes_max);
        let kibibytes = u32::try_from(kibibytes).unwrap_or(u32::MAX);
        let request = Arc::clone(&self.requests).acquire_owned().await;
        let bytes = Arc::clone(&self.kibibytes).acquire_many_owned(kibibytes);
        Ok([request.map_err(closed)?, bytes.await.map_err(closed)?])
    }
}
