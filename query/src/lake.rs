//! The engine's lake as [`Tables`]: live rows first, then a fresh version (P20).
//!
//! The engine's log is synchronous, so its calls run on blocking threads of the queries' pool.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat};
use eddy_engine::commit::TableLog;
use eddy_engine::filter::Filters;
use eddy_engine::read::{Snapshot, SnapshotCache, consistent, tables, tables_in};
use eddy_engine::{Lake, TablePath, schema};

use crate::catalog::{Commit, Home, Tables};
use crate::error::{Error, ErrorKind, Result};
use crate::flight::peers::{Elsewhere, Peers};
use crate::table::{AsOf, View};

/// How often a query that waits for offsets looks again.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The versions that `system.commits` and a table's page go back.
const HISTORY_MAX: usize = 1_000;

/// The tables of the process's lake, and of those that its connectors have for themselves.
pub(crate) struct LakeTables {
    lakes: RwLock<Vec<Home>>,
    /// Each brought up to date by itself; a table's path may be in several lakes.
    caches: RwLock<Vec<Arc<SnapshotCache>>>,
    /// The folders with tables of each lake; `None`: wherever they are.
    folders: RwLock<Vec<Option<BTreeSet<String>>>>,
    filter_bytes: usize,
    paths: Mutex<BTreeMap<String, Place>>,
    peers: OnceLock<Arc<Peers>>,
}

/// A table and the number of its lake.
type Place = (usize, TablePath);

impl LakeTables {
    /// The tables of `lake`, with so many bytes of their filters in memory.
    pub(crate) fn new(lake: Lake, filter_bytes: usize) -> Self {
        let tables = Self {
            lakes: RwLock::default(),
            caches: RwLock::default(),
            folders: RwLock::default(),
            filter_bytes,
            paths: Mutex::new(BTreeMap::new()),
            peers: OnceLock::new(),
        };
        tables.add(lake, None);
        tables
    }

    fn add(&self, lake: Lake, folder: Option<&str>) {
        let mut lakes = self.lakes.write().unwrap_or_else(PoisonError::into_inner);
        let mut folders = self.folders.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = lakes.iter().position(|home| home.lake.is(&lake)) {
            if let Some(Some(known)) = folders.get_mut(at) {
                known.extend(folder.map(str::to_owned));
            }
            return;
        }
        folders.push(folder.map(|folder| BTreeSet::from([folder.to_owned()])));
        let mut caches = self.caches.write().unwrap_or_else(PoisonError::into_inner);
        caches.push(Arc::default());
        let number = lakes.len();
        lakes.push(Home {
            filters: Arc::new(Filters::new(&lake, self.filter_bytes)),
            leaves: Arc::default(),
            number,
            lake,
        });
    }

    fn homes(&self) -> Vec<Home> {
        let lakes = self.lakes.read().unwrap_or_else(PoisonError::into_inner);
        lakes.clone()
    }

    fn folders(&self) -> Vec<Option<BTreeSet<String>>> {
        let folders = self.folders.read().unwrap_or_else(PoisonError::into_inner);
        folders.clone()
    }

    fn place(&self, name: &str) -> Result<Place> {
        let paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        paths.get(name).cloned().ok_or_else(|| {
            Error::new(
                ErrorKind::UnknownTable,
                format!("there is no table `{name}`"),
            )
        })
    }

    fn cache(&self, lake: usize) -> Arc<SnapshotCache> {
        let caches = self.caches.read().unwrap_or_else(PoisonError::into_inner);
        caches.get(lake).cloned().unwrap_or_default()
    }
}

#[async_trait]
impl Tables for LakeTables {
    async fn list(&self) -> Result<Vec<String>> {
        let (lakes, folders) = (self.homes(), self.folders());
        let found = blocking(move || {
            let mut found: Vec<(Place, String)> = Vec::new();
            for (home, folders) in lakes.iter().zip(folders) {
                let bucket = home.lake.url().host_str().unwrap_or_default().to_owned();
                let listed = match folders {
                    None => tables(&home.lake)?,
                    Some(folders) => listed(&home.lake, &folders)?,
                };
                let listed = listed.into_iter();
                found.extend(listed.map(|path| ((home.number, path), bucket.clone())));
            }
            Ok(found)
        })
        .await?;
        let paths = named(found);
        let names = paths.keys().cloned().collect();
        *self.paths.lock().unwrap_or_else(PoisonError::into_inner) = paths;
        Ok(names)
    }

