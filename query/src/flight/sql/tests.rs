//! Flight SQL as the client of Arrow's own crate speaks it, over a socket.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod catalog;
mod once;

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::json::LineDelimitedWriter;
use arrow_flight::FlightInfo;
use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use futures::TryStreamExt;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::transport::{Channel, Endpoint};

use crate::flight::Served;
use crate::http::Token;
use crate::testing::{Topic, World};

type Client = FlightSqlServiceClient<Channel>;

/// A process that is asked over Flight.
struct Asked {
    world: World,
    uri: String,
    _stop: oneshot::Sender<()>,
    /// Its rows are live as long as it is.
    _topic: Option<Topic>,
}

impl Asked {
    fn serve(world: World, served: Served) -> Self {
        let listener = world.runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = listener.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let query = world.query.clone();
        world.runtime.spawn(async move {
            let stopped = async move {
                let _ = stopped.await;
            };
            let served = query.serve_flight(listener, served, stopped);
            served.await.unwrap();
        });
        Self {
            world,
            uri,
            _stop: stop,
            _topic: None,
        }
    }

    /// Three orders, one of them committed.
    fn orders() -> Self {
        let world = World::new();
        let mut topic = world.writer("orders", 1);
        topic.put(0, r#"{"id": 1, "item": "cup", "paid": true, "code": 7}"#);
        topic.commit();
        topic.put(0, r#"{"id": 2, "item": "jar", "paid": false, "code": "x"}"#);
        topic.put(
            0,
            r#"{"id": 3, "item": "cup", "tags": ["a"], "who": {"name": "Ada"}}"#,
        );
        topic.publish();
        let served = Served {
            token: None,
            statements: true,
        };
        Self {
            _topic: Some(topic),
            ..Self::serve(world, served)
        }
    }

    fn client(&self) -> Client {
        let endpoint = Endpoint::from_shared(self.uri.clone()).unwrap();
        let channel = self.world.runtime.block_on(endpoint.connect()).unwrap();
        FlightSqlServiceClient::new(channel)
    }

    /// The rows of a statement.
    fn rows(&self, client: &mut Client, sql: &str) -> Result<Vec<Json>, String> {
        self.world.runtime.block_on(async {
            let info = client.execute(sql.to_owned(), None).await;
            read(client, &info.map_err(|error| error.to_string())?).await
        })
    }

    /// The rows of a prepared statement with these values.
    fn rows_with(&self, sql: &str, values: Vec<ArrayRef>) -> Result<Vec<Json>, String> {
        let mut client = self.client();
        let told = |error: FlightError| error.to_string();
        self.world.runtime.block_on(async {
            let mut prepared = client.prepare(sql.to_owned(), None).await.map_err(told)?;
            prepared.set_parameters(row(values)).unwrap();
            let info = prepared.execute().await.map_err(told)?;
            let rows = read(&mut client, &info).await;
            prepared.close().await.map_err(told)?;
            rows
        })
    }
}

/// One row of values.
fn row(values: Vec<ArrayRef>) -> RecordBatch {
    let named = values.into_iter().enumerate();
    RecordBatch::try_from_iter(named.map(|(at, value)| (at.to_string(), value))).unwrap()
}

/// The rows behind a ticket; panics unless its columns are those that were told.
async fn read(client: &mut Client, info: &FlightInfo) -> Result<Vec<Json>, String> {
    let told = Arc::new(info.clone().try_decode_schema().unwrap());
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let stream = client.do_get(ticket).await;
    let stream = stream.map_err(|error| error.to_string())?;
    let batches: Result<Vec<RecordBatch>, _> = stream.try_collect().await;
    let batches = batches.map_err(|error| error.to_string())?;
    for batch in &batches {
        assert_eq!(batch.schema(), told);
    }
    let batch = concat_batches(&told, &batches).unwrap();
    let mut bytes = Vec::new();
    let mut writer = LineDelimitedWriter::new(&mut bytes);
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    let text = String::from_utf8(bytes).unwrap();
    Ok(text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect())
}

fn long(value: i64) -> ArrayRef {
    Arc::new(Int64Array::from(vec![value]))
}

fn text(value: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![value]))
}

