//! What happens when the service doesn't do what it is asked for.

use std::sync::Mutex;

use super::*;

/// One misbehaviour after the other, and every third request is taken; `keep` is told the entries
/// that the service takes.
fn misbehaves(entries: &[Value], number: usize, keep: impl Fn(&[Value])) -> Reply {
    match number % 9 {
        1 => {
            keep(entries);
            Reply::Lost
        }
        2 => Reply::status(503),
        4 => {
            keep(entries);
            Reply::Broken
        }
        5 => {
            let (odd, even): (Vec<Value>, Vec<Value>) = entries
                .iter()
                .cloned()
                .partition(|entry| offset(entry) % 2 == 1);
            keep(&even);
            answer(entries, |entry| {
                odd.contains(entry).then_some((false, "InternalError"))
            })
        }
        6 => refused(400, "RequestThrottled", "slow down"),
        7 => answer(entries, |_| Some((true, "ThrottlingException"))),
        _ => {
            keep(entries);
            taken(entries)
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_service_does_nothing_is_dropped_and_ids_stay() {
    let kept: Arc<Mutex<BTreeMap<String, String>>> = Arc::default();
    let keeps = Arc::clone(&kept);
    let web = service(move |entries, number| {
        misbehaves(entries, number, |entries| {
            let mut kept = keeps.lock().unwrap();
            for entry in entries {
                let body = entry["MessageBody"].as_str().unwrap().to_owned();
                let known = kept.entry(id(entry)).or_insert_with(|| body.clone());
                assert_eq!(*known, body, "another body under the same id");
            }
        })
    });
    let room = Room::new(records(2, 40), &web, "/1/orders", &[]).await;
    let job = room.ends(&[("ordering", "none")]).await;
    assert_eq!((job.state, job.counts.settled()), (State::Done, 80));
    assert_eq!((job.counts.acknowledged, job.counts.failed), (80, 0));
    let kept = kept.lock().unwrap();
    assert_eq!(kept.len(), 80);
    let bodies: BTreeSet<&str> = kept.values().map(String::as_str).collect();
    let wanted = (0..2).flat_map(|at| (0..40).map(move |n| format!("{at}/{n}")));
    let wanted: Vec<String> = wanted.collect();
    assert_eq!(bodies, wanted.iter().map(String::as_str).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_a_fifo_queue_stays_in_order_when_answers_get_lost() {
    let web = service(|entries, number| match number % 5 {
        1 => Reply::Lost,
        3 => Reply::status(500),
        _ => taken(entries),
    });
    let group = [("group", "{topic}")];
    let room = Room::new(records(1, 60), &web, "/1/orders.fifo", &group).await;
    let job = room.ends(&[]).await;
    assert_eq!((job.state, job.counts.acknowledged), (State::Done, 60));
    let mut last = -1;
    let mut seen = BTreeSet::new();
    for entry in web.done().iter().flat_map(entries) {
        assert_eq!(entry["MessageGroupId"], "orders");
        assert_eq!(entry["MessageDeduplicationId"], json!(id(&entry)));
        // What comes again the queue drops by its id.
        if seen.insert(id(&entry)) {
            assert_eq!(offset(&entry), last + 1);
            last += 1;
        }
    }
    assert_eq!(last, 59);
}

fn refuses_4(entries: &[Value], _: usize) -> Reply {
    answer(entries, |entry| {
        (offset(entry) == 4).then_some((true, "InvalidMessageContents"))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_record_stops_the_replay_or_is_counted() {
    let web = service(refuses_4);
    let room = Room::new(records(1, 30), &web, "/1/orders", &[]).await;
    let job = room.ends(&[("on_error", "skip")]).await;
    assert_eq!(job.state, State::Done);
    assert_eq!((job.counts.acknowledged, job.counts.failed), (29, 1));
    let web = service(refuses_4);
    let room = Room::new(records(1, 30), &web, "/1/orders", &[]).await;
    let job = room.ends(&[]).await;
    assert_eq!(job.state, State::Failed);
    assert_eq!((job.counts.failed, job.counts.acknowledged < 30), (0, true));
    let reason = job.reason.unwrap();
    let told = "record orders:0:4: InvalidMessageContents";
    assert!(reason.starts_with(told), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_message_that_a_request_is_refused_for_is_found() {
    let web = service(|entries, _| {
        if entries.iter().any(|entry| offset(entry) == 17) {
            return refused(400, "InvalidParameterValue", "one or more are invalid");
        }
        taken(entries)
    });
    let room = Room::new(records(1, 30), &web, "/1/orders", &[]).await;
    let job = room.ends(&[("on_error", "skip")]).await;
    assert_eq!(job.state, State::Done);
    assert_eq!((job.counts.acknowledged, job.counts.failed), (29, 1));
    let offsets: BTreeSet<i64> = web
        .done()
        .iter()
        .flat_map(entries)
        .map(|e| offset(&e))
        .collect();
    assert_eq!(offsets, (0..30).filter(|n| *n != 17).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_credential_fails_the_replay_and_no_record() {
    let expired = Arc::new(AtomicUsize::new(1));
    let asked = Arc::clone(&expired);
    let web = service(move |entries, number| {
        if number >= 2 && asked.load(Atomic::SeqCst) == 1 {
            return refused(403, "ExpiredToken", "the token `hunter3` has expired");
        }
        taken(entries)
    });
    let token = [("session.token", "hunter3")];
    let room = Room::new(records(1, 50), &web, "/1/orders", &token).await;
    let job = room.ends(&[("on_error", "skip")]).await;
    assert_eq!((job.state, job.counts.failed), (State::Failed, 0));
    let reason = job.reason.unwrap();
    assert!(
        reason.contains("ExpiredToken: the token `***` has expired"),
        "{reason}"
    );
    assert!(reason.contains("mend the destination's keys"), "{reason}");
    expired.store(0, Atomic::SeqCst);
    room.jobs.resume("r", None).await.unwrap();
    let job = room.end().await;
    assert_eq!((job.state, job.counts.acknowledged), (State::Done, 50));
    for seen in web.received() {
        assert_eq!(seen.header("x-amz-security-token"), Some("hunter3"));
        let signed = seen.header("authorization").unwrap();
        assert!(signed.contains("host;x-amz-date;x-amz-security-token;x-amz-target"));
        assert!(!signed.contains("hunter"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_have_ten_messages_and_a_mebibyte_at_most_and_larger_records_are_refused() {
    let web = service(|entries, _| taken(entries));
    let mut large = records(1, 40);
    for (at, record) in large.iter_mut().enumerate() {
        record.value = Some(vec![b'x'; if at == 7 { 262_144 } else { 200_000 }]);
    }
    let room = Room::new(large, &web, "/1/orders", &[]).await;
    let job = room.ends(&[("on_error", "skip")]).await;
    assert_eq!(job.state, State::Done);
    assert_eq!((job.counts.acknowledged, job.counts.failed), (39, 1));
    let mut most = 0;
    for seen in web.done() {
        let entries = entries(&seen);
        most = most.max(entries.len());
        let bytes = entries
            .iter()
            .map(|entry| entry["MessageBody"].as_str().unwrap().len());
        assert!(bytes.sum::<usize>() <= 1 << 20);
    }
    assert!((1..=5).contains(&most), "{most}");
    let room = Room::new(records(1, 95), &web, "/1/orders", &[]).await;
    assert_eq!(room.ends(&[]).await.state, State::Done);
    let most = web.done().iter().map(|seen| entries(seen).len()).max();
    assert!(most <= Some(10), "{most:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_not_there_is_said_to_be_so_before_the_first_record() {
    let web = Web::start(|_, _| refused(400, "QueueDoesNotExist", "no such queue"));
    let room = Room::new(records(1, 1), &web, "/1/orders", &[]).await;
    let request = crate::request::Request {
        select: "SELECT * FROM orders".to_owned(),
        destination: "queue".to_owned(),
        options: BTreeMap::new(),
        text: "SELECT * INTO queue FROM orders".to_owned(),
    };
    let error = room.jobs.start(&request).await.unwrap_err();
    assert_eq!(error.kind(), crate::error::ErrorKind::NotFound, "{error}");
    assert!(
        error
            .to_string()
            .contains("QueueDoesNotExist: no such queue"),
        "{error}"
    );
}