    fn path(&self, name: &str) -> Result<TablePath> {
        Ok(self.place(name)?.1)
    }

    fn home(&self, name: &str) -> Result<Home> {
        let (lake, _) = self.place(name)?;
        let mut lakes = self.homes().into_iter();
        lakes
            .nth(lake)
            .ok_or_else(|| Error::internal(format!("table `{name}` is in no lake")))
    }

    fn lakes(&self) -> Vec<Lake> {
        self.homes().into_iter().map(|home| home.lake).collect()
    }

    fn set_peers(&self, peers: Peers) {
        if self.peers.set(Arc::new(peers)).is_err() {
            tracing::warn!("workers are looked for already");
        }
    }

    fn peers(&self) -> Option<&Arc<Peers>> {
        self.peers.get()
    }

    fn add_lake(&self, lake: Lake, topics_dir: &str) {
        self.add(lake, Some(topics_dir));
    }

    async fn view(&self, name: &str, version: Option<u64>) -> Result<View> {
        let path = self.path(name)?;
        let Home { lake, number, .. } = self.home(name)?;
        let cache = self.cache(number);
        let name = name.to_owned();
        let elsewhere = match (version, self.peers.get()) {
            (None, Some(peers)) => peers.live(&lake, &path).await,
            _ => Elsewhere::default(),
        };
        blocking(move || {
            let view = match version {
                None => newest(&lake, &cache, &path, &name, elsewhere)?,
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
        let lake = self.home(name)?.lake;
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

    async fn changed(&self) {
        let clock = self.homes().first().map(|home| home.lake.clock().clone());
        if let Some(clock) = clock {
            clock.sleep(LOOK_EVERY).await;
        }
    }
}

fn listed(lake: &Lake, folders: &BTreeSet<String>) -> Result<Vec<TablePath>> {
    let mut found = Vec::new();
    for folder in folders {
        found.extend(tables_in(lake, folder)?);
    }
    Ok(found)
}

/// Tables by their topics. Where several have one, their folders tell them apart, and where these
/// are one too, their buckets.
fn named(found: Vec<(Place, String)>) -> BTreeMap<String, Place> {
    let mut topics: BTreeMap<String, BTreeMap<String, Vec<(Place, String)>>> = BTreeMap::new();
    for (place, bucket) in found {
        let folders = topics.entry(place.1.topic().to_owned()).or_default();
        let folder = place.1.topics_dir().to_owned();
        folders.entry(folder).or_default().push((place, bucket));
    }
    let mut names = BTreeMap::new();
    for (topic, folders) in topics {
        let alone = folders.len() == 1;
        for (folder, mut same) in folders {
            let name = match alone {
                true => topic.clone(),
                false => format!("{folder}.{topic}"),
            };
            match (same.pop(), same.is_empty()) {
                (Some((only, _)), true) => {
                    names.insert(name, only);
                }
                (last, _) => {
                    for (place, bucket) in same.into_iter().chain(last) {
                        names.insert(format!("{bucket}.{folder}.{topic}"), place);
                    }
                }
            }
        }
    }
    names
}

fn newest(
    lake: &Lake,
    cache: &SnapshotCache,
    path: &TablePath,
    name: &str,
    elsewhere: Elsewhere,
) -> Result<Option<View>> {
    let Some(answer) = consistent(lake, cache, path, &elsewhere.batches)? else {
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
    view.away = elsewhere.away.into();
    view.is_newest = true;
    Ok(Some(view))
}

fn committed(snapshot: &Snapshot, path: &TablePath, name: &str) -> View {
    View {
        name: name.to_owned(),
        version: snapshot.version,
        schema: Arc::clone(&snapshot.schema),
        history: Some(snapshot.schema_history()),
        path: path.clone(),
        key_id: snapshot.key_id().map(str::to_owned),
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
        committed_at_ms: snapshot.committed_at_ms,
        away: Arc::default(),
        is_newest: false,
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal(format!("a blocking call ended early: {error}")))?
}