#[test]
fn statements_are_answered_in_the_columns_that_were_told() {
    let asked = Asked::orders();
    let mut client = asked.client();
    let rows = |client: &mut Client, sql: &str| asked.rows(client, sql).unwrap();
    assert_eq!(rows(&mut client, "SELECT 1 AS one"), [json!({"one": 1})]);
    assert_eq!(
        rows(
            &mut client,
            "SELECT id, item, paid, code, tags, who FROM lake.public.orders ORDER BY id"
        ),
        [
            json!({"id": 1, "item": "cup", "paid": true, "code": "7"}),
            json!({"id": 2, "item": "jar", "paid": false, "code": "x"}),
            json!({"id": 3, "item": "cup", "tags": ["a"], "who": {"name": "Ada"}}),
        ]
    );
    assert_eq!(
        rows(&mut client, "SELECT id FROM orders WHERE id > 7"),
        [] as [Json; 0]
    );
    assert_eq!(rows(&mut client, "SELECT * FROM orders").len(), 3);
    let listed = "SELECT front, state FROM system.queries WHERE sql = 'SELECT 1 AS one'";
    assert_eq!(
        rows(&mut client, listed),
        [json!({"front": "flight", "state": "done"})]
    );
}

#[test]
fn a_statement_gets_its_values_by_number_or_in_their_order() {
    let asked = Asked::orders();
    let truth = |value| Arc::new(BooleanArray::from(vec![value])) as ArrayRef;
    for sql in [
        "SELECT id FROM orders WHERE id > $1 AND item = $2 AND paid IS NOT DISTINCT FROM $3",
        "SELECT id FROM orders WHERE id > ? AND item = ? AND paid IS NOT DISTINCT FROM ?",
    ] {
        let values = vec![long(0), text("cup"), truth(Some(true))];
        assert_eq!(asked.rows_with(sql, values).unwrap(), [json!({"id": 1})]);
        let values = vec![long(0), text("cup"), truth(None)];
        assert_eq!(asked.rows_with(sql, values).unwrap(), [json!({"id": 3})]);
    }
    let sql = "SELECT id FROM orders ORDER BY id OFFSET ? LIMIT ?";
    let found = asked.rows_with(sql, vec![long(1), long(1)]).unwrap();
    assert_eq!(found, [json!({"id": 2})], "in the order of the text");
    let found = asked.rows_with("SELECT ? AS a, $2 AS b", vec![long(7), text("x")]);
    assert_eq!(found.unwrap(), [json!({"a": 7, "b": "x"})]);
    let few = asked.rows_with("SELECT $1 AS a, $2 AS b", vec![long(7)]);
    assert!(few.unwrap_err().contains("no value for the parameter `$2`"));
    let rows: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let several = asked.rows_with("SELECT $1 AS a", vec![rows]).unwrap_err();
    assert!(several.contains("several rows of parameters"), "{several}");
}

#[test]
fn what_is_prepared_tells_its_columns_and_its_parameters() {
    let asked = Asked::orders();
    let mut client = asked.client();
    let mut described = |sql: &str| {
        let prepared = client.prepare(sql.to_owned(), None);
        let prepared = asked.world.runtime.block_on(prepared).unwrap();
        let typed = |schema: &arrow::datatypes::Schema| -> Vec<String> {
            let fields = schema.fields().iter();
            fields
                .map(|field| format!("{} {}", field.name(), field.data_type()))
                .collect()
        };
        let columns = typed(prepared.dataset_schema().unwrap());
        (columns, typed(prepared.parameter_schema().unwrap()))
    };
    let (columns, parameters) = described(
        "SELECT id, item FROM orders WHERE id = ? AND item LIKE ? OR paid = ? LIMIT ? OFFSET ?",
    );
    assert_eq!(columns, ["id Int64", "item Utf8"]);
    assert_eq!(
        parameters,
        ["$1 Int64", "$2 Utf8", "$3 Boolean", "$4 Int64", "$5 Int64"]
    );
    let (columns, parameters) = described("DELETE FROM orders WHERE id = $2 OR item = $1");
    assert_eq!(columns[0], "table Utf8");
    assert_eq!(parameters, ["$1 Utf8", "$2 Utf8"]);
}

