//! `GET /api/v1/tables` and `GET /api/v1/tables/{table}`.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde_json::{Map, Value, json};

use crate::error::{Error, ErrorKind, Result};
use crate::query::Query;
use crate::system::{table_columns, table_summary};

/// All tables at a glance.
pub(super) async fn list(State(query): State<Query>) -> Result<Json<Value>> {
    let catalog = &query.0.catalog;
    let mut tables = Vec::new();
    for name in catalog.list(true).await?.iter() {
        tables.push(table_summary(&catalog.view(name, None).await?));
    }
    Ok(Json(json!({"tables": tables})))
}

/// One table: its numbers, columns, positions and versions.
pub(super) async fn show(
    State(query): State<Query>,
    table: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>> {
    let Path(table) = table.map_err(|error| Error::invalid(error.body_text()))?;
    let catalog = &query.0.catalog;
    // Only names of the list are looked up, so a path in the name leads nowhere.
    let list = catalog.list(true).await?;
    let name = list.iter().find(|name| **name == table).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("there is no table `{table}`"))
            .with_hint("`GET /api/v1/tables` lists the tables")
    })?;
    let view = catalog.view(name, None).await?;
    let mut positions = Vec::new();
    for (key, visible) in &view.ends {
        let (topic_id, partition) = key;
        let committed = view.positions.get(key);
        positions.push(json!({
            "topic_id": topic_id.as_str(),
            "partition": partition,
            "committed": committed.map(|position| position.offset),
            "epoch": committed.map(|position| position.epoch),
            "visible": visible,
        }));
    }
    let mut answer = match serde_json::to_value(table_summary(&view)) {
        Ok(Value::Object(summary)) => summary,
        _ => Map::new(),
    };
    answer.insert("columns".to_owned(), json!(table_columns(&view)));
    answer.insert("positions".to_owned(), Value::Array(positions));
    let versions = catalog.tables().commits(name).await?;
    answer.insert("versions".to_owned(), json!(versions));
    Ok(Json(Value::Object(answer)))
}
