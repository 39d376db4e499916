//! Following a table: which records come next, by their positions (pure), and the query for them.
//!
//! A tail goes from one set of visible offsets to the next, so each record comes once, whether it
//! is live or in a file by then (E8), and who says where they were goes on behind it.

use std::fmt::Write as _;
use std::ops::Bound;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;
use serde_json::{Map, Value as Json, json};

use crate::error::{Error, ErrorKind, Result};
use crate::query::{Front, Request};
use crate::table::OffsetMap;

/// The longest condition, in bytes.
const CONDITION_BYTES_MAX: usize = 16 << 10;
/// Partitions that one round looks at: each is a condition of its query.
const PARTITIONS_MAX: usize = 100;

/// Records between two looks: offsets from `from` up to but not with `to`, by partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) from: OffsetMap,
    pub(crate) to: OffsetMap,
    /// Records that are passed over, since the reader is too far behind.
    pub(crate) dropped: u64,
}

impl Round {
    /// From where a reader is to where the table is; of more than `most` records only the last.
    /// `None` when there is nothing new.
    pub(crate) fn next(position: &OffsetMap, ends: &OffsetMap, most: u64) -> Option<Self> {
        // A partition that wasn't there before is new as a whole.
        let new = ends.iter().map(|(partition, end)| {
            let at = position.get(partition).copied().unwrap_or(0);
            (*partition, at, *end)
        });
        // Live rows go with the process that had them and come again: they were told already.
        let mut new: Vec<(i32, i64, i64)> = new.filter(|(_, at, end)| at < end).collect();
        // Of too many those that are furthest behind, so that each has its turn.
        new.sort_by_key(|(partition, at, end)| (std::cmp::Reverse(end - at), *partition));
        let (mut from, mut to) = (OffsetMap::new(), OffsetMap::new());
        for (partition, at, end) in new.into_iter().take(PARTITIONS_MAX) {
            from.insert(partition, at);
            to.insert(partition, end);
        }
        if to.is_empty() {
            return None;
        }
        let length = |from: &OffsetMap, partition: &i32, end: &i64| {
            let from = from.get(partition).copied().unwrap_or(*end);
            u64::try_from(end - from).unwrap_or(0)
        };
        let all: u64 = to.iter().map(|(one, end)| length(&from, one, end)).sum();
        let mut dropped = 0;
        if all > most {
            for (partition, end) in &to {
                let behind = length(&from, partition, end);
                let share = u128::from(behind) * u128::from(most) / u128::from(all);
                let share = u64::try_from(share).unwrap_or(behind);
                dropped += behind - share;
                from.insert(*partition, end - i64::try_from(share).unwrap_or(0));
            }
        }
        Some(Self { from, to, dropped })
    }

    /// Its first records alone, about `most` of them: each partition has a share as large as what
    /// is new in it, and at least one record.
    pub(crate) fn first(mut self, most: u64) -> Self {
        let behind = |from: Option<&i64>, to: i64| {
            let new = from.map_or(0, |from| to.saturating_sub(*from));
            u64::try_from(new).unwrap_or(0)
        };
        let each = self.to.iter();
        let all: u64 = each.map(|(one, to)| behind(self.from.get(one), *to)).sum();
        if all <= most {
            return self;
        }
        for (partition, to) in &mut self.to {
            let Some(from) = self.from.get(partition) else {
                continue;
            };
            let new = behind(Some(from), *to);
            let share = u128::from(new) * u128::from(most) / u128::from(all);
            let share = i64::try_from(share).unwrap_or(0).max(1);
            *to = from.saturating_add(share).min(*to);
        }
        self
    }

    /// Where a reader that was at `position` is when it has read the round up to this record.
    pub(crate) fn behind(&self, position: &OffsetMap, partition: i32, offset: i64) -> OffsetMap {
        let mut here = position.clone();
        here.extend(self.to.range(..partition));
        here.insert(partition, offset.saturating_add(1));
        here
    }

