//! What a verification found, as data and as text.

use std::fmt;

/// What was found, partition by partition.
#[derive(Debug, Clone)]
pub struct VerifyReport {
    /// The topic.
    pub topic: String,
    /// The table's version that was looked at.
    pub version: u64,
    /// The partitions of every incarnation of the topic that the table knows.
    pub partitions: Vec<PartitionReport>,
}

/// One partition of one incarnation of the topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartitionReport {
    /// The topic's id.
    pub topic_id: String,
    /// The partition.
    pub partition: i32,
    /// The first offset that the broker still has; `None` where it has this incarnation no more.
    pub start: Option<i64>,
    /// The table's position: everything below is accounted for, or should be.
    pub position: Option<i64>,
    /// The next offset that the broker will give out.
    pub end: Option<i64>,
    /// The rows, dead letters included.
    pub rows: u64,
    /// The rows that could not be decoded.
    pub dead_letters: u64,
    /// Offsets whose rows left the table by its retention.
    pub retired: u64,
    /// Offsets whose records a transform dropped.
    pub filtered: u64,
    /// Offsets that somebody, or a policy, moved the position past.
    pub skipped: u64,
    /// Offsets that are no rows and that the broker explains: control records, aborted
    /// transactions, compacted records.
    pub gaps_explained: u64,
    /// Offsets below the position that the broker has and the table doesn't, half-open.
    pub missing: Vec<(i64, i64)>,
    /// Offsets that the table has more than once, half-open.
    pub doubled: Vec<(i64, i64)>,
    /// Offsets of rows at or beyond the position, half-open: never right.
    pub beyond: Vec<(i64, i64)>,
}

impl VerifyReport {
    /// Every offset below the positions is accounted exactly once, and every partition that holds
    /// something has a position.
    pub fn clean(&self) -> bool {
        self.partitions.iter().all(PartitionReport::clean)
    }

    /// The rows of all partitions.
    pub fn rows(&self) -> u64 {
        self.partitions.iter().map(|partition| partition.rows).sum()
    }

    /// What the broker has beyond the positions: not judged, since it is still on its way.
    pub fn pending(&self) -> i64 {
        self.partitions.iter().map(PartitionReport::pending).sum()
    }
}

impl PartitionReport {
    /// Nothing is missing, doubled or beyond, and what holds something has a position.
    pub fn clean(&self) -> bool {
        let known = self.position.is_some() || self.end == self.start;
        known && self.missing.is_empty() && self.doubled.is_empty() && self.beyond.is_empty()
    }

    /// Offsets from the position to the log's end.
    pub fn pending(&self) -> i64 {
        match (self.end, self.position) {
            (Some(end), Some(position)) => (end - position).max(0),
            _ => 0,
        }
    }
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.clean() { "clean" } else { "NOT clean" };
        writeln!(
            f,
            "{}: {verdict}: {} rows at version {}, {} offsets still to come",
            self.topic,
            self.rows(),
            self.version,
            self.pending()
        )?;
        writeln!(
            f,
            "{:>9} {:>12} {:>12} {:>12} {:>12} {:>6} {:>7} {:>8} {:>7} {:>6}  topic id",
            "partition",
            "start",
            "position",
            "end",
            "rows",
            "dead",
            "retired",
            "filtered",
            "skipped",
            "gaps"
        )?;
        for partition in &self.partitions {
            write_row(f, partition)?;
        }
        Ok(())
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, row: &PartitionReport) -> fmt::Result {
    let number = |value: Option<i64>| value.map_or("-".to_owned(), |value| value.to_string());
    writeln!(
        f,
        "{:>9} {:>12} {:>12} {:>12} {:>12} {:>6} {:>7} {:>8} {:>7} {:>6}  {}",
        row.partition,
        number(row.start),
        number(row.position),
        number(row.end),
        row.rows,
        row.dead_letters,
        row.retired,
        row.filtered,
        row.skipped,
        row.gaps_explained,
        row.topic_id
    )?;
    for (what, ranges) in [
        ("missing", &row.missing),
        ("doubled", &row.doubled),
        ("beyond the position", &row.beyond),
    ] {
        for (from, to) in ranges {
            writeln!(f, "          {what}: {from}..{to}")?;
        }
    }
    Ok(())
}
