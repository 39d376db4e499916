//! kill -9 at each row of the crash table and at random moments under load, on both stores: nothing
//! is lost, nothing doubled (E1, E3, E5; P2 to P9).

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::services::scale;
use crate::harness::wait::{PATIENCE, wait_for};
use crate::proof::{every_record_is_there_once, orders};

const BATCH: usize = 50;

/// Each row of the crash table that a process can die at, and at which pass it does.
const POINTS: [(&str, u32); 14] = [
    ("after_poll", 3),
    ("before_cut", 2),
    ("before_reserve", 2),
    ("after_reserve", 2),
    ("before_encode", 2),
    ("before_upload", 2),
    ("after_upload", 2),
    ("before_commit", 2),
    ("before_put", 3),
    ("after_put", 3),
    ("after_commit", 2),
    ("before_group_commit", 2),
    ("before_checkpoint", 1),
    ("after_checkpoint", 1),
];

/// Those of compaction, which has to be due.
const COMPACTION_POINTS: [(&str, u32); 4] = [
    ("before_compacted_upload", 2),
    ("before_filters_upload", 2),
    ("after_compacted_upload", 2),
    ("before_filters_merge", 1),
];

#[test]
fn the_list_holds_every_fault_point_of_the_source() {
    let mut found = BTreeSet::new();
    for folder in ["engine/src", "connector/src"] {
        points_below(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join(folder),
            &mut found,
        );
    }
    let mut listed: BTreeSet<String> = POINTS
        .iter()
        .map(|(point, _)| (*point).to_owned())
        .collect();
    // It has a test of its own, since it takes a second worker.
    listed.insert("before_revoke_ack".to_owned());
    // `transforms` has it: only there is anything filtered.
    listed.insert("after_filtered".to_owned());
    // `offsets` has those of positions that are altered by hand.
    listed.extend(["before_altered", "after_altered"].map(str::to_owned));
    // `collect` has it: there is no sink in it.
    listed.insert("after_acknowledged".to_owned());
    // `foreign_formats` has it: only there are objects beside the table.
    listed.insert("after_stored".to_owned());
    listed.extend(COMPACTION_POINTS.map(|(point, _)| point.to_owned()));
    assert_eq!(found, listed);
}

fn points_below(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the source") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            points_below(&path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a source file");
        for part in text.split("fault::point(\"").skip(1) {
            found.insert(part.split('"').next().expect("a name").to_owned());
        }
    }
}

#[test]
fn a_kill_at_each_row_of_the_crash_table_loses_nothing_on_local_disk() {
    for (point, pass) in POINTS {
        killed_at(point, pass, &TestLake::local());
    }
}

#[test]
fn a_kill_at_each_row_of_the_crash_table_loses_nothing_on_s3() {
    for (point, pass) in POINTS {
        killed_at(point, pass, &TestLake::s3());
    }
}

#[test]
fn a_kill_in_the_middle_of_a_compaction_loses_and_doubles_nothing() {
    for (point, pass) in COMPACTION_POINTS {
        for lake in [TestLake::local(), TestLake::s3()] {
            let topic = Topic::create("killed", 3);
            let keys = [
                ("compact.min.files", "4"),
                ("compact.after.ms", "0"),
                ("upkeep.interval.ms", "20"),
            ];
            dies(
                point,
                pass,
                &lake,
                &topic,
                worker_with(&lake, &topic, &keys),
            );
        }
    }
}

/// The process dies when it passes the point; its successor goes on. Every batch brings a new
/// column, so that each of its cuts reserves one.
fn killed_at(point: &str, pass: u32, lake: &TestLake) {
    let topic = Topic::create("killed", 3);
    dies(point, pass, lake, &topic, worker(lake, &topic));
}

fn dies(point: &str, pass: u32, lake: &TestLake, topic: &Topic, worker: Start) {
    println!("{point}");
    let fault = format!("{point}:{pass}:kill");
    let mut eddy = worker.variable("EDDY_FAULT", &fault).spawn();
    let mut produced = 0;
    wait_for(PATIENCE, &format!("`eddy` dies at `{point}`"), || {
        produced += growing(topic, produced);
        eddy.exited()
    });
    eddy.restart();
    produced += growing(topic, produced);
    every_record_is_there_once(&eddy, lake, topic, produced);
}

