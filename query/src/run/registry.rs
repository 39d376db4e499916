//! The queries that run and those that ran: listed, and cancelled.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;
use uuid::Uuid;

use super::moment::{AsOfRequest, OffsetsOf};
use crate::error::{Error, ErrorKind, Result};
use crate::query::Request;
use crate::table::Reads;

/// Ended queries that are remembered.
const ENDED_MAX: usize = 200;

/// The longest part of a statement that is listed, in characters.
const TEXT_MAX: usize = 2_000;

/// One query in the list.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) query_id: Uuid,
    pub(crate) sql: String,
    pub(crate) state: &'static str,
    pub(crate) started_us: i64,
    pub(crate) ended_us: Option<i64>,
    pub(crate) rows: u64,
    /// What was read for it; known at its end.
    pub(crate) reads: Option<Reads>,
    pub(crate) error: Option<String>,
}

struct Entry {
    listed: Listed,
    handle: Option<AbortHandle>,
}

/// All of them, by id: ids sort by time.
#[derive(Clone)]
pub(crate) struct Registry(Arc<Mutex<BTreeMap<Uuid, Entry>>>);

impl Registry {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(BTreeMap::new())))
    }

    /// The queries, oldest first.
    pub(crate) fn list(&self) -> Vec<Listed> {
        self.lock()
            .values()
            .map(|entry| entry.listed.clone())
            .collect()
    }

    /// Stops a running query.
    pub(crate) fn cancel(&self, query_id: Uuid) -> Result<()> {
        let mut all = self.lock();
        let entry = all
            .get_mut(&query_id)
            .filter(|entry| entry.listed.ended_us.is_none())
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::NotFound,
                    format!("no query `{query_id}` is running"),
                )
            })?;
        entry.listed.state = "cancelled";
        entry.listed.ended_us = Some(entry.listed.started_us);
        if let Some(handle) = entry.handle.take() {
            handle.abort();
        }
        Ok(())
    }

    pub(super) fn add(&self, query_id: Uuid, sql: &str, now_us: i64) {
        let mut all = self.lock();
        let ended = |entry: &Entry| entry.listed.ended_us.is_some();
        while all.values().filter(|entry| ended(entry)).count() >= ENDED_MAX {
            let oldest = all.iter().find(|(_, entry)| ended(entry));
            let Some(oldest) = oldest.map(|(id, _)| *id) else {
                break;
            };
            all.remove(&oldest);
        }
        let listed = Listed {
            query_id,
            sql: sql.chars().take(TEXT_MAX).collect(),
            state: "waiting",
            started_us: now_us,
            ended_us: None,
            rows: 0,
            reads: None,
            error: None,
        };
        all.insert(
            query_id,
            Entry {
                listed,
                handle: None,
            },
        );
    }

    /// Keeps the handle that a cancel needs. Dropping what it returns cancels the query.
    pub(super) fn running(&self, query_id: Uuid, handle: AbortHandle) -> Running {
        if let Some(entry) = self.lock().get_mut(&query_id) {
            entry.handle = Some(handle);
        }
        Running {
            registry: self.clone(),
            query_id,
        }
    }

    pub(super) fn started(&self, query_id: Uuid) {
        if let Some(entry) = self.lock().get_mut(&query_id)
            && entry.listed.ended_us.is_none()
        {
            entry.listed.state = "running";
        }
    }

    pub(super) fn rows(&self, query_id: Uuid, rows: usize) {
        if let Some(entry) = self.lock().get_mut(&query_id) {
            entry.listed.rows += u64::try_from(rows).unwrap_or(0);
        }
    }

    pub(super) fn reads(&self, query_id: Uuid, reads: Reads) {
        if let Some(entry) = self.lock().get_mut(&query_id) {
            entry.listed.reads = Some(reads);
        }
    }

    pub(super) fn end(&self, query_id: Uuid, error: Option<&Error>, now_us: i64) {
        let mut all = self.lock();
        let Some(entry) = all.get_mut(&query_id) else {
            return;
        };
        entry.handle = None;
        if entry.listed.ended_us.is_some() {
            return;
        }
        entry.listed.ended_us = Some(now_us);
        entry.listed.error = error.map(ToString::to_string);
        entry.listed.state = match error.map(Error::kind) {
            None => "done",
            Some(ErrorKind::Cancelled) => "cancelled",
            Some(_) => "failed",
        };
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uuid, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A query whose answer someone still reads.
pub(super) struct Running {
    registry: Registry,
    query_id: Uuid,
}

impl Drop for Running {
    fn drop(&mut self) {
        // An ended query is not found, and that is fine.
        let _ = self.registry.cancel(self.query_id);
    }
}

/// What a request says about time: which rows, and what must be visible first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) as_of: Option<AsOfRequest>,
    pub(crate) wait_for: Option<OffsetsOf>,
    /// Set while the query waits for `wait_for`, so that a timeout can say so.
    pub(crate) waiting: Arc<AtomicBool>,
}

impl Seen {
    /// Reads a request.
    pub(crate) fn of(request: &Request, waiting: &Arc<AtomicBool>) -> Result<Self> {
        waiting.store(request.wait_for.is_some(), Ordering::Relaxed);
        Ok(Self {
            waiting: Arc::clone(waiting),
            as_of: request.as_of.as_ref().map(AsOfRequest::read).transpose()?,
            wait_for: request.wait_for.as_ref().map(OffsetsOf::read).transpose()?,
        })
    }
}
