//! A long log: thousands of commits, a checkpoint every hundred of them, old versions cleaned away,
//! then compaction; and everybody's readers still see the same table.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use eddy_engine::budget::Budget;
use eddy_engine::commit::invariants;
use eddy_engine::maintain::{Keeper, Kept, Policy};
use eddy_engine::read::Snapshot;
use eddy_engine::write::{Start as From, TableWriter, WriterOptions};
use eddy_engine::{Clock, Lake, Record, TimestampType, TopicId};
use serde_json::json;

use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::services::scale;
use crate::readers::agree;

const TABLE: &str = "long_log";
const PARTITIONS: i32 = 3;
/// Commits by one writer before the next one takes over, as after a restart.
const TERM: usize = 130;

#[test]
fn every_reader_agrees_after_thousands_of_commits_checkpoints_and_cleaning() {
    let place = TestLake::local();
    let clock = Clock::manual(Clock::system().now_us());
    let lake = place.open_at(clock.clone());
    let eddy = Start::on(&place).ready();
    let commits = scale(300, 5_000);
    let mut log = LongLog::new(&lake);
    log.commit(commits / 2);
    log.read_by_all(&eddy, &place);

    clock.advance(Duration::from_hours(8 * 24));
    log.commit(1);
    let kept = pass(&lake, false);
    let cleaned = usize::try_from(kept.cleaned.log_files).expect("a count");
    // What is older than the newest checkpoint goes.
    assert!(cleaned + 100 >= commits / 2, "{kept:?}");
    log.read_by_all(&eddy, &place);

    log.commit(commits - commits / 2 - 1);
    log.read_by_all(&eddy, &place);
    let files = log.files();
    assert!(files >= commits, "a file for each commit");

    clock.advance(Duration::from_hours(3));
    let kept = pass(&lake, true);
    assert!(kept.compacted.files_removed > 0, "{kept:?}");
    assert!(log.files() < files / 10);
    log.read_by_all(&eddy, &place);
    log.commit(1);
    log.read_by_all(&eddy, &place);
}

fn pass(lake: &Lake, compact: bool) -> Kept {
    let mut policy = Policy::default();
    if !compact {
        policy.compaction = None;
    }
    let table = lake.table("topics", TABLE);
    let mut keeper = Keeper::new(lake, &Budget::unlimited());
    let halt = AtomicBool::new(false);
    keeper.pass(&table, &policy, &halt).expect("the upkeep")
}

/// The table and what was written into it.
struct LongLog {
    lake: Lake,
    writer: TableWriter,
    orders: i64,
    in_term: usize,
}

impl LongLog {
    fn new(lake: &Lake) -> Self {
        Self {
            lake: lake.clone(),
            writer: writer(lake),
            orders: 0,
            in_term: 0,
        }
    }

    /// Makes `commits` versions of one record a partition; columns come and drift on the way.
    fn commit(&mut self, commits: usize) {
        for _ in 0..commits {
            if self.in_term == TERM {
                self.writer = writer(&self.lake);
                self.in_term = 0;
            }
            for partition in 0..PARTITIONS {
                self.append(partition, self.orders / i64::from(PARTITIONS));
                self.orders += 1;
            }
            assert!(self.writer.cut().expect("a cut"));
            let landed = self.writer.wait_cut(Duration::from_secs(60));
            assert_eq!(landed.expect("it lands").len(), PARTITIONS as usize);
            self.in_term += 1;
        }
    }

    fn append(&mut self, partition: i32, offset: i64) {
        let order = self.orders;
        let value = match order / 250 % 4 {
            0 => json!({"order": order}),
            1 => json!({"order": order, "price": order as f64 / 4.0, "customer": "someone"}),
            2 => json!({"order": order, "customer": {"id": order, "tags": ["x"]}}),
            _ => json!({"order": order, "price": order, "items": [{"sku": "a", "count": 1}]}),
        };
        let value = value.to_string();
        let record = Record {
            partition,
            offset,
            timestamp_ms: Some(self.lake.clock().now_us() / 1_000),
            timestamp_type: TimestampType::Create,
            key: None,
            value: Some(value.as_bytes()),
            headers: &[],
            decoded: Default::default(),
        };
        self.writer.append(&record).expect("it is taken");
    }

    /// The readers agree with SQL, and SQL with what was written.
    #[track_caller]
    fn read_by_all(&self, eddy: &Eddy, place: &TestLake) {
        let table = self.lake.table("topics", TABLE);
        let report = invariants::check(&self.lake, &table).expect("the invariants hold");
        assert_eq!(i64::try_from(report.rows()), Ok(self.orders));
        let seen = agree(eddy, place, TABLE, &["order", "price", "_offset"]);
        assert_eq!(seen["rows"], json!(self.orders), "{seen}");
        let sum = self.orders * (self.orders - 1) / 2;
        assert_eq!(seen["order"], json!(sum), "{seen}");
    }

    fn files(&self) -> usize {
        let table = self.lake.table("topics", TABLE);
        let snapshot = Snapshot::load(&self.lake, &table, None).expect("it loads");
        snapshot.expect("a table").files.len()
    }
}

fn writer(lake: &Lake) -> TableWriter {
    let table = lake.table("topics", TABLE);
    let options = WriterOptions::new(table, TABLE, TopicId::new("long"), "long");
    let mut writer = TableWriter::open(lake, options).expect("the table opens");
    let starts: Vec<_> = (0..PARTITIONS).map(|at| (at, From::at(0))).collect();
    writer
        .assign(&starts)
        .expect("the partitions are taken over");
    writer
}
