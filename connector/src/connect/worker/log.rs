//! The log of what should run: opened however long the broker is away, then followed.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tokio::runtime::Builder;

use super::report::Reporter;
use super::spread::PARTITIONS;
use super::{AGAIN_LEAST, AGAIN_MOST, Inner, Order, lock, member};
use crate::connect::state::{Change, Entry, Group, Log, Place};
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{Admin, Tail, Told, ensure_topic, make_compacted};

/// How long the log is waited for before it is looked whether the worker is to end.
const LOOK: Duration = Duration::from_millis(200);

impl Inner {
    /// Opens the log, however long the broker is away; answers who asked for the end meanwhile.
    pub(super) fn open(
        self: &Arc<Self>,
        place: &Place,
        orders: &Receiver<Order>,
    ) -> Option<SyncSender<()>> {
        let mut again = AGAIN_LEAST;
        loop {
            let opened = match place {
                Place::File(path) => Log::file(path).map(|(log, entries)| {
                    for entry in &entries {
                        self.folded.take(entry, None);
                    }
                    *lock(&self.log) = Some(log);
                    self.begin_all();
                }),
                Place::Group(group) => self.open_group(group),
            };
            match opened {
                Ok(()) => return None,
                Err(error) => tracing::warn!(%error, "what connectors should run isn't known yet"),
            }
            match orders.recv_timeout(again) {
                Ok(Order::End(end)) => return Some(end),
                Ok(_) | Err(_) => again = (again * 2).min(AGAIN_MOST),
            }
        }
    }

    /// Makes the group's topics where they are missing, and starts following them.
    fn open_group(self: &Arc<Self>, group: &Group) -> Result<()> {
        let clock = self.clock();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::new(ErrorKind::Internal, "no runtime").with_source(error))?;
        let (kafka, copies) = (&group.kafka, group.replication);
        runtime.block_on(async {
            make_compacted(kafka, &group.configs, copies, &clock).await?;
            make_compacted(kafka, &group.status, copies, &clock).await?;
            ensure_topic(kafka, &group.work, PARTITIONS, copies, clock.clone()).await
        })?;
        let known = Admin::new(kafka, clock.clone())?.topics()?;
        let count = |topic: &String| {
            let missing = || Error::unavailable(format!("topic `{topic}` isn't there yet"));
            known.get(topic).copied().ok_or_else(missing)
        };
        if count(&group.configs)? != 1 {
            return Err(Error::invalid(format!(
                "topic `{}` must have one partition, or its order is lost",
                group.configs
            )));
        }
        let configs = Tail::open(kafka, &group.configs, 1, &clock)?;
        let status = Tail::open(kafka, &group.status, count(&group.status)?, &clock)?;
        let work = count(&group.work)?;
        let _ = self.reporter.set(Reporter::new(group, &clock)?);
        *lock(&self.log) = Some(Log::topic(group, &clock));
        let inner = Arc::clone(self);
        start("connect-log", move || inner.follow_log(configs))?;
        let inner = Arc::clone(self);
        let (said, last_words) = sync_channel(1);
        *lock(&self.last_words) = Some(last_words);
        start("connect-status", move || {
            inner.report(status);
            let _ = said.send(());
        })?;
        let (inner, group) = (Arc::clone(self), group.clone());
        let (gone, left) = sync_channel(1);
        *lock(&self.left) = Some(left);
        start("connect-group", move || {
            member::stay(&inner, &group, work);
            let _ = gone.send(());
        })
    }

    /// Follows the log until the worker is halted.
    fn follow_log(self: &Arc<Self>, mut tail: Tail) {
        while !self.halted() {
            match tail.next(LOOK) {
                Told::Nothing => {}
                Told::Whole => self.begin_all(),
                Told::Record { offset, key, value } => {
                    let change = self.folded.take(&Entry { key, value }, Some(offset));
                    // What was there before is begun with as a whole; restarts are over then.
                    if self.folded.is_whole() {
                        self.react(change);
                    }
                }
            }
        }
    }

    /// What should run is known now.
    fn begin_all(&self) {
        self.folded.set_whole();
        let names = self.folded.read(crate::connect::state::Wanted::names);
        for name in names {
            self.order(Order::Follow(name));
        }
    }

    /// Does what an entry asks for.
    pub(super) fn react(&self, change: Change) {
        match change {
            Change::Config(name, _) | Change::Target(name, _) => self.order(Order::Follow(name)),
            Change::Restart(name, chosen) => self.order(Order::Restart(name, chosen)),
            Change::Level(logger, level) => self.set_level(&logger, &level),
            Change::Tasks(..) | Change::Unknown => {}
        }
    }
}

fn start(name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map(|_| ())
        .map_err(|error| {
            Error::new(ErrorKind::Internal, "a thread can't be started").with_source(error)
        })
}
