//! Exactly once into a real Kafka: a read_committed reader of the target has each record once and
//! in order, whatever dies, stands still or is given up (P23).

use serde_json::{Value, json};

use crate::harness::kafka::{Stored, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::services::{scale, services};
use crate::harness::wait::{PATIENCE, wait_for, wait_until};
use crate::kills::{next, seed};
use crate::replay::{start, wait_committed, wait_done};

/// So many numbered records in `source`.
pub(crate) fn produce(source: &Topic, count: usize) {
    let values: Vec<String> = (0..count).map(|n| format!("{{\"n\": {n}}}")).collect();
    source.produce_values(&values);
}

/// Begins a replay of the whole of `source`, exactly once.
fn begin(eddy: &Eddy, source: &Topic, name: &str, rate: &str) {
    let rows = eddy.http().sql(&format!(
        "SELECT * INTO target FROM {} \
         WITH (name = '{name}', exactly_once = true, rate = '{rate}')",
        source.name
    ));
    assert_eq!(rows[0]["replay_id"], name);
}

/// What a read_committed reader gets of each partition, without offsets: aborted records and the
/// ends of transactions have some, too.
pub(crate) fn contents(topic: &Topic) -> Vec<(i32, Option<Vec<u8>>)> {
    let records = topic.consume().into_iter();
    let content = |record: Stored| (record.partition, record.value);
    records.map(content).collect()
}

/// How much the target's log has, aborted records and the ends of transactions included.
pub(crate) fn length(topic: &Topic) -> i64 {
    topic.watermarks().values().map(|(_, end)| end).sum()
}

/// Waits until the target's log has `more` than now.
fn wait_longer(topic: &Topic, more: i64) {
    let before = length(topic);
    wait_until(PATIENCE, "more has arrived", || {
        length(topic) >= before + more
    });
}

/// Waits for the end, and looks at all that there is.
pub(crate) fn check(replay: &Value, source: &Topic, target: &Topic, count: usize) {
    assert_eq!(replay["acknowledged"], json!(count), "{replay}");
    let (there, wanted) = (contents(target), contents(source));
    assert_eq!(there.len(), wanted.len());
    assert!(there == wanted, "each record once, in order");
    assert_eq!(target.stable_watermarks(), target.watermarks());
}

#[test]
fn p23_a_worker_killed_at_random_moments_leaves_each_record_once_and_in_order() {
    let lake = TestLake::local();
    let source = Topic::create("once_killed", 4);
    let target = Topic::create("once_killed_again", 4);
    let count = scale(3_000, 1_000_000);
    produce(&source, count);
    let mut eddy = start(&lake, &source, &target);
    wait_committed(&eddy.http(), &source, count);
    begin(
        &eddy,
        &source,
        "once",
        &format!("{}/s", scale(1_000, 30_000)),
    );
    let kills = scale(3, 30);
    let share = count / kills * 3 / 4;
    let mut random = seed();
    println!("seed {random}; EDDY_SEED repeats it");
    for _ in 0..kills {
        let more = 1 + next(&mut random) % share;
        wait_longer(&target, more.try_into().expect("a small number"));
        eddy.restart();
    }
    let replay = wait_done(&eddy.http(), "once");
    check(&replay, &source, &target, count);
}

#[test]
fn p23_a_worker_that_stood_still_is_fenced_by_its_successor() {
    let lake = TestLake::local();
    let source = Topic::create("once_still", 2);
    let target = Topic::create("once_still_again", 2);
    let count = 2_000;
    produce(&source, count);
    let still = start(&lake, &source, &target);
    wait_committed(&still.http(), &source, count);
    begin(&still, &source, "once", "500/s");
    wait_longer(&target, 700);
    still.pause();
    // It only replays, so that nobody waits for the other's place in a group.
    let kafka = services().kafka.as_str();
    let options = [
        ("bootstrap.servers", kafka),
        ("topic", target.name.as_str()),
    ];
    let successor = Start::on(&lake)
        .destination("target", "kafka", &options)
        .ready();
    let replay = wait_done(&successor.http(), "once");
    check(&replay, &source, &target, count);
    still.resume();
    still.wait_log(PATIENCE, "another worker runs this replay now");
    check(&replay, &source, &target, count);
}

#[test]
fn a_transaction_that_the_broker_gave_up_is_sent_again() {
    let lake = TestLake::local();
    let source = Topic::create("once_slow", 1);
    let target = Topic::create("once_slow_again", 1);
    let count = 3_000;
    produce(&source, count);
    let options = [
        ("bootstrap.servers", services().kafka.as_str()),
        ("topic", target.name.as_str()),
        ("transaction.timeout.ms", "5000"),
    ];
    let eddy = Start::on(&lake)
        .connector(&source.name, &[("topics", &source.name)])
        .destination("target", "kafka", &options)
        .ready();
    wait_committed(&eddy.http(), &source, count);
    begin(&eddy, &source, "once", "300/s");
    wait_longer(&target, 100);
    // Stopped while a transaction is open, as nearly always; else it goes on and is stopped again.
    wait_for(PATIENCE, "it stands still in a transaction", || {
        eddy.pause();
        let open = target.stable_watermarks() != target.watermarks();
        if !open {
            eddy.resume();
        }
        open.then_some(())
    });
    wait_until(PATIENCE, "the broker has given it up", || {
        target.stable_watermarks() == target.watermarks()
    });
    let before = contents(&target).len();
    eddy.resume();
    let replay = wait_done(&eddy.http(), "once");
    check(&replay, &source, &target, count);
    let sent = target.consume_uncommitted().len();
    assert!(
        before < count && sent > count,
        "{before} before, {sent} sent"
    );
}

#[test]
fn a_replay_that_waits_or_is_paused_holds_up_no_reader_of_the_target() {
    let lake = TestLake::local();
    let source = Topic::create("once_waits", 1);
    let target = Topic::create("once_waits_again", 1);
    produce(&source, 5);
    let eddy = start(&lake, &source, &target);
    let http = eddy.http();
    wait_committed(&http, &source, 5);
    begin(&eddy, &source, "once", "1/min");
    let nobody_waits = || target.stable_watermarks() == target.watermarks();
    wait_until(PATIENCE, "the first record is committed", || {
        contents(&target).len() == 1 && nobody_waits()
    });
    let paused = http.post("/api/v1/replays/once/pause", &json!({}));
    assert_eq!(paused.expect("an answer")["state"], "paused");
    let faster = http.post("/api/v1/replays/once/rate", &json!({"rate": "max"}));
    faster.expect("another rate");
    let resumed = http.post("/api/v1/replays/once/resume", &json!({}));
    resumed.expect("an answer");
    let replay = wait_done(&http, "once");
    check(&replay, &source, &target, 5);
}

#[test]
fn what_can_not_be_exactly_once_is_refused() {
    let lake = TestLake::local();
    let source = Topic::create("once_refused", 1);
    let target = Topic::create("once_refused_again", 1);
    produce(&source, 1);
    let eddy = start(&lake, &source, &target);
    let http = eddy.http();
    wait_committed(&http, &source, 1);
    http.sql("CREATE DESTINATION files TYPE file OPTIONS ('path' 'once')");
    for (into, with, told) in [
        ("files", "", "has no transactions"),
        ("target", ", on_error = 'skip'", "on_error = 'stop' only"),
    ] {
        let refused = http.try_sql(&format!(
            "SELECT * INTO {into} FROM {} WITH (exactly_once = true{with})",
            source.name
        ));
        let refused = refused.expect_err(told);
        assert!(refused.message().contains(told), "{refused:?}");
    }
    assert_eq!(target.consume(), []);
}
