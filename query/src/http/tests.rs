//! The routes, through the router, on a real lake.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod streams;
mod tail;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow::ipc::reader::StreamReader;
use async_trait::async_trait;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use serde_json::{Value as Json, json};
use tower::ServiceExt;

use crate::hooks::{CreateDestination, IntoAnswer, IntoHandler, IntoRequest};
use crate::testing::World;

fn send(world: &World, request: Request<Body>) -> (StatusCode, Response<()>, Vec<u8>) {
    world.runtime.block_on(async {
        let response = world.query.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (
            parts.status,
            Response::from_parts(parts, ()),
            bytes.to_vec(),
        )
    })
}

fn post(world: &World, body: &Json) -> (StatusCode, String) {
    let request = Request::post("/api/v1/sql")
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    let (status, _, bytes) = send(world, request);
    (status, String::from_utf8(bytes).unwrap())
}

fn get(world: &World, path: &str) -> (StatusCode, String) {
    let (status, _, bytes) = send(world, Request::get(path).body(Body::empty()).unwrap());
    (status, String::from_utf8(bytes).unwrap())
}

fn orders() -> World {
    let world = World::new();
    let mut topic = world.writer("orders", 1);
    topic.put(
        0,
        r#"{"id": 9007199254740993, "total": 1.0, "tags": ["a", "b"]}"#,
    );
    topic.put(
        0,
        r#"{"id": 2, "big": 123456789012345678901234567890, "note": "x, \"y\""}"#,
    );
    topic.commit();
    world
}

const ALL: &str =
    "SELECT id, total, tags, big, note, _timestamp, _key FROM orders ORDER BY _offset";

#[test]
fn each_format_has_its_golden_form() {
    let world = orders();
    let (status, text) = post(&world, &json!({"sql": ALL}));
    assert_eq!(status, StatusCode::OK, "{text}");
    let first = r#"{"id":9007199254740993,"total":1.0,"tags":["a","b"],"_timestamp":"2026-11-23T10:00:00Z","_key":"a2V5"}"#;
    let second = r#"{"id":2,"big":"123456789012345678901234567890","note":"x, \"y\"","_timestamp":"2026-11-23T10:00:00.001Z","_key":"a2V5"}"#;
    assert_eq!(text, format!("{first}\n{second}\n"));

    let (_, text) = post(
        &world,
        &json!({"sql": ALL, "format": "json", "int64": "string"}),
    );
    let rows: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(rows[0]["id"], json!("9007199254740993"));
    assert_eq!(rows[0]["note"], Json::Null);
    assert!(rows[0].as_object().unwrap().contains_key("note"));

    let (_, text) = post(&world, &json!({"sql": ALL, "format": "csv"}));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "id,total,tags,big,note,_timestamp,_key");
    assert_eq!(
        lines[1],
        r#"9007199254740993,1.0,"[""a"",""b""]",,,2026-11-23T10:00:00Z,a2V5"#
    );

    let request = Request::post("/api/v1/sql")
        .header("content-type", "application/sql")
        .header("accept", "application/vnd.apache.arrow.stream")
        .body(Body::from(ALL))
        .unwrap();
    let (_, response, bytes) = send(&world, request);
    let position = response.headers().get("eddy-position").unwrap();
    let position: Json = serde_json::from_slice(position.as_bytes()).unwrap();
    assert_eq!(position["offsets"], json!({"0": 2}));
    let reader = StreamReader::try_new(bytes.as_slice(), None).unwrap();
    let rows: usize = reader.map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 2);
}

#[test]
fn an_empty_answer_is_a_whole_answer_in_each_format() {
    let world = orders();
    let sql = "SELECT id FROM orders WHERE id = 0";
    for (format, expected) in [("ndjson", ""), ("json", "[]\n"), ("csv", "id\n")] {
        let (status, text) = post(&world, &json!({"sql": sql, "format": format}));
        assert_eq!(
            (status, text.as_str()),
            (StatusCode::OK, expected),
            "{format}"
        );
    }
}

