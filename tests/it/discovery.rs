//! Two processes record a topic whose records disagree about the type of every key, and are killed
//! while they discover them: nothing is lost or doubled, and there is one schema (P11).

use std::collections::{BTreeMap, BTreeSet};

use eddy_engine::read::Snapshot;
use eddy_engine::schema::{Column, columns};

use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::services::scale;
use crate::harness::wait::PATIENCE;
use crate::landing::every_value_comes_back;
use crate::proof::every_record_is_there_once;

const KINDS: [&str; 6] = [
    "1",
    "\"a\"",
    "{\"u\":1}",
    "[1,\"a\"]",
    "0.5",
    "{\"u\":\"v\"}",
];

#[test]
fn two_workers_that_discover_conflicting_columns_and_are_killed_agree_on_one_schema() {
    let lake = TestLake::local();
    let topic = Topic::create("discovery", 4);
    let mut workers = [(); 2].map(|()| worker(&lake, &topic));
    let mut produced: BTreeMap<(i32, i64), String> = BTreeMap::new();
    for round in 0..scale(5, 50) {
        for batch in 0..3 {
            let values: Vec<String> = (0..24)
                .map(|at| conflicting(round, batch * 7 + at))
                .collect();
            produced.extend(topic.produce_values(&values).into_iter().zip(values));
        }
        workers[round % 2].start_again();
    }
    for worker in &mut workers {
        worker.wait_ready(PATIENCE);
    }
    every_record_is_there_once(&workers[0], &lake, &topic, produced.len());
    every_value_comes_back(&workers[1], &lake, &topic, &produced);
    one_name_each(&lake, &topic);
}

/// A new key in each round, once in each case.
fn conflicting(round: usize, at: usize) -> String {
    let (one, other) = (KINDS[at % KINDS.len()], KINDS[at / 2 % KINDS.len()]);
    format!("{{\"k{round}\":{one},\"K{round}\":{other},\"at\":{at}}}")
}

fn worker(lake: &TestLake, topic: &Topic) -> Eddy {
    let settings = [
        ("topics", topic.name.as_str()),
        ("flush.interval.ms", "20"),
        ("tasks.max", "1"),
    ];
    let start = Start::on(lake).kafka("session.timeout.ms", "6000");
    start.connector(&topic.name, &settings).ready()
}

/// Each (path, type) has one column, and no two have names that differ in case alone.
fn one_name_each(lake: &TestLake, topic: &Topic) {
    let opened = lake.open();
    let table = opened.table("topics", &topic.name);
    let snapshot = Snapshot::load(&opened, &table, None)
        .expect("a snapshot")
        .expect("a table");
    let mut identities = BTreeSet::new();
    let mut names = BTreeSet::new();
    for Column {
        path,
        kind,
        names: name,
        data_type,
    } in columns(&snapshot.schema)
    {
        let list = format!("{data_type}");
        assert!(
            identities.insert((path.clone(), kind, list)),
            "{path:?} twice"
        );
        assert!(
            names.insert(name.join("\0").to_lowercase()),
            "{name:?} twice"
        );
    }
}
