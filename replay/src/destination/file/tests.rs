//! What is in the files, whatever the store does.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use arrow::array::AsArray;
use eddy_engine::Clock;
use eddy_engine::testing::{FaultyStore, Step};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::*;
use crate::destination::{Definition, Destinations, Kind};
use crate::job::{Job, State};
use crate::jobs::Jobs;
use crate::run::Tuning;
use crate::testing::{FakeSource, Stored, lake};

/// Longer than anything here takes; a test that waits for it has failed.
const DEADLINE: Duration = Duration::from_secs(60);

/// Starts a replay of these records on a lake, and waits until it has ended.
async fn ends(lake: &Lake, records: &[Stored], options: &[(&str, &str)]) -> Job {
    let definition = Definition {
        name: "files".to_owned(),
        kind: "file".to_owned(),
        options: options
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
    };
    let kinds = vec![Kind::File(File::new(lake.clone()))];
    let destinations = Destinations::with_kinds(lake, vec![definition], kinds).unwrap();
    let source = Arc::new(FakeSource(records.to_vec()));
    let tuning = Tuning::default();
    let jobs = Jobs::open_tuned(lake.clone(), source, destinations, tuning);
    let jobs = jobs.await.unwrap();
    let request = crate::request::Request {
        select: "SELECT * FROM orders".to_owned(),
        destination: "files".to_owned(),
        options: BTreeMap::from([("name".to_owned(), "r".to_owned())]),
        text: "SELECT * INTO files FROM orders".to_owned(),
    };
    jobs.start(&request).await.unwrap();
    let waiting = async {
        loop {
            let job = jobs.show("r").await.unwrap();
            if !matches!(job.state, State::Planned | State::Running) {
                return job;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.unwrap()
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn ids_in_columns(file: &Path) -> Vec<String> {
    let file = std::fs::File::open(file).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let batches = reader.build().unwrap().map(|batch| batch.unwrap());
    let ids = batches.flat_map(|batch| {
        let ids = batch.column_by_name("id").unwrap().clone();
        let ids = ids.as_string::<i32>().iter();
        ids.map(|id| id.unwrap().to_owned()).collect::<Vec<_>>()
    });
    ids.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_file_has_lines_of_one_partition_in_order_and_all_are_there_once() {
    // Its clock stands still, so no file is made before it is full.
    let (folder, lake) = lake(Clock::manual(0));
    let records = (0..2).flat_map(|at| (0..400).map(move |n| Stored::full(at, n)));
    let records: Vec<Stored> = records.collect();
    let options = [("path", "orders/failed"), ("batch.records", "100")];
    let job = ends(&lake, &records, &options).await;
    assert_eq!((job.state, job.counts.acknowledged), (State::Done, 800));
    assert_eq!(job.target, "files in `exports/orders/failed`");
    let mut seen = Vec::new();
    let found = files(&folder.path().join("exports/orders/failed/r/orders"));
    for file in &found {
        let lines = lines(file);
        assert_eq!(lines.len(), 100);
        let place = |line: &Value| (line["partition"].clone(), line["offset"].as_i64().unwrap());
        let (partition, first) = place(&lines[0]);
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(
            name.starts_with(&format!("{partition}-{first:020}-")),
            "{name}"
        );
        assert!(lines.iter().all(|line| line["partition"] == partition));
        assert!(lines.iter().map(|line| place(line).1).is_sorted());
        seen.extend(
            lines
                .iter()
                .map(|line| line["value_text"].as_str().unwrap().to_owned()),
        );
    }
    seen.sort();
    let value = |record: &Stored| String::from_utf8(record.value.clone().unwrap()).unwrap();
    let mut wanted: Vec<String> = records.iter().map(value).collect();
    wanted.sort();
    assert_eq!(seen, wanted);
    assert_eq!(found.len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_and_one_whose_answers_get_lost_cost_no_record() {
    for format in ["ndjson", "parquet"] {
        costs_no_record(format).await;
    }
}

async fn costs_no_record(format: &str) {
    let (folder, inner) = lake(Clock::system());
    let store = FaultyStore::new(inner.store().clone());
    let url = inner.url().clone();
    let lake = Lake::with_store(url, Arc::new(store.clone()), Clock::system()).unwrap();
    store.script(
        "exports",
        [Step::FailBefore, Step::LoseAnswer, Step::FalseConflict],
    );
    let records: Vec<Stored> = (0..40).map(|n| Stored::full(0, n)).collect();
    let options = [("path", "a"), ("batch.records", "10"), ("format", format)];
    let job = ends(&lake, &records, &options).await;
    assert_eq!((job.state, job.counts.acknowledged), (State::Done, 40));
    let all = files(folder.path()).into_iter();
    let made = all.filter(|file| file.extension().is_some_and(|kind| kind == format));
    let ids: Vec<String> = match format {
        "ndjson" => made
            .flat_map(|file| lines(&file))
            .map(|line| line["id"].to_string())
            .collect(),
        _ => made.flat_map(|file| ids_in_columns(&file)).collect(),
    };
    assert_eq!(
        ids.len(),
        40,
        "what landed unnoticed was not made under another name"
    );
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>().len(), 40);
}

#[test]
fn what_can_not_be_right_is_told_by_its_option() {
    for (options, told) in [
        (json!({}), "a file destination needs the option `path`"),
        (
            json!({"path": "../x"}),
            "`path`: `../x` can't be a folder of exports",
        ),
        (
            json!({"path": "_eddy"}),
            "`path`: `_eddy` can't be a folder of exports",
        ),
        (
            json!({"path": "a", "format": "csv"}),
            "`format` has to be `ndjson` or `parquet`",
        ),
        (
            json!({"path": "a", "batch.records": "0"}),
            "`batch.records` has to be a number",
        ),
        (
            json!({"path": "a", "compression": "zstd"}),
            "a file destination has no option",
        ),
    ] {
        let options: BTreeMap<String, String> = serde_json::from_value(options).unwrap();
        let error = File::validate(&options).unwrap_err().to_string();
        assert!(error.contains(told), "{error} is not: {told}");
    }
}
