//! A registry that a test plays: what is asked, how often, and what becomes of each answer.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use eddy_engine::Clock;

use super::cache::{Answer, Registry};
use super::settings::RegistrySettings;
use crate::convert::wire::SchemaKey;

/// A server that answers paths as `play` says.
pub(in crate::convert) struct Played {
    port: u16,
    log: Arc<Mutex<Vec<String>>>,
}

type Play = dyn Fn(&str) -> (u16, String) + Send + Sync;

impl Played {
    pub(in crate::convert) fn start(
        play: impl Fn(&str) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), play)
    }

    fn on(
        listener: TcpListener,
        play: impl Fn(&str) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        let port = listener.local_addr().unwrap().port();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (seen, play): (_, Arc<Play>) = (Arc::clone(&log), Arc::new(play));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (seen, play) = (Arc::clone(&seen), Arc::clone(&play));
                std::thread::spawn(move || serve(stream, &seen, &*play));
            }
        });
        Self { port, log }
    }

    pub(in crate::convert) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How often a path was asked for.
    pub(in crate::convert) fn asked(&self, path: &str) -> usize {
        let log = self.log.lock().unwrap();
        log.iter()
            .filter(|line| line.starts_with(&format!("{path} ")))
            .count()
    }

    fn saw(&self, header: &str) -> bool {
        self.log
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.contains(header))
    }
}

fn serve(stream: TcpStream, seen: &Mutex<Vec<String>>, play: &Play) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut first, mut headers, mut length) = (String::new(), String::new(), 0);
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            headers.push_str(&line.replace("\r\n", "\n"));
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let path = first.split(' ').nth(1).unwrap().to_owned();
        let body = String::from_utf8_lossy(&body).into_owned();
        seen.lock().unwrap().push(format!("{path} {headers}{body}"));
        let (status, body) = play(&path);
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// A registry's answer with a schema.
pub(in crate::convert) fn answer(schema: &str, kind: &str) -> (u16, String) {
    let answer = serde_json::json!({"schema": schema, "schemaType": kind});
    (200, answer.to_string())
}

fn settings(url: &str, more: &[(&str, &str)]) -> RegistrySettings {
    let url = [("schema.registry.url", url), ("max.retries", "0")];
    let entries = url.iter().chain(more);
    let entries = entries.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    RegistrySettings::read(&entries.collect::<BTreeMap<_, _>>()).unwrap()
}

fn registry(url: &str, more: &[(&str, &str)]) -> Registry {
    Registry::start(&settings(url, more), Clock::system()).unwrap()
}

/// Asks until there is an answer, as tasks do.
fn get(registry: &Registry, id: i32) -> Answer {
    for _ in 0..100_000 {
        match registry.get(SchemaKey::Id(id)) {
            Answer::Pending(_) | Answer::Away(_) => std::thread::yield_now(),
            answer => return answer,
        }
    }
    panic!("no answer")
}

const NONE: (u16, &str) = (404, r#"{"error_code":40403,"message":"none"}"#);

#[test]
fn a_schema_is_fetched_once_with_all_that_it_refers_to_the_innermost_first() {
    let refers = |schema: &str, to: &[(&str, &str)]| {
        let to: Vec<_> = to
            .iter()
            .map(|(name, of)| serde_json::json!({"name": name, "subject": of, "version": 2}))
            .collect();
        (
            200,
            serde_json::json!({"schema": schema, "references": to}).to_string(),
        )
    };
    let played = Played::start(move |path| match path {
        "/schemas/ids/1" => refers("root", &[("a", "s a/b"), ("b", "b")]),
        "/subjects/s%20a%2Fb/versions/2" => refers("A", &[("c", "c")]),
        "/subjects/b/versions/2" => refers("B", &[("c", "c")]),
        "/subjects/c/versions/2" => refers("C", &[]),
        _ => (NONE.0, NONE.1.to_owned()),
    });
    let registry = registry(&played.url(), &[]);
    for _ in 0..3 {
        let Answer::Found(found) = get(&registry, 1) else {
            panic!()
        };
        assert_eq!(
            (found.schema.as_str(), found.kind.as_str()),
            ("root", "AVRO")
        );
        let names: Vec<&str> = found
            .references
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, ["c", "a", "b"]);
    }
    assert_eq!(played.asked("/schemas/ids/1"), 1);
    assert_eq!(played.asked("/subjects/c/versions/2"), 1);
}

