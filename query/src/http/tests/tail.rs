//! Following a table: each record once, live and committed, from where a reader says it was.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{Request, StatusCode};
use futures::StreamExt;
use serde_json::{Value as Json, json};
use tower::ServiceExt;

use super::get;
use crate::http::TAILS_MAX;
use crate::query::Request as QueryRequest;
use crate::testing::World;

/// A client that follows.
struct Reader<'a> {
    world: &'a World,
    stream: BodyDataStream,
    text: String,
}

impl<'a> Reader<'a> {
    fn of(world: &'a World, path: &str, last_id: Option<&str>) -> Self {
        let mut request = Request::get(path);
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = world
            .runtime
            .block_on(world.query.router().oneshot(request));
        let response = response.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut reader = Self {
            world,
            stream: response.into_body().into_data_stream(),
            text: String::new(),
        };
        // From now on it follows.
        let (_, data) = reader.event();
        assert_eq!(data, Json::Null);
        reader
    }

    /// The next event's id and data.
    fn event(&mut self) -> (String, Json) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let line = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
                let id = line("id: ").unwrap_or_default().to_owned();
                let data =
                    line("data: ").map_or(Json::Null, |data| serde_json::from_str(data).unwrap());
                self.text = rest.to_owned();
                return (id, data);
            }
            let bytes = self.world.runtime.block_on(self.stream.next());
            self.text
                .push_str(std::str::from_utf8(&bytes.unwrap().unwrap()).unwrap());
        }
    }

    /// The next record's id and its `n`.
    fn record(&mut self) -> (String, i64) {
        loop {
            let (id, data) = self.event();
            if let Some(n) = data.get("n") {
                return (id, n.as_i64().unwrap());
            }
        }
    }
}

#[test]
fn each_record_comes_once_whether_it_is_live_or_committed_by_then() {
    let world = World::new();
    let mut topic = world.writer("t", 2);
    topic.put(0, r#"{"n": 0}"#);
    topic.commit();
    let mut reader = Reader::of(&world, "/api/v1/tables/T/tail", None);
    let mut seen = Vec::new();
    for round in 1..5 {
        topic.put(0, &format!(r#"{{"n": {}}}"#, 2 * round));
        topic.put(1, &format!(r#"{{"n": {}}}"#, 2 * round + 1));
        if round % 2 == 0 {
            topic.commit();
        } else {
            topic.publish();
        }
        let both = [reader.record(), reader.record()];
        seen.extend(both.map(|(_, n)| n));
        topic.commit();
    }
    seen.sort_unstable();
    assert_eq!(seen, (2..10).collect::<Vec<_>>());
}

#[test]
fn a_reader_that_comes_back_goes_on_behind_the_last_record_that_it_saw() {
    let world = World::new();
    let mut topic = world.writer("t", 2);
    topic.put(0, r#"{"n": 0}"#);
    topic.publish();
    let path = "/api/v1/tables/t/tail?where=n+%3E+1";
    let mut reader = Reader::of(&world, path, None);
    for n in 1..4 {
        topic.put(0, &format!(r#"{{"n": {n}}}"#));
    }
    topic.put(1, r#"{"n": 4}"#);
    topic.publish();
    let (id, first) = reader.record();
    assert_eq!(first, 2);
    drop(reader);
    topic.commit();
    let mut reader = Reader::of(&world, path, Some(&id));
    assert_eq!(reader.record().1, 3);
    let (id, last) = reader.record();
    assert_eq!((id.as_str(), last), (r#"{"0":4,"1":1}"#, 4));
}

#[test]
fn a_reader_that_does_not_read_keeps_no_turn_from_other_queries() {
    let world = World::with(|options| options.running_max = 1);
    let mut topic = world.writer("t", 1);
    // More than the batches and frames that wait on the way to a reader.
    for n in 0..80_000 {
        topic.put(0, &format!(r#"{{"n": {n}}}"#));
        if n % 10_000 == 9_999 {
            topic.commit();
        }
    }
    let mut reader = Reader::of(&world, "/api/v1/tables/t/tail", Some(r#"{"0":0}"#));
    assert_eq!(reader.record().1, 0);
    let count = QueryRequest {
        timeout: Some(Duration::from_secs(20)),
        ..QueryRequest::new("SELECT count(*) AS n FROM t")
    };
    assert_eq!(world.ask(count).unwrap().1, [json!({"n": 80_000})]);
    assert_eq!(reader.record().1, 1);
}

#[test]
fn records_that_are_too_large_to_wait_together_come_one_part_after_the_other() {
    let world = World::new();
    let mut topic = world.writer("t", 2);
    topic.put(0, r#"{"n": 0}"#);
    topic.commit();
    let mut reader = Reader::of(&world, "/api/v1/tables/t/tail", None);
    let long = "x".repeat(200_000);
    for n in 1..=40 {
        topic.put(n % 2, &format!(r#"{{"n": {n}, "long": "{long}"}}"#));
    }
    topic.publish();
    let mut seen: Vec<i64> = (0..40).map(|_| reader.record().1).collect();
    for partition in 0..2 {
        let of_it = seen.iter().filter(|n| **n % 2 == partition);
        assert!(of_it.is_sorted(), "{seen:?}");
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=40).collect::<Vec<_>>());
}

#[test]
fn what_can_not_be_followed_is_refused_with_a_status() {
    let world = World::new();
    let mut topic = world.writer("t", 1);
    topic.put(0, r#"{"n": 0}"#);
    topic.publish();
    for (path, status, code) in [
        ("nope/tail", 400, "unknown_table"),
        ("system.tables/tail", 400, "unknown_table"),
        ("t/tail?where=m+%3D+1", 400, "unknown_column"),
        ("t/tail?where=n+%3D+1)+OR+(true", 400, "syntax"),
        ("t/tail?wher=n", 400, "invalid"),
    ] {
        let (found, text) = get(&world, &format!("/api/v1/tables/{path}"));
        let error: Json = serde_json::from_str(&text).unwrap();
        assert_eq!(error["error"]["code"], json!(code), "{path}: {text}");
        assert_eq!(found.as_u16(), status, "{path}: {text}");
    }
}

#[test]
fn more_tails_than_may_be_are_refused_until_one_ends() {
    let world = World::new();
    let mut topic = world.writer("t", 1);
    topic.put(0, r#"{"n": 0}"#);
    topic.publish();
    let path = "/api/v1/tables/t/tail";
    let others = u32::try_from(TAILS_MAX).unwrap() - 1;
    let others = world.query.0.tails.try_acquire_many(others).unwrap();
    let mut last = Reader::of(&world, path, None);
    let (status, text) = get(&world, path);
    assert_eq!(status.as_u16(), 503, "{text}");
    assert!(text.contains("busy") && text.contains("tails"), "{text}");
    drop(others);
    let mut one_more = Reader::of(&world, path, None);
    topic.put(0, r#"{"n": 1}"#);
    topic.publish();
    assert_eq!((last.record().1, one_more.record().1), (1, 1));
}