#[test]
fn a_prepared_statement_sees_what_came_since() {
    let asked = Asked::orders();
    let mut client = asked.client();
    let mut later = asked.world.writer("later", 1);
    later.put(0, r#"{"a": 1}"#);
    later.publish();
    let sql = "SELECT * FROM later ORDER BY _offset".to_owned();
    let run = &asked.world.runtime;
    let mut prepared = run.block_on(client.prepare(sql, None)).unwrap();
    let mut rows = || {
        run.block_on(async {
            let info = prepared.execute().await.unwrap();
            read(&mut client, &info).await.unwrap()
        })
    };
    assert_eq!(rows().len(), 1);
    later.put(0, r#"{"b": 2}"#);
    later.publish();
    let found = rows();
    assert_eq!((&found[0]["a"], &found[1]["b"]), (&json!(1), &json!(2)));
}

#[test]
fn headers_say_which_rows_are_seen_and_the_answer_what_it_saw() {
    let asked = Asked::orders();
    let mut client = asked.client();
    client.set_header("eddy-as-of", r#"{"offsets": {"0": 2}}"#);
    let count = "SELECT count(*) AS n FROM orders";
    assert_eq!(asked.rows(&mut client, count).unwrap(), [json!({"n": 2})]);
    client.set_header("eddy-as-of", "soon");
    let refused = asked.rows(&mut client, count).unwrap_err();
    assert!(refused.contains("`eddy-as-of` must be JSON"), "{refused}");
    client.set_header("eddy-as-of", "");
    let headers = asked.world.runtime.block_on(async {
        let info = client.execute(count.to_owned(), None).await.unwrap();
        let ticket = info.endpoint[0].ticket.clone().unwrap();
        let answer = client.do_get(ticket).await.unwrap();
        answer.headers().clone()
    });
    let position = headers.get("eddy-position").unwrap().to_str().unwrap();
    let position: Json = serde_json::from_str(position).unwrap();
    assert_eq!(position["offsets"], json!({"0": 3}));
    assert!(headers.get("eddy-query-id").is_some());
}

#[test]
fn refusals_have_their_words_hint_and_place() {
    let asked = Asked::orders();
    let mut client = asked.client();
    for (sql, parts) in [
        (
            "SELECT itme FROM orders",
            ["`itme`", "did you mean `item`?", "line 1, column 8"],
        ),
        (
            "SELECT 1 FROM ordesr",
            ["`ordesr`", "did you mean `orders`?", "unknown_table"],
        ),
        (
            "DROP TABLE orders",
            ["`DROP`", "Eddy answers", "not_supported"],
        ),
        ("SELECT 1 / 0", ["ivide by zero", "execution", "query "]),
    ] {
        let refused = asked.rows(&mut client, sql).unwrap_err();
        for part in parts {
            assert!(refused.contains(part), "{sql}: {refused}");
        }
    }
    let update = client.execute_update("DROP TABLE orders".to_owned(), None);
    let refused = asked.world.runtime.block_on(update).unwrap_err();
    assert!(refused.to_string().contains("not supported: `DROP`"));
    let begun = asked.world.runtime.block_on(client.begin_transaction());
    assert!(begun.is_err());
}

#[test]
fn who_comes_without_the_token_asks_nothing_and_a_worker_alone_answers_no_statements() {
    let served = |token: Option<&str>, statements| Served {
        token: token.map(Token::new),
        statements,
    };
    let asked = Asked::serve(World::new(), served(Some("secret"), true));
    let mut client = asked.client();
    let refused = asked.rows(&mut client, "SELECT 1 AS one").unwrap_err();
    assert!(refused.contains("no token"), "{refused}");
    let run = &asked.world.runtime;
    assert!(run.block_on(client.handshake("me", "wrong")).is_err());
    run.block_on(client.handshake("me", "secret")).unwrap();
    assert_eq!(client.token().map(String::as_str), Some("secret"));
    let rows = asked.rows(&mut client, "SELECT 1 AS one").unwrap();
    assert_eq!(rows, [json!({"one": 1})]);
    let worker = Asked::serve(World::new(), served(None, false));
    let refused = worker.rows(&mut worker.client(), "SELECT 1").unwrap_err();
    assert!(refused.contains("answers no queries"), "{refused}");
}
