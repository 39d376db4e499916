//! Binds a query to its tables: names are resolved, each table is looked at once, and what the
//! answer will have seen is written down as its position.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::catalog::TableProvider;
use datafusion::execution::session_state::SessionState;
use datafusion::sql::sqlparser::ast::Query as QueryTree;
use serde_json::{Map, Value as Json, json};

use super::given::{Order, keeping};
use super::memory::QueryMemory;
use super::moment::{AsOfRequest, OffsetsOf};
use super::registry::Seen;
use crate::catalog::{Known, Taken};
use crate::error::{Error, ErrorKind, Result};
use crate::flight::peers::Away;
use crate::names::{Columns, TableName, resolve_columns, resolve_tables};
use crate::query::{Inner, Stale};
use crate::system;
use crate::table::{AsOf, OffsetMap, Rows, ScanCount, TopicTable, View};

/// A query's session: it knows exactly the tables that the query names.
pub(crate) struct Bound {
    pub(crate) state: SessionState,
    /// What the answer will have seen.
    pub(crate) position: Json,
    /// What may be missing of it.
    pub(crate) stale: Option<Stale>,
    /// The topics' tables by the name that they have in the tree.
    pub(crate) views: Vec<(String, View)>,
    /// What their scans read, in the same order.
    pub(crate) counts: Vec<Arc<ScanCount>>,
    /// The query's share of memory.
    pub(crate) memory: Arc<QueryMemory>,
}

/// Resolves the query's names in place and takes a view of each of its tables.
pub(crate) async fn bind(inner: &Arc<Inner>, query: &mut QueryTree, seen: &Seen) -> Result<Bound> {
    let names = resolve(inner, query).await?;
    let topics: BTreeSet<&str> = names.iter().filter_map(topic).collect();
    let mut columns = HashMap::new();
    let mut views = Vec::new();
    let mut tables: Vec<(String, Arc<dyn TableProvider>)> = Vec::new();
    let mut system: Vec<(String, Arc<dyn TableProvider>)> = Vec::new();
    let mut counts = Vec::new();
    let mut taken = Taken::default();
    // A table and its dead letters are seen in the same view.
    let mut looked: HashMap<(&str, Option<u64>), View> = HashMap::new();
    for table in &names {
        let TableName::Topic {
            name,
            version,
            dead,
        } = table
        else {
            continue;
        };
        let given = seen.given.as_ref();
        if let Some(given) = given.filter(|given| given.name == table.in_tree()) {
            let list = Columns::of_table(given.table.columns());
            columns.insert(given.name.clone(), Arc::new(list));
            counts.push(given.table.count());
            views.push((given.name.clone(), given.table.view().clone()));
            tables.push((given.name.clone(), Arc::new(given.table.clone())));
            continue;
        }
        let key = (name.as_str(), *version);
        let view = match looked.get(&key) {
            Some(view) => view.clone(),
            None => look(inner, key, seen, topics.len(), &mut taken).await?,
        };
        looked.insert(key, view.clone());
        let rows = if *dead { Rows::Dead } else { Rows::Good };
        let provider = TopicTable::new(view.clone(), rows, inner.origin(name)?);
        let list = Columns::of_table(provider.columns());
        let in_tree = table.in_tree();
        columns.insert(in_tree.clone(), Arc::new(list));
        counts.push(provider.count());
        tables.push((in_tree.clone(), Arc::new(provider)));
        views.push((in_tree, view));
    }
    // Afterwards, since a topic's table may have had to be waited for.
    for table in &names {
        let TableName::System(name) = table else {
            continue;
        };
        let provider = system::table(inner, name, &mut taken).await?;
        let list = Columns::of_schema(&provider.schema());
        columns.insert(format!("system.{name}"), Arc::new(list));
        counts.extend(system::trace::counts(provider.as_ref()));
        system.push((name.clone(), provider));
    }
    resolve_columns(query, &columns, inner.sessions.base())?;
    let (state, memory) = inner.sessions.session(tables, system, seen.halt.as_ref())?;
    let order = seen.given.as_ref().map_or(Order::Any, |given| given.order);
    let state = keeping(state, order);
    Ok(Bound {
        state,
        memory,
        position: position(&views),
        stale: stale(&views, inner.clock.now_us() / 1_000),
        views,
        counts,
    })
}

/// Writes the real names of tables into the tree; a name that isn't known yet is looked up anew.
pub(crate) async fn resolve(inner: &Arc<Inner>, query: &mut QueryTree) -> Result<Vec<TableName>> {
    let mut known = Known {
        topics: inner.catalog.list(false).await?,
        system: system::names(inner),
    };
    match resolve_tables(query, &known) {
        Err(error) if error.kind() == ErrorKind::UnknownTable => {
            known.topics = inner.catalog.list(true).await?;
            resolve_tables(query, &known)
        }
        other => other,
    }
}

