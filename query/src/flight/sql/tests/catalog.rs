//! What tools ask of the catalog and of the server before anyone asks for rows.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Schema, UInt32Type};
use arrow_flight::sql::{
    CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys, CommandGetImportedKeys,
    CommandGetPrimaryKeys, CommandGetTables, CommandGetXdbcTypeInfo, SqlInfo,
};
use arrow_flight::{FlightInfo, IpcMessage};
use bytes::Bytes;
use futures::TryStreamExt;

use super::{Asked, Client};

async fn batches(client: &mut Client, info: FlightInfo) -> Vec<RecordBatch> {
    let told = info.clone().try_decode_schema().unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let stream = client.do_get(ticket).await.unwrap();
    let batches: Vec<RecordBatch> = stream.try_collect().await.unwrap();
    for batch in &batches {
        assert_eq!(*batch.schema(), told);
    }
    batches
}

fn texts(batches: &[RecordBatch], column: usize) -> Vec<String> {
    let all = batches.iter().flat_map(|batch| {
        let texts = batch.column(column).as_string::<i32>();
        texts.iter().map(|text| text.unwrap_or_default().to_owned())
    });
    all.collect()
}

#[test]
fn tables_are_told_with_their_columns_by_patterns_and_types() {
    let asked = Asked::orders();
    let mut other = asked.world.writer("order.lines", 1);
    other.put(0, r#"{"n": 1}"#);
    other.publish();
    let mut client = asked.client();
    let tables = |client: &mut Client, wanted: CommandGetTables| {
        asked.world.runtime.block_on(async {
            let info = client.get_tables(wanted).await.unwrap();
            batches(client, info).await
        })
    };
    let all = tables(&mut client, CommandGetTables::default());
    let names = texts(&all, 2);
    assert_eq!(names[..2], ["order.lines", "orders"]);
    assert!(names.contains(&"queries".to_owned()), "{names:?}");
    assert!(texts(&all, 0).iter().all(|catalog| catalog == "lake"));
    let of_topics = CommandGetTables {
        db_schema_filter_pattern: Some("pub%".to_owned()),
        table_name_filter_pattern: Some("order_".to_owned()),
        table_types: vec!["TABLE".to_owned()],
        include_schema: true,
        ..CommandGetTables::default()
    };
    let found = tables(&mut client, of_topics);
    assert_eq!(texts(&found, 2), ["orders"]);
    let schema = found[0].column(4).as_binary::<i32>().value(0);
    let schema = Schema::try_from(IpcMessage(Bytes::copy_from_slice(schema))).unwrap();
    let sql = "SELECT * FROM orders";
    let names: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names, asked.world.columns(sql));
    let elsewhere = CommandGetTables {
        catalog: Some("nowhere".to_owned()),
        ..CommandGetTables::default()
    };
    assert!(texts(&tables(&mut client, elsewhere), 2).is_empty());
    let of_system = CommandGetTables {
        db_schema_filter_pattern: Some("system".to_owned()),
        include_schema: true,
        ..CommandGetTables::default()
    };
    let found = tables(&mut client, of_system);
    assert!(texts(&found, 3).iter().all(|kind| kind == "SYSTEM TABLE"));
    assert!(found[0].num_rows() >= 9);
}

#[test]
fn what_tools_ask_of_the_server_is_answered() {
    let asked = Asked::orders();
    let mut client = asked.client();
    asked.world.runtime.block_on(async {
        let info = client.get_catalogs().await.unwrap();
        assert_eq!(texts(&batches(&mut client, info).await, 0), ["lake"]);
        let wanted = CommandGetDbSchemas {
            catalog: None,
            db_schema_filter_pattern: Some("%".to_owned()),
        };
        let info = client.get_db_schemas(wanted).await.unwrap();
        let schemas = texts(&batches(&mut client, info).await, 1);
        assert_eq!(schemas, ["public", "system"]);
        let info = client.get_table_types().await.unwrap();
        let kinds = texts(&batches(&mut client, info).await, 0);
        assert_eq!(kinds, ["SYSTEM TABLE", "TABLE"]);
        let info = client.get_sql_info(vec![SqlInfo::FlightSqlServerName]);
        let info = info.await.unwrap();
        let found = batches(&mut client, info).await;
        let named = found[0].column(1).as_union().value(0);
        assert_eq!(named.as_string::<i32>().value(0), "Eddy");
        let info = client.get_sql_info(Vec::new()).await.unwrap();
        let found = batches(&mut client, info).await;
        let asked_for = found[0].column(0).as_primitive::<UInt32Type>();
        // Substrait has no versions here; else nothing is left open.
        let all = (0..=11).chain([100, 101]).chain(500..=576);
        let all: Vec<u32> = all.filter(|one| ![6, 7].contains(one)).collect();
        assert_eq!(asked_for.values().to_vec(), all);
        let info = client.get_xdbc_type_info(CommandGetXdbcTypeInfo { data_type: None });
        let info = info.await.unwrap();
        let types = texts(&batches(&mut client, info).await, 0);
        assert!(types.contains(&"BIGINT".to_owned()), "{types:?}");
    });
}

#[test]
fn no_table_has_keys() {
    let asked = Asked::orders();
    let mut client = asked.client();
    let table = || "orders".to_owned();
    asked.world.runtime.block_on(async {
        let wanted = CommandGetPrimaryKeys {
            table: table(),
            ..CommandGetPrimaryKeys::default()
        };
        let primary = client.get_primary_keys(wanted).await.unwrap();
        let wanted = CommandGetExportedKeys {
            table: table(),
            ..CommandGetExportedKeys::default()
        };
        let exported = client.get_exported_keys(wanted).await.unwrap();
        let wanted = CommandGetImportedKeys {
            table: table(),
            ..CommandGetImportedKeys::default()
        };
        let imported = client.get_imported_keys(wanted).await.unwrap();
        let wanted = CommandGetCrossReference {
            pk_table: table(),
            fk_table: table(),
            ..CommandGetCrossReference::default()
        };
        let crossed = client.get_cross_reference(wanted).await.unwrap();
        for (info, columns) in [(primary, 6), (exported, 13), (imported, 13), (crossed, 13)] {
            let told = info.clone().try_decode_schema().unwrap();
            assert_eq!(told.fields().len(), columns);
            let rows = batches(&mut client, info).await;
            assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 0);
        }
    });
}
