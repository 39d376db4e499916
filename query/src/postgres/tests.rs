//! The protocol where no client that we know goes: some rows at a time, what follows an error,
//! what is too large, who isn't let in. What clients do is in `tests/it/fronts`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use pgwire::messages::PgWireFrontendMessage as Sent;
use pgwire::messages::extendedquery::{Bind, Describe, Execute, Parse, Sync};
use pgwire::messages::simplequery::Query as Text;
use pgwire::messages::startup::{Password, PasswordMessageFamily, Startup};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::starting::STARTING_MAX;
use super::{Front, connection};
use crate::http::Token;
use crate::testing::World;

/// A client that sends what it is told, and reads types and bodies.
struct Client {
    stream: TcpStream,
    /// What the server listens to for its end.
    _stop: watch::Sender<bool>,
}

impl Client {
    async fn connect(world: &World, token: Option<Token>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let query = world.query.clone();
        tokio::spawn(async move { query.serve_postgres(listener, token, stopped).await });
        let stream = TcpStream::connect(address).await.unwrap();
        let mut client = Self {
            stream,
            _stop: stop,
        };
        let mut startup = Startup::new();
        startup.parameters = BTreeMap::from([("user".to_owned(), "tests".to_owned())]);
        startup.protocol_number_major = 3;
        startup.protocol_number_minor = 0;
        client.send([Sent::Startup(startup)]).await;
        client
    }

    async fn send(&mut self, messages: impl IntoIterator<Item = Sent>) {
        let mut bytes = BytesMut::new();
        for message in messages {
            message.encode(&mut bytes).unwrap();
        }
        self.stream.write_all(&bytes).await.unwrap();
    }

    /// The type and the body of the next message; `None` at the connection's end.
    async fn next(&mut self) -> Option<(char, Vec<u8>)> {
        let kind = self.stream.read_u8().await.ok()?;
        let length = self.stream.read_i32().await.unwrap();
        let mut body = vec![0; usize::try_from(length - 4).unwrap()];
        self.stream.read_exact(&mut body).await.unwrap();
        Some((kind.into(), body))
    }

    /// What the next `ReadyForQuery` says of the transaction.
    async fn status(&mut self) -> char {
        while let Some((kind, body)) = self.next().await {
            if kind == 'Z' {
                return char::from(body[0]);
            }
        }
        panic!("the connection has ended");
    }

    /// The types of all messages up to `ReadyForQuery`, and the last error's SQLSTATE.
    async fn until_ready(&mut self) -> (String, Option<String>) {
        let (mut kinds, mut error) = (String::new(), None);
        while let Some((kind, body)) = self.next().await {
            kinds.push(kind);
            match kind {
                'E' => error = Some(sqlstate(&body)),
                'Z' => break,
                _ => {}
            }
        }
        (kinds, error)
    }
}

fn sqlstate(body: &[u8]) -> String {
    let mut fields = body.split(|byte| *byte == 0);
    let code = fields.find(|field| field.first() == Some(&b'C')).unwrap();
    String::from_utf8(code[1..].to_vec()).unwrap()
}

fn parse(sql: &str) -> Sent {
    Sent::Parse(Parse::new(None, sql.to_owned(), Vec::new()))
}

fn bind() -> Sent {
    Sent::Bind(Bind::new(None, None, Vec::new(), Vec::new(), Vec::new()))
}

fn execute(rows: i32) -> Sent {
    Sent::Execute(Execute::new(None, rows))
}

fn sync() -> Sent {
    Sent::Sync(Sync::new())
}

fn text(sql: &str) -> Sent {
    Sent::Query(Text::new(sql.to_owned()))
}

fn run(test: impl AsyncFnOnce(&World)) {
    let world = World::new();
    world.runtime.block_on(test(&world));
}

#[test]
fn a_portal_gives_as_many_rows_as_it_is_asked_for_and_then_the_next() {
    run(async |world| {
        let mut client = Client::connect(world, None).await;
        client.until_ready().await;
        client.send([text("BEGIN")]).await;
        assert_eq!(client.until_ready().await.0, "CZ");
        let sql = "SELECT value FROM generate_series(1, 5)";
        let describe = Sent::Describe(Describe::new(b'P', None));
        client
            .send([parse(sql), bind(), describe, execute(2), sync()])
            .await;
        assert_eq!(client.until_ready().await.0, "12TDDsZ");
        client
            .send([execute(2), execute(2), execute(2), sync()])
            .await;
        assert_eq!(client.until_ready().await.0, "DDsDCCZ");
        client.send([text("COMMIT")]).await;
        assert_eq!(client.until_ready().await.0, "CZ");
        client.send([execute(2), sync()]).await;
        let (kinds, error) = client.until_ready().await;
        assert_eq!((kinds.as_str(), error.as_deref()), ("EZ", Some("42704")));
    });
}