/// The topic of a table of the `public` schema.
fn topic(table: &TableName) -> Option<&str> {
    match table {
        TableName::Topic { name, .. } => Some(name),
        TableName::System(_) => None,
    }
}

/// A view of one table that has what `wait_for` and `as_of` ask for; the query names so many.
async fn look(
    inner: &Arc<Inner>,
    (name, version): (&str, Option<u64>),
    seen: &Seen,
    topics: usize,
    taken: &mut Taken,
) -> Result<View> {
    if version.is_some() {
        return inner.catalog.view(name, version).await;
    }
    let wanted = match &seen.wait_for {
        Some(offsets) => offsets.of(name, topics)?,
        None => None,
    };
    let view = wait(inner, name, wanted, seen, taken).await?;
    match &seen.as_of {
        None => Ok(view),
        Some(AsOfRequest::Version(version)) => {
            if topics != 1 {
                return Err(Error::invalid("the query reads several tables")
                    .with_hint("name the version of each in `FROM`: `FROM \"orders@7\"`"));
            }
            inner.catalog.view(name, Some(*version)).await
        }
        Some(AsOfRequest::Time(time_us)) => {
            let version = version_at(inner, name, *time_us).await?;
            inner.catalog.view(name, Some(version)).await
        }
        Some(AsOfRequest::Offsets(offsets)) => bounded(view, offsets, topics),
    }
}

async fn wait(
    inner: &Arc<Inner>,
    name: &str,
    wanted: Option<&OffsetMap>,
    seen: &Seen,
    taken: &mut Taken,
) -> Result<View> {
    let mut view = taken.newest(&inner.catalog, name).await?;
    loop {
        let Some(wanted) = wanted else {
            return Ok(view);
        };
        if missing(&view, wanted).is_none() {
            seen.waiting.store(false, Ordering::Relaxed);
            return Ok(view);
        }
        inner.catalog.tables().changed().await;
        view = taken.anew(&inner.catalog, name).await?;
    }
}

/// The first partition whose wanted offset isn't visible yet, and what is.
fn missing(view: &View, wanted: &OffsetMap) -> Option<(i32, i64)> {
    let visible = view.visible_offsets();
    wanted
        .iter()
        .map(|(partition, next)| {
            let seen = visible.get(partition).copied().unwrap_or(0);
            (*partition, seen, *next)
        })
        .find(|(_, seen, next)| seen < next)
        .map(|(partition, seen, _)| (partition, seen))
}

fn bounded(mut view: View, offsets: &OffsetsOf, topics: usize) -> Result<View> {
    let Some(offsets) = offsets.of(&view.name, topics)? else {
        return Ok(view);
    };
    if let Some((partition, next)) = missing(&view, offsets) {
        return Err(Error::invalid(format!(
            "partition {partition} of `{}` is only visible up to offset {next}",
            view.name
        ))
        .with_hint("`wait_for` the same offsets to wait until they are visible"));
    }
    view.as_of = AsOf::Offsets(offsets.clone());
    Ok(view)
}

async fn version_at(inner: &Arc<Inner>, name: &str, time_us: i64) -> Result<u64> {
    let commits = inner.catalog.tables().commits(name).await?;
    let at_or_before = |text: &str| {
        chrono::DateTime::parse_from_rfc3339(text)
            .is_ok_and(|time| time.timestamp_micros() <= time_us)
    };
    commits
        .iter()
        .rev()
        .find(|commit| commit.committed_at.as_deref().is_some_and(at_or_before))
        .map(|commit| commit.version)
        .ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("the table `{name}` has no version of that time"),
            )
        })
}

/// What workers that are away leave open.
fn stale(views: &[(String, View)], now_ms: i64) -> Option<Stale> {
    let lacking = views.iter().map(|(_, view)| view);
    let lacking: Vec<&View> = lacking.filter(|view| !view.away.is_empty()).collect();
    let committed_at_ms = lacking.iter().map(|view| view.committed_at_ms).min()?;
    let away: BTreeSet<&Away> = lacking.iter().flat_map(|view| view.away.iter()).collect();
    Some(Stale {
        stale_ms: u64::try_from(now_ms.saturating_sub(committed_at_ms)).unwrap_or(0),
        workers_away: away.into_iter().cloned().collect(),
    })
}

fn position(views: &[(String, View)]) -> Json {
    let token = |view: &View| {
        let offsets = match &view.as_of {
            AsOf::Offsets(offsets) => offsets.clone(),
            AsOf::Now => view.visible_offsets(),
        };
        let offsets: Map<String, Json> = offsets
            .into_iter()
            .map(|(partition, next)| (partition.to_string(), json!(next)))
            .collect();
        json!({"version": view.version, "offsets": offsets})
    };
    match views {
        [] => Json::Null,
        [(_, only)] => token(only),
        several => {
            let tables: Map<String, Json> = several
                .iter()
                .map(|(name, view)| (name.clone(), token(view)))
                .collect();
            json!({"tables": tables})
        }
    }
}
