//! The routes' answers, without a socket.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::Arc;

use async_trait::async_trait;
use eddy_engine::Clock;
use futures::StreamExt;

use super::*;
use crate::destination::{Destinations, Kind};
use crate::request::Payload;
use crate::source::{After, Pinned, PinnedTable, RowSource, Sequence, SourcePlan, Statement};
use crate::testing::{Fake, FakeSource, Stored, lake};

/// A source that also takes whole statements.
struct Statements(FakeSource);

#[async_trait]
impl RowSource for Statements {
    async fn plan(
        &self,
        select: &str,
        payload: Option<Payload>,
        version: Option<u64>,
        measured: bool,
    ) -> Result<SourcePlan> {
        self.0.plan(select, payload, version, measured).await
    }

    async fn tables(&self, pinned: &Pinned) -> Result<Vec<PinnedTable>> {
        self.0.tables(pinned).await
    }

    fn rows(
        &self,
        pinned: &Pinned,
        after: After,
        sequence: Sequence,
    ) -> futures::stream::BoxStream<'static, Result<arrow::array::RecordBatch>> {
        self.0.rows(pinned, after, sequence)
    }

    async fn statement(&self, sql: &str) -> Result<Statement> {
        assert!(sql.contains("INTO"));
        Ok(Statement {
            select: "SELECT * FROM orders".to_owned(),
            destination: "retry".to_owned(),
            options: BTreeMap::from([("rate".to_owned(), "10/s".to_owned())]),
        })
    }
}

async fn jobs() -> (tempfile::TempDir, Fake, Jobs) {
    let (folder, lake) = lake(Clock::system());
    let fake = Fake::new();
    fake.hold(true);
    let retry = Definition {
        name: "retry".to_owned(),
        kind: "fake".to_owned(),
        options: BTreeMap::from([("api.token".to_owned(), "hunter2".to_owned())]),
    };
    let kinds = vec![Kind::Fake(fake.clone())];
    let destinations = Destinations::with_kinds(&lake, vec![retry], kinds).unwrap();
    let source = Arc::new(Statements(FakeSource(vec![Stored::full(0, 0)])));
    let jobs = Jobs::open(lake, source, destinations).await.unwrap();
    (folder, fake, jobs)
}

async fn answer(result: Answer) -> (StatusCode, Value) {
    let response = result.into_response();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20)
        .await
        .unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

