//! The store goes away in the middle of commits, or its answers get lost after the put has landed:
//! nothing is lost, nothing doubled, and nobody restarts anything by hand (P9, E1).

use std::fs;
use std::path::Path;

use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::Start;
use crate::harness::proxy::Proxy;
use crate::harness::services::{PrivateS3, scale, services};
use crate::harness::wait::{PATIENCE, wait_until};
use crate::proof::{every_record_is_there_once, orders};

fn worker(lake: &TestLake, topic: &Topic) -> Start {
    let settings = [
        ("topics", topic.name.as_str()),
        ("flush.interval.ms", "200"),
    ];
    Start::on(lake).connector(&topic.name, &settings)
}

#[test]
fn an_s3_server_killed_in_the_middle_of_commits_loses_nothing() {
    let s3 = PrivateS3::start();
    let lake = TestLake::on(&s3.s3);
    let topic = Topic::create("outage", 4);
    let eddy = worker(&lake, &topic).ready();
    let mut produced = 0;
    for _ in 0..scale(2, 10) {
        topic.produce_values(&orders(produced..produced + 500));
        produced += 500;
        s3.kill();
        topic.produce_values(&orders(produced..produced + 500));
        produced += 500;
        s3.restart();
    }
    every_record_is_there_once(&eddy, &lake, &topic, produced);
}

#[test]
fn a_commit_whose_answer_is_lost_counts_once() {
    let proxy = Proxy::before(&services().s3.endpoint);
    let direct = TestLake::s3();
    let lake = direct.through(&proxy.endpoint());
    let topic = Topic::create("lost", 4);
    let eddy = worker(&lake, &topic).ready();
    let mut produced = 0;
    for round in 1..=scale(3, 20) {
        proxy.lose_answers("PUT /*_delta_log", 1);
        wait_until(PATIENCE, "an answer to a commit was lost", || {
            topic.produce_values(&orders(produced..produced + 100));
            produced += 100;
            proxy.lost() >= round
        });
    }
    every_record_is_there_once(&eddy, &direct, &topic, produced);
}

#[test]
fn a_file_whose_answer_is_lost_counts_once() {
    let proxy = Proxy::before(&services().s3.endpoint);
    let direct = TestLake::s3();
    let lake = direct.through(&proxy.endpoint());
    let topic = Topic::create("lostfile", 2);
    let eddy = worker(&lake, &topic).ready();
    let mut produced = 0;
    proxy.lose_answers("PUT /*.parquet", 2);
    wait_until(PATIENCE, "the answers to two uploads were lost", || {
        topic.produce_values(&orders(produced..produced + 100));
        produced += 100;
        proxy.lost() >= 2
    });
    every_record_is_there_once(&eddy, &direct, &topic, produced);
}

#[test]
fn a_folder_that_is_away_in_the_middle_of_commits_loses_nothing() {
    let lake = TestLake::local();
    let topic = Topic::create("away", 4);
    let eddy = worker(&lake, &topic).ready();
    let folder = Path::new(lake.url.trim_start_matches("file://"))
        .join("topics")
        .join(&topic.name);
    let aside = folder.with_extension("aside");
    let mut produced = 0;
    for _ in 0..scale(2, 10) {
        topic.produce_values(&orders(produced..produced + 500));
        produced += 500;
        // Before it has begun the worker waits for its table, and says so only once.
        wait_until(PATIENCE, "the table has a commit", || {
            let first = folder.join("_delta_log/00000000000000000001.json");
            first.is_file()
        });
        let failures = eddy.log().matches("Not a directory").count();
        // A file where the folder was makes every read and write below it fail.
        fs::rename(&folder, &aside).expect("the folder moves");
        fs::write(&folder, b"").expect("a file");
        topic.produce_values(&orders(produced..produced + 500));
        produced += 500;
        wait_until(PATIENCE, "a commit has met it", || {
            eddy.log().matches("Not a directory").count() > failures
        });
        fs::remove_file(&folder).expect("the file goes");
        fs::rename(&aside, &folder).expect("the folder comes back");
    }
    every_record_is_there_once(&eddy, &lake, &topic, produced);
}
