//! The engine's lake as [`Tables`]: live rows first, then a fresh version (P20).
//!
//! The engine's log is synchronous, so its calls run on blocking threads of the queries' pool.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat};
use eddy_engine::commit::TableLog;
use eddy_engine::filter::Filters;
use eddy_engine::read::{Snapshot, SnapshotCache, consistent, tables};
use eddy_engine::{Lake, TablePath, schema};
use object_store::ObjectStore;

use crate::catalog::{Commit, Tables};
use crate::error::{Error, ErrorKind, Result};
use crate::table::{AsOf, View};

/// How often a query that waits for offsets looks again.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The versions that `system.commits` and a table's page go back.
const HISTORY_MAX: usize = 1_000;

/// The tables of one lake.
pub(crate) struct LakeTables {
    lake: Lake,
    cache: Arc<SnapshotCache>,
    filters: Arc<Filters>,
    paths: Mutex<BTreeMap<String, TablePath>>,
}

impl LakeTables {
    /// The tables of `lake`, with so many bytes of their filters in memory.
    pub(crate) fn new(lake: Lake, filter_bytes: usize) -> Self {
        Self {
            filters: Arc::new(Filters::new(&lake, filter_bytes)),
            lake,
            cache: Arc::new(SnapshotCache::new()),
            paths: Mutex::new(BTreeMap::new()),
        }
    }
}

#[async_trait]
impl Tables for LakeTables {
    async fn list(&self) -> Result<Vec<String>> {
        let lake = self.lake.clone();
        let found = blocking(move || Ok(tables(&lake)?)).await?;
        let mut named: BTreeMap<String, Vec<TablePath>> = BTreeMap::new();
        for path in found {
            named.entry(path.topic().to_owned()).or_default().push(path);
        }
        let mut paths = BTreeMap::new();
        for (name, mut same) in named {
            match (same.pop(), same.is_empty()) {
                (Some(only), true) => {
                    paths.insert(name, only);
                }
                (last, _) => {
                    // Two folders of one topic: the folder's name tells them apart.
                    for path in same.into_iter().chain(last) {
                        paths.insert(format!("{}.{name}", path.topics_dir()), path);
                    }
                }
            }
        }
        let names = paths.keys().cloned().collect();
        *self.paths.lock().unwrap_or_else(PoisonError::into_inner) = paths;
        Ok(names)
    }

    fn path(&self, name: &str) -> Result<TablePath> {
        let paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        paths.get(name).cloned().ok_or_else(|| {
            Error::new(
                ErrorKind::UnknownTable,
                format!("there is no table `{name}`"),
            )
        })
    }

    async fn view(&self, name: &str, version: Option<u64>) -> Result<View> {
        let path = self.path(name)?;
        let lake = self.lake.clone();
        let cache = Arc::clone(&self.cache);
        let name = name.to_owned();
        blocking(move || {
            let view = match version {
                None => newest(&lake, &cache, &path, &name)?,
                Some(_) => Snapshot::load(&lake, &path, version)?
                    .map(|snapshot| committed(&snapshot, &path, &name)),
            };
            view.ok_or_else(|| {
                Error::new(
                    ErrorKind::UnknownTable,
                    format!("there is no table `{name}`"),
                )
            })
        })
        .await
    }

    async fn commits(&self, name: &str) -> Result<Vec<Commit>> {
        let path = self.path(name)?;
        let lake = self.lake.clone();
        let name = name.to_owned();
        blocking(move || {
            let Some(log) = TableLog::open(&lake, &path)? else {
                return Ok(Vec::new());
            };
            let count = |number: usize| u64::try_from(number).ok();
            let newest_first = log.history(HISTORY_MAX)?.into_iter();
            Ok(newest_first
                .rev()
                .map(|version| Commit {
                    table: name.clone(),
                    version: version.version,
                    committed_at: version
                        .timestamp_ms
                        .and_then(DateTime::from_timestamp_millis)
                        .map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true)),
                    operation: Some(version.operation),
                    files_added: count(version.files_added),
                    rows_added: Some(version.rows_added),
                })
                .collect())
        })
        .await
    }

    fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(self.lake.store())
    }

    fn lake(&self) -> &Lake {
        &self.lake
    }

    fn filters(&self) -> Arc<Filters> {
        Arc::clone(&self.filters)
    }

    async fn changed(&self) {
        self.lake.clock().sleep(LOOK_EVERY).await;
    }
}

fn newest(
    lake: &Lake,
    cache: &SnapshotCache,
    path: &TablePath,
    name: &str,
) -> Result<Option<View>> {
    let Some(answer) = consistent(lake, cache, path)? else {
        return Ok(None);
    };
    let mut view = committed(&answer.snapshot, path, name);
    if !answer.live.is_empty() {
        view.partitioning = Arc::new(answer.snapshot.partitioning(path)?);
    }
    for batch in &answer.live {
        // Columns that live rows have and the table doesn't yet: their names are provisional.
        if let Some(grown) = schema::grow(&view.schema, batch.schema_ref()) {
            view.schema = Arc::new(grown);
        }
    }
    view.live = answer.live;
    view.ends = answer.ends;
    Ok(Some(view))
}

fn committed(snapshot: &Snapshot, path: &TablePath, name: &str) -> View {
    View {
        name: name.to_owned(),
        version: snapshot.version,
        schema: Arc::clone(&snapshot.schema),
        history: Some(snapshot.schema_history()),
        path: path.clone(),
        // Only rows that have no file yet are placed by it.
        partitioning: Arc::default(),
        files: Arc::clone(&snapshot.files),
        positions: Arc::clone(&snapshot.positions),
        live: Vec::new(),
        ends: snapshot
            .positions
            .iter()
            .map(|(key, position)| (key.clone(), position.offset))
            .collect(),
        as_of: AsOf::Now,
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal(format!("a blocking call ended early: {error}")))?
}
