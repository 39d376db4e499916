//! What happens when the broker, or the way to it, doesn't do what it should.

use super::*;
use crate::harness::cable::Cable;
use crate::harness::http::Http;
use crate::harness::kafka::Produce;
use crate::harness::services::rabbitmqctl;
use crate::harness::unique;
use crate::replay::wait_ended;

fn resume(http: &Http) {
    let resumed = http.post("/api/v1/replays/r/resume", &json!({}));
    resumed.expect("a resumed replay");
}

/// Waits until the replay has failed, and tells its counts and why.
fn failed(http: &Http) -> ([i64; 3], String) {
    let replay = wait_ended(http, "r");
    assert_eq!(replay["state"], "failed", "{replay}");
    let reason = replay["reason"].as_str().expect("a reason").to_owned();
    (counts(&replay), reason)
}

#[test]
fn a_connection_cut_in_the_middle_of_messages_costs_no_record() {
    let lake = TestLake::local();
    let source = Topic::create("cut", 2);
    source.produce_values(&numbered(2_000));
    let queue = RabbitQueue::create("cut", &["#"], &json!({}));
    let cable = Cable::to(rabbitmq());
    let eddy = start(&lake, &source, &queue, &cable.address(), &[]);
    wait_committed(&eddy.http(), &source, 2_000);
    cable.cut_each(60_000, 5);
    replay(&eddy, &source, "");
    let replay = wait_done(&eddy.http(), "r");
    assert!(cable.has_happened());
    assert_eq!(counts(&replay), [2_000, 0, 0]);
    all_arrived(&queue.drain(), &source);
}

#[test]
fn confirms_that_get_lost_cost_no_record_and_what_comes_again_has_its_id() {
    let lake = TestLake::local();
    let source = Topic::create("unheard", 2);
    source.produce_values(&numbered(1_000));
    let queue = RabbitQueue::create("unheard", &["#"], &json!({}));
    let cable = Cable::to(rabbitmq());
    let eddy = start(&lake, &source, &queue, &cable.address(), &[]);
    wait_committed(&eddy.http(), &source, 1_000);
    cable.deafen_after(60_000);
    replay(&eddy, &source, "");
    wait_until(PATIENCE, "the cable is deaf", || cable.has_happened());
    let mut before = 0;
    wait_until(PATIENCE, "nothing more arrives", || {
        let now = queue.count();
        std::mem::replace(&mut before, now) == now && now > 0
    });
    cable.mend();
    cable.cut();
    let replay = wait_done(&eddy.http(), "r");
    assert_eq!(counts(&replay), [1_000, 0, 0]);
    let messages = queue.drain();
    all_arrived(&messages, &source);
    assert!(
        messages.len() > 1_000,
        "what was not confirmed was sent again"
    );
}

#[test]
fn a_message_that_no_queue_gets_stops_the_replay_or_is_counted() {
    let lake = TestLake::local();
    let source = Topic::create("returned", 1);
    let record = |n: i32| Produce {
        key: Some(if n % 10 == 7 {
            b"nowhere".to_vec()
        } else {
            b"here".to_vec()
        }),
        value: Some(n.to_string().into_bytes()),
        ..Produce::default()
    };
    source.produce(&(0..100).map(record).collect::<Vec<_>>());
    let queue = RabbitQueue::create("returned", &["here"], &json!({}));
    let key = ("routing.key", "{key}");
    let eddy = start(&lake, &source, &queue, rabbitmq(), &[key]);
    let http = eddy.http();
    wait_committed(&http, &source, 100);
    replay(&eddy, &source, "");
    let ([acknowledged, failures, skipped], reason) = failed(&http);
    assert_eq!((acknowledged, failures, skipped), (7, 0, 0));
    let place = format!("record {}:0:7: no queue gets it: NO_ROUTE", source.name);
    assert!(reason.starts_with(&place), "{reason}");
    queue.drain();
    let into = format!("SELECT * INTO target FROM {}", source.name);
    http.sql(&format!("{into} WITH (name = 's', on_error = 'skip')"));
    let replay = wait_done(&http, "s");
    assert_eq!(counts(&replay), [90, 10, 0]);
    let messages = queue.drain();
    assert_eq!(distinct(&messages).len(), 90);
    assert!(!messages.iter().any(|message| message.body.ends_with(b"7")));
}

#[test]
fn a_full_queue_is_waited_for_and_then_said_to_be_full() {
    let lake = TestLake::local();
    let source = Topic::create("full", 1);
    source.produce_values(&numbered(15));
    let limits = json!({"x-max-length": 10, "x-overflow": "reject-publish"});
    let queue = RabbitQueue::create("full", &["#"], &limits);
    // With one message under way what comes behind the limit can't be taken before it.
    let eddy = start(&lake, &source, &queue, rabbitmq(), &[("window", "1")]);
    let http = eddy.http();
    wait_committed(&http, &source, 15);
    replay(&eddy, &source, ", attempts = '2'");
    let (counts_then, reason) = failed(&http);
    assert_eq!(counts_then, [10, 0, 0]);
    let told = "given up after 2 tries: a queue rejects messages: it is full";
    assert!(reason.contains(told), "{reason}");
    let mut messages = queue.drain();
    assert_eq!(messages.len(), 10);
    resume(&http);
    let replay = wait_done(&http, "r");
    assert_eq!(counts(&replay), [15, 0, 0]);
    messages.extend(queue.drain());
    assert_eq!(messages.len(), 15);
    all_arrived(&messages, &source);
}

