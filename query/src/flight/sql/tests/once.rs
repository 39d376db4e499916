//! A statement runs when its ticket is read, once, and ends when nobody wants its answer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionCancelQueryResult, Any, ProstMessageExt, TicketStatementQuery,
};
use arrow_flight::{
    Action, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightInfo, Ticket,
};
use async_trait::async_trait;
use futures::TryStreamExt;
use prost::Message;
use serde_json::{Value as Json, json};

use super::{Asked, Client, long, read};
use crate::hooks::{CreateDestination, IntoAnswer, IntoHandler, IntoRequest};

/// It reads nothing and ends for nobody.
const ENDLESS: &str =
    "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000000) b";

/// Replays that were begun.
#[derive(Default)]
struct Begun(Mutex<Vec<IntoRequest>>);

#[async_trait]
impl IntoHandler for Begun {
    async fn start(&self, request: IntoRequest) -> crate::Result<IntoAnswer> {
        self.0.lock().unwrap().push(request);
        Ok(IntoAnswer {
            replay_id: "r1".to_owned(),
            state: "running".to_owned(),
            records: Some(3),
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

#[test]
fn asking_what_a_statement_answers_begins_nothing_and_a_ticket_is_read_once() {
    let asked = Asked::orders();
    let begun = Arc::new(Begun::default());
    let handler = Arc::clone(&begun) as Arc<dyn IntoHandler>;
    asked.world.query.set_into_handler(handler);
    let count = || begun.0.lock().unwrap().len();
    let mut client = asked.client();
    let into = "SELECT * INTO d FROM orders WHERE id > $1 WITH (name = 'a')";
    let answer = [json!({"replay_id": "r1", "state": "running", "records": 3})];
    asked.world.runtime.block_on(async {
        let mut prepared = client.prepare(into.to_owned(), None).await.unwrap();
        prepared.set_parameters(super::row(vec![long(1)])).unwrap();
        let unread = prepared.execute().await.unwrap();
        let info = prepared.execute().await.unwrap();
        assert_eq!(count(), 0, "it isn't read yet");
        assert_eq!(read(&mut client, &info).await.unwrap(), answer);
        assert_eq!(count(), 1);
        let again = read(&mut client, &info).await.unwrap_err();
        assert!(again.contains("a ticket gives its answer once"), "{again}");
        assert_eq!(count(), 1);
        // As an update it is its number of records.
        assert_eq!(prepared.execute_update().await.unwrap(), 3);
        assert_eq!(count(), 2);
        drop(unread);
        let create = "CREATE DESTINATION d TYPE kafka OPTIONS ('topic' 'x')".to_owned();
        assert_eq!(client.execute_update(create, None).await.unwrap(), 0);
        let query = "SELECT id FROM orders".to_owned();
        assert_eq!(client.execute_update(query, None).await.unwrap(), 3);
    });
    let select = begun.0.lock().unwrap()[0].select.clone();
    assert!(select.contains("> 1"), "{select}");
    let nameless = asked.rows(&mut client, "SELECT * INTO d FROM orders");
    assert!(nameless.unwrap_err().contains("needs a name here"));
    assert_eq!(count(), 2);
}

#[test]
fn tickets_and_handles_that_nobody_was_given_are_refused() {
    let asked = Asked::orders();
    let mut client = asked.client();
    let unknown = TicketStatementQuery {
        statement_handle: asked
            .world
            .query
            .0
            .clock
            .new_id()
            .as_bytes()
            .to_vec()
            .into(),
    };
    let short = TicketStatementQuery {
        statement_handle: vec![1, 2, 3].into(),
    };
    let odd = Any {
        type_url: "type.eddy/Question".to_owned(),
        value: unknown.as_any().encode_to_vec().into(),
    };
    for (any, says) in [
        (unknown.as_any(), "no such ticket"),
        (short.as_any(), "no such ticket"),
        (odd, "no question about the catalog"),
    ] {
        let ticket = Ticket::new(any.encode_to_vec());
        let refused = asked.world.runtime.block_on(client.do_get(ticket));
        let refused = refused.err().unwrap().to_string();
        assert!(refused.contains(says), "{refused}");
    }
}

fn states(asked: &Asked) -> Vec<Json> {
    let sql = format!("SELECT state FROM system.queries WHERE sql = '{ENDLESS}'");
    asked.world.rows(&sql)
}

/// Looks again and again until the queries are in these states.
fn wait_for(asked: &Asked, expected: &[&str]) {
    let expected: Vec<Json> = expected.iter().map(|one| json!({ "state": one })).collect();
    for _ in 0..3_000 {
        if states(asked) == expected {
            return;
        }
        asked.world.query.0.clock.block(Duration::from_millis(10));
    }
    panic!("the queries are {:?} and not {expected:?}", states(asked));
}

async fn cancel(client: &mut Client, info: FlightInfo) -> CancelStatus {
    let body = CancelFlightInfoRequest::new(info).encode_to_vec();
    let action = Action::new("CancelFlightInfo", body);
    let answer = client.do_action(action).await.unwrap().try_next().await;
    let result = CancelFlightInfoResult::decode(answer.unwrap().unwrap().body).unwrap();
    result.status()
}

#[test]
fn a_query_ends_when_it_is_cancelled_or_its_reader_goes() {
    let asked = Asked::orders();
    let (mut client, mut other) = (asked.client(), asked.client());
    let run = &asked.world.runtime;
    let info = run
        .block_on(client.execute(ENDLESS.to_owned(), None))
        .unwrap();
    let begin = |mut client: Client, info: FlightInfo| {
        run.spawn(async move { read(&mut client, &info).await })
    };
    let reading = begin(asked.client(), info.clone());
    wait_for(&asked, &["running"]);
    let twice = run.block_on(read(&mut client, &info)).unwrap_err();
    assert!(twice.contains("being read already"), "{twice}");
    let cancelled = run.block_on(cancel(&mut other, info.clone()));
    assert_eq!(cancelled, CancelStatus::Cancelled);
    let told = run.block_on(reading).unwrap().unwrap_err();
    assert!(told.contains("cancelled"), "{told}");
    let again = run.block_on(cancel(&mut other, info));
    assert_eq!(again, CancelStatus::NotCancellable);
    let info = run
        .block_on(client.execute(ENDLESS.to_owned(), None))
        .unwrap();
    let reading = begin(asked.client(), info);
    wait_for(&asked, &["cancelled", "running"]);
    reading.abort();
    wait_for(&asked, &["cancelled", "cancelled"]);
}

#[test]
fn a_ticket_that_was_cancelled_gives_nothing() {
    let asked = Asked::orders();
    let mut client = asked.client();
    asked.world.runtime.block_on(async {
        let info = client.execute("SELECT 1".to_owned(), None).await.unwrap();
        let request = ActionCancelQueryRequest {
            info: info.encode_to_vec().into(),
        };
        let action = Action::new("CancelQuery", request.as_any().encode_to_vec());
        let answer = client.do_action(action).await.unwrap().try_next().await;
        let any = Any::decode(answer.unwrap().unwrap().body).unwrap();
        let result: ActionCancelQueryResult = any.unpack().unwrap().unwrap();
        assert_eq!(result.result, i32::from(CancelStatus::Cancelled));
        let refused = read(&mut client, &info).await.unwrap_err();
        assert!(refused.contains("no such ticket"), "{refused}");
    });
}