    /// The query for the records.
    pub(crate) fn request(&self, table: &str, condition: Option<&str>) -> Request {
        let mut ranges = String::new();
        for (partition, to) in &self.to {
            let from = self.from.get(partition).copied().unwrap_or(*to);
            let or = if ranges.is_empty() { "" } else { " OR " };
            // Writing to a string can't fail.
            let _ = write!(
                ranges,
                "{or}(_partition = {partition} AND _offset >= {from} AND _offset < {to})"
            );
        }
        let condition = condition.map(|text| format!("{} AND ", closed(text)));
        let condition = condition.unwrap_or_default();
        Request {
            as_of: Some(json!({"offsets": token(&self.to)})),
            front: Front::Http,
            ..Request::new(format!(
                "{} WHERE {condition}({ranges}) ORDER BY _partition, _offset",
                select(table)
            ))
        }
    }
}

/// Where a reader is behind each record of a round, as [`token`] writes it. Such a text names every
/// partition, so what is the same for all records of one is written once: records come by
/// partition, and there are far more of them.
pub(crate) struct Ids<'a> {
    round: &'a Round,
    position: &'a OffsetMap,
    /// The partition of the last record, and the text before and behind its next offset.
    around: Option<(i32, String, String)>,
}

impl<'a> Ids<'a> {
    /// For a reader that is at `position` before the round.
    pub(crate) fn new(round: &'a Round, position: &'a OffsetMap) -> Self {
        Self {
            round,
            position,
            around: None,
        }
    }

    /// Writes where a reader is who has read the round up to this record.
    pub(crate) fn write(&mut self, partition: i32, offset: i64, out: &mut String) {
        let kept = self.around.take().filter(|(of, ..)| *of == partition);
        let around = kept.unwrap_or_else(|| self.shared_by(partition));
        let (_, before, behind) = self.around.insert(around);
        // Writing to a string can't fail.
        let _ = write!(out, "{before}{}{behind}", offset.saturating_add(1));
    }

    /// What stands around the next offset of `partition`: those before it are read to the end of
    /// the round, those behind it not at all.
    fn shared_by(&self, partition: i32) -> (i32, String, String) {
        let mut here = self.position.clone();
        here.extend(self.round.to.range(..partition));
        let (mut before, mut behind) = ("{".to_owned(), String::new());
        for (one, next) in here.range(..partition) {
            let _ = write!(before, "\"{one}\":{next},");
        }
        let _ = write!(before, "\"{partition}\":");
        for (one, next) in here.range((Bound::Excluded(partition), Bound::Unbounded)) {
            let _ = write!(behind, ",\"{one}\":{next}");
        }
        behind.push('}');
        (partition, before, behind)
    }
}

/// `SELECT * FROM table`.
fn select(table: &str) -> String {
    format!("SELECT * FROM \"{}\"", table.replace('"', "\"\""))
}

/// A condition that stands beside others. It may end in a comment, which only a line's end ends.
fn closed(condition: &str) -> String {
    format!("({condition}\n)")
}

/// The query that a condition is tried with before anyone follows.
pub(crate) fn trial(table: &str, condition: Option<&str>) -> Request {
    let condition = condition.map(|text| format!(" WHERE {}", closed(text)));
    let condition = condition.unwrap_or_default();
    Request::new(format!("{}{condition}", select(table)))
}

/// Refuses what is no condition: it is put into a statement.
///
/// # Errors
/// `Syntax` for what can't be read, `TooLarge` for what is too long.
pub(crate) fn check(condition: &str) -> Result<()> {
    if condition.len() > CONDITION_BYTES_MAX {
        let text = format!("a condition has at most {CONDITION_BYTES_MAX} bytes");
        return Err(Error::new(ErrorKind::TooLarge, text));
    }
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(condition)?;
    parser.parse_expr()?;
    let next = parser.peek_token();
    if next.token == Token::EOF {
        return Ok(());
    }
    let text = format!("expected the end of the condition, found `{next}`");
    Err(Error::new(ErrorKind::Syntax, text).with_hint("write it as after `WHERE`"))
}

