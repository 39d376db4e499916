//! The answers that are being read, by their tickets, so that another call can cancel them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};

type Open = Arc<Mutex<HashMap<Uuid, oneshot::Sender<()>>>>;

/// All of them: as many as connections have open calls.
#[derive(Default)]
pub(super) struct Readings(Open);

impl Readings {
    /// Begins to read the answer of a ticket.
    ///
    /// # Errors
    /// `Conflict` when someone reads it already.
    pub(super) fn begin(&self, ticket: Uuid) -> Result<Reading> {
        let (tx, cancelled) = oneshot::channel();
        let mut open = lock(&self.0);
        if open.contains_key(&ticket) {
            let text = "the answer of this ticket is being read already";
            return Err(Error::new(ErrorKind::Conflict, text)
                .with_hint("a ticket gives its answer once: ask again for another one"));
        }
        open.insert(ticket, tx);
        Ok(Reading {
            open: Arc::clone(&self.0),
            ticket,
            cancelled,
        })
    }

    /// Cancels the answer of a ticket; false when nobody reads it.
    pub(super) fn cancel(&self, ticket: Uuid) -> bool {
        let reader = lock(&self.0).remove(&ticket);
        reader.is_some_and(|reader| reader.send(()).is_ok())
    }
}

/// An answer that is being read, until this is dropped.
pub(super) struct Reading {
    open: Open,
    ticket: Uuid,
    cancelled: oneshot::Receiver<()>,
}

impl Reading {
    /// Returns once it is cancelled, with what its reader is told.
    pub(super) async fn cancelled(&mut self) -> Error {
        if (&mut self.cancelled).await.is_err() {
            // Nobody can cancel it any more.
            std::future::pending::<()>().await;
        }
        Error::new(ErrorKind::Cancelled, "the query was cancelled")
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        lock(&self.open).remove(&self.ticket);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
