//! The rows of the tables that have some.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::error::Result;
use crate::postgres::{SETTINGS, SqlType, known_types, sql_type};
use crate::query::Inner;
use crate::table::View;

/// What the one database and its owner are called.
pub(crate) const DATABASE: &str = "lake";
pub(super) const OWNER: &str = "eddy";
pub(super) const OWNER_OID: i64 = 10;
const PUBLIC_OID: i64 = 2_200;
/// The first number that tables may have: lower ones are Postgres' own.
pub(super) const TABLE_OID_MIN: i64 = 16_384;

/// The rows of a table of `columns::COLUMNS`.
pub(super) async fn of(inner: &Arc<Inner>, name: &str) -> Result<Vec<Value>> {
    Ok(match name {
        "pg_catalog.pg_namespace" => [(11, "pg_catalog"), (PUBLIC_OID, "public")]
            .into_iter()
            .chain([(13_000, "information_schema")])
            .map(|(oid, name)| json!({"oid": oid, "nspname": name, "nspowner": OWNER_OID}))
            .collect(),
        "pg_catalog.pg_class" => tables(inner).await?.iter().map(class).collect(),
        "pg_catalog.pg_attribute" => of_columns(inner, attribute).await?,
        "pg_catalog.pg_type" => known_types().iter().map(type_row).collect(),
        "pg_catalog.pg_database" => vec![json!({
            "oid": 5, "datname": DATABASE, "datdba": OWNER_OID, "encoding": 6,
            "datcollate": "C", "datctype": "C", "datistemplate": false, "datallowconn": true,
            "datconnlimit": -1, "dattablespace": 1663,
        })],
        "pg_catalog.pg_roles" => vec![json!({
            "oid": OWNER_OID, "rolname": OWNER, "rolsuper": false, "rolinherit": true,
            "rolcreaterole": false, "rolcreatedb": false, "rolcanlogin": true,
            "rolreplication": false, "rolconnlimit": -1, "rolbypassrls": false,
        })],
        "pg_catalog.pg_user" => vec![json!({
            "usename": OWNER, "usesysid": OWNER_OID, "usecreatedb": false, "usesuper": false,
            "userepl": false,
        })],
        "pg_catalog.pg_tables" => {
            let row = |(name, _): &(String, i64)| {
                json!({"schemaname": "public", "tablename": name, "tableowner": OWNER,
                       "hasindexes": false, "hasrules": false, "hastriggers": false})
            };
            tables(inner).await?.iter().map(row).collect()
        }
        "pg_catalog.pg_settings" => {
            let row = |(name, setting): &(&str, &str)| json!({"name": name, "setting": setting});
            SETTINGS.iter().map(row).collect()
        }
        "information_schema.schemata" => ["information_schema", "pg_catalog", "public"]
            .map(|name| {
                json!({"catalog_name": DATABASE, "schema_name": name, "schema_owner": OWNER})
            })
            .to_vec(),
        "information_schema.tables" => {
            let row = |(name, _): &(String, i64)| {
                json!({"table_catalog": DATABASE, "table_schema": "public", "table_name": name,
                       "table_type": "BASE TABLE", "is_insertable_into": "NO"})
            };
            tables(inner).await?.iter().map(row).collect()
        }
        "information_schema.columns" => of_columns(inner, column).await?,
        _ => Vec::new(),
    })
}

/// The tables with their numbers: of the name alone, unless two names have the same.
async fn tables(inner: &Arc<Inner>) -> Result<Vec<(String, i64)>> {
    let mut taken = BTreeSet::new();
    let names = inner.catalog.list(true).await?;
    let numbered = names.iter().map(|name| {
        let mut oid = number(name);
        while !taken.insert(oid) {
            oid += 1;
        }
        (name.clone(), oid)
    });
    Ok(numbered.collect())
}

/// FNV-1a, brought down to 30 bits: the same in every process and after every restart.
fn number(name: &str) -> i64 {
    let mixed = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    TABLE_OID_MIN + i64::from(mixed & 0x3fff_ffff)
}

fn class((name, oid): &(String, i64)) -> Value {
    json!({
        "oid": oid, "relname": name, "relnamespace": PUBLIC_OID, "reltype": 0, "reloftype": 0,
        "relowner": OWNER_OID, "relam": 0, "relfilenode": oid, "reltablespace": 0, "relpages": 0,
        "reltuples": -1.0, "relallvisible": 0, "reltoastrelid": 0, "relhasindex": false,
        "relisshared": false, "relpersistence": "p", "relkind": "r", "relchecks": 0,
        "relhasoids": false, "relhaspkey": false, "relhasrules": false, "relhastriggers": false,
        "relhassubclass": false, "relrowsecurity": false, "relforcerowsecurity": false,
        "relispopulated": true, "relreplident": "n", "relispartition": false, "relfrozenxid": 0,
    })
}

/// A column with its table's number.
struct Placed<'a> {
    table: &'a str,
    oid: i64,
    position: u64,
    name: &'a str,
    sql_type: SqlType,
}

async fn of_columns(inner: &Arc<Inner>, row: fn(&Placed<'_>) -> Value) -> Result<Vec<Value>> {
    let mut rows = Vec::new();
    for (table, oid) in tables(inner).await? {
        let view: View = inner.catalog.view(&table, None).await?;
        let columns = view.sql_columns();
        for (column, position) in columns.list().iter().zip(1..) {
            rows.push(row(&Placed {
                table: &table,
                oid,
                position,
                name: &column.name,
                sql_type: sql_type(&column.data_type),
            }));
        }
    }
    Ok(rows)
}

fn attribute(column: &Placed<'_>) -> Value {
    let of = &column.sql_type;
    json!({
        "attrelid": column.oid, "attname": column.name, "atttypid": of.oid, "attstattarget": -1,
        "attlen": of.size, "attnum": column.position, "attndims": i32::from(of.element.is_some()),
        "attcacheoff": -1, "atttypmod": of.modifier, "attbyval": false, "attstorage": "x",
        "attalign": "i", "attnotnull": false, "atthasdef": false, "attidentity": "",
        "attgenerated": "", "attisdropped": false, "attislocal": true, "attinhcount": 0,
        "attcollation": 0,
    })
}

fn column(column: &Placed<'_>) -> Value {
    let of = &column.sql_type;
    let (precision, scale) = of.precision().unzip();
    json!({
        "table_catalog": DATABASE, "table_schema": "public", "table_name": column.table,
        "column_name": column.name, "ordinal_position": column.position, "is_nullable": "YES",
        "data_type": of.data_type(), "numeric_precision": precision, "numeric_scale": scale,
        "udt_catalog": DATABASE, "udt_schema": "pg_catalog", "udt_name": of.name,
        "is_identity": "NO", "is_generated": "NEVER", "is_updatable": "NO",
    })
}

fn type_row(of: &SqlType) -> Value {
    json!({
        "oid": of.oid, "typname": of.name, "typnamespace": 11, "typowner": OWNER_OID,
        "typlen": of.size, "typbyval": false, "typtype": "b", "typcategory": of.category(),
        "typispreferred": false, "typisdefined": true, "typdelim": ",", "typrelid": 0,
        "typelem": of.element.unwrap_or(0), "typarray": of.list.unwrap_or(0), "typnotnull": false,
        "typbasetype": 0, "typtypmod": -1, "typndims": 0, "typcollation": 0,
    })
}
