//! Calls of the client that block, each on a thread of its own, and waited for no longer than they
//! may take.
//!
//! The client's own limit doesn't hold everywhere: offsets of a transaction wait for their group's
//! coordinator however long it is away (librdkafka 2.12.1, `rdkafka_coord.c`: `creq_ts_timeout` is
//! set, and nobody asks for it). The thread then stays until the coordinator is back; it is none
//! that the process waits for when it ends.

use std::time::Duration;

use eddy_engine::Clock;
use tokio::sync::oneshot;

/// Beyond the client's own limit: where that holds, its answer says more.
const GRACE: Duration = Duration::from_secs(5);

/// What `work` comes to; `None` when it takes longer than `limit`, and a little.
pub(super) async fn in_step<T: Send + 'static>(
    limit: Duration,
    clock: &Clock,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (answer, answered) = oneshot::channel();
    let thread = std::thread::Builder::new().name("kafka-transaction".to_owned());
    let started = thread.spawn(move || {
        // Whoever doesn't wait any more has no use for it.
        let _ = answer.send(work());
    });
    if let Err(error) = started {
        tracing::error!(%error, "a thread for a transaction's step can't be started");
        return None;
    }
    tokio::select! {
        done = answered => done.ok(),
        () = clock.sleep(limit.saturating_add(GRACE)) => None,
    }
}
