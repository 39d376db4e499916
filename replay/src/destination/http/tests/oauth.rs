//! Requests with a token of OAuth 2, before a server that gives, refuses and forgets tokens.

use std::sync::Mutex;

use eddy_engine::Clock;

use super::super::oauth::{Grant, Tokens};
use super::*;

/// What a token's server answers.
fn gives(token: &str, seconds: u64) -> Reply {
    let body = format!(
        r#"{{"access_token": "{token}", "token_type": "Bearer", "expires_in": {seconds}}}"#
    );
    Reply::Answer(200, Vec::new(), body)
}

fn options(web: &Web) -> Vec<(&'static str, String)> {
    vec![
        ("oauth.url", web.url("/token")),
        ("oauth.client.id", "a client".to_owned()),
        ("oauth.client.secret", "hunter2:&%".to_owned()),
        ("oauth.scope", "events:write all".to_owned()),
    ]
}

async fn room(records: i64, web: &Web, more: &[(&'static str, &str)]) -> Room {
    let mut all = options(web);
    all.extend(more.iter().map(|(key, value)| (*key, (*value).to_owned())));
    let all: Vec<(&str, &str)> = all
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    Room::new(1, records, &web.url("/in"), &all).await
}

/// The bodies of the requests for tokens.
fn asked(web: &Web) -> Vec<Seen> {
    let seen = web.received().into_iter();
    seen.filter(|seen| seen.path == "/token").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_asked_for_once_and_sent_with_every_request() {
    let web = Web::start(|seen, _| match seen.path.as_str() {
        "/token" => gives("first-token", 3_600),
        _ => Reply::Done,
    });
    let room = room(20, &web, &[]).await;
    let job = room.ends(&[("ordering", "none")]).await;
    assert_eq!((job.state, job.counts.acknowledged), (State::Done, 20));
    let asked = asked(&web);
    // One for the check of the plan, one for that of the attempt, and it holds for all requests.
    assert!(asked.len() <= 3, "{}", asked.len());
    for request in &asked {
        // `a%20client:hunter2%3A%26%25`, as RFC 6749 wants it.
        let basic = "Basic YSUyMGNsaWVudDpodW50ZXIyJTNBJTI2JTI1";
        assert_eq!(request.header("authorization"), Some(basic));
        let form = "grant_type=client_credentials&scope=events%3Awrite%20all";
        assert_eq!(String::from_utf8_lossy(&request.body), form);
    }
    let seen = web.received().into_iter();
    let sent: Vec<Seen> = seen.filter(|seen| seen.path == "/in").collect();
    assert_eq!(sent.len(), 20);
    for request in sent {
        let token = request.header("authorization");
        assert_eq!(token, Some("Bearer first-token"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn id_and_secret_go_into_the_body_where_asked_so() {
    let web = Web::start(|seen, _| match seen.path.as_str() {
        "/token" => gives("a-token", 3_600),
        _ => Reply::Done,
    });
    let room = room(1, &web, &[("oauth.auth", "body")]).await;
    assert_eq!(room.ends(&[]).await.state, State::Done);
    for request in asked(&web) {
        assert_eq!(request.header("authorization"), None);
        let body = String::from_utf8_lossy(&request.body).into_owned();
        assert!(body.ends_with("&client_id=a%20client&client_secret=hunter2%3A%26%25"));
    }
}

/// A server whose tokens are numbered; those before `valid` are refused.
fn numbered(valid: Arc<AtomicUsize>) -> Web {
    let given = AtomicUsize::new(0);
    Web::start(move |seen, _| {
        if seen.path == "/token" {
            let number = given.fetch_add(1, Atomic::SeqCst);
            return gives(&format!("token-{number}"), 3_600);
        }
        let token = seen.header("authorization").unwrap();
        let number: usize = token.rsplit('-').next().unwrap().parse().unwrap();
        match number >= valid.load(Atomic::SeqCst) {
            true => Reply::Done,
            // A server that says what it was sent.
            false => Reply::Answer(401, Vec::new(), format!("what is {token}?")),
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_refused_is_replaced_and_no_record_is_the_worse_for_it() {
    let valid = Arc::new(AtomicUsize::new(0));
    let web = numbered(Arc::clone(&valid));
    let room = room(30, &web, &[]).await;
    // Everything that is held when the replay begins is refused; the next one isn't.
    room.jobs.destinations().check("hook").await.unwrap();
    valid.store(3, Atomic::SeqCst);
    let job = room.ends(&[("on_error", "skip")]).await;
    assert_eq!((job.state, job.counts.acknowledged), (State::Done, 30));
    assert_eq!(job.counts.failed, 0);
    let done = web.done().into_iter().filter(|seen| seen.path == "/in");
    let offsets: Vec<i64> = done.map(|seen| place(&seen).1).collect();
    assert_eq!(offsets, (0..30).collect::<Vec<i64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_that_is_refused_too_fails_the_replay_and_no_record() {
    let valid = Arc::new(AtomicUsize::new(usize::MAX));
    let web = numbered(Arc::clone(&valid));
    let room = room(5, &web, &[]).await;
    let job = room.ends(&[("on_error", "skip")]).await;
    assert_eq!((job.state, job.counts.settled()), (State::Failed, 0));
    let reason = job.reason.unwrap();
    assert!(reason.contains("401: what is Bearer ***?"), "{reason}");
    assert!(reason.contains("credentials"), "{reason}");
    let sent = web.received();
    let sent = sent.iter().filter(|seen| seen.path == "/in");
    assert_eq!(sent.count(), 2, "once more, and not for ever");
    valid.store(0, Atomic::SeqCst);
    let job = room.resumes().await;
    assert_eq!((job.state, job.counts.acknowledged), (State::Done, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_gives_no_token_is_asked_again_or_told() {
    let replies = Arc::new(Mutex::new(vec![]));
    let next = Arc::clone(&replies);
    let web = Web::start(move |seen, _| match seen.path.as_str() {
        "/token" => next.lock().unwrap().pop().unwrap_or_else(|| gives("t", 60)),
        _ => Reply::Done,
    });
    let room = room(3, &web, &[]).await;
    let check = async || room.jobs.destinations().check("hook").await;
    let invalid = r#"{"error": "invalid_client", "error_description": "not hunter2:&%"}"#;
    for (status, body, kind, told) in [
        (401, invalid, ErrorKind::Invalid, "is 401: invalid_client"),
        (400, "hunter2", ErrorKind::Invalid, "the answer is 400"),
        (503, "", ErrorKind::Unavailable, "the answer is 503"),
        (200, "hunter2", ErrorKind::Invalid, "no JSON"),
        (
            200,
            r#"{"access_token": ""}"#,
            ErrorKind::Invalid,
            "no `access_token`",
        ),
        (
            200,
            r#"{"access_token": "t", "token_type": "mac"}"#,
            ErrorKind::Invalid,
            "of type Bearer",
        ),
    ] {
        let reply = Reply::Answer(status, Vec::new(), body.to_owned());
        replies.lock().unwrap().push(reply);
        let error = check().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(told), "{error} is not: {told}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    check().await.unwrap();
    // Where a replay begins, a server that is away for a moment costs nothing but time.
    for _ in 0..2 {
        replies.lock().unwrap().insert(0, Reply::status(500));
    }
    replies.lock().unwrap().push(gives("for the plan", 60));
    let job = room.ends(&[]).await;
    assert_eq!((job.state, job.counts.acknowledged), (State::Done, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_kept_until_shortly_before_it_ends() {
    let web = Web::start(|_, number| gives(&format!("token-{number}"), 100));
    let clock = Clock::manual(0);
    let options = options(&web).into_iter();
    let options: BTreeMap<String, String> = options
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    let grant = Grant::read(&Given::resolved("a test", &options)).unwrap();
    let tokens = Tokens::new(grant.unwrap(), Client::new(), clock.clone());
    let token = async || tokens.get().await.unwrap().to_str().unwrap().to_owned();
    assert_eq!(token().await, "Bearer token-0");
    clock.advance(Duration::from_secs(74));
    assert_eq!(token().await, "Bearer token-0");
    clock.advance(Duration::from_secs(1));
    assert_eq!(token().await, "Bearer token-1");
    // One that is refused goes at once, an older one that comes late takes no newer one with it.
    let first = "Bearer token-0".parse().unwrap();
    tokens.forget(&first).await;
    assert_eq!(token().await, "Bearer token-1");
    let second = "Bearer token-1".parse().unwrap();
    tokens.forget(&second).await;
    assert_eq!(token().await, "Bearer token-2");
    assert_eq!(web.received().len(), 3);
}

#[test]
fn options_that_lack_something_or_show_the_secret_are_refused() {
    let whole = [
        ("url", "https://h/in"),
        ("oauth.url", "https://h/token"),
        ("oauth.client.id", "me"),
        ("oauth.client.secret", "${env:SECRET}"),
    ];
    let http = Http::new(Clock::system(), Reach::default());
    let told = |changes: &[(&str, &str)]| {
        let pairs = whole.iter().chain(changes);
        let pairs = pairs.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let definition = Definition {
            name: "hook".to_owned(),
            kind: "http".to_owned(),
            options: pairs.collect(),
        };
        assert!(!format!("{definition:?}").contains("hunter2"));
        let checked = http.validate(&definition.options);
        checked.and_then(|()| definition.check_storable()).err()
    };
    assert!(told(&[]).is_none());
    assert!(told(&[("oauth.url", "${env:URL}")]).is_none());
    for (changes, wanted) in [
        (&[("oauth.url", "")][..], "needs the option `oauth.url`"),
        (
            &[("oauth.client.id", " ")],
            "needs the option `oauth.client.id`",
        ),
        (&[("oauth.client.secret", "")], "`oauth.client.secret`"),
        (
            &[("oauth.client.secret", "hunter2")],
            "`oauth.client.secret` is a secret",
        ),
        (
            &[("oauth.auth", "digest")],
            "`oauth.auth` has to be `basic` or `body`",
        ),
        (&[("oauth.url", "h/token")], "`oauth.url` is not a URL"),
        (
            &[("oauth.url", "https://u:p@h/")],
            "`oauth.url` is not a URL",
        ),
        (&[("oauth.url", "http://10.0.0.1/")], "internal address"),
        (&[("header.Authorization", "${env:T}")], "don't go together"),
    ] {
        let error = told(changes).unwrap().to_string();
        assert!(error.contains(wanted), "{error} is not: {wanted}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
