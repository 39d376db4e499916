//! The system tables that this crate can fill by itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use eddy_engine::commit::Since;
use eddy_engine::schema::{KEY, KIND, VALUE};
use serde::Serialize;

use super::rows::{COUNT, TEXT, batches, rfc3339, schema, time};
use crate::error::Result;
use crate::query::Inner;
use crate::run::Done;
use crate::table::{DT, Source, View};

/// The names after `system.`.
pub(super) const NAMES: [&str; 8] = [
    "columns", "commits", "erasures", "files", "offsets", "queries", "tables", "workers",
];

/// The rows of one of [`NAMES`].
pub(super) async fn rows(
    inner: &Arc<Inner>,
    name: &str,
) -> Result<Option<(SchemaRef, Vec<RecordBatch>)>> {
    Ok(Some(match name {
        "tables" => of_views(inner, tables_schema(), |view| vec![table_summary(view)]).await?,
        "columns" => of_views(inner, columns_schema(), table_columns).await?,
        "files" => of_views(inner, files_schema(), files).await?,
        "offsets" => of_views(inner, offsets_schema(), offsets).await?,
        "commits" => commits(inner).await?,
        "erasures" => crate::erase::receipts(inner).await?,
        "queries" => queries(inner)?,
        "workers" => super::workers::rows(inner)?,
        _ => return Ok(None),
    }))
}

async fn of_views<T: Serialize>(
    inner: &Arc<Inner>,
    schema: SchemaRef,
    rows_of: fn(&View) -> Vec<T>,
) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let mut rows = Vec::new();
    for name in inner.catalog.list(true).await?.iter() {
        rows.extend(rows_of(&inner.catalog.view(name, None).await?));
    }
    let batches = batches(&schema, &rows)?;
    Ok((schema, batches))
}

/// One table at a glance.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TableSummary {
    pub(crate) name: String,
    pub(crate) version: u64,
    /// Rows in files; live rows are counted apart.
    pub(crate) rows: u64,
    pub(crate) live_rows: u64,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) columns: u64,
}

fn tables_schema() -> SchemaRef {
    schema([
        ("name", TEXT),
        ("version", COUNT),
        ("rows", COUNT),
        ("live_rows", COUNT),
        ("files", COUNT),
        ("bytes", COUNT),
        ("columns", COUNT),
    ])
}

/// A view in numbers.
pub(crate) fn table_summary(view: &View) -> TableSummary {
    TableSummary {
        name: view.name.clone(),
        version: view.version,
        rows: view.files.iter().map(|file| file.rows).sum(),
        live_rows: view.live_rows(),
        files: count(view.files.len()),
        bytes: view.files.iter().map(|file| file.size).sum(),
        columns: count(view.sql_columns().list().len()),
    }
}

/// One column.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ColumnRow {
    pub(crate) table: String,
    pub(crate) position: u64,
    pub(crate) column: String,
    /// The name in the files; null for what is made of others.
    pub(crate) stored: Option<String>,
    /// What it holds; `drifted` for the text of a key that has several columns.
    pub(crate) kind: Option<String>,
    pub(crate) key: Option<String>,
    #[serde(rename = "type")]
    pub(crate) data_type: String,
    /// The first version that has it, and when that was made; null for what came with the table.
    pub(crate) since_version: Option<u64>,
    pub(crate) since: Option<String>,
    /// The same of the column inside of it that came last, where that came later.
    pub(crate) grown_version: Option<u64>,
    pub(crate) grown: Option<String>,
}

fn columns_schema() -> SchemaRef {
    schema([
        ("table", TEXT),
        ("position", COUNT),
        ("column", TEXT),
        ("stored", TEXT),
        ("kind", TEXT),
        ("key", TEXT),
        ("type", TEXT),
        ("since_version", COUNT),
        ("since", time()),
        ("grown_version", COUNT),
        ("grown", time()),
    ])
}

/// The top-level columns of a view.
pub(crate) fn table_columns(view: &View) -> Vec<ColumnRow> {
    let history = columns_history(view);
    let columns = view.sql_columns();
    let rows = columns.list().iter().zip(1_u64..);
    rows.map(|(column, position)| {
        let (stored, first) = match &column.source {
            Source::Stored(name) => (Some(name.as_str()), Some(name)),
            Source::Drifted(drifted) => (None, drifted.stored.first()),
            Source::Original(_) => (Some(VALUE), None),
            Source::Partition(_)
            | Source::File
            | Source::Number
            | Source::Row
            | Source::TextOf(_)
            | Source::OriginalText(_) => (None, None),
        };
        let metadata = |name| {
            let field = view.schema.field_with_name(first?).ok()?;
            field.metadata().get(name).cloned()
        };
        let history = stored.and_then(|name| history.get(name));
        let version = |since: fn(&History) -> Option<Since>| Some(since(history?)?.version);
        let moment = |since: fn(&History) -> Option<Since>| since(history?)?.time();
        ColumnRow {
            table: view.name.clone(),
            position,
            column: column.name.clone(),
            stored: stored.map(str::to_owned),
            kind: match column.source {
                Source::Drifted(_) => Some("drifted".to_owned()),
                _ => metadata(KIND),
            },
            key: metadata(KEY),
            data_type: type_text(&column.data_type),
            since_version: version(|history| history.since),
            since: moment(|history| history.since),
            grown_version: version(|history| history.grown),
            grown: moment(|history| history.grown),
        }
    })
    .collect()
}

/// When a column came, and when the youngest of those inside of it.
#[derive(Default)]
struct History {
    since: Option<Since>,
    grown: Option<Since>,
}

