//! Any JSON in, every value out again with its type, through the real writer and back through a
//! plain Parquet reader: whatever the names, the drift and the budgets, however the records are
//! split into batches, files, commits, writers and lives of a writer.

mod depth;
mod elided;
mod plain;
mod racing;
mod redacted;
mod values;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use self::values::{Record as Sent, records};
use super::*;
use crate::elide::Raw;
use crate::schema::Limits;
use crate::seal::Key;
use crate::testing::scale;

/// What happens behind a record.
#[derive(Debug, Clone, Copy)]
enum Then {
    Nothing,
    /// The batch ends.
    Publish,
    /// A commit, waited for.
    Commit,
    /// A commit in the background of what comes next.
    Cut,
    /// Both writers commit at once.
    CutBoth,
    /// The writer dies and another takes over where the table is.
    Restart,
}

#[derive(Clone)]
struct Case {
    records: Vec<Sent>,
    /// For each record its partition, the days before today, and what happens behind it.
    steps: Vec<(usize, i64, Then)>,
    limits: Limits,
    raw: Raw,
    sealed: bool,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{:?} {:?} {}", self.limits, self.raw, self.sealed)?;
        for (record, step) in self.records.iter().zip(&self.steps) {
            writeln!(f, "{step:?} {}", String::from_utf8_lossy(record.bytes()))?;
        }
        Ok(())
    }
}

fn case() -> impl Strategy<Value = Case> {
    // Commits are what takes the time.
    let then = prop_oneof![
        20 => Just(Then::Nothing),
        5 => Just(Then::Publish),
        1 => Just(Then::Commit),
        1 => Just(Then::Cut),
        1 => Just(Then::CutBoth),
        1 => Just(Then::Restart),
    ];
    (records(10), 1..3_usize).prop_flat_map(move |(records, partitions)| {
        let step = (0..partitions, 0..2_i64, then.clone());
        let steps = prop::collection::vec(step, records.len());
        let raw = select(vec![Raw::Keep, Raw::Elide]);
        let sealed = prop::bool::weighted(0.1);
        let parts = (Just(records), steps, limits(), raw, sealed);
        parts.prop_map(|(records, steps, limits, raw, sealed)| Case {
            records,
            steps,
            limits,
            raw,
            sealed,
        })
    })
}

fn limits() -> impl Strategy<Value = Limits> {
    let some = (
        select(vec![0, 1, 3, 10, 2_000]),
        select(vec![0, 1, 2, 5, 200]),
        select(vec![0, 1, 2, 3, 5, 16, 24]),
    );
    let some = some.prop_map(|(leaves, keys, depth)| Limits {
        leaves,
        keys,
        depth,
    });
    prop_oneof![Just(Limits::default()), some]
}

/// Two partitions of one table, each with a writer of its own.
struct Run<'a> {
    lake: &'a Lake,
    options: WriterOptions,
    writers: [Option<TableWriter>; 2],
    /// The records of each partition with their days before today; an offset is an index.
    sent: Vec<Vec<(&'a Sent, i64)>>,
}

impl<'a> Run<'a> {
    fn new(lake: &'a Lake, table: TablePath, limits: Limits, raw: Raw) -> Self {
        let mut options = WriterOptions::new(table, "orders", topic(), "sink");
        options.limits = limits;
        options.raw = raw;
        Self {
            lake,
            options,
            writers: [None, None],
            sent: vec![Vec::new(), Vec::new()],
        }
    }

    /// A new writer of the partition, with everything sent that the table does not have.
    fn begin(&self, partition: usize) -> TableWriter {
        let mut writer = TableWriter::open(self.lake, self.options.clone()).unwrap();
        let next = assign(&mut writer, &[partition as i32])[&(partition as i32)];
        for offset in next..self.sent[partition].len() as i64 {
            self.append(&mut writer, partition, offset);
        }
        writer
    }

    fn append(&self, writer: &mut TableWriter, partition: usize, offset: i64) {
        let (sent, days) = self.sent[partition][offset as usize];
        let mut record = record(partition as i32, offset, sent.bytes());
        record.timestamp_ms = Some(TIME_MS - days * 86_400_000);
        writer.append(&record).unwrap();
    }

