//! The `system` schema: what the lake holds and what runs, as tables.
//!
//! Most are small and made when a query names them; `dead_letters` and `trace('...')`, which is
//! such a table too, are scans of every table.

mod builtin;
mod dead_letters;
pub(crate) mod postgres;
pub(crate) mod rows;
pub(crate) mod trace;
mod workers;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;

pub(crate) use builtin::{table_columns, table_summary};

use crate::catalog::Taken;
use crate::error::{Error, ErrorKind, Result};
use crate::query::Inner;

/// The names of all system tables.
pub(crate) fn names(inner: &Inner) -> Vec<String> {
    let mut names: Vec<String> = builtin::NAMES
        .iter()
        .map(|name| (*name).to_owned())
        .collect();
    names.push(dead_letters::NAME.to_owned());
    for table in inner.added_system_tables() {
        if !names.iter().any(|name| name == table.name()) {
            names.push(table.name().to_owned());
        }
    }
    names.sort();
    names
}

/// The system table of this name, with its rows as they are now; topics' tables are seen as the
/// statement has `taken` them.
pub(crate) async fn table(
    inner: &Arc<Inner>,
    name: &str,
    taken: &mut Taken,
) -> Result<Arc<dyn TableProvider>> {
    if let Some(text) = trace::text_of(name) {
        return trace::table(inner, text, taken).await;
    }
    if name == dead_letters::NAME {
        return dead_letters::table(inner, taken).await;
    }
    let added = inner.added_system_tables();
    if let Some(table) = added.iter().find(|table| table.name() == name) {
        return in_memory(table.schema(), table.batches().await?);
    }
    if let Some((schema, batches)) = postgres::table(inner, name).await? {
        return in_memory(schema, batches);
    }
    match builtin::rows(inner, name).await? {
        Some((schema, batches)) => in_memory(schema, batches),
        None => Err(Error::new(
            ErrorKind::UnknownTable,
            format!("there is no table `system.{name}`"),
        )),
    }
}

fn in_memory(schema: SchemaRef, batches: Vec<RecordBatch>) -> Result<Arc<dyn TableProvider>> {
    Ok(Arc::new(MemTable::try_new(schema, vec![batches])?))
}
