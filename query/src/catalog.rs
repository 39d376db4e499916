//! Where a query's tables come from: the lake's snapshots joined with live rows, taken so that no
//! record is missed or doubled (P20).
//!
//! The trait keeps everything above it testable with tables made by hand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use eddy_engine::filter::Filters;
use eddy_engine::{Clock, Lake, TablePath};

use crate::error::{Error, ErrorKind, Result};
use crate::flight::peers::Peers;
use crate::names::KnownTables;
use crate::table::{LeafCache, View};

/// How long the list of tables is believed. A name that isn't in it is looked up again at once.
const LIST_AGE_MAX: Duration = Duration::from_secs(5);

/// Where the files of a table are.
#[derive(Clone)]
pub(crate) struct Home {
    /// The lake, for what the engine does to it.
    pub(crate) lake: Lake,
    /// Which of the lakes it is.
    pub(crate) number: usize,
    /// The filters of its files.
    pub(crate) filters: Arc<Filters>,
    /// What was read of its files' statistics.
    pub(crate) leaves: Arc<LeafCache>,
}

/// One version of a table, for `system.commits`.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Commit {
    pub(crate) table: String,
    pub(crate) version: u64,
    pub(crate) committed_at: Option<String>,
    pub(crate) operation: Option<String>,
    pub(crate) files_added: Option<u64>,
    pub(crate) rows_added: Option<u64>,
}

/// The lake as queries see it.
#[async_trait]
pub(crate) trait Tables: Send + Sync {
    /// The names of all tables.
    async fn list(&self) -> Result<Vec<String>>;

    /// Where a listed table is.
    fn path(&self, name: &str) -> Result<TablePath>;

    /// One consistent view of a table. With a version: its committed rows alone.
    async fn view(&self, name: &str, version: Option<u64>) -> Result<View>;

    /// The versions of a table, oldest first.
    async fn commits(&self, name: &str) -> Result<Vec<Commit>>;

    /// The lake of a listed table.
    fn home(&self, name: &str) -> Result<Home>;

    /// All lakes, the process's own first.
    fn lakes(&self) -> Vec<Lake>;

    /// Says who has live rows besides this process; only the first call counts.
    fn set_peers(&self, peers: Peers);

    /// Who has, if anyone is asked.
    fn peers(&self) -> Option<&Arc<Peers>>;

    /// Adds the tables right under a folder of another lake.
    fn add_lake(&self, lake: Lake, topics_dir: &str);

    /// Completes when there may be more to see.
    async fn changed(&self);
}

/// The tables with their list remembered.
pub(crate) struct Catalog {
    tables: Arc<dyn Tables>,
    clock: Clock,
    list: Mutex<Option<(Duration, Arc<Vec<String>>)>>,
}

impl Catalog {
    /// A catalog of these tables.
    pub(crate) fn new(tables: Arc<dyn Tables>, clock: Clock) -> Self {
        Self {
            tables,
            clock,
            list: Mutex::new(None),
        }
    }

    /// The tables themselves.
    pub(crate) fn tables(&self) -> &Arc<dyn Tables> {
        &self.tables
    }

    /// The names of all tables; `fresh` asks the store.
    pub(crate) async fn list(&self, fresh: bool) -> Result<Arc<Vec<String>>> {
        let now = self.clock.monotonic();
        if !fresh {
            let known = self.list.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((at, list)) = known.as_ref()
                && now.saturating_sub(*at) < LIST_AGE_MAX
            {
                return Ok(Arc::clone(list));
            }
        }
        let mut list = self.tables.list().await?;
        list.sort();
        let list = Arc::new(list);
        let mut known = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some((now, Arc::clone(&list)));
        Ok(list)
    }

    /// A view of a table as it is now, or of one version of it.
    pub(crate) async fn view(&self, name: &str, version: Option<u64>) -> Result<View> {
        self.tables.view(name, version).await.map_err(|error| {
            if error.kind() == ErrorKind::NotFound
                && let Some(version) = version
            {
                return Error::new(
                    ErrorKind::NotFound,
                    format!("the table `{name}` has no version {version}"),
                );
            }
            error
        })
    }
}

/// The newest views that one statement has taken. Each table is looked at once, whatever the
/// statement calls it, so that what it says of a table and of its dead letters adds up (E4).
#[derive(Default)]
pub(crate) struct Taken(HashMap<String, View>);

impl Taken {
    /// The newest view of a table, as it was when it was first asked for.
    pub(crate) async fn newest(&mut self, catalog: &Catalog, name: &str) -> Result<View> {
        match self.0.get(name) {
            Some(view) => Ok(view.clone()),
            None => self.anew(catalog, name).await,
        }
    }

    /// The newest view of a table, as it is now.
    pub(crate) async fn anew(&mut self, catalog: &Catalog, name: &str) -> Result<View> {
        let view = catalog.view(name, None).await?;
        self.0.insert(name.to_owned(), view.clone());
        Ok(view)
    }
}

/// The names that one query resolves against.
pub(crate) struct Known {
    pub(crate) topics: Arc<Vec<String>>,
    pub(crate) system: Vec<String>,
}

impl KnownTables for Known {
    fn topics(&self) -> &[String] {
        &self.topics
    }

    fn system(&self) -> &[String] {
        &self.system
    }
}
