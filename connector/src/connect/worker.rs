//! The running side of REST: a connector's life from its creation to its end.
//!
//! ```text
//! REST -> change -> log (durable) -> Wanted -> order -> a thread -> tasks
//!                                       \-> answers        (`here`: what runs on this worker)
//! ```
//!
//! What should run (`state`, pure) and what runs here are apart, so that several workers can share
//! the former. A change is durable before its request is answered; carrying it out goes on after
//! that, in the order of the changes of each connector (`carry`, `lanes`). `views` is what answers
//! are made of, `here` what one connector does on this worker, `topics` which of its topics had
//! records, `offsets` the positions of its tables.

mod beside;
mod carry;
mod here;
mod lanes;
mod offsets;
mod topics;
mod views;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eddy_engine::Clock;

use crate::connect::connectors::Connectors;
use crate::connect::state::{Entry, Log, Place, Target, Wanted, Wish};
use crate::error::{Error, ErrorKind, Result};
use here::Here;
use lanes::Lanes;
pub(super) use offsets::Alteration;
pub(super) use views::{ConnectorView, TaskView};

/// How long a task may take to commit what it has when it is told to end.
const STOP: Duration = Duration::from_secs(25);
/// Between two attempts to open the log at first; doubled while it can't be.
const AGAIN_LEAST: Duration = Duration::from_secs(1);
const AGAIN_MOST: Duration = Duration::from_secs(30);
/// Orders that wait; whoever gives one more waits.
const ORDERS: usize = 4_096;

/// The connectors of this worker, as REST sees and changes them.
#[derive(Clone)]
pub struct Worker(Arc<Inner>);

struct Inner {
    connectors: Arc<Connectors>,
    /// The configurations of the configuration file, which REST only shows.
    file: BTreeMap<String, BTreeMap<String, String>>,
    log: Mutex<Option<Log>>,
    wanted: Mutex<Wanted>,
    here: Mutex<BTreeMap<String, Here>>,
    orders: SyncSender<Order>,
    lanes: Lanes,
}

/// What the worker's thread is told.
enum Order {
    /// Make the connector what it should be.
    Follow(String),
    /// Start the connector anew, if it failed, and these of its tasks.
    Restart(String, Vec<usize>),
    /// End.
    End(SyncSender<()>),
}

impl Worker {
    /// Starts the worker; the log is opened and what it says is started in the background.
    ///
    /// # Errors
    /// `Internal` when its thread can't be started.
    pub fn start(
        connectors: &Arc<Connectors>,
        place: Place,
        file: BTreeMap<String, BTreeMap<String, String>>,
    ) -> Result<Self> {
        let (orders, received) = sync_channel(ORDERS);
        let worker = Self(Arc::new(Inner {
            connectors: Arc::clone(connectors),
            file,
            log: Mutex::default(),
            wanted: Mutex::default(),
            here: Mutex::default(),
            orders,
            lanes: Lanes::default(),
        }));
        let inner = Arc::clone(&worker.0);
        std::thread::Builder::new()
            .name("connect-worker".to_owned())
            .spawn(move || inner.run(&place, &received))
            .map_err(|error| {
                Error::new(ErrorKind::Internal, "the worker's thread can't be started")
                    .with_source(error)
            })?;
        Ok(worker)
    }

    /// Whether the log is read: before, nobody knows what should run.
    pub fn is_ready(&self) -> bool {
        lock(&self.0.log).is_some()
    }

    /// Ends the worker's thread and closes the log; the tasks are ended by [`Connectors::stop`].
    /// Blocks.
    pub fn stop(&self, within: Duration) {
        let (ended, end) = sync_channel(1);
        if self.0.orders.try_send(Order::End(ended)).is_ok() {
            let _ = end.recv_timeout(within);
        }
        *lock(&self.0.log) = None;
    }

    /// The clock that everything of this worker goes by.
    pub(super) fn clock(&self) -> Clock {
        self.0.connectors.lake().clock().clone()
    }

    /// The configuration of the connector called `name`, and whether it is the file's.
    pub(super) fn config(&self, name: &str) -> Option<BTreeMap<String, String>> {
        let wish = lock(&self.0.wanted).get(name).map(|wish| wish.config);
        wish.or_else(|| self.0.file.get(name).cloned())
    }

    /// Whether the connector is the configuration file's.
    pub(super) fn is_of_file(&self, name: &str) -> bool {
        self.0.file.contains_key(name)
    }

