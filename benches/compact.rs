//! `make bench T=compact`: 2,000 small files on S3 become few while a writer commits every second.
//!
//! Prints the number of files before and after, and per core what compaction read: MB of Parquet,
//! as the peers publish it, and MB of the JSON that it holds. A compaction works on one thread, so
//! its own time is the core's.
//!
//! `EDDY_BENCH_FILES` changes the number of files.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![allow(missing_docs)]

#[expect(dead_code, reason = "only the engine's benchmark has wide events")]
mod load;

use std::path::Path;
use std::time::{Duration, Instant};

use eddy_engine::read::Snapshot;
use eddy_engine::{Clock, Lake, LakeOptions};
use load::services::{create_bucket, create_topic, fill, lake, setting};
use load::worker::{Worker, wait_until};

const PARTITIONS: i32 = 4;
/// Events of a small file.
const EVENTS: u64 = 500;

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn main() {
    let wanted: usize = std::env::var("EDDY_BENCH_FILES").map_or(2_000, |text| {
        text.parse().expect("EDDY_BENCH_FILES is a number")
    });
    let topic = format!("bench-{}", Clock::system().new_id());
    create_topic(&topic, PARTITIONS);
    create_bucket(&topic);
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let lake = runtime.block_on(open_lake(&topic));
    let (mut events, mut bytes) = (0, 0);
    let mut produce = |count: u64| {
        bytes += fill(&topic, count);
        events += count;
        (events, bytes)
    };
    println!("making {wanted} small files of `{topic}`");
    let keys = "\"flush.interval.ms\" = \"10\"\n\"compact\" = \"false\"\n";
    let worker = Worker::start(folder.path(), &configuration(&topic, keys));
    wait_until(Duration::from_secs(1_800), &worker.log, || {
        produce(EVENTS);
        files(&lake, &topic).0 >= wanted
    });
    drop(worker);
    let (before, _) = files(&lake, &topic);
    let keys = "\"flush.interval.ms\" = \"1000\"\n\"compact.after.ms\" = \"0\"\n\
                \"upkeep.interval.ms\" = \"1000\"\n";
    let worker = Worker::start(folder.path(), &configuration(&topic, keys));
    let start = Instant::now();
    let mut made = (0, 0);
    wait_until(Duration::from_secs(900), &worker.log, || {
        made = produce(50);
        files(&lake, &topic).0 < 32
    });
    let wall = start.elapsed();
    wait_until(Duration::from_secs(120), &worker.log, || {
        files(&lake, &topic).1 == made.0
    });
    let (after, rows) = files(&lake, &topic);
    let read = figures(&worker.log);
    let json_bytes = made.1 as f64 / made.0 as f64 * read.rows;
    println!("files before             {before}");
    println!("files after              {after}");
    println!("records, rows            {}, {rows}", made.0);
    println!("wall                     {:.1} s", wall.as_secs_f64());
    println!("rewrites                 {}", read.rewrites);
    println!(
        "Parquet read, written    {:.1}, {:.1} MB",
        read.read / 1e6,
        read.written / 1e6
    );
    println!(
        "MB(Parquet) per core-s   {:.1}",
        read.read / 1e6 / read.seconds
    );
    println!(
        "MB(JSON) per core-s      {:.1}",
        json_bytes / 1e6 / read.seconds
    );
    let used = worker.used();
    println!(
        "CPU of the worker        {:.1} s, its writing included",
        used.cpu.as_secs_f64()
    );
    println!("peak memory              {} MiB", used.memory_max >> 20);
}

/// What the worker's log says about its compactions.
#[derive(Default)]
struct Figures {
    rewrites: u64,
    read: f64,
    written: f64,
    rows: f64,
    seconds: f64,
}

fn figures(log: &Path) -> Figures {
    let text = std::fs::read_to_string(log).unwrap();
    let mut figures = Figures::default();
    for line in text.lines().filter(|line| line.contains("files_removed=")) {
        let number = |name: &str| -> f64 {
            let (_, rest) = line.split_once(&format!("{name}=")).expect("a figure");
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().expect("a number")
        };
        figures.rewrites += 1;
        figures.read += number("bytes_read");
        figures.written += number("bytes_written");
        figures.rows += number(" rows");
        figures.seconds += number("took_ms") / 1e3;
    }
    figures
}

fn configuration(topic: &str, keys: &str) -> String {
    format!(
        "{}\n[kafka]\n\"bootstrap.servers\" = \"{}\"\n\"session.timeout.ms\" = \"6000\"\n\
         [http]\nlisten = \"\"\n[connectors.\"{topic}\"]\n\"topics\" = \"{topic}\"\n{keys}",
        lake(topic),
        setting("EDDY_TEST_KAFKA"),
    )
}

async fn open_lake(bucket: &str) -> Lake {
    let options = [
        ("aws_endpoint", setting("EDDY_TEST_S3_ENDPOINT")),
        ("aws_access_key_id", setting("EDDY_TEST_S3_ACCESS_KEY")),
        ("aws_secret_access_key", setting("EDDY_TEST_S3_SECRET_KEY")),
        ("aws_region", "us-east-1".to_owned()),
    ];
    let options = LakeOptions {
        url: format!("s3://{bucket}/lake"),
        options: options
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    };
    Lake::open(&options, Clock::system()).unwrap()
}

/// The files of the newest version and the rows in them.
fn files(lake: &Lake, topic: &str) -> (usize, u64) {
    match Snapshot::load(lake, &lake.table("topics", topic), None).unwrap() {
        Some(snapshot) => {
            let rows = snapshot.files.iter().map(|file| file.rows).sum();
            (snapshot.files.len(), rows)
        }
        None => (0, 0),
    }
}