/// A replay of 600 records that has come to a halt in their middle, since the cable is cut.
fn halted(source: &Topic, eddy: &Eddy, cable: &Cable, options: &str) {
    wait_committed(&eddy.http(), source, 600);
    cable.refuse_after(60_000);
    replay(eddy, source, options);
    wait_until(PATIENCE, "the cable is cut", || cable.has_happened());
}

#[test]
fn a_deleted_exchange_fails_the_replay_which_goes_on_when_it_is_back() {
    let lake = TestLake::local();
    let source = Topic::create("deleted_exchange", 1);
    source.produce_values(&numbered(600));
    let queue = RabbitQueue::create("deleted_exchange", &["#"], &json!({}));
    let cable = Cable::to(rabbitmq());
    let eddy = start(&lake, &source, &queue, &cable.address(), &[]);
    let http = eddy.http();
    halted(&source, &eddy, &cable, "");
    queue.delete_exchange();
    cable.mend();
    let ([acknowledged, failures, skipped], reason) = failed(&http);
    assert!(acknowledged < 600 && failures == 0 && skipped == 0);
    let told = format!("NOT_FOUND - no exchange '{}'", queue.exchange);
    assert!(reason.contains(&told), "{reason}");
    queue.create_exchange();
    resume(&http);
    assert_eq!(counts(&wait_done(&http, "r")), [600, 0, 0]);
    all_arrived(&queue.drain(), &source);
}

#[test]
fn a_message_over_the_limit_is_the_one_that_is_refused() {
    let lake = TestLake::local();
    let source = Topic::create("over", 1);
    let record = |n: usize| Produce {
        value: Some(vec![b'x'; if n == 30 { 1_200_000 } else { 10 + n }]),
        ..Produce::default()
    };
    source.produce(&(0..60).map(record).collect::<Vec<_>>());
    let queue = RabbitQueue::create("over", &["#"], &json!({}));
    let eddy = start(&lake, &source, &queue, rabbitmq(), &[]);
    let http = eddy.http();
    wait_committed(&http, &source, 60);
    replay(&eddy, &source, "");
    let ([acknowledged, failures, _], reason) = failed(&http);
    assert_eq!((acknowledged, failures), (30, 0));
    let place = format!(
        "record {}:0:30: the broker says: PRECONDITION_FAILED",
        source.name
    );
    assert!(reason.starts_with(&place), "{reason}");
    queue.drain();
    let into = format!("SELECT * INTO target FROM {}", source.name);
    http.sql(&format!("{into} WITH (name = 's', on_error = 'skip')"));
    assert_eq!(counts(&wait_done(&http, "s")), [59, 1, 0]);
    let messages = queue.drain();
    let first = distinct(&messages);
    let arrived = offsets(&first).remove(&0).expect("a partition");
    assert_eq!(arrived, (0..60).filter(|n| *n != 30).collect::<Vec<i64>>());
}

#[test]
fn a_password_that_is_no_longer_right_fails_the_replay_and_no_record() {
    let lake = TestLake::local();
    let source = Topic::create("password", 1);
    source.produce_values(&numbered(600));
    let queue = RabbitQueue::create("password", &["#"], &json!({}));
    let user = unique("user");
    rabbitmqctl(&["add_user", &user, "hunter2"]);
    rabbitmqctl(&["set_permissions", &user, ".*", ".*", ".*"]);
    let more = [("user", user.as_str()), ("password", "hunter2")];
    let cable = Cable::to(rabbitmq());
    let eddy = start(&lake, &source, &queue, &cable.address(), &more);
    let http = eddy.http();
    halted(&source, &eddy, &cable, ", on_error = 'skip'");
    rabbitmqctl(&["change_password", &user, "hunter3"]);
    cable.mend();
    let ([acknowledged, failures, skipped], reason) = failed(&http);
    assert!(acknowledged < 600 && failures == 0 && skipped == 0);
    assert!(reason.contains("ACCESS_REFUSED"), "{reason}");
    assert!(
        reason.contains("mend the destination's user, password"),
        "{reason}"
    );
    rabbitmqctl(&["change_password", &user, "hunter2"]);
    resume(&http);
    assert_eq!(counts(&wait_done(&http, "r")), [600, 0, 0]);
    all_arrived(&queue.drain(), &source);
    assert!(!format!("{reason}{}", eddy.log()).contains("hunter2"));
}

#[test]
fn a_broker_that_is_away_is_waited_for_and_then_said_to_be_away() {
    let lake = TestLake::local();
    let source = Topic::create("away", 1);
    source.produce_values(&numbered(600));
    let queue = RabbitQueue::create("away", &["#"], &json!({}));
    let cable = Cable::to(rabbitmq());
    let eddy = start(&lake, &source, &queue, &cable.address(), &[]);
    let http = eddy.http();
    halted(&source, &eddy, &cable, ", attempts = '2'");
    let ([acknowledged, failures, skipped], reason) = failed(&http);
    assert!(acknowledged < 600 && failures == 0 && skipped == 0);
    assert!(reason.contains("given up after"), "{reason}");
    cable.mend();
    resume(&http);
    assert_eq!(counts(&wait_done(&http, "r")), [600, 0, 0]);
    all_arrived(&queue.drain(), &source);
}
