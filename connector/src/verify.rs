//! Whether every offset of a topic is accounted exactly once (E1).
//!
//! The broker says where each partition begins and ends, the table what it holds and how far it is.
//! Offsets below the position that are no rows are asked of the broker: control records, aborted
//! transactions and what compaction removed explain a gap; a record that is there does not, unless
//! a filter dropped it, transforms sent it to another table, which has it then, or somebody moved
//! the position past it. What
//! the broker has deleted since can't be asked for any more and isn't judged.

mod others;
mod report;

use std::collections::{BTreeMap, BTreeSet};

use eddy_engine::commit::{TableLog, Version};
use eddy_engine::read::{
    Account, FilteredRanges, RetiredRanges, Snapshot, accounts, alterations, filtered, retired,
    stored,
};
use eddy_engine::{Clock, Lake, TablePath, TopicId};

use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{Admin, KafkaConfig, RangeReader, Watermarks};
use crate::sink::Routes;

pub use report::{PartitionReport, VerifyReport};

/// Compares the broker's topic with the table, as both are now.
///
/// # Errors
/// `NotFound` when the topic or the table doesn't exist; `Unavailable` when broker or lake don't
/// answer.
pub async fn verify(
    lake: &Lake,
    table: &TablePath,
    kafka: &KafkaConfig,
    clock: &Clock,
) -> Result<VerifyReport> {
    let topic = table.topic().to_owned();
    let asked = {
        let (lake, table, kafka, clock) =
            (lake.clone(), table.clone(), kafka.clone(), clock.clone());
        tokio::task::spawn_blocking(move || ask(&lake, &table, &kafka, clock))
    };
    let asked = asked.await.map_err(stopped)??;
    let Held {
        rows: mut held,
        mut gone,
        mut passed,
        mut skipped,
    } = held(lake, table, &asked).await?;
    let mut partitions = Vec::new();
    let mut gaps = Vec::new();
    for (topic_id, partition) in asked.keys(&held) {
        let position = asked
            .snapshot
            .position(&topic_id, partition)
            .map(|at| at.offset);
        let key = (topic_id, partition);
        let account = held.remove(&key).unwrap_or_default();
        let marks = (key.0 == asked.topic_id)
            .then(|| asked.marks.get(&partition).copied())
            .flatten();
        let retired = gone.remove(&key).unwrap_or_default();
        let filtered = passed.remove(&key).unwrap_or_default();
        let skipped = skipped.remove(&key).unwrap_or_default();
        let explained = [&retired[..], &filtered, &skipped].concat();
        let accounted = union(&account.ranges, &explained);
        let mut report = judge(&key, position, account, marks);
        report.retired = lengths(&retired);
        report.filtered = lengths(&filtered);
        report.skipped = lengths(&skipped);
        if let (Some(position), Some(marks)) = (position, marks) {
            let start = begins(&asked, &key, &accounted).max(marks.start);
            let reached = asked.reached.get(&partition).copied().unwrap_or(position);
            let holes = holes(&accounted, start, position.min(reached).min(marks.end));
            gaps.extend(
                holes
                    .into_iter()
                    .map(|hole| (partitions.len(), partition, hole)),
            );
        }
        partitions.push(report);
    }
    let asked_for: Vec<(i32, (i64, i64))> = gaps
        .iter()
        .map(|(_, partition, hole)| (*partition, *hole))
        .collect();
    let present = {
        let (kafka, clock, topic) = (kafka.clone(), clock.clone(), topic.clone());
        tokio::task::spawn_blocking(move || present(&kafka, clock, &topic, &asked_for))
    };
    let present = present.await.map_err(stopped)??;
    explain(&mut partitions, gaps, present);
    Ok(VerifyReport {
        topic,
        version: asked.snapshot.version,
        partitions,
    })
}

/// Tells what of each hole the broker explains, and what it has that nobody accounts for.
fn explain(
    partitions: &mut [PartitionReport],
    gaps: Vec<(usize, i32, (i64, i64))>,
    present: Vec<Vec<(i64, i64)>>,
) {
    for ((index, _, (from, to)), missing) in gaps.into_iter().zip(present) {
        if let Some(report) = partitions.get_mut(index) {
            let absent = lengths(&missing);
            let hole = u64::try_from(to - from).unwrap_or(0);
            report.gaps_explained += hole.saturating_sub(absent);
            report.missing.extend(missing);
        }
    }
}