/// A schema that can't be read has no history; everything else says so loudly enough.
fn columns_history(view: &View) -> BTreeMap<String, History> {
    let mut columns: BTreeMap<String, History> = BTreeMap::new();
    let read = view
        .history
        .as_ref()
        .and_then(|history| history.read().ok());
    for (names, since) in read.into_iter().flatten() {
        let Some((name, inside)) = names.split_first() else {
            continue;
        };
        let column = columns.entry(name.clone()).or_default();
        if inside.is_empty() {
            column.since = Some(since);
        } else {
            column.grown = column.grown.max(Some(since));
        }
    }
    for column in columns.values_mut() {
        column.grown = column.grown.filter(|grown| Some(*grown) > column.since);
    }
    columns
}

/// A type as SQL people write it.
fn type_text(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 => "string".to_owned(),
        DataType::Int64 => "long".to_owned(),
        DataType::Int32 => "int".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Binary => "binary".to_owned(),
        DataType::Timestamp(_, _) => "timestamp".to_owned(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::List(element) => format!("list<{}>", type_text(element.data_type())),
        DataType::Struct(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|field| format!("{} {}", field.name(), type_text(field.data_type())))
                .collect();
            format!("struct<{}>", fields.join(", "))
        }
        other => other.to_string(),
    }
}

#[derive(Serialize)]
struct FileRow {
    table: String,
    path: String,
    dt: Option<String>,
    /// The folder within the table's.
    partition: Option<String>,
    rows: u64,
    bytes: u64,
    written_at: Option<String>,
}

fn files_schema() -> SchemaRef {
    schema([
        ("table", TEXT),
        ("path", TEXT),
        ("dt", TEXT),
        ("partition", TEXT),
        ("rows", COUNT),
        ("bytes", COUNT),
        ("written_at", time()),
    ])
}

fn files(view: &View) -> Vec<FileRow> {
    let files = view.files.iter();
    files
        .map(|file| FileRow {
            table: view.name.clone(),
            path: view.path.object(&file.path).to_string(),
            dt: file.partition_values.get(DT).cloned().flatten(),
            partition: file
                .path
                .rsplit_once('/')
                .map(|(folder, _)| folder.to_owned()),
            rows: file.rows,
            bytes: file.size,
            written_at: rfc3339(file.modified_ms.saturating_mul(1_000)),
        })
        .collect()
}

#[derive(Serialize)]
struct OffsetRow {
    table: String,
    topic_id: String,
    partition: i32,
    /// The version's position: the next offset that isn't in files.
    committed: Option<i64>,
    epoch: Option<i64>,
    /// The next offset that no query sees.
    visible: i64,
}

fn offsets_schema() -> SchemaRef {
    schema([
        ("table", TEXT),
        ("topic_id", TEXT),
        ("partition", DataType::Int32),
        ("committed", COUNT),
        ("epoch", COUNT),
        ("visible", COUNT),
    ])
}

fn offsets(view: &View) -> Vec<OffsetRow> {
    let ends = view.ends.iter();
    ends.map(|(key, visible)| {
        let (topic_id, partition) = key;
        let position = view.positions.get(key);
        OffsetRow {
            table: view.name.clone(),
            topic_id: topic_id.to_string(),
            partition: *partition,
            committed: position.map(|position| position.offset),
            epoch: position.map(|position| position.epoch),
            visible: *visible,
        }
    })
    .collect()
}

async fn commits(inner: &Arc<Inner>) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let schema = schema([
        ("table", TEXT),
        ("version", COUNT),
        ("committed_at", time()),
        ("operation", TEXT),
        ("files_added", COUNT),
        ("rows_added", COUNT),
    ]);
    let mut rows = Vec::new();
    for name in inner.catalog.list(true).await?.iter() {
        rows.extend(inner.catalog.tables().commits(name).await?);
    }
    let batches = batches(&schema, &rows)?;
    Ok((schema, batches))
}

#[derive(Serialize)]
struct QueryRow {
    query_id: String,
    state: &'static str,
    sql: String,
    front: Option<&'static str>,
    started_at: Option<String>,
    ended_at: Option<String>,
    #[serde(flatten)]
    done: Done,
    error: Option<String>,
}

fn queries(inner: &Arc<Inner>) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let schema = schema([
        ("query_id", TEXT),
        ("state", TEXT),
        ("sql", TEXT),
        ("front", TEXT),
        ("started_at", time()),
        ("ended_at", time()),
        ("rows", COUNT),
        ("files", COUNT),
        ("files_total", COUNT),
        ("row_groups", COUNT),
        ("row_groups_pruned", COUNT),
        ("requests", COUNT),
        ("bytes", COUNT),
        ("cache_bytes", COUNT),
        ("bytes_total", COUNT),
        ("filter_requests", COUNT),
        ("filter_bytes", COUNT),
        ("nodes", COUNT),
        ("memory_bytes", COUNT),
        ("memory_bytes_max", COUNT),
        ("stale_ms", COUNT),
        ("workers_away", COUNT),
        ("error", TEXT),
    ]);
    let rows: Vec<QueryRow> = inner
        .registry
        .list()
        .into_iter()
        .map(|listed| QueryRow {
            query_id: listed.query_id.to_string(),
            state: listed.state,
            sql: listed.sql,
            front: listed.front.name(),
            started_at: rfc3339(listed.started_us),
            ended_at: listed.ended_us.and_then(rfc3339),
            done: listed.done,
            error: listed.error,
        })
        .collect();
    let batches = batches(&schema, &rows)?;
    Ok((schema, batches))
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
