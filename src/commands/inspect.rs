//! `eddy inspect TABLE`: a table's columns with their history, versions, files and positions, read
//! from the lake itself; with `--view`, the text of a view for another engine.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use eddy_engine::commit::TableLog;
use eddy_engine::read::Snapshot;
use eddy_engine::schema::columns;
use eddy_engine::{Lake, TablePath};
use eddy_query::views::{Dialect, create_view};

use crate::cli::{Engine, InspectArgs};
use crate::config::Config;
use crate::{output, server};

/// How many versions are listed, newest first.
const LATEST: usize = 20;

/// Prints what the newest version holds and the latest versions' history.
pub(crate) async fn run(args: InspectArgs) -> Result<ExitCode> {
    let config = Config::load(&args.config)?;
    let connector = args.connector.as_deref();
    let (lake, table) = server::table(&config, connector, &args.topics_dir, &args.table).await?;
    if let Some(engine) = args.view {
        let name = args
            .view_name
            .unwrap_or_else(|| format!("{}_view", args.table));
        return print_view(lake, table, engine, name).await;
    }
    let looked = tokio::task::spawn_blocking(move || -> Result<_> {
        let Some(snapshot) = Snapshot::load(&lake, &table, None)? else {
            bail!("the lake has no table at `{table}`");
        };
        let log = TableLog::open(&lake, &table)?.context("the table vanished while it was read")?;
        let partitioning = Arc::clone(log.partitioning());
        Ok((snapshot, partitioning, log.history(LATEST)?))
    });
    let (snapshot, partitioning, history) = looked.await??;
    let rows: u64 = snapshot.files.iter().map(|file| file.rows).sum();
    let bytes: u64 = snapshot.files.iter().map(|file| file.size).sum();
    output::line(format_args!("table      {}", args.table))?;
    output::line(format_args!("by         {partitioning}"))?;
    if let Some(id) = snapshot.key_id() {
        output::line(format_args!("encrypted  with the key {id}"))?;
    }
    output::line(format_args!("version    {}", snapshot.version))?;
    output::line(format_args!(
        "files      {} with {rows} rows, {bytes} bytes",
        snapshot.files.len()
    ))?;
    output::line(format_args!("positions"))?;
    for ((topic_id, partition), position) in snapshot.positions.iter() {
        output::line(format_args!(
            "  {topic_id} partition {partition}: next offset {}, epoch {}",
            position.offset, position.epoch
        ))?;
    }
    output::line(format_args!("latest versions"))?;
    for entry in &history {
        output::line(format_args!(
            "  {} {}: {} files added with {} rows, {} removed, {} partitions moved",
            entry.version,
            entry.operation,
            entry.files_added,
            entry.rows_added,
            entry.files_removed,
            entry.moves.len()
        ))?;
    }
    print_columns(&snapshot)?;
    Ok(ExitCode::SUCCESS)
}

/// The `CREATE VIEW` for an engine, and nothing else.
async fn print_view(
    lake: Lake,
    table: TablePath,
    engine: Engine,
    name: String,
) -> Result<ExitCode> {
    let dialect = match engine {
        Engine::Duckdb => Dialect::DuckDb,
        Engine::Spark => Dialect::Spark,
        Engine::Trino => Dialect::Trino,
    };
    let text = tokio::task::spawn_blocking(move || -> Result<_> {
        let Some(snapshot) = Snapshot::load(&lake, &table, None)? else {
            bail!("the lake has no table at `{table}`");
        };
        let url = lake.object_url(table.prefix())?;
        let place = match url.to_file_path() {
            Ok(path) => path.display().to_string(),
            Err(()) => url.to_string(),
        };
        let source = dialect.source(table.topic(), &place);
        Ok(create_view(dialect, &name, &source, &snapshot.schema))
    });
    output::line(text.await??.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// Last, since a table may have thousands: a line per payload column with its path in
/// the JSON, what it holds, its name, and since when.
fn print_columns(snapshot: &Snapshot) -> Result<()> {
    let columns = columns(&snapshot.schema);
    let history = snapshot.schema_history().read()?;
    output::line(format_args!("columns    {}", columns.len()))?;
    for column in &columns {
        let since = history.get(&column.names).map(|since| {
            let time = since.time().unwrap_or_default();
            format!(", since version {} of {time}", since.version)
        });
        output::line(format_args!(
            "  {:?} {}: `{}`{}",
            column.path.join("."),
            column.kind,
            column.names.join("`.`"),
            since.unwrap_or_default()
        ))?;
    }
    Ok(())
}