/// What the tables hold of the topic, and what explains that they don't hold the rest.
struct Held {
    rows: BTreeMap<(TopicId, i32), Account>,
    gone: RetiredRanges,
    passed: FilteredRanges,
    /// What somebody, or a policy, has moved the positions past.
    skipped: BTreeMap<(TopicId, i32), Vec<(i64, i64)>>,
}

async fn held(lake: &Lake, table: &TablePath, asked: &Asked) -> Result<Held> {
    let known = alterations(lake, table, &asked.snapshot).await?;
    let mut held = Held {
        rows: accounts(lake, table, &asked.snapshot).await?,
        gone: retired(lake, table, &asked.snapshot).await?,
        passed: filtered(lake, table, &asked.history, &known).await?,
        skipped: known
            .into_iter()
            .map(|(key, altered)| (key, altered.skipped))
            .collect(),
    };
    for (key, beside) in stored(lake, table, &asked.history).await? {
        held.rows.entry(key).or_default().add(&beside);
    }
    for others::Other {
        table: other,
        snapshot,
        history,
    } in &asked.others
    {
        let more = accounts(lake, other, snapshot).await?;
        others::add(&mut held.rows, more, &asked.topic_id);
        let more = stored(lake, other, history).await?;
        others::add(&mut held.rows, more, &asked.topic_id);
        let retired = retired(lake, other, snapshot).await?.into_iter();
        for (key, ranges) in retired.filter(|(key, _)| key.0 == asked.topic_id) {
            held.gone.entry(key).or_default().extend(ranges);
        }
        let altered = alterations(lake, other, snapshot).await?.into_iter();
        for (key, altered) in altered.filter(|(key, _)| key.0 == asked.topic_id) {
            let known = held.skipped.entry(key).or_default();
            *known = others::joined(std::mem::take(known), altered.skipped);
        }
    }
    Ok(held)
}

/// What broker and lake say, asked together.
struct Asked {
    snapshot: Snapshot,
    topic_id: TopicId,
    marks: BTreeMap<i32, Watermarks>,
    /// Where the table began to record a partition, as far as its history still says it.
    bases: BTreeMap<(TopicId, i32), i64>,
    /// Its versions, newest first, as far as the log hasn't been cleaned.
    history: Vec<Version>,
    /// The tables beside it that transforms have sent records to.
    others: others::Others,
    /// How far the one of these is that is least far.
    reached: BTreeMap<i32, i64>,
}

impl Asked {
    /// Every partition that the table, its rows or the broker know of.
    fn keys(&self, held: &BTreeMap<(TopicId, i32), Account>) -> BTreeSet<(TopicId, i32)> {
        let brokers = self.marks.keys();
        let brokers = brokers.map(|partition| (self.topic_id.clone(), *partition));
        let positions = self.snapshot.positions.keys().cloned();
        positions
            .chain(held.keys().cloned())
            .chain(brokers)
            .collect()
    }
}

fn ask(lake: &Lake, table: &TablePath, kafka: &KafkaConfig, clock: Clock) -> Result<Asked> {
    let admin = Admin::new(kafka, clock)?;
    let topic = table.topic();
    // The table first: what is produced meanwhile is then beyond every position.
    let snapshot = Snapshot::load(lake, table, None)?.ok_or_else(|| {
        let message = format!("the lake has no table of topic `{topic}`");
        Error::new(ErrorKind::NotFound, message)
    })?;
    let described = admin.describe(&[topic])?.pop().ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            format!("topic `{topic}` does not exist"),
        )
    })?;
    let all: Vec<i32> = (0..described.partitions).collect();
    let marks = admin.watermarks(topic, &all)?;
    let history = match TableLog::open(lake, table)? {
        Some(log) => log.history(usize::MAX)?,
        None => Vec::new(),
    };
    let routes = Routes::new(lake, table.topics_dir(), topic, &described.id).noted()?;
    let (others, reached) = others::load(lake, table, &routes, &described.id)?;
    Ok(Asked {
        snapshot,
        others,
        reached,
        topic_id: described.id,
        marks,
        bases: bases(&history),
        history,
    })
}

fn bases(history: &[Version]) -> BTreeMap<(TopicId, i32), i64> {
    let mut bases: BTreeMap<(TopicId, i32), i64> = BTreeMap::new();
    let oldest_first = history.iter().rev();
    for moved in oldest_first.flat_map(|version| &version.moves) {
        let key = (moved.topic_id.clone(), moved.partition);
        match moved.from {
            None => {
                bases.insert(key, moved.to);
            }
            // A rewind may go below where the table once began.
            Some(_) => {
                bases
                    .entry(key)
                    .and_modify(|base| *base = moved.to.min(*base));
            }
        }
    }
    bases
}