#[test]
fn what_does_not_exist_is_remembered_and_what_is_away_is_no_verdict() {
    let played = Played::start(|path| match path {
        "/schemas/ids/2" => (
            500,
            r#"{"error_code":50001,"message":"broken store"}"#.to_owned(),
        ),
        "/schemas/ids/3" => (404, "<html>a proxy's</html>".to_owned()),
        "/schemas/ids/4" => (401, "{}".to_owned()),
        _ => (NONE.0, NONE.1.to_owned()),
    });
    let missing = registry(&played.url(), &[]);
    for _ in 0..3 {
        assert!(matches!(get(&missing, 1), Answer::Missing(why) if why.contains("none")));
    }
    assert_eq!(played.asked("/schemas/ids/1"), 1);
    for (id, needle) in [(2, "broken store"), (3, "404"), (4, "401")] {
        // Of its own: one that is away isn't asked for anything else meanwhile.
        let registry = registry(&played.url(), &[]);
        let answer = registry.get(SchemaKey::Id(id));
        assert!(
            matches!(&answer, Answer::Away(why) if why.contains(needle)),
            "{answer:?}"
        );
    }
}

#[test]
fn a_registry_that_comes_back_is_asked_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let registry = registry(&format!("http://127.0.0.1:{port}"), &[]);
    let answer = registry.get(SchemaKey::Id(1));
    assert!(
        matches!(&answer, Answer::Away(why) if why.contains("does not answer")),
        "{answer:?}"
    );
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let _played = Played::on(listener, |_| answer_of_any());
    let clock = Clock::system();
    let deadline = clock.monotonic() + std::time::Duration::from_secs(60);
    while !matches!(registry.get(SchemaKey::Id(1)), Answer::Found(_)) {
        assert!(clock.monotonic() < deadline);
        std::thread::yield_now();
    }
}

fn answer_of_any() -> (u16, String) {
    answer("\"string\"", "AVRO")
}

#[test]
fn another_address_is_asked_when_one_does_not_answer() {
    let broken = Played::start(|_| (503, String::new()));
    let good = Played::start(|_| answer_of_any());
    let registry = registry(&format!("{},{}", broken.url(), good.url()), &[]);
    assert!(matches!(get(&registry, 1), Answer::Found(_)));
    assert!(matches!(get(&registry, 2), Answer::Found(_)));
    assert_eq!(
        broken.asked("/schemas/ids/2"),
        0,
        "the one that answered is asked first"
    );
}

#[test]
fn requests_carry_credentials_headers_and_tokens() {
    let played = Played::start(|path| match path {
        "/token" => (
            200,
            r#"{"access_token":"issued","expires_in":3600}"#.to_owned(),
        ),
        _ => answer_of_any(),
    });
    let url = played.url();
    let basic = ("basic.auth.user.info", "me:secret");
    let header = ("request.header.x-team", "blue");
    get(&registry(&url, &[basic, header]), 1);
    assert!(played.saw("authorization: Basic bWU6c2VjcmV0") && played.saw("x-team: blue"));
    get(&registry(&url, &[("bearer.auth.token", "given")]), 1);
    assert!(played.saw("authorization: Bearer given"));
    let issuer = format!("{url}/token");
    let issued = registry(
        &url,
        &[
            ("bearer.auth.issuer.endpoint.url", &issuer),
            ("bearer.auth.client.id", "id"),
            ("bearer.auth.client.secret", "key"),
            ("bearer.auth.scope", "read all"),
            ("bearer.auth.logical.cluster", "lsrc-1"),
        ],
    );
    get(&issued, 1);
    get(&issued, 2);
    assert!(played.saw("authorization: Bearer issued") && played.saw("target-sr-cluster: lsrc-1"));
    assert!(played.saw("grant_type=client_credentials&scope=read%20all"));
    assert_eq!(
        played.asked("/token"),
        1,
        "a token is used as long as it counts"
    );
}

#[test]
fn no_more_schemas_are_kept_than_configured() {
    let played = Played::start(|_| answer_of_any());
    let registry = registry(&played.url(), &[("schemas.cache.config", "2")]);
    let mut asked: HashMap<i32, usize> = HashMap::new();
    for id in [1, 2, 3, 1, 2, 3] {
        get(&registry, id);
        asked.insert(id, played.asked(&format!("/schemas/ids/{id}")));
    }
    assert!(asked.values().sum::<usize>() > 3, "{asked:?}");
}
