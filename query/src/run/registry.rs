//! The queries that run and those that ran: listed, and cancelled.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eddy_engine::Clock;
use tokio::task::AbortHandle;
use uuid::Uuid;

use super::given::Given;
use super::halt::Halt;
use super::moment::{AsOfRequest, OffsetsOf};
use super::progress::{Done, Progress};
use crate::error::{Error, ErrorKind, Result};
use crate::query::{Front, Request};

/// Ended queries that are remembered.
const ENDED_MAX: usize = 200;

/// The longest part of a statement that is listed, in characters.
const TEXT_MAX: usize = 2_000;

/// One query in the list.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) query_id: Uuid,
    pub(crate) sql: String,
    pub(crate) front: Front,
    pub(crate) state: &'static str,
    pub(crate) started_us: i64,
    pub(crate) ended_us: Option<i64>,
    /// What it has done by now, or had at its end.
    pub(crate) done: Done,
    pub(crate) error: Option<String>,
}

struct Entry {
    listed: Listed,
    /// What ends it, until it has ended.
    works: Option<Works>,
}

/// A query that someone works for.
struct Works {
    halt: Arc<Halt>,
    progress: Arc<Progress>,
    handle: Option<AbortHandle>,
}

impl Entry {
    /// Notes the end. Nothing is kept that holds a plan, and so files and rows.
    fn end(&mut self, state: &'static str, now_us: i64) -> Option<Works> {
        let works = self.works.take()?;
        // What it holds is being let go, or will be where it computes at this moment.
        self.listed.done = Done {
            memory_bytes: 0,
            ..works.progress.now()
        };
        self.listed.state = state;
        self.listed.ended_us = Some(now_us);
        Some(works)
    }
}

/// All of them, by id: ids sort by time.
#[derive(Clone)]
pub(crate) struct Registry {
    all: Arc<Mutex<BTreeMap<Uuid, Entry>>>,
    clock: Clock,
}

