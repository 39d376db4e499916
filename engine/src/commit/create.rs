//! Version 0, which we write ourselves: the kernel would make a table that older readers refuse.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::Schema;
use bytes::Bytes;
use object_store::{Error as StoreError, ObjectStoreExt};
use serde_json::json;

use crate::commit::put::{self, Outcome, Payload};
use crate::commit::{actions, app, columns};
use crate::error::Result;
use crate::lake::Lake;
use crate::layout;
use crate::partition::{PROPERTY, Partitioning};
use crate::path::TablePath;
use crate::schema::with_partition_columns;
use crate::state::once;

/// The owner's part of the table: the connector's name behind the number in its `txn` (P2).
const OWNERS: &str = "owners";

/// Puts version 0 of `table`. Whether it is ours or another's that came first does not matter: the
/// caller opens what is there.
///
/// # Errors
/// `Unavailable` when the store does not answer.
pub(super) fn create(
    lake: &Lake,
    table: &TablePath,
    schema: &Schema,
    partitioning: &Partitioning,
    foreign: bool,
    connector: &str,
) -> Result<()> {
    let schema = with_partition_columns(schema.clone(), partitioning.columns());
    // The name first: a table whose owner nobody can name would be worse than a name too many.
    name_owner(lake, connector)?;
    let id = lake.clock().new_id();
    let now_ms = lake.clock().now_us() / 1_000;
    let property = partitioning.to_property();
    let mut configuration: BTreeMap<&str, String> =
        property.into_iter().map(|text| (PROPERTY, text)).collect();
    if foreign {
        configuration.insert(layout::PROPERTY, layout::FOREIGN.to_owned());
    }
    let lines = [
        json!({"commitInfo": {
            "timestamp": now_ms,
            "operation": "CREATE TABLE",
            "operationParameters": {},
            "engineInfo": super::ENGINE,
            actions::ID: id.to_string(),
            actions::OPERATION: "create",
        }}),
        json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
        json!({"metaData": {
            "id": lake.clock().new_id().to_string(),
            "name": table.topic(),
            "format": {"provider": "parquet", "options": {}},
            "schemaString": columns::to_delta(&schema)?.to_string(),
            "partitionColumns": partitioning.columns(),
            "configuration": configuration,
            "createdTime": now_ms,
        }}),
        json!({"txn": {
            "appId": app::owner(),
            "version": app::owner_number(connector),
            "lastUpdated": now_ms,
        }}),
    ];
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let payload = Payload {
        id,
        version: 0,
        bytes: Bytes::from(text),
        based_at: lake.clock().monotonic(),
    };
    match put::put(lake, table, &payload) {
        Outcome::Ours | Outcome::Other => Ok(()),
        Outcome::Unsettled(error) => Err(error),
    }
}

/// The connector behind an owner's number, as far as the lake remembers.
pub(super) fn owner_name(lake: &Lake, number: i64) -> Result<String> {
    let store = Arc::clone(lake.store());
    let location = lake.owner_object(OWNERS, number);
    let read = lake.wait(async move { store.get(&location).await?.bytes().await })?;
    match read {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(StoreError::NotFound { .. }) => Ok(format!("#{number}")),
        Err(error) => Err(error.into()),
    }
}

fn name_owner(lake: &Lake, connector: &str) -> Result<()> {
    let location = lake.owner_object(OWNERS, app::owner_number(connector));
    once::put(lake, location, connector.as_bytes().to_vec())
}