#[test]
fn errors_have_a_status_a_code_a_hint_and_a_position() {
    let world = orders();
    for (body, status, code) in [
        (json!({"sql": "SELECT 1 FROM nope"}), 400, "unknown_table"),
        (
            json!({"sql": "SELECT nope FROM orders"}),
            400,
            "unknown_column",
        ),
        (json!({"sql": "SELEC"}), 400, "syntax"),
        (json!({"sql": "DROP TABLE orders"}), 400, "not_supported"),
        (
            json!({"sql": "SELECT * INTO d FROM orders"}),
            400,
            "not_supported",
        ),
        (json!({"sql": "SELECT 1/0"}), 400, "execution"),
        (json!({"sql": "SELECT 1", "format": "xml"}), 400, "invalid"),
        (json!({"sql": "SELECT 1", "typo": 1}), 400, "invalid"),
        (
            json!({"sql": "SELECT 1 FROM orders", "as_of": {"version": 99}}),
            404,
            "not_found",
        ),
        (
            json!({"sql": "SELECT 1 FROM orders", "wait_for": {"0": 9}, "timeout": "20ms"}),
            408,
            "wait_for_timeout",
        ),
    ] {
        let (found, text) = post(&world, &body);
        let error: Json = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{body}: {text}"));
        assert_eq!(error["error"]["code"], json!(code), "{body}: {text}");
        assert_eq!(found.as_u16(), status, "{body}: {text}");
    }
    let (_, text) = post(&world, &json!({"sql": "SELECT totl FROM orders"}));
    let error: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(error["error"]["position"], json!({"line": 1, "column": 8}));
    assert_eq!(error["error"]["hint"], json!("did you mean `total`?"));
}

#[test]
fn an_error_after_the_first_row_is_the_last_line_and_cuts_the_answer() {
    let world = World::new();
    let (status, text) = world.runtime.block_on(async {
        let body =
            json!({"sql": "SELECT 10 / (20000 - value) AS x FROM generate_series(1, 30000)"});
        let request = Request::post("/api/v1/sql")
            .body(Body::from(body.to_string()))
            .unwrap();
        let response = world.query.router().oneshot(request).await.unwrap();
        let status = response.status();
        let mut stream = response.into_body().into_data_stream();
        let mut text = Vec::new();
        loop {
            match futures::StreamExt::next(&mut stream).await {
                Some(Ok(bytes)) => text.extend_from_slice(&bytes),
                Some(Err(_)) => break (status, String::from_utf8(text).unwrap()),
                None => panic!("the answer ended as if it were whole"),
            }
        }
    });
    assert_eq!(status, StatusCode::OK);
    let last: Json = serde_json::from_str(text.trim().lines().last().unwrap()).unwrap();
    assert_eq!(last["eddy_error"]["code"], json!("execution"), "{last}");
}

#[test]
fn tables_and_queries_are_listed() {
    let world = orders();
    let (_, text) = get(&world, "/api/v1/tables");
    let tables: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(tables["tables"][0]["name"], json!("orders"));
    assert_eq!(tables["tables"][0]["rows"], json!(2));
    let (_, text) = get(&world, "/api/v1/tables/orders");
    let table: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(table["positions"][0]["committed"], json!(2));
    let column = table["columns"].as_array().unwrap().iter();
    assert!(
        column
            .clone()
            .any(|one| one["column"] == "id" && one["type"] == "long"),
        "{text}"
    );
    for path in ["/api/v1/tables/..%2f..%2fetc", "/api/v1/tables/none"] {
        assert_eq!(get(&world, path).0, StatusCode::NOT_FOUND, "{path}");
    }
    let (status, text) = get(&world, "/api/v1/sql?q=SELECT+count(*)+AS+n+FROM+orders");
    assert_eq!((status, text.as_str()), (StatusCode::OK, "{\"n\":2}\n"));
    let (_, text) = get(&world, "/api/v1/queries");
    let queries: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(queries["queries"][0]["state"], json!("done"), "{text}");
    for table in [
        "tables", "columns", "files", "commits", "offsets", "queries",
    ] {
        let rows = world.rows(&format!("SELECT * FROM system.{table}"));
        assert!(!rows.is_empty(), "{table}");
    }
}

#[derive(Default)]
struct Handler(Mutex<Vec<IntoRequest>>);

#[async_trait]
impl IntoHandler for Handler {
    async fn start(&self, request: IntoRequest) -> crate::Result<IntoAnswer> {
        self.0.lock().unwrap().push(request);
        Ok(IntoAnswer {
            replay_id: "r1".to_owned(),
            state: "running".to_owned(),
            records: Some(2),
            bytes: None,
        })
    }

    async fn create_destination(&self, _request: CreateDestination) -> crate::Result<()> {
        Ok(())
    }

    async fn drop_destination(&self, _name: &str, _if_exists: bool) -> crate::Result<()> {
        Ok(())
    }
}

/// As the path of a link.
fn link(sql: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    let sql: String = sql.bytes().map(encoded).collect();
    format!("/api/v1/sql?q={sql}")
}