    /// The names of all connectors.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names = lock(&self.0.wanted).names();
        names.extend(self.0.file.keys().cloned());
        names.sort();
        names.dedup();
        names
    }

    /// Makes or changes a connector. Blocks.
    ///
    /// # Errors
    /// `Unavailable` when the change may not be durable.
    pub(super) fn put(
        &self,
        name: &str,
        config: &BTreeMap<String, String>,
        target: Option<Target>,
    ) -> Result<()> {
        let mut entries: Vec<Entry> = target
            .map(|target| Entry::target(name, target))
            .into_iter()
            .collect();
        entries.push(Entry::config(name, config));
        self.0.change(&entries)?;
        self.0.order(Order::Follow(name.to_owned()))
    }

    /// Sets what a connector is meant to do. Blocks.
    ///
    /// # Errors
    /// As [`Worker::put`].
    pub(super) fn set(&self, name: &str, target: Target) -> Result<()> {
        self.0.change(&[Entry::target(name, target)])?;
        self.0.order(Order::Follow(name.to_owned()))
    }

    /// Removes a connector. Blocks.
    ///
    /// # Errors
    /// As [`Worker::put`].
    pub(super) fn delete(&self, name: &str) -> Result<()> {
        self.0.change(&Entry::gone(name))?;
        self.0.order(Order::Follow(name.to_owned()))
    }

    /// Starts a failed connector and these of its tasks anew, in the background.
    ///
    /// # Errors
    /// `Unavailable` when the worker is ending.
    pub(super) fn restart(&self, name: &str, tasks: Vec<usize>) -> Result<()> {
        self.0.order(Order::Restart(name.to_owned(), tasks))
    }

    fn wish(&self, name: &str) -> Option<Wish> {
        lock(&self.0.wanted).get(name)
    }
}

impl Inner {
    fn run(self: &Arc<Self>, place: &Place, orders: &Receiver<Order>) {
        let Some(end) = self.open(place, orders) else {
            let names = lock(&self.wanted).names();
            for name in names {
                self.carry_out(name, |inner, name| inner.follow(name));
            }
            self.serve(orders);
            return;
        };
        let _ = end.send(());
    }

    /// Opens the log, however long the broker is away; answers who asked for the end meanwhile.
    fn open(&self, place: &Place, orders: &Receiver<Order>) -> Option<SyncSender<()>> {
        let clock = self.connectors.lake().clock().clone();
        let mut again = AGAIN_LEAST;
        loop {
            match Log::open(place, &clock) {
                Ok((log, entries)) => {
                    let mut wanted = lock(&self.wanted);
                    entries.iter().for_each(|entry| wanted.apply(entry));
                    drop(wanted);
                    *lock(&self.log) = Some(log);
                    return None;
                }
                Err(error) => tracing::warn!(%error, "what connectors should run isn't known yet"),
            }
            match orders.recv_timeout(again) {
                Ok(Order::End(end)) => return Some(end),
                Ok(_) | Err(_) => again = (again * 2).min(AGAIN_MOST),
            }
        }
    }

    fn serve(self: &Arc<Self>, orders: &Receiver<Order>) {
        while let Ok(order) = orders.recv() {
            match order {
                Order::Follow(name) => self.carry_out(name, |inner, name| inner.follow(name)),
                Order::Restart(name, tasks) => {
                    self.carry_out(name, move |inner, name| inner.restart(name, &tasks));
                }
                Order::End(end) => {
                    self.lanes.settle(STOP);
                    let _ = end.send(());
                    return;
                }
            }
        }
    }

    fn carry_out(self: &Arc<Self>, name: String, what: impl FnOnce(&Self, &str) + Send + 'static) {
        let (inner, lane) = (Arc::clone(self), name.clone());
        self.lanes
            .give(&lane, Box::new(move || what(&inner, &name)));
    }

    /// Writes entries to the log and takes them in.
    fn change(&self, entries: &[Entry]) -> Result<()> {
        let mut log = lock(&self.log);
        let Some(open) = log.as_mut() else {
            return Err(Error::unavailable("Worker is still starting up."));
        };
        open.append(entries)?;
        let mut wanted = lock(&self.wanted);
        entries.iter().for_each(|entry| wanted.apply(entry));
        Ok(())
    }

    fn order(&self, order: Order) -> Result<()> {
        self.orders
            .try_send(order)
            .map_err(|_| Error::unavailable("the worker is ending, or has too much to do"))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