#[test]
fn a_kill_before_a_revoke_is_acknowledged_loses_nothing() {
    let lake = TestLake::local();
    let topic = Topic::create("revoked", 4);
    let mut first = worker(&lake, &topic)
        .variable("EDDY_FAULT", "before_revoke_ack:1:kill")
        .ready();
    let mut produced = growing(&topic, 0);
    committed(&first, &lake, &topic, produced);
    let second = worker(&lake, &topic).ready();
    wait_for(
        PATIENCE,
        "the first worker dies when it gives partitions up",
        || {
            produced += growing(&topic, produced);
            first.exited()
        },
    );
    first.restart();
    produced += growing(&topic, produced);
    every_record_is_there_once(&second, &lake, &topic, produced);
}

/// Produces a batch whose records have a column that none before had.
fn growing(topic: &Topic, from: usize) -> usize {
    let values: Vec<String> = (from..from + BATCH)
        .map(|order| json!({"order": order, format!("at_{from}"): order}).to_string())
        .collect();
    topic.produce_values(&values);
    BATCH
}

#[test]
fn kills_at_random_moments_of_two_workers_lose_nothing_on_local_disk() {
    killed_at_random(&TestLake::local());
}

#[test]
fn kills_at_random_moments_of_two_workers_lose_nothing_on_s3() {
    killed_at_random(&TestLake::s3());
}

/// Two workers share a group; one of them at a time is killed after a random amount of further
/// load, and started again once the other has had time to take over or not.
fn killed_at_random(lake: &TestLake) {
    let topic = Topic::create("random", 4);
    let mut workers = [(); 2].map(|()| worker(lake, &topic).ready());
    let seed = seed();
    println!("seed {seed}; EDDY_SEED repeats it");
    let mut random = seed;
    let mut produced = 0;
    for kill in 0..scale(3, 20) {
        let batches = 1 + next(&mut random) % 12;
        for _ in 0..batches {
            topic.produce_values(&orders(produced..produced + BATCH));
            produced += BATCH;
        }
        let victim = &mut workers[kill % 2];
        victim.kill();
        for _ in 0..next(&mut random) % 12 {
            topic.produce_values(&orders(produced..produced + BATCH));
            produced += BATCH;
        }
        victim.start_again();
    }
    for worker in &mut workers {
        worker.wait_ready(PATIENCE);
    }
    every_record_is_there_once(&workers[0], lake, &topic, produced);
}

fn worker(lake: &TestLake, topic: &Topic) -> Start {
    worker_with(lake, topic, &[])
}

fn worker_with(lake: &TestLake, topic: &Topic, more: &[(&str, &str)]) -> Start {
    let mut keys = vec![
        ("topics", topic.name.as_str()),
        ("flush.interval.ms", "50"),
        ("tasks.max", "1"),
    ];
    keys.extend(more);
    Start::on(lake)
        .kafka("session.timeout.ms", "6000")
        .connector(&topic.name, &keys)
}

pub(crate) fn seed() -> u64 {
    std::env::var("EDDY_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| eddy_engine::Clock::system().new_id().as_u64_pair().1)
}

pub(crate) fn next(random: &mut u64) -> usize {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    usize::try_from(*random % 1_000_003).expect("a small number")
}

#[test]
fn a_zombie_that_wakes_up_beside_its_successor_commits_nothing_and_recovers() {
    let lake = TestLake::local();
    let topic = Topic::create("zombie", 2);
    let zombie = worker(&lake, &topic).ready();
    topic.produce_values(&orders(0..200));
    committed(&zombie, &lake, &topic, 200);
    topic.produce_values(&orders(200..260));
    zombie.pause();
    // The successor gets the partitions once the group has given the zombie up.
    let successor = worker(&lake, &topic).ready();
    topic.produce_values(&orders(260..400));
    committed(&successor, &lake, &topic, 400);
    zombie.resume();
    topic.produce_values(&orders(400..500));
    every_record_is_there_once(&successor, &lake, &topic, 500);
    drop(successor);
    // Alone again, the zombie takes the partitions up by itself.
    topic.produce_values(&orders(500..600));
    every_record_is_there_once(&zombie, &lake, &topic, 600);
}

/// Waits until the table's version alone, without live rows, holds so many records.
fn committed(eddy: &Eddy, lake: &TestLake, topic: &Topic, count: usize) {
    let lake = lake.open();
    let table = lake.table("topics", &topic.name);
    let deadline = PATIENCE + Duration::from_secs(30);
    wait_for(deadline, &format!("{count} records are committed"), || {
        let snapshot = eddy_engine::read::Snapshot::load(&lake, &table, None).ok()??;
        let rows: u64 = snapshot.files.iter().map(|file| file.rows).sum();
        (rows == u64::try_from(count).ok()?).then_some(())
    });
    assert!(eddy.http().status("/livez").is_some());
}