#[test]
fn a_link_starts_no_replay_and_makes_no_destination() {
    let world = orders();
    let handler = Arc::new(Handler::default());
    world
        .query
        .set_into_handler(Arc::clone(&handler) as Arc<dyn IntoHandler>);
    for sql in [
        "SELECT * INTO d FROM orders WITH (name = 'a')",
        "CREATE DESTINATION d TYPE http OPTIONS ('url' 'https://h/')",
        "DROP DESTINATION d",
    ] {
        let (status, text) = get(&world, &link(sql));
        assert_eq!(status, StatusCode::BAD_REQUEST, "{sql}: {text}");
        assert!(text.contains("only reads"), "{text}");
        let (status, text) = post(&world, &json!({ "sql": sql }));
        assert_eq!(status, StatusCode::OK, "{sql}: {text}");
    }
    assert_eq!(handler.0.lock().unwrap().len(), 1);
}

#[test]
fn a_moment_in_another_zone_is_written_as_the_moment_that_it_is() {
    let world = World::new();
    // What clocks there showed.
    let shown = "TIMESTAMP '2026-11-23T08:15:30'";
    for (zone, moment) in [
        ("Europe/Berlin", "2026-11-23T07:15:30Z"),
        ("+05:30", "2026-11-23T02:45:30Z"),
        ("UTC", "2026-11-23T08:15:30Z"),
    ] {
        let sql =
            format!("SELECT arrow_cast({shown}, 'Timestamp(Microsecond, Some(\"{zone}\"))') AS t");
        for format in ["ndjson", "json", "csv"] {
            let (status, text) = post(&world, &json!({"sql": sql, "format": format}));
            assert_eq!(status, StatusCode::OK, "{text}");
            assert!(text.contains(moment), "{zone}, {format}: {text}");
        }
    }
}

#[test]
fn moments_and_days_far_away_are_the_same_text_in_each_format() {
    let world = World::new();
    let (moment, day) = ("Timestamp(Microsecond, Some(\"UTC\"))", "Date32");
    for (number, data_type) in [
        (9_000_000_000_000_000_000, moment),
        (-9_000_000_000_000_000_000, moment),
        (1_795_428_000_001_000, moment),
        (i64::from(i32::MAX), day),
        (i64::from(i32::MIN), day),
        (20_780, day),
    ] {
        let sql = format!(
            "SELECT arrow_cast(value, '{data_type}') AS at FROM generate_series({number}, {number})"
        );
        let (_, text) = post(&world, &json!({"sql": sql}));
        let row: Json = serde_json::from_str(&text).unwrap();
        let at = row["at"].as_str().unwrap();
        let (status, text) = post(&world, &json!({"sql": sql, "format": "csv"}));
        assert_eq!(status, StatusCode::OK, "{text}");
        assert_eq!(text, format!("at\n{at}\n"));
    }
}

#[test]
fn into_reaches_the_handler_with_frozen_text() {
    let world = orders();
    let handler = Arc::new(Handler::default());
    world
        .query
        .set_into_handler(Arc::clone(&handler) as Arc<dyn IntoHandler>);
    let sql = "SELECT * INTO d FROM Orders WHERE ID > 1 AND _timestamp < now() WITH (name = 'a')";
    let (status, text) = post(&world, &json!({"sql": sql}));
    assert_eq!(status, StatusCode::OK, "{text}");
    assert_eq!(
        text,
        "{\"replay_id\":\"r1\",\"state\":\"running\",\"records\":2}\n"
    );
    let request = handler.0.lock().unwrap()[0].clone();
    assert_eq!(request.destination, "d");
    assert_eq!(
        request.options,
        BTreeMap::from([("name".to_owned(), "a".to_owned())])
    );
    assert!(!request.select.contains("now()"), "{}", request.select);
    let plan = world
        .runtime
        .block_on(world.query.plan_source(&request.select, None, None, false))
        .unwrap();
    assert_eq!((plan.records, plan.table.as_str()), (2, "orders"));
    for (sql, part) in [
        ("SELECT * INTO d FROM orders WITH (rat = 1)", "`rat`"),
        ("SELECT * INTO d FROM orders LIMIT 1", "`LIMIT`"),
        ("SELECT DISTINCT * INTO d FROM orders", "`DISTINCT`"),
        ("SELECT count(*) AS n INTO d FROM orders", "aggregates"),
        (
            "SELECT * INTO d FROM orders a JOIN orders b ON a.id = b.id",
            "joins",
        ),
        (
            "SELECT * INTO d FROM system.dead_letters",
            "_topic = 'orders'",
        ),
        ("SELECT * INTO d FROM system.tables", "system table"),
        ("SELECT * INTO d FROM orders WHERE nope = 1", "`nope`"),
    ] {
        let (status, text) = post(&world, &json!({"sql": sql}));
        assert_eq!(status, StatusCode::BAD_REQUEST, "{sql}: {text}");
        assert!(text.contains(part), "{sql}: {text}");
    }
    let create = "CREATE DESTINATION d TYPE kafka OPTIONS ('topic' 'x')";
    assert_eq!(post(&world, &json!({"sql": create})).0, StatusCode::OK);
}
