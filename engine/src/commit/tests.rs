//! The log's tests: its contract on every store, and what stores and other writers may do to it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod contract;
mod crash;
mod races;
mod settle;
mod traps;

use std::collections::BTreeMap;

use crate::clock::Clock;
use crate::commit::{Cut, DataFile, Move};
use crate::lake::Lake;
use crate::partition::Partitioning;
use crate::path::TablePath;
use crate::record::{Position, TopicId};
use crate::schema::envelope_schema;

use super::TableLog;

const OWNER: &str = "orders-sink";

fn topic() -> TopicId {
    TopicId::new("vXlz5bIyTzqMBSBLeSXhJQ")
}

fn table(lake: &Lake) -> TablePath {
    lake.table("topics", "orders")
}

fn log(lake: &Lake) -> TableLog {
    TableLog::create_or_open(
        lake,
        &table(lake),
        &envelope_schema(),
        &Partitioning::by_day(),
        false,
        OWNER,
    )
    .unwrap()
}

fn position(offset: i64, epoch: i64) -> Position {
    Position {
        offset,
        epoch,
        leader_epoch: None,
    }
}

/// A cut that moves one partition and names a file that need not exist.
fn cut(clock: &Clock, partition: i32, from: Option<Position>, to: i64) -> Cut {
    let id = clock.new_id();
    let rows = from.map_or(0, |from| u64::try_from(to - from.offset).unwrap());
    let file = DataFile {
        path: format!("dt=2026-11-23/{id}.parquet"),
        size: 1_000,
        modified_ms: clock.now_us() / 1_000,
        partition_values: BTreeMap::from([("dt".to_owned(), Some("2026-11-23".to_owned()))]),
        rows,
        stats_json: format!(r#"{{"numRecords":{rows}}}"#),
    };
    Cut {
        id,
        begun_us: clock.now_us(),
        files: if rows == 0 { Vec::new() } else { vec![file] },
        apart: Vec::new(),
        moves: vec![Move {
            topic_id: topic(),
            partition,
            from,
            to,
            raise: false,
            altered: false,
            leader_epoch: None,
        }],
        rewrite: None,
        operation: "append",
    }
}