/// Where a partition's offsets begin to be the table's matter: its base, else its first row, be it
/// one that has left since.
fn begins(asked: &Asked, key: &(TopicId, i32), accounted: &[(i64, i64)]) -> i64 {
    let first = accounted.first().map(|(start, _)| *start);
    let position = asked.snapshot.position(&key.0, key.1).map(|at| at.offset);
    asked
        .bases
        .get(key)
        .copied()
        .or(first)
        .or(position)
        .unwrap_or(0)
}

fn judge(
    key: &(TopicId, i32),
    position: Option<i64>,
    account: Account,
    marks: Option<Watermarks>,
) -> PartitionReport {
    let limit = position.unwrap_or(0);
    let beyond = account.ranges.iter().filter(|(_, end)| *end > limit);
    PartitionReport {
        topic_id: key.0.to_string(),
        partition: key.1,
        start: marks.map(|marks| marks.start),
        position,
        end: marks.map(|marks| marks.end),
        rows: account.rows,
        dead_letters: account.dead_letters,
        retired: 0,
        filtered: 0,
        skipped: 0,
        gaps_explained: 0,
        missing: Vec::new(),
        beyond: beyond
            .map(|(start, end)| ((*start).max(limit), *end))
            .collect(),
        doubled: account.doubled,
    }
}

/// What either list of ranges covers, in order.
fn union(rows: &[(i64, i64)], retired: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let mut all: Vec<(i64, i64)> = rows.iter().chain(retired).copied().collect();
    all.sort_unstable();
    all
}

fn lengths(ranges: &[(i64, i64)]) -> u64 {
    let lengths = ranges.iter().map(|(from, to)| to - from);
    u64::try_from(lengths.sum::<i64>()).unwrap_or(0)
}

/// The offsets of `from..to` that no range covers.
fn holes(ranges: &[(i64, i64)], from: i64, to: i64) -> Vec<(i64, i64)> {
    let mut holes = Vec::new();
    let mut next = from;
    for (start, end) in ranges {
        if *start >= to {
            break;
        }
        if *start > next {
            holes.push((next, *start));
        }
        next = next.max(*end);
    }
    if next < to {
        holes.push((next, to));
    }
    holes
}

/// Which offsets of each hole the broker has a record at, for a reader of committed records.
fn present(
    kafka: &KafkaConfig,
    clock: Clock,
    topic: &str,
    holes: &[(i32, (i64, i64))],
) -> Result<Vec<Vec<(i64, i64)>>> {
    if holes.is_empty() {
        return Ok(Vec::new());
    }
    let reader = RangeReader::new(kafka, clock)?;
    holes
        .iter()
        .map(|(partition, (from, to))| {
            let mut found: Vec<(i64, i64)> = Vec::new();
            for offset in reader.offsets(topic, *partition, *from..*to)? {
                match found.last_mut() {
                    Some((_, end)) if *end == offset => *end += 1,
                    _ => found.push((offset, offset + 1)),
                }
            }
            Ok(found)
        })
        .collect()
}

fn stopped(error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "the comparison was stopped").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_what_no_range_covers() {
        let ranges = [(2, 4), (6, 9)];
        assert_eq!(holes(&ranges, 0, 12), [(0, 2), (4, 6), (9, 12)]);
        assert_eq!(holes(&ranges, 3, 6), [(4, 6)]);
        assert_eq!(holes(&ranges, 2, 4), []);
        assert_eq!(holes(&[], 5, 7), [(5, 7)]);
        let accounted = union(&ranges, &[(0, 2), (5, 6)]);
        assert_eq!(holes(&accounted, 0, 9), [(4, 5)]);
    }

    #[test]
    fn a_row_beyond_the_position_is_never_clean() {
        let account = Account {
            rows: 3,
            ranges: vec![(0, 3)],
            ..Account::default()
        };
        let marks = Watermarks { start: 0, end: 3 };
        let report = judge(&(TopicId::new("t"), 0), Some(2), account, Some(marks));
        assert_eq!(report.beyond, [(2, 3)]);
        let report = VerifyReport {
            topic: "t".into(),
            version: 1,
            partitions: vec![report],
        };
        assert!(!report.clean());
        assert!(report.to_string().contains("NOT clean"));
    }
}
