//! Cancelling: a client asks for it over a connection of its own, by the key of the one that it
//! means.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pgwire::messages::cancel::CancelRequest;
use pgwire::messages::startup::{BackendKeyData, SecretKey};
use tokio::sync::watch;
use uuid::Uuid;

type Open = Arc<Mutex<HashMap<(i32, i32), watch::Sender<u64>>>>;

/// The open connections by their keys.
#[derive(Default)]
pub(super) struct Cancels {
    open: Open,
    last: AtomicI32,
}

impl Cancels {
    /// A new connection with a secret out of `random`.
    pub(super) fn register(&self, random: Uuid) -> Registered {
        let number = self.last.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let [.., a, b, c, d] = *random.as_bytes();
        let key = (number, i32::from_be_bytes([a, b, c, d]));
        let (tx, rx) = watch::channel(0);
        lock(&self.open).insert(key, tx);
        Registered {
            open: Arc::clone(&self.open),
            key,
            rx,
        }
    }

    /// Cancels what the connection of a key does at this moment. Nobody is told whether there is
    /// one: whoever asks hasn't said who they are.
    pub(super) fn cancel(&self, request: &CancelRequest) {
        let SecretKey::I32(secret) = request.secret_key else {
            return;
        };
        if let Some(connection) = lock(&self.open).get(&(request.pid, secret)) {
            connection.send_modify(|count| *count += 1);
        }
    }
}

/// A connection that can be cancelled, as long as this lives.
pub(super) struct Registered {
    open: Open,
    key: (i32, i32),
    rx: watch::Receiver<u64>,
}

impl Registered {
    /// The key, as the client is told it.
    pub(super) fn key(&self) -> BackendKeyData {
        BackendKeyData::new(self.key.0, SecretKey::I32(self.key.1))
    }

    /// Cancels of what begins now; earlier ones came too late.
    pub(super) fn begin(&self) -> Cancelled {
        let mut rx = self.rx.clone();
        rx.mark_unchanged();
        Cancelled(rx)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        lock(&self.open).remove(&self.key);
    }
}

/// Whether what runs is cancelled.
pub(super) struct Cancelled(watch::Receiver<u64>);

impl Cancelled {
    /// Returns once it is.
    pub(super) async fn wait(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody can cancel any more.
            std::future::pending::<()>().await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
