//! Several requests at a time, as far as the order allows: each lane carries its records one batch
//! after the other, and what has to stay in order goes into one lane.
//!
//! A lane puts into a batch what waits for it, and while a batch is on its way the next one fills;
//! it waits for more only where the destination wants full batches. The first failure that isn't of
//! one record alone ends all lanes; what waits in them is told the same failure, so that nothing
//! overtakes what failed. What is on its way then may still be acknowledged.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering as Atomic};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use eddy_engine::Clock;
use futures::future::FutureExt;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::packed::Packed;
use super::{Delivery, Landed, Outgoing};
use crate::error::{Error, ErrorKind, Result};
use crate::request::{OnError, Options, Ordering};

/// Takes a batch of records to the other side.
pub(super) trait Carrier: Send + Sync + 'static {
    /// Sends the records in their order; the answer is the outcome of each. An outcome that isn't
    /// `Rejected` ends all lanes.
    fn carry(&self, batch: &[Packed]) -> impl Future<Output = Vec<Result<Landed>>> + Send;
}

/// How many lanes, and what a batch holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// Lanes; at least 1.
    pub(super) lanes: usize,
    /// The most records of a batch; at least 1.
    pub(super) batch_records: usize,
    /// The most bytes of a batch, as [`Packed::bytes`] counts them; a larger record goes alone.
    pub(super) batch_bytes: usize,
    /// The longest that a batch waits to fill.
    pub(super) wait: Duration,
}

impl Sizes {
    /// The records that the lanes have use for: a batch on its way and the next one, with room for
    /// lanes that get more than others.
    pub(super) fn window(self) -> usize {
        (self.lanes * self.batch_records).saturating_mul(4)
    }
}

/// The running lanes. Dropping them gives up what isn't acknowledged.
pub(super) struct Lanes {
    ordering: Ordering,
    queues: Vec<mpsc::Sender<Parcel>>,
    next: AtomicUsize,
    failure: Arc<Failure>,
    _running: JoinSet<()>,
}

struct Parcel {
    record: Packed,
    answer: oneshot::Sender<Result<Landed>>,
}

/// The first failure, and that lanes begin nothing more.
struct Failure {
    halt: CancellationToken,
    first: OnceLock<Error>,
}

impl Failure {
    fn set(&self, error: &Error) {
        let _ = self.first.set(error.copy());
        self.halt.cancel();
    }

    fn error(&self) -> Error {
        match self.first.get() {
            Some(error) => error.copy(),
            None => Error::unavailable("it was given up before its turn came"),
        }
    }
}

/// Tells the records behind the last outcome, of `all`, that they failed with it.
pub(super) fn fail_rest(outcomes: &mut Vec<Result<Landed>>, all: usize) {
    while outcomes.len() < all {
        outcomes.push(match outcomes.last() {
            Some(Err(error)) => Err(error.copy()),
            _ => Err(Error::internal("a record has no outcome")),
        });
    }
}

impl Lanes {
    /// Starts the lanes; `halt` ends them, and the waits of `carrier`.
    pub(super) fn start<C: Carrier>(
        carrier: C,
        sizes: Sizes,
        replay: &Options,
        clock: Clock,
        halt: CancellationToken,
    ) -> Self {
        let carrier = Arc::new(carrier);
        let first = OnceLock::new();
        let failure = Arc::new(Failure { halt, first });
        let mut running = JoinSet::new();
        let stop_at_refused = replay.on_error == OnError::Stop;
        let queues = (0..sizes.lanes.max(1)).map(|_| {
            let (queue, parcels) = mpsc::channel(sizes.window());
            running.spawn(run(
                carrier.clone(),
                parcels,
                sizes,
                failure.clone(),
                clock.clone(),
                stop_at_refused,
            ));
            queue
        });
        Self {
            ordering: replay.ordering,
            queues: queues.collect(),
            next: AtomicUsize::new(0),
            failure,
            _running: running,
        }
    }

