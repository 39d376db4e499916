//! The running side of REST: a connector's life from its creation to its end.
//!
//! ```text
//! REST -> change -> log (durable) -> Folded: what should run -> order -> a lane -> tasks
//!                    ^ other workers              ^ group: which of it here
//!                                                      \-> status topic -> Board -> answers
//! ```
//!
//! What should run (`state`, pure) and what runs here are apart: the workers of a group share the
//! former, and Kafka's group protocol spreads the tasks (`spread`, `member`). A change is durable,
//! and read back, before its request is answered; carrying it out goes on after that, in the order
//! of the changes of each connector (`carry`, `lanes`), on every worker that has its tasks. `views`
//! is what answers are made of: `here`, what one connector does on this worker, and `status`, what
//! the others say (`report`). `topics` is which of its topics had records, `offsets` the positions
//! of its tables, `levels` those of all workers' loggers.

mod beside;
mod carry;
mod here;
mod lanes;
mod levels;
mod log;
mod member;
mod offsets;
mod report;
mod spread;
mod status;
mod topics;
mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use eddy_engine::Clock;

use crate::connect::connectors::Connectors;
use crate::connect::state::{
    Change, Chosen, Decide, Entry, Folded, Group, Log, Place, Target, Wish,
};
use crate::error::{Error, ErrorKind, Result};
use here::Here;
use lanes::Lanes;
pub(super) use offsets::Alteration;
use report::Reporter;
use spread::{Owned, PARTITIONS};
use status::Board;
pub(super) use views::{ConnectorView, TaskView};

/// How long a task may take to commit what it has when it is told to end.
const STOP: Duration = Duration::from_secs(25);
/// Between two attempts to open the log at first; doubled while it can't be.
const AGAIN_LEAST: Duration = Duration::from_secs(1);
const AGAIN_MOST: Duration = Duration::from_secs(30);
/// Between two looks at what couldn't be started.
const LOOK: Duration = Duration::from_secs(1);
/// How long the last words to the group may take.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// Orders that wait; whoever gives one more waits.
const ORDERS: usize = 4_096;

/// The connectors of this worker, as REST sees and changes them.
#[derive(Clone)]
pub struct Worker(Arc<Inner>);

struct Inner {
    connectors: Arc<Connectors>,
    /// The configurations of the configuration file, which REST only shows.
    file: BTreeMap<String, BTreeMap<String, String>>,
    /// Whom it shares its work with.
    group: Option<Group>,
    /// `host:port` under which others reach it.
    worker: String,
    /// What the tasks' lasting names in their connectors' groups begin with. In a group of workers
    /// it is the same for all of them: whoever takes a task over takes its place, and nothing else
    /// moves.
    member: String,
    log: Mutex<Option<Log>>,
    folded: Folded,
    /// What this worker was given, and how often that changed.
    ownership: Mutex<(Owned, u64)>,
    here: Mutex<BTreeMap<String, Here>>,
    board: Mutex<Board>,
    reporter: OnceLock<Reporter>,
    set_level: OnceLock<Box<levels::SetLevel>>,
    orders: SyncSender<Order>,
    lanes: Lanes,
    halt: AtomicBool,
    last_words: Mutex<Option<Receiver<()>>>,
    /// Its tasks have ended: it may leave its group.
    done: AtomicBool,
    left: Mutex<Option<Receiver<()>>>,
}

/// What the worker's thread is told.
enum Order {
    /// Make the connector what it should be.
    Follow(String),
    /// Start the connector anew, if it failed, and these of its tasks.
    Restart(String, Chosen),
    /// End.
    End(SyncSender<()>),
}

/// What a new configuration was made from: a change of it meanwhile refuses it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Basis<'a> {
    /// There is no such connector.
    Nothing,
    /// Whatever there is.
    Anything,
    /// This one.
    Config(&'a BTreeMap<String, String>),
}