impl Registry {
    /// None yet.
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            all: Arc::default(),
            clock,
        }
    }

    /// The queries, oldest first.
    pub(crate) fn list(&self) -> Vec<Listed> {
        let listed = |entry: &Entry| {
            let mut listed = entry.listed.clone();
            if let Some(works) = &entry.works {
                listed.done = works.progress.now();
            }
            listed
        };
        self.lock().values().map(listed).collect()
    }

    /// Stops a running query.
    pub(crate) fn cancel(&self, query_id: Uuid) -> Result<()> {
        let mut all = self.lock();
        let entry = all.get_mut(&query_id);
        let works = entry.and_then(|entry| entry.end("cancelled", self.clock.now_us()));
        let works = works.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("no query `{query_id}` is running"),
            )
        })?;
        works.halt.cancel();
        if let Some(handle) = works.handle {
            handle.abort();
        }
        Ok(())
    }

    pub(super) fn add(
        &self,
        query_id: Uuid,
        request: &Request,
        halt: &Arc<Halt>,
        progress: &Arc<Progress>,
    ) {
        let mut all = self.lock();
        let ended = |entry: &Entry| entry.works.is_none();
        while all.values().filter(|entry| ended(entry)).count() >= ENDED_MAX {
            let oldest = all.iter().find(|(_, entry)| ended(entry));
            let Some(oldest) = oldest.map(|(id, _)| *id) else {
                break;
            };
            all.remove(&oldest);
        }
        let listed = Listed {
            query_id,
            sql: shown(&request.sql),
            front: request.front,
            state: "waiting",
            started_us: self.clock.now_us(),
            ended_us: None,
            done: Done::default(),
            error: None,
        };
        let works = Works {
            halt: Arc::clone(halt),
            progress: Arc::clone(progress),
            handle: None,
        };
        let entry = Entry {
            listed,
            works: Some(works),
        };
        all.insert(query_id, entry);
    }

    /// Keeps the handle that a cancel needs. Dropping what it returns cancels the query.
    pub(super) fn running(&self, query_id: Uuid, handle: AbortHandle) -> Running {
        let mut all = self.lock();
        match all.get_mut(&query_id) {
            Some(Entry {
                works: Some(works), ..
            }) => works.handle = Some(handle),
            // It was cancelled before there was anything to stop. One that has ended is left
            // alone: its reader may not have got its end yet.
            Some(entry) if entry.listed.state == "cancelled" => handle.abort(),
            _ => {}
        }
        drop(all);
        Running {
            registry: self.clone(),
            query_id,
        }
    }

    pub(super) fn started(&self, query_id: Uuid) {
        if let Some(entry) = self.lock().get_mut(&query_id)
            && entry.works.is_some()
        {
            entry.listed.state = "running";
        }
    }

    pub(super) fn end(&self, query_id: Uuid, error: Option<&Error>) {
        let state = match error.map(Error::kind) {
            None => "done",
            Some(ErrorKind::Cancelled) => "cancelled",
            Some(_) => "failed",
        };
        let mut all = self.lock();
        if let Some(entry) = all.get_mut(&query_id)
            && entry.end(state, self.clock.now_us()).is_some()
        {
            entry.listed.error = error.map(ToString::to_string);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uuid, Entry>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is listed of a statement: not the options of a destination, among which may be a secret
/// that should have been a reference.
fn shown(sql: &str) -> String {
    let text: String = sql.chars().take(TEXT_MAX).collect();
    let lower = text.to_ascii_lowercase();
    let is_first = |at: usize| {
        let before = lower.get(..at).unwrap_or_default().trim();
        before.is_empty() || before.starts_with("--") || before.starts_with("/*")
    };
    let behind = |at: usize, wanted: &[&str]| {
        let rest = lower.get(at..)?;
        let found = wanted.iter().filter_map(|wanted| rest.find(wanted)).min()?;
        Some(at + found)
    };
    let create = lower.find("create").filter(|at| is_first(*at));
    let destination = create.and_then(|at| behind(at, &["destination"]));
    let options = destination.and_then(|at| behind(at, &["(", "'"]));
    match options.and_then(|at| text.get(..at)) {
        Some(before) => format!("{before}..."),
        None => text,
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
    /// What ends the query early, if something may.
    pub(crate) halt: Option<Arc<Halt>>,
    /// A table that is to be as it is given.
    pub(crate) given: Option<Given>,
}

impl Seen {
    /// Reads a request.
    pub(crate) fn of(request: &Request, halt: &Arc<Halt>) -> Result<Self> {
        let waiting = halt.waiting();
        waiting.store(request.wait_for.is_some(), Ordering::Relaxed);
        Ok(Self {
            waiting: Arc::clone(waiting),
            halt: Some(Arc::clone(halt)),
            given: None,
            as_of: request.as_of.as_ref().map(AsOfRequest::read).transpose()?,
            wait_for: request.wait_for.as_ref().map(OffsetsOf::read).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_of_a_destination_are_not_listed() {
        for (sql, listed) in [
            (
                "CREATE DESTINATION d TYPE kafka OPTIONS ('sasl.password' 'hunter2')",
                "CREATE DESTINATION d TYPE kafka OPTIONS ...",
            ),
            (
                "-- mine\n create /* one */ destination if not exists d type http with('a' 'b')",
                "-- mine\n create /* one */ destination if not exists d type http with...",
            ),
            (
                "CREATE DESTINATION d TYPE kafka OPTIONS 'sasl.password' 'hunter2'",
                "CREATE DESTINATION d TYPE kafka OPTIONS ...",
            ),
        ] {
            assert_eq!(shown(sql), listed);
        }
        for sql in [
            "DROP DESTINATION d",
            "SELECT 'create' FROM t WHERE destination IN ('a')",
            "SELECT 'é'",
        ] {
            assert_eq!(shown(sql), sql);
        }
    }
}
