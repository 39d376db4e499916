//! Ranges of a partition's offsets, as records have them.

use serde::{Deserialize, Serialize};

/// Ranges as numbers that stay small where every other record is filtered.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Partition {
    pub(super) topic_id: String,
    pub(super) partition: i32,
    /// That of the commit: what is filtered may be taken back (P5).
    #[serde(default)]
    pub(super) epoch: i64,
    start: i64,
    /// From the start on, in turns: how many offsets were filtered, how many weren't.
    runs: Vec<i64>,
}

impl Partition {
    pub(super) fn new(topic_id: &str, partition: i32, epoch: i64, ranges: &[(i64, i64)]) -> Self {
        let start = ranges.first().map_or(0, |(from, _)| *from);
        let mut runs = Vec::with_capacity(ranges.len() * 2);
        let mut end = start;
        for (from, to) in ranges {
            if *from > end {
                runs.push(from - end);
            }
            runs.push(to - from);
            end = *to;
        }
        Self {
            topic_id: topic_id.to_owned(),
            partition,
            epoch,
            start,
            runs,
        }
    }

    pub(super) fn ranges(&self) -> Vec<(i64, i64)> {
        let mut ranges = Vec::with_capacity(self.runs.len() / 2 + 1);
        let mut at = self.start;
        for (turn, length) in self.runs.iter().enumerate() {
            let end = at.saturating_add(*length);
            if turn % 2 == 0 {
                ranges.push((at, end));
            }
            at = end;
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_come_back_from_their_runs() {
        for ranges in [
            &[][..],
            &[(5, 6)],
            &[(0, 1), (2, 3), (4, 9)],
            &[(7, 9), (100, 101)],
        ] {
            assert_eq!(Partition::new("t", 0, 0, ranges).ranges(), ranges);
        }
    }
}
