//! `make bench T=jsonbench`: JSONBench's five queries over events of a social network, in Eddy, in
//! DuckDB and in DataFusion as it comes.
//!
//! The events go through Kafka and the worker once; the lake on local disk is used again. Each
//! round asks every engine each query, by turns, with two threads; all read the same files. Hot is
//! the median of the rounds; cold is one query of a process that started and came to rest, the
//! system's cache of files thrown away before it where that is allowed. Fails when answers differ.
//!
//! `EDDY_BENCH_ROWS` changes the events (1,000,000), `EDDY_BENCH_ROUNDS` the rounds (7).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![allow(missing_docs)]

#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod load;

use std::path::PathBuf;

use load::beside::{Listing, drop_caches, median, parquet};
use load::bluesky::Bluesky;
use load::cached::Cached;
use load::pair::{self, Pair};
use load::services::{create_topic, produce};

const PARTITIONS: i32 = 4;

/// JSONBench's queries; `{t}` is the table, `{hour}` the hour of a time in microseconds, `{div}`
/// division of whole numbers, as each engine has them. Ties are broken, so that answers compare.
const QUERIES: [&str; 5] = [
    "SELECT {c}collection AS event, count(*) AS n FROM {t} GROUP BY event \
     ORDER BY n DESC, event NULLS LAST",
    "SELECT {c}collection AS event, count(*) AS n, count(DISTINCT did) AS users FROM {t} \
     WHERE kind = 'commit' AND {c}operation = 'create' GROUP BY event ORDER BY n DESC, event",
    "SELECT {c}collection AS event, {hour} AS hour_of_day, count(*) AS n FROM {t} \
     WHERE kind = 'commit' AND {c}operation = 'create' AND {c}collection IN \
     ('app.bsky.feed.post', 'app.bsky.feed.repost', 'app.bsky.feed.like') \
     GROUP BY event, hour_of_day ORDER BY hour_of_day, event",
    "SELECT did AS user_id, min(time_us) AS first_post_ts FROM {t} WHERE kind = 'commit' AND \
     {c}operation = 'create' AND {c}collection = 'app.bsky.feed.post' GROUP BY user_id \
     ORDER BY first_post_ts, user_id LIMIT 3",
    "SELECT did AS user_id, (max(time_us) - min(time_us)) {div} 1000 AS activity_span FROM {t} \
     WHERE kind = 'commit' AND {c}operation = 'create' AND {c}collection = 'app.bsky.feed.post' \
     GROUP BY user_id ORDER BY activity_span DESC, user_id LIMIT 3",
];

fn main() {
    let number = |name: &str, default: u64| {
        let text = std::env::var(name).ok();
        text.map_or(default, |text| text.parse().expect("a number"))
    };
    let rows = number("EDDY_BENCH_ROWS", 1_000_000);
    let rounds = usize::try_from(number("EDDY_BENCH_ROUNDS", 7)).unwrap();
    let lake = made(rows);
    let files = lake.files();
    let bytes: u64 = files
        .iter()
        .map(|file| file.metadata().unwrap().len())
        .sum();
    println!(
        "{rows} events, {} files, {:.0} MB",
        files.len(),
        bytes as f64 / 1e6
    );
    let hot = hot(&lake, &files, rounds);
    print("hot", &hot);
    let cold = cold(&lake, &files);
    let dropped = if drop_caches() {
        "cold"
    } else {
        "cold, the system's cache kept"
    };
    print(dropped, &cold);
}

fn made(rows: u64) -> Cached {
    let lake = Cached::open(&format!("bluesky-{rows}"), "bluesky");
    if !lake.is_made() {
        lake.begin();
        create_topic(&lake.topic, PARTITIONS);
        let mut events = Bluesky::new(rows);
        produce(&lake.topic, rows, |index, text| events.event(index, text));
        lake.sink(rows, "\"compact\" = \"false\"\n\"tasks.max\" = \"1\"\n");
        lake.end();
    }
    lake
}

/// A query in Eddy's, DuckDB's and DataFusion's words.
fn worded(query: &str, topic: &str, files: &[PathBuf]) -> [String; 3] {
    let hour_of = |time: &str| format!("extract(hour FROM {time}(time_us))");
    let duckdb = parquet(files);
    [
        (topic, "commit.", hour_of("to_timestamp_micros"), "/"),
        (
            duckdb.as_str(),
            "\"commit\".",
            hour_of("make_timestamp"),
            "//",
        ),
        ("t", "t.commit.", hour_of("to_timestamp_micros"), "/"),
    ]
    .map(|(table, commit, hour, div)| {
        query
            .replace("{t}", table)
            .replace("{c}", commit)
            .replace("{hour}", &hour)
            .replace("{div}", div)
    })
}

/// Times of one query in milliseconds: Eddy, DuckDB, DataFusion.
type Times = [f64; 3];

fn hot(lake: &Cached, files: &[PathBuf], rounds: usize) -> Vec<Times> {
    let mut pair = Pair::start(lake);
    let mut listing = Listing::start(files);
    let measure = |query: &&str| {
        let [eddy, duckdb, stock] = worded(query, &lake.topic, files);
        let [ours, theirs] = pair.once(&eddy, &duckdb);
        assert_eq!(ours.rows, theirs.rows, "{query}");
        let mut times = vec![];
        for _ in 0..rounds {
            let [ours, theirs] = pair.once(&eddy, &duckdb);
            times.push([ours.ms, theirs.ms, listing.ask(&stock)]);
        }
        [0, 1, 2].map(|engine| median(times.iter().map(|times| times[engine]).collect()))
    };
    QUERIES.iter().map(measure).collect()
}

fn cold(lake: &Cached, files: &[PathBuf]) -> Vec<Times> {
    let measure = |query: &&str| {
        let [eddy, duckdb, stock] = worded(query, &lake.topic, files);
        let figures = pair::cold(lake, &[eddy, duckdb]);
        let mut listing = Listing::start(files);
        drop_caches();
        [figures.eddy, figures.duckdb, listing.ask(&stock)]
    };
    QUERIES.iter().map(measure).collect()
}

fn print(what: &str, all: &[Times]) {
    println!(
        "\n{what:<44}{:>9}{:>9}{:>7}{:>9}",
        "eddy ms", "duckdb", "ratio", "stock"
    );
    let line = |name: &str, [eddy, duckdb, stock]: Times| {
        let ratio = eddy / duckdb;
        println!("{name:<44}{eddy:>9.1}{duckdb:>9.1}{ratio:>7.2}{stock:>9.1}");
    };
    for (at, times) in all.iter().enumerate() {
        line(&format!("query {}", at + 1), *times);
    }
    line(
        "all",
        [0, 1, 2].map(|engine| all.iter().map(|times| times[engine]).sum()),
    );
}
