//! What a select list makes of records: JSON that says exactly what was recorded, and parts.

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, TimestampMicrosecondType};
use futures::TryStreamExt;

use crate::error::Result;
use crate::source::{Payload, Sequence, SourcePlan};
use crate::testing::World;

fn plan(world: &World, select: &str, payload: Option<Payload>) -> Result<SourcePlan> {
    let planned = world.query.plan_source(select, payload, None, false);
    world.runtime.block_on(planned)
}

fn rows(world: &World, select: &str, payload: Option<Payload>) -> Vec<RecordBatch> {
    let plan = plan(world, select, payload).unwrap_or_else(|error| panic!("{select}: {error}"));
    let rows = world.query.source_rows(
        &plan.select,
        payload,
        plan.version,
        BTreeMap::new(),
        Sequence::Partitions,
    );
    world.runtime.block_on(rows.try_collect()).unwrap()
}

/// A column of bytes that the select list sets, as text.
fn set(batches: &[RecordBatch], name: &str) -> Vec<Option<String>> {
    let columns = batches
        .iter()
        .map(|batch| batch.column_by_name(name).unwrap());
    let texts = columns.flat_map(|column| {
        let bytes = column.as_binary::<i32>().iter();
        bytes
            .map(|one| one.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()))
            .collect::<Vec<_>>()
    });
    texts.collect()
}

fn values(world: &World, select: &str) -> Vec<String> {
    let batches = rows(world, select, None);
    set(&batches, "_set_value").into_iter().flatten().collect()
}

fn events() -> World {
    let world = World::new();
    let mut topic = world.writer("events", 1);
    for value in [
        r#"{"id": 7, "price": 123456789012345678901234567890, "name": "a\"b", "deep": {"x": 1, "Y": null}}"#,
        r#"{"id": "seven", "price": 1.0, "deep": {"x": "one", "list": [1, null, "a", {"z": 0.1}]}}"#,
        r#"{"id": {"no": 9007199254740993}, "ok": true, "price": 1e300, "deep": {"x": [2.50]}}"#,
        r#"{"price": -0.000001, "deep": {}}"#,
    ] {
        topic.put(0, value);
    }
    topic.commit();
    world
}

#[test]
fn p21_drifted_values_nulls_and_numbers_keep_what_they_were() {
    let world = events();
    assert_eq!(
        values(&world, "SELECT id, price FROM events"),
        [
            r#"{"id":7,"price":123456789012345678901234567890}"#,
            r#"{"id":"seven","price":1.0}"#,
            r#"{"id":{"no":9007199254740993},"price":1e300}"#,
            r#"{"id":null,"price":-1e-6}"#,
        ]
    );
    assert_eq!(
        values(&world, "SELECT deep.x, deep AS whole, _offset FROM events"),
        [
            r#"{"x":1,"whole":{"x":1},"_offset":0}"#,
            r#"{"x":"one","whole":{"x":"one","list":[1,null,"a",{"z":0.1}]},"_offset":1}"#,
            r#"{"x":[2.5],"whole":{"x":[2.5]},"_offset":2}"#,
            r#"{"x":null,"whole":{},"_offset":3}"#,
        ]
    );
}

#[test]
fn a_star_stands_for_the_payload_without_what_a_record_lacks() {
    let world = events();
    let whole = rows(&world, "SELECT * FROM events", Some(Payload::Columns));
    let whole: Vec<_> = set(&whole, "_set_value").into_iter().flatten().collect();
    for (at, value) in whole.iter().enumerate() {
        let value: serde_json::Value = serde_json::from_str(value).unwrap();
        let stored = format!("SELECT _value_text FROM events WHERE _offset = {at}");
        let stored = world.value(&stored);
        let mut stored: serde_json::Value = serde_json::from_str(stored.as_str().unwrap()).unwrap();
        // Null and absent are stored alike.
        if let Some(deep) = stored["deep"].as_object_mut() {
            deep.remove("Y");
        }
        assert_eq!(value, stored);
    }
    assert_eq!(
        values(
            &world,
            "SELECT * EXCLUDE (deep, PRICE), upper(name) AS loud FROM events"
        ),
        [
            r#"{"id":7,"name":"a\"b","loud":"A\"B"}"#,
            r#"{"id":"seven","loud":null}"#,
            r#"{"id":{"no":9007199254740993},"ok":true,"loud":null}"#,
            r#"{"loud":null}"#,
        ]
    );
}

#[test]
fn expressions_have_the_json_of_their_type() {
    let world = events();
    let select = "SELECT 1 + _partition AS a, length('ab') AS b, 'x' AS c, true AS d, null AS e, \
                  CAST('1.50' AS DECIMAL(10, 2)) AS f, _timestamp AS g, _key AS h, \
                  named_struct('i', _partition, 's', 't') AS i, CAST(0.1 AS REAL) AS j, \
                  CAST('NaN' AS DOUBLE) AS k FROM events WHERE _offset = 0";
    assert_eq!(
        values(&world, select),
        [concat!(
            r#"{"a":1,"b":2,"c":"x","d":true,"e":null,"f":1.50,"#,
            r#""g":"2026-11-23T10:00:00Z","h":"a2V5","#,
            r#""i":{"i":0,"s":"t"},"j":0.1,"k":"NaN"}"#
        )]
    );
}