    /// Waits for the commit in flight. Where the commit of a writer that died landed meanwhile,
    /// this one goes on behind it.
    fn settle(&self, writer: &mut TableWriter, partition: usize, deadline: Duration) {
        if let Err(error) = writer.wait_cut(deadline) {
            assert_eq!(error.kind(), crate::ErrorKind::Fenced, "{error}");
            let next = writer.reset().unwrap()[0].1.offset;
            for offset in next..self.sent[partition].len() as i64 {
                self.append(writer, partition, offset);
            }
        }
    }

    fn step(&mut self, sent: &'a Sent, partition: usize, days: i64, then: Then) {
        let writer = self.writers[partition].take();
        let mut writer = writer.unwrap_or_else(|| self.begin(partition));
        let offset = self.sent[partition].len() as i64;
        self.sent[partition].push((sent, days));
        self.append(&mut writer, partition, offset);
        match then {
            Then::Nothing => {}
            Then::Publish => writer.publish().unwrap(),
            Then::Commit => {
                self.settle(&mut writer, partition, DEADLINE);
                writer.cut().unwrap();
                self.settle(&mut writer, partition, DEADLINE);
            }
            Then::Cut | Then::CutBoth => {
                self.settle(&mut writer, partition, Duration::ZERO);
                writer.cut().unwrap();
            }
            Then::Restart => {
                drop(writer);
                writer = self.begin(partition);
            }
        }
        if matches!(then, Then::CutBoth)
            && let Some(mut other) = self.writers[1 - partition].take()
        {
            self.settle(&mut other, 1 - partition, Duration::ZERO);
            other.cut().unwrap();
            self.writers[1 - partition] = Some(other);
        }
        self.writers[partition] = Some(writer);
    }

    fn end(mut self) {
        for partition in [0, 1] {
            let Some(mut writer) = self.writers[partition].take() else {
                continue;
            };
            self.settle(&mut writer, partition, DEADLINE);
            while writer.cut().unwrap() {
                self.settle(&mut writer, partition, DEADLINE);
            }
        }
        let sent: Vec<Vec<&Sent>> = self
            .sent
            .iter()
            .map(|sent| sent.iter().map(|(sent, _)| *sent).collect())
            .collect();
        let table = plain::table(self.lake, &self.options.table);
        table.assert_holds(self.lake, &self.options.table, &sent);
    }
}

fn check(lake: &Lake, number: u32, case: &Case) {
    let table = lake.table("topics", &format!("any-{number}"));
    let mut run = Run::new(lake, table, case.limits, case.raw);
    run.options.key = case
        .sealed
        .then(|| Key::from_base64("key", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=").unwrap());
    for (sent, (partition, days, then)) in case.records.iter().zip(&case.steps) {
        run.step(sent, *partition, *days, *then);
    }
    run.end();
}

/// Cases on one lake: what it holds is thrown away behind them.
const CHUNK: usize = 250;
const THREADS: usize = 2;

/// A failing seed is in the panic's message; `EDDY_TEST_SEED` begins with it.
fn check_cases(world: fn() -> World, cases: usize) {
    let first = std::env::var("EDDY_TEST_SEED");
    let first = first.ok().and_then(|seed| seed.parse().ok());
    let first = first.unwrap_or_else(|| Clock::system().new_id().as_u128() as u64);
    let chunks: Vec<(usize, u64)> = (0..cases).step_by(CHUNK).zip(first..).collect();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let chunks = chunks.iter().skip(thread).step_by(THREADS);
            scope.spawn(move || {
                for (chunk, seed) in chunks {
                    check_chunk(&world(), CHUNK.min(cases - chunk) as u32, *seed);
                }
            });
        }
    });
}

fn check_chunk(world: &World, cases: u32, seed: u64) {
    let number = std::cell::Cell::new(0);
    let config = ProptestConfig {
        cases,
        max_shrink_time: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let outcome = TestRunner::new_with_rng(config, random).run(&case(), |case| {
        number.set(number.get() + 1);
        check(&world.lake, number.get(), &case);
        Ok(())
    });
    assert!(outcome.is_ok(), "seed {seed}: {}", outcome.unwrap_err());
}

#[test]
fn every_value_of_any_json_comes_back_through_a_plain_reader_of_the_files() {
    check_cases(World::in_memory, scale(1_000, 100_000));
}

#[test]
fn every_value_of_any_json_comes_back_from_local_disk() {
    check_cases(World::on_disk, scale(30, 1_000));
}
