//! A replay that is paused for longer than versions are kept still plays its version, whatever
//! compaction and cleaning did meanwhile. In this process, on a clock that the test turns.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use eddy_connector::Providers;
use eddy_engine::budget::Budget;
use eddy_engine::maintain::{Compaction, Keeper, Policy, pins};
use eddy_engine::read::Snapshot;
use eddy_engine::testing::disk_lake;
use eddy_engine::write::{Start, TableWriter, WriterOptions};
use eddy_engine::{Clock, Lake, Record, TablePath, TimestampType, TopicId};
use eddy_query::{Query, QueryOptions};
use eddy_replay::{
    After, Definition, Destinations, Error, Jobs, Payload, Pinned, PinnedTable, Reach, Request,
    RowSource, Sequence, SourcePlan, State,
};
use futures::StreamExt;
use futures::stream::BoxStream;

use crate::harness::block_on;
use crate::harness::kafka::Topic;
use crate::harness::services::services;
use crate::harness::wait::{PATIENCE, wait_until};

const RECORDS: i64 = 110;

/// Query as the row source of replays, as the binary joins them.
struct Rows(Query);

#[async_trait]
impl RowSource for Rows {
    async fn plan(
        &self,
        select: &str,
        _: Option<Payload>,
        version: Option<u64>,
        measured: bool,
    ) -> Result<SourcePlan, Error> {
        let plan = self.0.plan_source(select, None, version, measured).await;
        let plan = plan.map_err(told)?;
        Ok(SourcePlan {
            select: plan.select,
            table: plan.table,
            version: plan.version,
            records: plan.records,
            bytes: plan.bytes,
            files: plan.files,
            first_timestamp_us: plan.first_timestamp_us,
            last_timestamp_us: plan.last_timestamp_us,
            partitions: Vec::new(),
            payload: Payload::Original,
            sets: Vec::new(),
        })
    }

    fn rows(
        &self,
        pinned: &Pinned,
        after: After,
        _: Sequence,
    ) -> BoxStream<'static, Result<RecordBatch, Error>> {
        let (select, version) = (&pinned.select, pinned.version);
        let order = eddy_query::Sequence::Partitions;
        let rows = self.0.source_rows(select, None, version, after, order);
        rows.map(|batch| batch.map_err(told)).boxed()
    }

    async fn tables(&self, pinned: &Pinned) -> Result<Vec<PinnedTable>, Error> {
        let tables = self.0.source_tables(&pinned.select, pinned.version).await;
        let tables = tables.map_err(told)?.into_iter();
        let tables = tables.map(|(lake, path, version)| PinnedTable {
            lake: Some(lake),
            topics_dir: path.topics_dir().to_owned(),
            topic: path.topic().to_owned(),
            version,
        });
        Ok(tables.collect())
    }
}

fn told(error: eddy_query::Error) -> Error {
    Error::not_found(error.to_string())
}

struct World {
    lake: Lake,
    table: TablePath,
    writer: TableWriter,
}

impl World {
    fn write(&mut self, offsets: std::ops::Range<i64>) {
        for offset in offsets {
            let value = format!("{{\"n\": {offset}}}");
            let record = Record {
                partition: 0,
                offset,
                timestamp_ms: Some(1_795_428_000_000 + offset),
                timestamp_type: TimestampType::Create,
                key: None,
                value: Some(value.as_bytes()),
                headers: &[],
                decoded: Default::default(),
            };
            self.writer.append(&record).expect("taken");
            self.writer.cut().expect("cut");
            self.writer.wait_cut(PATIENCE).expect("committed");
        }
    }

    fn newest(&self) -> u64 {
        let snapshot = Snapshot::load(&self.lake, &self.table, None);
        snapshot.expect("a snapshot").expect("a table").version
    }

    fn readable(&self, version: u64) -> bool {
        Snapshot::load(&self.lake, &self.table, Some(version)).is_ok()
    }

