//! The standard output of the process that runs the replay as a destination: NDJSON, for what it is
//! piped into.
//!
//! Lines are those that `line` describes; the lines of a batch stand together, whoever else writes.
//! A record is acknowledged once its line is written: what became of it in a pipe whose reader dies
//! nobody knows. At least once: after a crash a line may come a second time, under the same `id`.
//!
//! One thread of the process writes, since nothing can interrupt a write into a pipe that nobody
//! reads; a replay that waits for it can be paused all the same.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use eddy_engine::Clock;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::given::Given;
use super::lanes::{Carrier, Lanes, Sizes, fail_rest};
use super::packed::Packed;
use super::{Checked, Delivery, Destination, Landed, Outgoing, line};
use crate::error::{Error, Result};
use crate::request::{Headers, Options};

const WHAT: &str = "a stdout destination";
const TARGET: &str = "standard output";
/// How long a pause waits for what is being written.
const GRACE: Duration = Duration::from_secs(2);
/// Nothing is gained by waiting for more.
const SIZES: Sizes = Sizes {
    lanes: 1,
    batch_records: 1_000,
    batch_bytes: 1 << 20,
    wait: Duration::ZERO,
};

/// Destinations of type `stdout`.
#[derive(Clone)]
pub(crate) struct Stdout {
    clock: Clock,
    thread: Arc<Mutex<Thread>>,
}

/// What writes.
enum Thread {
    /// It isn't needed yet, and will write here.
    Waits(Box<dyn Write + Send>),
    Runs(mpsc::Sender<Lines>),
    /// It couldn't be started.
    Missing,
}

/// Whole lines, and who asks whether they are written.
struct Lines {
    text: Vec<u8>,
    answer: oneshot::Sender<io::Result<()>>,
}

impl Stdout {
    /// The kind.
    pub(crate) fn new(clock: Clock) -> Self {
        Self::writing_to(clock, io::stdout())
    }

    /// The same, writing elsewhere.
    fn writing_to(clock: Clock, out: impl Write + Send + 'static) -> Self {
        Self {
            clock,
            thread: Arc::new(Mutex::new(Thread::Waits(Box::new(out)))),
        }
    }

    /// Whether the options can be right: there are none.
    ///
    /// # Errors
    /// `Invalid`, naming the option.
    pub(super) fn validate(options: &BTreeMap<String, String>) -> Result<()> {
        Given::written(WHAT, options).only(&[], &[])
    }

    /// Opens the destination.
    ///
    /// # Errors
    /// `Internal` when the process can't have one more thread.
    pub(super) fn open(&self, replay: &Options) -> Result<Arc<dyn Destination>> {
        let halt = CancellationToken::new();
        let carrier = Writer {
            lines: self.lines()?,
            clock: self.clock.clone(),
            halt: halt.clone(),
            bare: replay.headers == Some(Headers::Strip),
        };
        let lanes = Lanes::start(carrier, SIZES, replay, self.clock.clone(), halt);
        Ok(Arc::new(Target(lanes)))
    }

    /// Where lines go; starts the thread the first time.
    fn lines(&self) -> Result<mpsc::Sender<Lines>> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let out = match std::mem::replace(&mut *thread, Thread::Missing) {
            Thread::Waits(out) => out,
            Thread::Runs(lines) => {
                *thread = Thread::Runs(lines.clone());
                return Ok(lines);
            }
            Thread::Missing => return Err(Error::internal("no thread writes standard output")),
        };
        let (lines, given) = mpsc::channel(1);
        let started = std::thread::Builder::new()
            .name("eddy-stdout".to_owned())
            .spawn(move || write(out, given));
        started.map_err(|error| {
            Error::internal("a thread for standard output can't be started").with_source(error)
        })?;
        *thread = Thread::Runs(lines.clone());
        Ok(lines)
    }
}

/// Writes until nobody has lines any more.
fn write(mut out: Box<dyn Write + Send>, mut given: mpsc::Receiver<Lines>) {
    while let Some(Lines { text, answer }) = given.blocking_recv() {
        let written = out.write_all(&text).and_then(|()| out.flush());
        // Whoever asked may be gone.
        let _ = answer.send(written);
    }
}

struct Target(Lanes);

#[async_trait]
impl Destination for Target {
    fn target(&self) -> String {
        TARGET.to_owned()
    }

    /// It is there, as long as nobody closes it.
    async fn check(&self) -> Result<Checked> {
        Ok(Checked {
            target: self.target(),
            ..Checked::default()
        })
    }

    async fn send(&self, record: &Outgoing<'_>) -> Result<Delivery> {
        self.0.send(record).await
    }

    fn window(&self) -> Option<usize> {
        Some(SIZES.window())
    }

    fn tells_origin(&self) -> bool {
        true
    }

    fn halt(&self) {
        self.0.halt();
    }
}

/// Hands batches to the thread.
struct Writer {
    lines: mpsc::Sender<Lines>,
    clock: Clock,
    halt: CancellationToken,
    bare: bool,
}

impl Carrier for Writer {
    async fn carry(&self, batch: &[Packed]) -> Vec<Result<Landed>> {
        let mut text = Vec::new();
        for record in batch {
            line::write(record, self.bare, &mut text);
        }
        let written = tokio::select! {
            written = self.write(text) => written,
            () = self.too_long() => Err(Error::unavailable("nobody reads standard output")),
        };
        match written {
            Ok(()) => batch.iter().map(|_| Ok(Landed::default())).collect(),
            Err(error) => {
                let mut outcomes = vec![Err(error)];
                fail_rest(&mut outcomes, batch.len());
                outcomes
            }
        }
    }
}

impl Writer {
    /// Until the replay has ended and what was under way had its time.
    async fn too_long(&self) {
        self.halt.cancelled().await;
        self.clock.sleep(GRACE).await;
    }

    async fn write(&self, text: Vec<u8>) -> Result<()> {
        let (answer, written) = oneshot::channel();
        let ended = || Error::internal("what writes standard output has ended");
        let sent = self.lines.send(Lines { text, answer }).await;
        sent.map_err(|_| ended())?;
        written.await.map_err(|_| ended())?.map_err(|error| {
            Error::invalid("standard output can't be written")
                .with_source(error)
                .with_hint("start the process with something that reads it, then resume the replay")
        })
    }
}

#[cfg(test)]
mod tests;