#[test]
fn a_prepared_statement_goes_on_answering_what_was_told_of_it_when_its_table_has_grown() {
    let world = World::new();
    let mut topic = world.writer("orders", 1);
    topic.put(0, r#"{"id": 1}"#);
    topic.commit();
    let mut client = world.runtime.block_on(async {
        let mut client = Client::connect(&world, None).await;
        client.until_ready().await;
        let describe = Sent::Describe(Describe::new(b'S', None));
        let sql = "SELECT * FROM orders ORDER BY _offset";
        client.send([parse(sql), describe, sync()]).await;
        assert_eq!(client.until_ready().await.0, "1tTZ");
        client
    });
    topic.put(0, r#"{"id": 2, "new": "x"}"#);
    topic.commit();
    world.runtime.block_on(async {
        client.send([bind(), execute(0), sync()]).await;
        assert_eq!(client.until_ready().await, ("2DDCZ".to_owned(), None));
    });
}

#[test]
fn after_an_error_everything_is_passed_over_up_to_the_sync() {
    run(async |world| {
        let mut client = Client::connect(world, None).await;
        client.until_ready().await;
        let wrong = "SELECT nope FROM nowhere";
        client
            .send([
                parse(wrong),
                bind(),
                execute(0),
                parse("SELECT 1"),
                bind(),
                sync(),
            ])
            .await;
        let (kinds, error) = client.until_ready().await;
        assert_eq!((kinds.as_str(), error.as_deref()), ("12EZ", Some("42P01")));
        client
            .send([parse("SELECT 1"), bind(), execute(0), sync()])
            .await;
        assert_eq!(client.until_ready().await.0, "12DCZ");
        client.send([text("SELECT 1; SELECT nope; SELECT 2")]).await;
        let (kinds, error) = client.until_ready().await;
        assert_eq!((kinds.as_str(), error.as_deref()), ("TDCEZ", Some("42703")));
    });
}

#[test]
fn a_transaction_has_failed_from_its_first_error_until_it_is_rolled_back() {
    run(async |world| {
        let mut client = Client::connect(world, None).await;
        client.until_ready().await;
        for (sql, status) in [
            ("SELECT nope", 'I'),
            ("BEGIN", 'T'),
            ("SELECT nope", 'E'),
            ("SELECT 1", 'E'),
            ("BEGIN", 'E'),
            ("ROLLBACK TO SAVEPOINT a", 'T'),
            ("SELECT 1", 'T'),
            ("SHOW nothing", 'E'),
            ("ROLLBACK", 'I'),
            ("SELECT 1", 'I'),
            ("BEGIN; SELECT nope", 'E'),
            ("COMMIT", 'I'),
        ] {
            client.send([text(sql)]).await;
            assert_eq!(client.status().await, status, "{sql}");
        }
        client.send([text("BEGIN")]).await;
        assert_eq!(client.status().await, 'T');
        client
            .send([parse("SELECT nope"), bind(), execute(0), sync()])
            .await;
        assert_eq!(client.status().await, 'E');
    });
}

#[test]
fn a_message_that_is_too_large_or_none_ends_the_connection_with_an_error() {
    run(async |world| {
        for sent in [
            &b"Q\x3f\xff\xff\xff"[..],
            b"Q\xff\xff\xff\xff",
            b"!\0\0\0\x04",
        ] {
            let mut client = Client::connect(world, None).await;
            client.until_ready().await;
            client.stream.write_all(sent).await.unwrap();
            let (kind, body) = client.next().await.unwrap();
            assert_eq!(kind, 'E');
            assert!(body.starts_with(b"SFATAL"));
            assert_eq!(client.next().await, None);
        }
    });
}

#[test]
fn who_lacks_the_token_is_not_let_in() {
    run(async |world| {
        let with = async |password: &str| {
            let mut client = Client::connect(world, Some(Token::new("secret"))).await;
            let (kind, body) = client.next().await.unwrap();
            assert_eq!((kind, body.as_slice()), ('R', &[0, 0, 0, 3][..]));
            let password = PasswordMessageFamily::Password(Password::new(password.to_owned()));
            let sent = Sent::PasswordMessageFamily(password);
            client.send([sent, text("SELECT 1")]).await;
            client
        };
        let mut client = with("secret").await;
        assert!(client.until_ready().await.1.is_none());
        assert_eq!(client.until_ready().await.0, "TDCZ");
        let mut client = with("wrong").await;
        assert_eq!(
            client.until_ready().await,
            ("E".to_owned(), Some("28P01".to_owned()))
        );
    });
}

#[test]
fn who_does_not_say_who_it_is_makes_room_for_who_comes() {
    run(async |world| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut silent = TcpStream::connect(address).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let front = Arc::new(Front {
            query: world.query.clone(),
            token: None,
            cancels: Default::default(),
            starting: Default::default(),
            places: Arc::new(Semaphore::new(1)),
        });
        let place = front.starting.place();
        let served = connection::serve(Arc::clone(&front), stream, place);
        let served = tokio::spawn(Box::pin(served));
        let others: Vec<_> = (0..STARTING_MAX).map(|_| front.starting.place()).collect();
        served.await.unwrap().unwrap();
        assert_eq!(
            silent.read(&mut [0]).await.unwrap(),
            0,
            "it is told nothing"
        );
        drop(others);
    });
}

#[test]
fn encryption_is_declined_and_a_plain_client_goes_on() {
    run(async |world| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_stop, stopped) = watch::channel(false);
        let query = world.query.clone();
        tokio::spawn(async move { query.serve_postgres(listener, None, stopped).await });
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut bytes = BytesMut::new();
        bytes.put_slice(&[0, 0, 0, 8, 4, 210, 22, 47]);
        stream.write_all(&bytes).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'N');
        stream
            .write_all(b"\0\0\0\x10\0\x03\0\0user\0a\0\0")
            .await
            .unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'R');
    });
}