fn body(value: Value) -> Bytes {
    value.to_string().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_planned_started_shown_and_cancelled() {
    let (_folder, _fake, jobs) = jobs().await;
    let _ = router(jobs.clone());
    let state = || State(jobs.clone());
    let mut asked = json!({
        "select": "SELECT * FROM orders",
        "destination": "retry",
        "options": {"name": "r1", "attempts": 3},
        "plan": true,
    });
    let (status, plan) = answer(start_replay(state(), body(asked.clone())).await).await;
    assert_eq!((status, &plan["records"]), (StatusCode::OK, &json!(1)));
    assert_eq!(plan["first_timestamp"], "1970-01-01T00:00:01Z");
    asked["plan"] = json!(false);
    let (status, shown) = answer(start_replay(state(), body(asked.clone())).await).await;
    assert_eq!(
        (status, &shown["replay_id"]),
        (StatusCode::CREATED, &json!("r1"))
    );
    let (status, _) = answer(start_replay(state(), body(asked)).await).await;
    assert_eq!(status, StatusCode::OK);
    let id = || Path("r1".to_owned());
    let (_, shown) = answer(pause_replay(state(), id()).await).await;
    assert_eq!(shown["state"], "paused");
    let (status, error) =
        answer(resume_replay(state(), id(), body(json!({"sql": "SELECT 1"}))).await).await;
    assert_eq!(
        (status, &error["error"]["code"]),
        (StatusCode::CONFLICT, &json!("conflict"))
    );
    let (_, shown) = answer(resume_replay(state(), id(), Bytes::new()).await).await;
    assert_eq!(shown["state"], "running");
    let (_, shown) = answer(cancel_replay(state(), id()).await).await;
    assert_eq!(shown["state"], "cancelled");
    let (_, shown) = answer(show_replay(state(), id()).await).await;
    assert_eq!(shown["state"], "cancelled");
    let (_, listed) = answer(list_replays(state()).await).await;
    assert_eq!(listed["replays"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_statement_needs_no_other_field() {
    let (_folder, _fake, jobs) = jobs().await;
    let sql = "SELECT * INTO retry FROM orders WITH (rate = '10/s')";
    let asked = body(json!({"sql": sql}));
    let (status, shown) = answer(start_replay(State(jobs.clone()), asked).await).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(shown["text"], sql);
    assert_eq!(shown["options"], json!({"rate": "10/s"}));
    jobs.cancel(shown["replay_id"].as_str().unwrap())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_a_code_a_message_and_a_hint() {
    let (_folder, _fake, jobs) = jobs().await;
    let asked = json!({"sql": "SELECT 1", "destination": "retry", "options": {"rat": "1/s"}});
    let (status, error) = answer(start_replay(State(jobs.clone()), body(asked)).await).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(error["error"]["code"], "invalid");
    assert_eq!(error["error"]["message"], "unknown option `rat`");
    assert!(error["error"]["hint"].as_str().unwrap().contains("rate"));
    let asked = json!({"sql": "SELECT 1", "destination": "nowhere"});
    let (status, error) = answer(start_replay(State(jobs.clone()), body(asked)).await).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(error["error"]["hint"], "the destinations are: retry");
    let (status, _) = answer(start_replay(State(jobs.clone()), "{".into()).await).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    // What no store could look for isn't there either.
    for name in ["x", "..", "a/b", "nul\0", &"a".repeat(5_000)] {
        let id = || Path(name.to_owned());
        let all = [
            answer(show_replay(State(jobs.clone()), id()).await).await,
            answer(pause_replay(State(jobs.clone()), id()).await).await,
            answer(show_destination(State(jobs.clone()), id()).await).await,
            answer(check_destination(State(jobs.clone()), id()).await).await,
        ];
        assert!(
            all.iter()
                .all(|(status, _)| *status == StatusCode::NOT_FOUND),
            "{name}"
        );
        let gone = delete_destination(State(jobs.clone()), id()).await;
        assert_eq!(gone.unwrap_err().kind(), ErrorKind::NotFound, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_not_in_answers() {
    let (_folder, _fake, jobs) = jobs().await;
    let state = || State(jobs.clone());
    let (_, listed) = answer(list_destinations(state()).await).await;
    let (_, shown) = answer(show_destination(state(), Path("retry".to_owned())).await).await;
    assert!(!format!("{listed}{shown}").contains("hunter2"));
    assert_eq!(shown["options"]["api.token"], "***");
    let literal = json!({"name": "a", "type": "fake", "options": {"password": "hunter2"}});
    let (status, error) = answer(create_destination(state(), body(literal)).await).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(!error.to_string().contains("hunter2"));
    let named = json!({"name": "a", "type": "fake", "options": {"password": "${env:A}"}});
    let (status, made) = answer(create_destination(state(), body(named)).await).await;
    assert_eq!(
        (status, &made["declared"]),
        (StatusCode::CREATED, &json!(false))
    );
    let deleted = delete_destination(state(), Path("a".to_owned()))
        .await
        .unwrap();
    assert_eq!(deleted, StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_followed_to_its_end() {
    let (_folder, fake, jobs) = jobs().await;
    let asked = json!({
        "sql": "SELECT * FROM orders", "destination": "retry", "options": {"name": "r1"},
    });
    let (status, _) = answer(start_replay(State(jobs.clone()), body(asked)).await).await;
    assert_eq!(status, StatusCode::CREATED);
    let id = |name: &str| Path(name.to_owned());
    let missing = events::follow(State(jobs.clone()), id("r2")).await;
    assert_eq!(missing.err().unwrap().kind(), ErrorKind::NotFound);
    let followed = events::follow(State(jobs.clone()), id("r1")).await.unwrap();
    let mut parts = followed.into_response().into_body().into_data_stream();
    let mut events = parts.next().await.unwrap().unwrap().to_vec();
    fake.hold(false);
    fake.release();
    while let Some(part) = parts.next().await {
        events.extend(part.unwrap());
    }
    let events = String::from_utf8(events).unwrap();
    let told: Vec<Value> = events
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    assert!(told.len() >= 2, "{events}");
    assert_ne!(told[0]["state"], "done");
    let last = told.last().unwrap();
    assert_eq!(
        (&last["state"], &last["acknowledged"]),
        (&json!("done"), &json!(1))
    );
    assert!(events.starts_with("event: replay\n"), "{events}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_is_shown_with_its_checks() {
    let (_folder, _fake, jobs) = jobs().await;
    let state = || State(jobs.clone());
    let name = || Path("retry".to_owned());
    let (_, shown) = answer(show_destination(state(), name()).await).await;
    assert_eq!(shown["checks"], json!([]));
    let (status, _) = answer(check_destination(state(), name()).await).await;
    assert_eq!(status, StatusCode::OK);
    let (_, shown) = answer(show_destination(state(), name()).await).await;
    let checks = shown["checks"].as_array().unwrap();
    assert_eq!((checks.len(), &checks[0]["error"]), (1, &Value::Null));
    let rows = crate::report::checks_batch("retry", &jobs.destinations().checks("retry")).unwrap();
    assert_eq!(rows.num_rows(), 1);
}