/// Offsets as text: `{"0":5,"1":7}`.
pub(crate) fn token(offsets: &OffsetMap) -> Json {
    let named = offsets.iter();
    let named = named.map(|(partition, next)| (partition.to_string(), json!(next)));
    Json::Object(named.collect::<Map<_, _>>())
}

/// Reads offsets that [`token`] wrote.
///
/// # Errors
/// `Invalid` for anything else.
pub(crate) fn position(text: &str) -> Result<OffsetMap> {
    let wrong = || {
        Error::invalid("`Last-Event-ID` is not understood")
            .with_hint("send the last `id` that came, or none to begin with what comes next")
    };
    let named: Map<String, Json> = serde_json::from_str(text).map_err(|_| wrong())?;
    let mut offsets = OffsetMap::new();
    for (partition, next) in named {
        let next = next.as_i64().filter(|next| *next >= 0).ok_or_else(wrong)?;
        offsets.insert(partition.parse().map_err(|_| wrong())?, next);
    }
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn offsets<const N: usize>(all: [(i32, i64); N]) -> OffsetMap {
        all.into_iter().collect()
    }

    #[test]
    fn a_round_goes_from_where_the_reader_is_to_where_the_table_is() {
        let here = offsets([(0, 5), (1, 7)]);
        assert_eq!(Round::next(&here, &here, 100), None);
        let round = Round::next(&here, &offsets([(0, 6), (1, 7), (2, 3)]), 100).unwrap();
        assert_eq!(round.from, offsets([(0, 5), (2, 0)]));
        assert_eq!(round.to, offsets([(0, 6), (2, 3)]));
        assert_eq!(round.dropped, 0);
        let request = round.request("a\"b", Some("x = 1 OR y"));
        assert_eq!(
            request.sql,
            "SELECT * FROM \"a\"\"b\" WHERE (x = 1 OR y\n) AND ((_partition = 0 AND _offset >= 5 \
             AND _offset < 6) OR (_partition = 2 AND _offset >= 0 AND _offset < 3)) \
             ORDER BY _partition, _offset"
        );
        assert_eq!(request.as_of, Some(json!({"offsets": {"0": 6, "2": 3}})));
    }

    #[test]
    fn a_record_says_where_its_reader_is_and_what_its_partition_shares_is_written_once() {
        let here = offsets([(0, 5), (1, 7), (12, 4)]);
        let round = Round::next(&here, &offsets([(0, 8), (2, 3), (12, 6)]), 100).unwrap();
        let mut ids = Ids::new(&round, &here);
        let mut shared = Vec::new();
        let expected = [
            (0, 5, offsets([(0, 6), (1, 7), (12, 4)])),
            (0, 7, offsets([(0, 8), (1, 7), (12, 4)])),
            (2, 1, offsets([(0, 8), (1, 7), (2, 2), (12, 4)])),
            (12, 5, offsets([(0, 8), (1, 7), (2, 3), (12, 6)])),
        ];
        for (partition, offset, after) in expected {
            let mut id = "> ".to_owned();
            ids.write(partition, offset, &mut id);
            assert_eq!(position(id.strip_prefix("> ").unwrap()).unwrap(), after);
            let (of, before, _) = ids.around.as_ref().unwrap();
            assert_eq!(*of, partition);
            shared.push(before.as_ptr());
        }
        assert_eq!(shared.first(), shared.get(1), "the text is the same one");
    }

    #[test]
    fn who_is_too_far_behind_gets_the_last_records_and_is_told_how_many_were_dropped() {
        let ends = offsets([(0, 900), (1, 100)]);
        let round = Round::next(&OffsetMap::new(), &ends, 100).unwrap();
        assert_eq!(round.from, offsets([(0, 810), (1, 90)]));
        assert_eq!(round.dropped, 900);
    }

    #[test]
    fn the_first_of_a_round_is_a_share_of_each_partition_and_the_rest_comes_next() {
        let ends = offsets([(0, 900), (1, 100), (2, 1)]);
        let mut here = offsets([(0, 0), (1, 0)]);
        let mut rounds = 0;
        while let Some(round) = Round::next(&here, &ends, 10_000) {
            let first = round.clone().first(100);
            assert_eq!(first.from, round.from);
            assert!(first.to.iter().all(|(one, to)| *to > first.from[one]));
            let records: i64 = first.to.iter().map(|(one, to)| to - first.from[one]).sum();
            assert!(records <= 101, "{first:?}");
            here.extend(&first.to);
            rounds += 1;
        }
        assert_eq!((here, rounds), (ends, 11));
        let few = Round::next(&OffsetMap::new(), &offsets([(0, 5)]), 100).unwrap();
        assert_eq!(few.clone().first(5), few);
    }

    #[test]
    fn who_stops_within_a_round_has_the_partitions_before_and_not_those_behind() {
        let here = offsets([(0, 5), (1, 7), (12, 4)]);
        let round = Round::next(&here, &offsets([(0, 8), (2, 3), (12, 6)]), 100).unwrap();
        let after = offsets([(0, 8), (1, 7), (2, 2), (12, 4)]);
        assert_eq!(round.behind(&here, 2, 1), after);
    }

    #[test]
    fn of_many_partitions_each_has_its_turn() {
        let mut here = OffsetMap::new();
        for round in 1..=10 {
            let ends = (0..250).map(|partition| (partition, round)).collect();
            let next = Round::next(&here, &ends, 1_000_000).unwrap();
            assert_eq!(next.to.len(), PARTITIONS_MAX);
            here.extend(&next.to);
        }
        assert_eq!(here.len(), 250);
        assert!(here.values().all(|next| *next >= 7), "{here:?}");
    }

    #[test]
    fn records_that_went_with_a_process_are_not_told_again_when_they_come_again() {
        let here = offsets([(0, 9)]);
        assert_eq!(Round::next(&here, &offsets([(0, 4)]), 100), None);
        let round = Round::next(&here, &offsets([(0, 10)]), 100).unwrap();
        assert_eq!(round.from, here);
    }

    #[test]
    fn a_condition_is_one_and_nothing_more() {
        assert!(check("a = 1 AND (b OR search('x'))").is_ok());
        for wrong in [
            "",
            "a = 1)",
            "a = 1) OR (1 = 1",
            "a; DROP",
            "1 = 1 UNION SELECT 2",
        ] {
            assert_eq!(
                check(wrong).unwrap_err().kind(),
                ErrorKind::Syntax,
                "{wrong}"
            );
        }
        let long = "a".repeat(CONDITION_BYTES_MAX + 1);
        assert_eq!(check(&long).unwrap_err().kind(), ErrorKind::TooLarge);
    }

    #[test]
    fn a_condition_may_end_in_a_comment() {
        let condition = Some("a = 1 -- of them");
        assert!(check("a = 1 -- of them").is_ok());
        let round = Round::next(&OffsetMap::new(), &offsets([(0, 1)]), 100).unwrap();
        for request in [trial("t", condition), round.request("t", condition)] {
            let read = Parser::parse_sql(&GenericDialect {}, &request.sql);
            assert!(read.is_ok(), "{}: {read:?}", request.sql);
        }
    }

    #[test]
    fn a_position_reads_back_and_nothing_else_does() {
        let here = offsets([(0, 5), (12, 7)]);
        assert_eq!(position(&token(&here).to_string()).unwrap(), here);
        for wrong in ["", "5", "{\"a\": 1}", "{\"0\": -1}", "{\"0\": \"1\"}"] {
            assert!(position(wrong).is_err(), "{wrong}");
        }
    }
}
