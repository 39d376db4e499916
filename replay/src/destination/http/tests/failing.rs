//! What happens when the server doesn't do what it is asked for.

use super::*;

/// One misbehaviour after the other, and every other request is taken.
fn misbehaves(_: &Seen, number: usize) -> Reply {
    let retry_after = |value: &str| vec![("retry-after", value.to_owned())];
    match number % 14 {
        1 => Reply::Lost,
        3 => Reply::Closed,
        5 => Reply::Broken,
        9 => Reply::status(500),
        11 => Reply::Answer(429, retry_after("0"), "slow down".to_owned()),
        13 => Reply::Answer(
            503,
            retry_after("Sun, 06 Nov 1994 08:49:37 GMT"),
            String::new(),
        ),
        _ => Reply::Done,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_server_does_nothing_is_dropped_and_order_is_kept() {
    let lost = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&lost);
    let web = Web::start(move |seen, number| {
        let reply = misbehaves(seen, number);
        if matches!(reply, Reply::Lost | Reply::Broken) {
            counted.fetch_add(1, Atomic::SeqCst);
        }
        reply
    });
    web.close_unread(11);
    let room = Room::new(2, 20, &web.url("/in"), &[]).await;
    let job = room.ends(&[]).await;
    assert_eq!((job.state, job.counts.settled()), (State::Done, 40));
    assert_eq!((job.counts.acknowledged, job.counts.failed), (40, 0));
    let times = room.all_done(&web);
    // Only what the server did and couldn't say comes again.
    let doubled: usize = times.values().map(|times| times - 1).sum();
    assert_eq!(doubled, lost.load(Atomic::SeqCst));
    for partition in 0..2 {
        let done = web.done();
        let offsets = done.iter().map(place).filter(|(of, _)| *of == partition);
        let offsets: Vec<i64> = offsets.map(|(_, offset)| offset).collect();
        assert!(offsets.is_sorted(), "{offsets:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_survive_the_same() {
    let web = Web::start(misbehaves);
    web.close_unread(11);
    let options = [("format", "ndjson"), ("batch.records", "7")];
    let room = Room::new(2, 60, &web.url("/in"), &options).await;
    let job = room.ends(&[("ordering", "none")]).await;
    assert_eq!((job.state, job.counts.acknowledged), (State::Done, 120));
    let mut bodies: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for request in web.done() {
        let key = request.header("idempotency-key").unwrap().to_owned();
        let known = bodies.entry(key).or_insert_with(|| request.body.clone());
        assert_eq!(*known, request.body, "another body under the same key");
        for line in String::from_utf8(request.body).unwrap().lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            ids.insert(line["id"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(ids.len(), 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_429_is_sat_out() {
    let web = Web::start(|_, number| match number {
        0..24 => Reply::Answer(429, vec![("retry-after", "0".to_owned())], String::new()),
        _ => Reply::Done,
    });
    let room = Room::new(1, 40, &web.url("/in"), &[("concurrency", "8")]).await;
    let job = room.ends(&[("ordering", "none")]).await;
    assert_eq!((job.state, job.counts.acknowledged), (State::Done, 40));
    assert!(room.all_done(&web).values().all(|times| *times == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stays_away_fails_the_replay_which_goes_on_when_resumed() {
    let well = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&well);
    let web = Web::start(move |seen, _| match asked.load(Atomic::SeqCst) {
        0 if place(seen).1 >= 3 => Reply::status(500),
        _ => Reply::Done,
    });
    let room = Room::new(1, 10, &web.url("/in"), &[]).await;
    let job = room.ends(&[("attempts", "2")]).await;
    assert_eq!((job.state, job.counts.acknowledged), (State::Failed, 3));
    let reason = job.reason.unwrap();
    assert!(
        reason.contains("record orders:0:3: given up after 2 tries"),
        "{reason}"
    );
    assert!(reason.contains("the answer is 500"), "{reason}");
    well.store(1, Atomic::SeqCst);
    let job = room.resumes().await;
    assert_eq!((job.state, job.counts.acknowledged), (State::Done, 10));
    assert!(room.all_done(&web).values().all(|times| *times == 1));
}

/// Refuses the record at offset 4.
fn refuses(seen: &Seen, _: usize) -> Reply {
    match place(seen).1 {
        4 => Reply::Answer(422, Vec::new(), "no field `x`".to_owned()),
        _ => Reply::Done,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_record_stops_the_replay_before_what_follows_it() {
    let web = Web::start(refuses);
    let room = Room::new(1, 10, &web.url("/in"), &[]).await;
    let job = room.ends(&[]).await;
    assert_eq!((job.state, job.counts.acknowledged), (State::Failed, 4));
    let reason = job.reason.unwrap();
    assert_eq!(reason, "record orders:0:4: the answer is 422: no field `x`");
    assert_eq!(web.received().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_record_is_counted_and_passed_over_where_asked_so() {
    let web = Web::start(refuses);
    let room = Room::new(1, 10, &web.url("/in"), &[]).await;
    let job = room.ends(&[("on_error", "skip")]).await;
    assert_eq!(job.state, State::Done);
    assert_eq!((job.counts.acknowledged, job.counts.failed), (9, 1));
    let offsets: Vec<i64> = web.done().iter().map(|seen| place(seen).1).collect();
    assert_eq!(offsets, [0, 1, 2, 3, 5, 6, 7, 8, 9]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_refused_batch_only_the_record_is_refused() {
    let web = Web::start(
        |seen, _| match String::from_utf8_lossy(&seen.body).contains("\"bad\"") {
            true => Reply::status(400),
            false => Reply::Done,
        },
    );
    let mut records: Vec<Stored> = (0..30).map(|n| Stored::full(0, n)).collect();
    records[17].value = Some(b"bad".to_vec());
    let options = [("format", "ndjson"), ("batch.records", "30")];
    let room = Room::of(records, &web.url("/in"), &options).await;
    let job = room.ends(&[("on_error", "skip")]).await;
    assert_eq!(job.state, State::Done);
    assert_eq!((job.counts.acknowledged, job.counts.failed), (29, 1));
    let mut offsets = Vec::new();
    for request in web.done() {
        for line in String::from_utf8(request.body).unwrap().lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            offsets.push(line["offset"].as_i64().unwrap());
        }
    }
    let others: Vec<i64> = (0..30).filter(|offset| *offset != 17).collect();
    assert_eq!(offsets, others);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_record_of_a_batch_stops_the_replay_before_what_follows_it() {
    let web = Web::start(
        |seen, _| match String::from_utf8_lossy(&seen.body).contains("\"bad\"") {
            true => Reply::status(400),
            false => Reply::Done,
        },
    );
    let mut records: Vec<Stored> = (0..30).map(|n| Stored::full(0, n)).collect();
    records[17].value = Some(b"bad".to_vec());
    let options = [("format", "ndjson"), ("batch.records", "30")];
    let room = Room::of(records, &web.url("/in"), &options).await;
    let job = room.ends(&[]).await;
    assert_eq!((job.state, job.counts.acknowledged), (State::Failed, 17));
    let reason = job.reason.unwrap();
    assert_eq!(reason, "record orders:0:17: the answer is 400");
    let lines = web.done().into_iter();
    let lines = lines.map(|seen| String::from_utf8(seen.body).unwrap().lines().count());
    assert_eq!(lines.sum::<usize>(), 17);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_credential_fails_the_replay_and_no_record() {
    let expired = Arc::new(AtomicUsize::new(1));
    let asked = Arc::clone(&expired);
    let web = Web::start(move |seen, number| {
        assert_eq!(seen.header("authorization"), Some("Bearer hunter2-hunter2"));
        match number {
            // A server that says what it was sent.
            5.. if asked.load(Atomic::SeqCst) == 1 => {
                Reply::Answer(401, Vec::new(), "not hunter2-hunter2".to_owned())
            }
            _ => Reply::Done,
        }
    });
    let options = [("header.Authorization", "Bearer hunter2-hunter2")];
    let room = Room::new(1, 10, &web.url("/in"), &options).await;
    let job = room.ends(&[("on_error", "skip")]).await;
    assert_eq!(job.state, State::Failed);
    assert_eq!((job.counts.acknowledged, job.counts.failed), (5, 0));
    let reason = job.reason.unwrap();
    assert!(
        reason.contains("401: not ***") && reason.contains("credentials"),
        "{reason}"
    );
    expired.store(0, Atomic::SeqCst);
    let job = room.resumes().await;
    assert_eq!((job.state, job.counts.acknowledged), (State::Done, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_the_url_that_a_server_repeats_is_in_no_reason() {
    let web = Web::start(|_, _| {
        let told = "Cannot POST /in?token=hunter2%2Fhunter2, hunter2/hunter2";
        Reply::Answer(404, Vec::new(), told.to_owned())
    });
    let url = web.url("/in?token=hunter2%2Fhunter2");
    let room = Room::new(1, 1, &url, &[]).await;
    let job = room.ends(&[]).await;
    assert_eq!(job.state, State::Failed);
    let reason = job.reason.unwrap();
    assert!(
        reason.contains("Cannot POST") && !reason.contains("hunter2"),
        "{reason}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_of_the_url_by_reference_that_a_server_repeats_is_in_no_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hook");
    std::fs::write(&file, "hunter2/9f8e7d6c").unwrap();
    // The second is cut where the text of an error ends.
    for told in [
        "unknown hunter2/9f8e7d6c, \"path\":\"hunter2\\/9f8e7d6c\"".to_owned(),
        format!("unknown {}hunter2/9f8e7d6c", "x".repeat(184)),
    ] {
        let web = Web::start(move |_, _| Reply::Answer(422, Vec::new(), told.clone()));
        let url = web.url(&format!("/in/${{file:{}}}", file.display()));
        let room = Room::new(1, 1, &url, &[]).await;
        let job = room.ends(&[]).await;
        assert_eq!(job.state, State::Failed);
        let reason = job.reason.unwrap();
        assert!(
            reason.contains("unknown") && !reason.contains("hunter2"),
            "{reason}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_try_of_a_request_is_signed() {
    let web = Web::start(|_, number| match number {
        1 => Reply::Lost,
        _ => Reply::Done,
    });
    let secret = [("signature.secret", "sixteen bytes ok")];
    let room = Room::new(1, 3, &web.url("/in"), &secret).await;
    assert_eq!(room.ends(&[]).await.state, State::Done);
    let signer = signature::Signer::new("sixteen bytes ok").unwrap();
    assert_eq!(web.received().len(), 4);
    for request in web.received() {
        let id = request.header("idempotency-key").unwrap();
        assert_eq!(request.header("webhook-id"), Some(id));
        let seconds = request.header("webhook-timestamp").unwrap();
        let mut wanted = reqwest_tls::header::HeaderMap::new();
        let id = id.parse().unwrap();
        signer.sign(&id, seconds.parse().unwrap(), &request.body, &mut wanted);
        let wanted = wanted["webhook-signature"].to_str().unwrap();
        assert_eq!(request.header("webhook-signature"), Some(wanted));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_followed_within_a_host_and_with_their_body_only() {
    let other = Web::start(|_, _| Reply::Done);
    let elsewhere = other.url("/in");
    let web = Web::start(move |seen, _| {
        let to = |status, location: &str| {
            Reply::Answer(
                status,
                vec![("location", location.to_owned())],
                String::new(),
            )
        };
        match seen.path.as_str() {
            "/kept" => to(308, "/in"),
            "/changed" => to(302, "/in"),
            "/away" => to(307, &elsewhere),
            _ => Reply::Done,
        }
    });
    let room = Room::new(1, 3, &web.url("/kept"), &[]).await;
    let job = room.ends(&[]).await;
    assert_eq!((job.state, job.counts.acknowledged), (State::Done, 3));
    let done = web.done();
    assert!(
        done.iter()
            .all(|seen| seen.path == "/in" && seen.method == "POST")
    );
    room.all_done(&web);
    for path in ["/changed", "/away"] {
        let room = Room::new(1, 3, &web.url(path), &[]).await;
        let job = room.ends(&[("on_error", "skip")]).await;
        assert_eq!(
            (job.state, job.counts.settled()),
            (State::Failed, 0),
            "{path}"
        );
        assert!(job.reason.unwrap().contains("redirects"), "{path}");
    }
    assert_eq!(other.received().len(), 0);
    assert_eq!(web.done().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_an_internal_address_is_refused_when_it_is_looked_up() {
    let (_folder, lake) = lake(Clock::system());
    let web = Web::start(|_, _| Reply::Done);
    let definition = |url: String| Definition {
        name: "hook".to_owned(),
        kind: "http".to_owned(),
        options: BTreeMap::from([("url".to_owned(), url)]),
    };
    let open = |url: String, reach: Reach| {
        let providers = eddy_connector::Providers::default();
        Destinations::open(&lake, vec![definition(url)], &reach, providers)
    };
    let by_address = open(web.url("/in"), Reach::default()).err().unwrap();
    assert!(
        by_address.to_string().contains("allow_internal"),
        "{by_address}"
    );
    let by_name = web.url("/in").replace("127.0.0.1", "localhost");
    let refused = open(by_name.clone(), Reach::default()).unwrap();
    let error = refused.check("hook").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("`localhost`"), "{error}");
    let allowed = open(by_name, Reach::parse("127.0.0.1").unwrap()).unwrap();
    assert_eq!(allowed.check("hook").await.unwrap().status, Some(200));
    assert_eq!(web.received().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_says_that_nobody_is_there_and_not_the_whole_url() {
    let url = {
        let gone = Web::start(|_, _| Reply::Done);
        gone.url("/hunter2")
    };
    // Nobody listens there once the one that accepts has ended.
    let room = Room::new(1, 1, &url, &[]).await;
    let checked = async {
        loop {
            match room.jobs.destinations().check("hook").await {
                Err(error) => return error,
                Ok(_) => tokio::task::yield_now().await,
            }
        }
    };
    let error = tokio::time::timeout(DEADLINE, checked).await.unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(!error.to_string().contains("hunter2"), "{error}");
}