    /// The upkeep of a day: compaction of whatever is small, cleaning of what is older than two.
    fn keep(&self) {
        let policy = Policy {
            compaction: Some(Compaction {
                least_files: 2,
                settle: Duration::ZERO,
                ..Compaction::default()
            }),
            history: Duration::from_hours(48),
            ..Policy::default()
        };
        let mut keeper = Keeper::new(&self.lake, &Budget::unlimited());
        let kept = keeper.pass(&self.table, &policy, &AtomicBool::new(false));
        kept.expect("the upkeep");
    }
}

#[test]
fn a_replay_paused_past_history_and_compaction_still_plays_its_version() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = Topic::create("pinned_again", 1);
    let clock = Clock::manual(Clock::system().now_us());
    let lake = block_on(async { disk_lake(folder.path(), clock.clone()) });
    let table = lake.table("topics", "orders");
    let options = WriterOptions::new(table.clone(), "orders", TopicId::new("id"), "sink");
    let mut writer = TableWriter::open(&lake, options).expect("a writer");
    writer.assign(&[(0, Start::at(0))]).expect("assigned");
    let mut world = World {
        lake: lake.clone(),
        table,
        writer,
    };
    world.write(0..RECORDS);
    let pinned = world.newest();
    let jobs = block_on(open(&lake, &target));
    let request = Request {
        select: "SELECT * FROM orders".to_owned(),
        destination: "target".to_owned(),
        options: BTreeMap::from([
            ("name".to_owned(), "slow".to_owned()),
            // The clock stands still, so nothing more than the first record goes out.
            ("rate".to_owned(), "1/s".to_owned()),
        ]),
        text: "SELECT * INTO target FROM orders".to_owned(),
    };
    let job = block_on(jobs.start(&request)).expect("a replay").job;
    assert_eq!((job.source.version, job.plan.records), (pinned, 110));
    block_on(jobs.pause("slow")).expect("paused");

    world.keep();
    world.write(RECORDS..RECORDS * 3);
    for day in 0..12 {
        let before = renewed_us(&world);
        clock.advance(Duration::from_hours(24));
        wait_until(PATIENCE, "the pin of a paused replay is renewed", || {
            // It may not have been asleep yet when the day passed.
            clock.advance(Duration::from_secs(60));
            renewed_us(&world) > before
        });
        world.keep();
        assert!(world.readable(pinned), "day {day}");
    }
    block_on(jobs.resume("slow", None)).expect("resumed");
    wait_until(PATIENCE, "the replay is done", || {
        clock.advance(Duration::from_secs(10));
        block_on(jobs.show("slow")).expect("the replay").state == State::Done
    });
    let values: Vec<String> = target
        .consume()
        .into_iter()
        .map(|record| String::from_utf8(record.value.expect("a value")).expect("text"))
        .collect();
    let expected: Vec<String> = (0..RECORDS).map(|n| format!("{{\"n\": {n}}}")).collect();
    assert_eq!(values, expected);

    wait_until(PATIENCE, "the version is let go", || {
        pins(&world.lake, &world.table).expect("pins").is_empty()
    });
    clock.advance(Duration::from_hours(2));
    world.keep();
    assert!(!world.readable(pinned), "what nobody reads goes");
    block_on(jobs.shutdown());
}

/// When the replay's only pin was renewed.
fn renewed_us(world: &World) -> i64 {
    let pins = pins(&world.lake, &world.table).expect("pins");
    pins.iter().map(|pin| pin.at_us).max().expect("a pin")
}

async fn open(lake: &Lake, target: &Topic) -> Jobs {
    let options = [
        ("bootstrap.servers", services().kafka.as_str()),
        ("topic", &target.name),
    ];
    let destination = Definition {
        name: "target".to_owned(),
        kind: "kafka".to_owned(),
        options: options
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
    };
    let query = Query::new(lake.clone(), QueryOptions::default()).expect("queries");
    let (reach, providers) = (Reach::default(), Providers::default());
    let destinations =
        Destinations::open(lake, vec![destination], &reach, providers).expect("destinations");
    let source = Arc::new(Rows(query));
    Jobs::open(lake.clone(), source, destinations)
        .await
        .expect("replays")
}
