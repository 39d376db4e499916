//! Roles against an STS of the test's own.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};

use chrono::{DateTime, SecondsFormat};

use super::*;

/// An STS that gives each answer once, in its order, and passes on what it was asked.
struct Sts {
    url: String,
    asked: Receiver<String>,
}

impl Sts {
    fn start(answers: Vec<(u16, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, asked) = channel();
        std::thread::spawn(move || {
            for (status, body) in answers {
                let (stream, _) = listener.accept().unwrap();
                serve(stream, status, &body, &tell);
            }
        });
        Self { url, asked }
    }
}

fn serve(stream: TcpStream, status: u16, answer: &str, tell: &Sender<String>) {
    let mut reader = BufReader::new(stream);
    let (mut text, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
        text.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    text.push_str(std::str::from_utf8(&body).unwrap());
    let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n");
    let head = format!("{head}content-length: {}\r\n\r\n", answer.len());
    let stream = reader.get_mut();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(answer.as_bytes()).unwrap();
    tell.send(text).unwrap();
}

/// Credentials called `name` that end at `end_us`.
fn given(name: &str, end_us: i64) -> (u16, String) {
    let end = DateTime::from_timestamp_micros(end_us).unwrap();
    let end = end.to_rfc3339_opts(SecondsFormat::Secs, true);
    let body = format!(
        "<Credentials><AccessKeyId>{name}</AccessKeyId><SecretAccessKey>hush</SecretAccessKey>\
         <SessionToken>token</SessionToken><Expiration>{end}</Expiration></Credentials>"
    );
    (200, body)
}

fn denied() -> (u16, String) {
    let body = "<Error><Code>AccessDenied</Code><Message>not yours</Message></Error>";
    (403, body.to_owned())
}

fn options(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    let entries = entries.iter();
    let entries = entries.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    entries.collect()
}

/// The credentials that a store with such a role uses.
fn credentials(endpoint: &str, clock: &Clock) -> AwsCredentialProvider {
    let mut options = options(&[
        ("aws_assume_role_arn", "arn:aws:iam::1:role/lake"),
        ("AWS_ASSUME_ROLE_EXTERNAL_ID", "it & me"),
        ("aws_assume_role_endpoint", endpoint),
        ("aws_region", "eu-central-1"),
    ]);
    let role = Role::take(&mut options).unwrap().unwrap();
    assert_eq!(options.len(), 1, "what isn't the role's stays");
    let builder = AmazonS3Builder::new()
        .with_bucket_name("b")
        .with_region("eu-central-1")
        .with_access_key_id("BASE")
        .with_secret_access_key("base-secret");
    let store = role.taken_on(builder, clock.clone()).unwrap();
    store.build().unwrap().credentials().clone()
}

const SECOND: i64 = 1_000_000;

#[tokio::test]
async fn a_role_is_asked_for_once_signed_by_whoever_takes_it_on_and_kept_until_it_nearly_ends() {
    let clock = Clock::manual(0);
    let sts = Sts::start(vec![
        given("FIRST", 3_600 * SECOND),
        given("SECOND", 9_000 * SECOND),
    ]);
    let credentials = credentials(&sts.url, &clock);
    let key = async || credentials.get_credential().await.unwrap().key_id.clone();
    assert_eq!(key().await, "FIRST");
    clock.advance(Duration::from_secs(3_299));
    assert_eq!(key().await, "FIRST");
    let asked = sts.asked.recv().unwrap();
    for part in [
        "POST / HTTP/1.1",
        "Action=AssumeRole&Version=2011-06-15",
        "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Flake&RoleSessionName=eddy&DurationSeconds=3600",
        "ExternalId=it+%26+me",
        "AWS4-HMAC-SHA256 Credential=BASE/",
        "/eu-central-1/sts/aws4_request",
    ] {
        assert!(asked.contains(part), "{part}\n{asked}");
    }
    assert!(sts.asked.try_recv().is_err(), "asked for once");
    clock.advance(Duration::from_secs(1));
    assert_eq!(key().await, "SECOND");
    assert!(!format!("{credentials:?}").contains("hush"));
}

#[tokio::test]
async fn credentials_that_cannot_be_renewed_count_until_they_end() {
    let clock = Clock::manual(0);
    let sts = Sts::start(vec![given("FIRST", 1_000 * SECOND), denied(), denied()]);
    let credentials = credentials(&sts.url, &clock);
    let key = async || credentials.get_credential().await;
    key().await.unwrap();
    clock.advance(Duration::from_secs(800));
    assert_eq!(key().await.unwrap().key_id, "FIRST");
    // Not asked again at once.
    assert_eq!(key().await.unwrap().key_id, "FIRST");
    clock.advance(Duration::from_secs(200));
    let error = key().await.unwrap_err().to_string();
    for part in ["role/lake", "AccessDenied", "not yours"] {
        assert!(error.contains(part), "{error}");
    }
    assert!(!error.contains("hush"), "{error}");
}

#[tokio::test]
async fn an_sts_that_is_busy_is_asked_again_but_not_for_ever() {
    let clock = Clock::system();
    let busy = || (503, "<Error><Code>Busy</Code></Error>".to_owned());
    let end = clock.now_us() + 3_600 * SECOND;
    let sts = Sts::start(vec![busy(), given("A", end), busy(), busy(), busy()]);
    let first = credentials(&sts.url, &clock);
    assert_eq!(first.get_credential().await.unwrap().key_id, "A");
    let second = credentials(&sts.url, &clock);
    let error = second.get_credential().await.unwrap_err().to_string();
    assert!(error.contains("503 (Busy)"), "{error}");
}

#[test]
fn options_of_a_role_that_cannot_be_right_are_refused_by_name() {
    let arn = ("aws_assume_role_arn", "arn:aws:iam::1:role/lake");
    assert_eq!(
        Role::take(&mut options(&[("aws_region", "x")])).unwrap(),
        None
    );
    for (entries, needle) in [
        (&[("aws_assume_role_arn", "lake")][..], "`lake`"),
        (
            &[("aws_assume_role_external_id", "x")],
            "aws_assume_role_arn",
        ),
        (&[arn, ("aws_assume_role_session_name", "a b")], "`a b`"),
        (&[arn, ("aws_assume_role_duration_seconds", "60")], "900"),
    ] {
        let error = Role::take(&mut options(entries)).unwrap_err().to_string();
        assert!(error.contains(needle), "{error}");
    }
    let mut wrong = options(&[arn, ("aws_assume_role_endpoint", "http://")]);
    let role = Role::take(&mut wrong).unwrap().unwrap();
    let builder = AmazonS3Builder::new().with_bucket_name("b");
    let error = role.taken_on(builder, Clock::manual(0)).unwrap_err();
    assert!(
        error.to_string().contains("aws_assume_role_endpoint"),
        "{error}"
    );
}
