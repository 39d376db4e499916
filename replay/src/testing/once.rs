//! The destination of the tests, with transactions: one log, in which the writer of each name is
//! fenced by the next of that name.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Fake, Stored, place};
use crate::destination::{Checked, Delivery, Destination, Marked, Outgoing, Transactions};
use crate::error::{Error, Result};

/// What went out in transactions.
#[derive(Default)]
pub(super) struct Log {
    names: BTreeMap<String, Named>,
    committed: Vec<Stored>,
    /// Transactions that were committed.
    commits: u64,
    /// How many are still committed and answered.
    answered: Option<u64>,
}

/// The transactions of one name.
#[derive(Default)]
struct Named {
    /// How often it was opened.
    epoch: u64,
    open: Option<Vec<Stored>>,
    marked: Option<Marked>,
}

impl Log {
    pub(super) fn open(
        &mut self,
        fake: &Fake,
        name: &str,
    ) -> (Arc<dyn Transactions>, Option<Marked>) {
        let named = self.named(name);
        named.epoch += 1;
        named.open = None;
        let writer = Writer {
            fake: fake.clone(),
            name: name.to_owned(),
            epoch: named.epoch,
        };
        (Arc::new(writer), named.marked.clone())
    }

    fn named(&mut self, name: &str) -> &mut Named {
        self.names.entry(name.to_owned()).or_default()
    }

    fn epoch(&self, name: &str) -> u64 {
        self.names.get(name).map_or(0, |named| named.epoch)
    }
}

impl Fake {
    /// From now on it takes records in transactions.
    pub(crate) fn transact(&self) {
        self.state().log = Some(Log::default());
    }

    /// The places of the records in committed transactions, and how many transactions there were.
    pub(crate) fn committed(&self) -> (Vec<(i32, i64)>, u64) {
        let state = self.state();
        let log = state.log.as_ref();
        log.map_or((Vec::new(), 0), |log| {
            (log.committed.iter().map(place).collect(), log.commits)
        })
    }

    /// Whether a transaction is open.
    pub(crate) fn is_open(&self) -> bool {
        let state = self.state();
        let log = state.log.as_ref();
        log.is_some_and(|log| log.names.values().any(|named| named.open.is_some()))
    }

    /// The next `count` commits are answered, those after them are done but never answered; `None`:
    /// all are answered.
    pub(crate) fn answer_commits(&self, count: Option<u64>) {
        if let Some(log) = &mut self.state().log {
            log.answered = count;
        }
        self.0.arrived.notify_waiters();
    }

    /// The marks of its transactions are forgotten.
    pub(crate) fn forget_marks(&self) {
        if let Some(log) = &mut self.state().log {
            log.names.values_mut().for_each(|named| named.marked = None);
        }
    }

    /// Waits until `count` transactions are committed.
    pub(crate) async fn wait_for_commits(&self, count: u64) {
        loop {
            let arrived = self.0.arrived.notified();
            if self.committed().1 >= count {
                return;
            }
            arrived.await;
        }
    }
}

/// One who opened the transactions.
struct Writer {
    fake: Fake,
    name: String,
    epoch: u64,
}

impl Writer {
    /// Changes the log, unless somebody else has opened it under this name.
    fn log<T>(&self, change: impl FnOnce(&mut Log) -> Result<T>) -> Result<T> {
        let mut state = self.fake.state();
        let log = state.log.as_mut();
        let log = log.filter(|log| log.epoch(&self.name) == self.epoch);
        let log = log.ok_or_else(|| Error::unavailable("the producer is fenced"))?;
        change(log)
    }
}

#[async_trait]
impl Destination for Writer {
    fn target(&self) -> String {
        self.fake.target()
    }

    async fn check(&self) -> Result<Checked> {
        self.fake.check().await
    }

    async fn send(&self, record: &Outgoing<'_>) -> Result<Delivery> {
        self.log(|log| match log.named(&self.name).open {
            Some(_) => Ok(()),
            None => Err(Error::internal("no transaction is open")),
        })?;
        let (delivery, taken) = self.fake.take(record)?;
        self.log(|log| {
            let open = log.named(&self.name).open.get_or_insert_default();
            open.extend(taken);
            Ok(())
        })?;
        Ok(delivery)
    }
}

#[async_trait]
impl Transactions for Writer {
    async fn begin(&self) -> Result<()> {
        self.log(|log| match log.named(&self.name).open.replace(Vec::new()) {
            None => Ok(()),
            Some(_) => Err(Error::internal("a transaction is open already")),
        })
    }

    async fn commit_with(&self, marked: &Marked) -> Result<()> {
        let answers = self.log(|log| {
            let named = log.named(&self.name);
            let open = named.open.take();
            let open = open.ok_or_else(|| Error::internal("no transaction is open"))?;
            named.marked = Some(marked.clone());
            log.committed.extend(open);
            log.commits += 1;
            let answers = log.answered != Some(0);
            log.answered = log.answered.map(|left| left.saturating_sub(1));
            Ok(answers)
        })?;
        self.fake.0.arrived.notify_waiters();
        match answers {
            true => Ok(()),
            false => std::future::pending().await,
        }
    }

    async fn abort(&self) {
        let _ = self.log(|log| {
            log.named(&self.name).open = None;
            Ok(())
        });
    }
}