    /// Puts a record into its lane.
    ///
    /// # Errors
    /// The lanes' failure, once there is one.
    pub(super) async fn send(&self, record: &Outgoing<'_>) -> Result<Delivery> {
        let Some(queue) = self.queues.get(self.lane(record)) else {
            return Err(Error::internal("a destination has no lane"));
        };
        let (answer, told) = oneshot::channel();
        let parcel = Parcel {
            record: Packed::new(record),
            answer,
        };
        // The queue holds what the replay's window allows, so this never waits for long.
        if queue.send(parcel).await.is_err() {
            return Err(self.failure.error());
        }
        let failure = self.failure.clone();
        let outcome = async move { told.await.unwrap_or_else(|_| Err(failure.error())) };
        Ok(outcome.boxed())
    }

    /// Begins nothing more.
    pub(super) fn halt(&self) {
        self.failure.halt.cancel();
    }

    fn lane(&self, record: &Outgoing<'_>) -> usize {
        let hash = match (self.ordering, record.key) {
            (Ordering::Partition, _) => hash(&(record.origin.topic_id, record.origin.partition)),
            (Ordering::Key, Some(key)) => hash(&(record.origin.topic_id, key)),
            (Ordering::Time, _) => 0,
            (Ordering::Key | Ordering::None, _) => self.next.fetch_add(1, Atomic::Relaxed),
        };
        hash % self.queues.len().max(1)
    }
}

fn hash(of: &impl Hash) -> usize {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    // Only spread matters here.
    usize::try_from(hasher.finish() >> 32).unwrap_or_default()
}

/// One lane, until it is dropped or fails.
async fn run<C: Carrier>(
    carrier: Arc<C>,
    mut parcels: mpsc::Receiver<Parcel>,
    sizes: Sizes,
    failure: Arc<Failure>,
    clock: Clock,
    stop_at_refused: bool,
) {
    let mut held = None;
    loop {
        let first = match held.take() {
            Some(parcel) => Some(parcel),
            None => tokio::select! {
                biased;
                () = failure.halt.cancelled() => None,
                parcel = parcels.recv() => parcel,
            },
        };
        let Some(first) = first else {
            return;
        };
        let filling = Filling {
            clock: &clock,
            halt: &failure.halt,
            until: clock.monotonic().saturating_add(sizes.wait),
        };
        let (batch, answers) = fill(first, &mut parcels, &mut held, sizes, filling).await;
        if failure.halt.is_cancelled() {
            return;
        }
        let mut outcomes = carrier.carry(&batch).await.into_iter();
        let mut failed = false;
        for answer in answers {
            let none = || Err(Error::internal("a record has no outcome"));
            let outcome = outcomes.next().unwrap_or_else(none);
            if let Err(error) = &outcome
                && (stop_at_refused || error.kind() != ErrorKind::Rejected)
            {
                failure.set(error);
                failed = true;
            }
            // Whoever asked may be gone.
            let _ = answer.send(outcome);
        }
        if failed {
            return;
        }
    }
}

/// A batch of what is there, and of what comes while it may wait. The parcel that doesn't fit is
/// held for the next one.
async fn fill(
    first: Parcel,
    parcels: &mut mpsc::Receiver<Parcel>,
    held: &mut Option<Parcel>,
    sizes: Sizes,
    filling: Filling<'_>,
) -> (Vec<Packed>, Vec<oneshot::Sender<Result<Landed>>>) {
    let mut bytes = first.record.bytes();
    let mut batch = vec![first.record];
    let mut answers = vec![first.answer];
    while batch.len() < sizes.batch_records {
        let Some(parcel) = filling.next(parcels).await else {
            break;
        };
        bytes = bytes.saturating_add(parcel.record.bytes());
        if bytes > sizes.batch_bytes {
            *held = Some(parcel);
            break;
        }
        batch.push(parcel.record);
        answers.push(parcel.answer);
    }
    (batch, answers)
}

/// What a batch may still wait for.
struct Filling<'a> {
    clock: &'a Clock,
    halt: &'a CancellationToken,
    until: Duration,
}

impl Filling<'_> {
    async fn next(&self, parcels: &mut mpsc::Receiver<Parcel>) -> Option<Parcel> {
        if let Ok(parcel) = parcels.try_recv() {
            return Some(parcel);
        }
        let left = self.until.saturating_sub(self.clock.monotonic());
        if left.is_zero() {
            return None;
        }
        tokio::select! {
            biased;
            () = self.halt.cancelled() => None,
            parcel = parcels.recv() => parcel,
            () = self.clock.sleep(left) => None,
        }
    }
}

#[cfg(test)]
mod tests;