impl Worker {
    /// Starts the worker that others reach at `advertised`; the log is opened and what it says is
    /// started in the background.
    ///
    /// # Errors
    /// `Internal` when its thread can't be started.
    pub fn start(
        connectors: &Arc<Connectors>,
        place: Place,
        file: BTreeMap<String, BTreeMap<String, String>>,
        advertised: &str,
    ) -> Result<Self> {
        let (orders, received) = sync_channel(ORDERS);
        let group = match &place {
            Place::File(_) => None,
            Place::Group(group) => Some(group.as_ref().clone()),
        };
        let owned = match &group {
            None => Owned::Everything,
            Some(_) => Owned::Partitions {
                count: PARTITIONS,
                mine: BTreeSet::new(),
            },
        };
        let member = group.as_ref().map(|group| group.name.clone());
        let worker = Self(Arc::new(Inner {
            connectors: Arc::clone(connectors),
            file,
            member: member.unwrap_or_else(|| connectors.worker_id().to_owned()),
            group,
            worker: advertised.to_owned(),
            log: Mutex::default(),
            folded: Folded::default(),
            ownership: Mutex::new((owned, 0)),
            here: Mutex::default(),
            board: Mutex::default(),
            reporter: OnceLock::new(),
            set_level: OnceLock::new(),
            orders,
            lanes: Lanes::default(),
            halt: AtomicBool::new(false),
            last_words: Mutex::default(),
            done: AtomicBool::new(false),
            left: Mutex::default(),
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
        self.0.folded.is_whole()
    }

    /// Ends the worker's threads and closes the log; the tasks are ended by [`Connectors::stop`],
    /// and keep their places in the groups for a worker that comes back. Blocks.
    pub fn stop(&self, within: Duration) {
        self.0.halt.store(true, Ordering::SeqCst);
        let (ended, end) = sync_channel(1);
        if self.0.orders.try_send(Order::End(ended)).is_ok() {
            let _ = end.recv_timeout(within);
        }
        if let Some(said) = lock(&self.0.last_words).take() {
            let _ = said.recv_timeout(LAST_WORDS);
        }
        *lock(&self.0.log) = None;
    }

    /// Closes the worker's place in its group once its tasks have ended: what fell to it is kept
    /// for it until the session's time is over. Blocks.
    pub fn leave(&self, within: Duration) {
        self.0.done.store(true, Ordering::SeqCst);
        if let Some(left) = lock(&self.0.left).take() {
            let _ = left.recv_timeout(within);
        }
    }

    /// The clock that everything of this worker goes by.
    pub(super) fn clock(&self) -> Clock {
        self.0.clock()
    }

    /// The configuration of the connector called `name`, and whether it is the file's.
    pub(super) fn config(&self, name: &str) -> Option<BTreeMap<String, String>> {
        let wanted = self.0.folded.read(|wanted| wanted.config(name).cloned());
        wanted.or_else(|| self.0.file.get(name).cloned())
    }

    /// Whether the connector is the configuration file's.
    pub(super) fn is_of_file(&self, name: &str) -> bool {
        self.0.file.contains_key(name)
    }

    /// The names of all connectors.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names = self.0.folded.read(crate::connect::state::Wanted::names);
        names.extend(self.0.file.keys().cloned());
        names.sort();
        names.dedup();
        names
    }

    /// Makes or changes a connector, unless what it is made from has changed. Blocks.
    ///
    /// # Errors
    /// `Fenced` for a change meanwhile; `Unavailable` when the change may not be durable.
    pub(super) fn put(
        &self,
        name: &str,
        config: &BTreeMap<String, String>,
        target: Option<Target>,
        basis: Basis<'_>,
    ) -> Result<()> {
        self.0.change(&|wanted| {
            match basis {
                Basis::Nothing if wanted.has(name) => {
                    let message = format!("Connector {name} already exists");
                    return Err(Error::new(ErrorKind::Fenced, message));
                }
                Basis::Config(config) if wanted.config(name) != Some(config) => {
                    return Err(Error::new(ErrorKind::Fenced, crate::connect::state::STALE));
                }
                _ => {}
            }
            let target = target.map(|target| Entry::target(name, target));
            let config = Entry::config(name, config);
            Ok(target.into_iter().chain([config]).collect())
        })
    }

    /// Sets what a connector is meant to do. Blocks.
    ///
    /// # Errors
    /// `NotFound` for one that isn't there; else as [`Worker::put`].
    pub(super) fn set(&self, name: &str, target: Target) -> Result<()> {
        self.0.change(&|wanted| match wanted.has(name) {
            true => Ok(vec![Entry::target(name, target)]),
            false => Err(not_found(format!("Unknown connector {name}"))),
        })
    }

    /// Removes a connector. Blocks.
    ///
    /// # Errors
    /// As [`Worker::set`].
    pub(super) fn delete(&self, name: &str) -> Result<()> {
        self.0.change(&|wanted| match wanted.has(name) {
            true => Ok(Entry::gone(name).to_vec()),
            false => Err(not_found(format!("Connector {name} not found"))),
        })
    }

    /// Has a failed connector and these of its tasks started anew, whichever workers run them.
    /// Blocks.
    ///
    /// # Errors
    /// As [`Worker::set`].
    pub(super) fn restart(&self, name: &str, chosen: Chosen) -> Result<()> {
        if self.0.group.is_none() || self.is_of_file(name) {
            self.0.order(Order::Restart(name.to_owned(), chosen));
            return Ok(());
        }
        self.0.change(&|wanted| match wanted.has(name) {
            true => Ok(vec![Entry::restart(name, chosen)]),
            false => Err(not_found(format!("Unknown connector: {name}"))),
        })
    }

    fn wish(&self, name: &str) -> Option<Wish> {
        self.0.folded.read(|wanted| wanted.get(name))
    }
}

impl Inner {
    fn run(self: &Arc<Self>, place: &Place, orders: &Receiver<Order>) {
        match self.open(place, orders) {
            Some(end) => drop(end.send(())),
            None => self.serve(orders),
        }
    }

    fn serve(self: &Arc<Self>, orders: &Receiver<Order>) {
        loop {
            match orders.recv_timeout(LOOK) {
                Ok(Order::Follow(name)) => self.carry_out(name, |inner, name| inner.follow(name)),
                Ok(Order::Restart(name, chosen)) => {
                    self.carry_out(name, move |inner, name| inner.restart(name, chosen));
                }
                Ok(Order::End(end)) => {
                    self.lanes.settle(STOP);
                    let _ = end.send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {
                    for name in self.due_again() {
                        self.carry_out(name, |inner, name| inner.follow(name));
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn carry_out(self: &Arc<Self>, name: String, what: impl FnOnce(&Self, &str) + Send + 'static) {
        let (inner, lane) = (Arc::clone(self), name.clone());
        self.lanes
            .give(&lane, Box::new(move || what(&inner, &name)));
    }

    /// Decides by what should run and writes that to the log; what it says is known here then.
    fn change(&self, decide: &Decide<'_>) -> Result<()> {
        let mut log = lock(&self.log);
        let starting = || Error::unavailable("Worker is still starting up.");
        let changes: Vec<Change> = log
            .as_mut()
            .filter(|_| self.folded.is_whole())
            .ok_or_else(starting)?
            .change(&self.folded, decide)?;
        drop(log);
        changes.into_iter().for_each(|change| self.react(change));
        Ok(())
    }

    /// Gives an order, waiting while too many wait; one to a worker that has ended is lost.
    fn order(&self, order: Order) {
        let _ = self.orders.send(order);
    }

    fn clock(&self) -> Clock {
        self.connectors.lake().clock().clone()
    }

    fn halted(&self) -> bool {
        self.halt.load(Ordering::SeqCst)
    }

    /// Whether this worker keeps the connector's state.
    fn keeps(&self, name: &str) -> bool {
        lock(&self.ownership).0.has_connector(name)
    }

    /// Whether this worker is to run this task.
    fn runs(&self, name: &str, task: usize) -> bool {
        lock(&self.ownership).0.has_task(name, task)
    }

    /// The tasks of this worker, of `count`.
    fn owned(&self, name: &str, count: usize) -> BTreeSet<usize> {
        lock(&self.ownership).0.tasks(name, count)
    }

    fn ownership(&self) -> (Owned, u64) {
        lock(&self.ownership).clone()
    }

    /// What a worker that ends owns.
    fn owned_nothing(&self) -> (Owned, u64) {
        let nothing = Owned::Partitions {
            count: PARTITIONS,
            mine: BTreeSet::new(),
        };
        (nothing, self.ownership().1)
    }
}

fn not_found(message: String) -> Error {
    Error::new(ErrorKind::NotFound, message)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