#[test]
fn parts_are_set_and_the_others_stay() {
    let world = events();
    let select = "SELECT id AS _key, '{\"n\":' || _offset || '}' AS _value, \
                  _offset + 1 AS _partition, _timestamp + interval '1 second' AS _timestamp, \
                  [named_struct('k', 'h', 'v', 'x')] AS _headers FROM events";
    let planned = plan(&world, select, None).unwrap();
    assert_eq!(planned.payload, Payload::Original);
    let sets = ["_key", "_value", "_partition", "_timestamp", "_headers"];
    assert_eq!(planned.sets, sets);
    let batches = rows(&world, select, None);
    let keys = set(&batches, "_set_key");
    let keys: Vec<_> = keys.iter().map(Option::as_deref).collect();
    assert_eq!(
        keys,
        [
            Some("7"),
            Some("seven"),
            Some(r#"{"no":9007199254740993}"#),
            None
        ]
    );
    let set_values = set(&batches, "_set_value");
    assert_eq!(set_values[3].as_deref(), Some("{\"n\":3}"));
    let batch = &batches[0];
    let column = |name: &str| batch.column_by_name(name).unwrap();
    let partitions = column("_set_partition").as_primitive::<Int32Type>();
    assert_eq!(partitions.values()[..], [1, 2, 3, 4]);
    let times = |name: &str| {
        column(name)
            .as_primitive::<TimestampMicrosecondType>()
            .value(0)
    };
    assert_eq!(times("_set_timestamp"), times("_timestamp") + 1_000_000);
    let headers = column("_set_headers").as_list::<i32>().value(0);
    let pair = headers.as_struct();
    assert_eq!(pair.column(0).as_string::<i32>().value(0), "h");
    assert_eq!(pair.column(1).as_binary::<i32>().value(0), b"x");
    // What the record was stays beside it.
    assert_eq!(column("_key").as_binary::<i32>().value(0), b"key");
    // Bytes are bytes, null is null, and nothing else is set.
    let batches = rows(&world, "SELECT _key, null AS _value FROM events", None);
    assert_eq!(set(&batches, "_set_key")[0].as_deref(), Some("key"));
    assert_eq!(set(&batches, "_set_value"), vec![None; 4]);
    assert_eq!(batches[0].num_columns(), 11);
}

#[test]
fn members_and_a_key_go_together_and_a_resume_reads_the_same() {
    let world = events();
    let select = "SELECT name, upper('k') AS _key FROM events WHERE _offset < 2";
    let planned = plan(&world, select, None).unwrap();
    assert_eq!(
        (planned.payload, planned.sets.as_slice()),
        (Payload::Columns, &["_key"][..])
    );
    for sequence in [Sequence::Partitions, Sequence::Turns, Sequence::Time] {
        let after = BTreeMap::from([((eddy_engine::TopicId::new("id-of-events"), 0), 0)]);
        let (text, version) = (&planned.select, planned.version);
        let rows = world
            .query
            .source_rows(text, None, version, after, sequence);
        let batches: Vec<_> = world.runtime.block_on(rows.try_collect()).unwrap();
        assert_eq!(set(&batches, "_set_key"), [Some("K".to_owned())]);
        assert_eq!(
            set(&batches, "_set_value"),
            [Some("{\"name\":null}".to_owned())]
        );
    }
}

#[test]
fn what_can_not_become_a_record_is_refused_before_it_starts() {
    let world = events();
    for (list, part) in [
        ("upper(name)", "no name in the value"),
        ("name, id AS name", "`name` twice"),
        ("*, id", "id"),
        ("id AS _value, name", "`_value` beside other columns"),
        ("id AS _key, name AS _KEY", "`_key` is set twice"),
        ("count(*) AS n", "aggregates"),
        ("row_number() OVER () AS n", "window functions"),
        ("unnest([1, 2]) AS n", "unnest"),
        ("random() AS n", "the same rows"),
        ("name AS _partition", "`_partition` takes an integer"),
        ("name AS _timestamp", "`_timestamp` takes a timestamp"),
        ("name AS _headers", "`_headers` takes a list"),
        ("nobody", "nobody"),
        ("* EXCLUDE (nobody)", "nobody"),
        ("DISTINCT id", "`DISTINCT`"),
    ] {
        let select = format!("SELECT {list} FROM events");
        let error = plan(&world, &select, None).expect_err(list);
        assert!(error.to_string().contains(part), "{list}: {error}");
    }
    let random = plan(&world, "SELECT * FROM events WHERE random() < 0.5", None);
    assert!(random.unwrap_err().to_string().contains("the same rows"));
    for (list, payload, part) in [
        ("id", Payload::Original, "payload = 'original' with columns"),
        ("id AS _key", Payload::Columns, "without columns"),
    ] {
        let select = format!("SELECT {list} FROM events");
        let error = plan(&world, &select, Some(payload)).expect_err(list);
        assert!(error.to_string().contains(part), "{list}: {error}");
    }
}

#[test]
fn a_partition_that_fits_no_number_of_kafkas_ends_the_rows() {
    let world = events();
    let select = "SELECT 5000000000 AS _partition FROM events";
    let planned = plan(&world, select, None).unwrap();
    let rows = world.query.source_rows(
        &planned.select,
        None,
        planned.version,
        BTreeMap::new(),
        Sequence::Partitions,
    );
    let read: Result<Vec<RecordBatch>> = world.runtime.block_on(rows.try_collect());
    assert!(
        read.unwrap_err()
            .to_string()
            .contains("`_partition` of a row")
    );
}
