//! Which time a record counts as, and the text of the stretch of time that it falls into.
//!
//! A stretch is the local time of the zone, rounded down: `02:30` counts as `02` also in the night
//! in which that hour comes twice, and both hours then share their partition. A day in which the
//! clocks are put forward has an hour less.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;

use crate::error::{Error, Result};
use crate::partition::FieldPath;
use crate::partition::pattern::{Finest, Pattern};

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// 2000-01-01T00:00:00Z. Earlier times are clocks that were never set.
const FIRST_US: i64 = 946_684_800_000_000;
const DAY_US: i64 = DAY_MS * 1_000;

/// The column of days.
const DAY_COLUMN: &str = crate::schema::PARTITION_COLUMN;

/// A time zone by its name in the IANA database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Tz);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(Tz::UTC);

    /// The zone of this name, such as `Europe/Berlin`.
    ///
    /// # Errors
    /// `Invalid` when there is none.
    pub fn parse(name: &str) -> Result<Self> {
        let zone = name.parse().map_err(|_| {
            Error::invalid(format!(
                "there is no time zone `{name}`; names are those of the IANA database, such as \
                 `UTC` or `Europe/Berlin`"
            ))
        })?;
        Ok(Self(zone))
    }

    /// Milliseconds to add to a time in UTC, milliseconds since the Unix epoch.
    pub(crate) fn offset_ms(self, utc_ms: i64) -> i64 {
        if self.0 == Tz::UTC {
            return 0;
        }
        let seconds = self.0.offset_from_utc_datetime(&date_time(utc_ms)).fix();
        i64::from(seconds.local_minus_utc()) * SECOND_MS
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

/// How long a stretch of time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A year of the calendar.
    Year,
    /// A month of the calendar.
    Month,
    /// A day.
    Day,
    /// An hour.
    Hour,
    /// So long, counted from 1970-01-01T00:00 local time; at least a second.
    Span(Duration),
}

impl Unit {
    /// The local time, in milliseconds, at which the stretch around `local_ms` begins.
    pub(crate) fn floor(self, local_ms: i64) -> i64 {
        let down = |step: i64| local_ms.div_euclid(step) * step;
        match self {
            Self::Hour => down(HOUR_MS),
            Self::Day => down(DAY_MS),
            Self::Span(span) => down(i64::try_from(span.as_millis()).unwrap_or(i64::MAX).max(1)),
            Self::Month | Self::Year => {
                let day = date_time(local_ms).date();
                let month = if self == Self::Year { 1 } else { day.month() };
                let first = NaiveDate::from_ymd_opt(day.year(), month, 1).unwrap_or(day);
                first
                    .and_time(chrono::NaiveTime::MIN)
                    .and_utc()
                    .timestamp_millis()
            }
        }
    }

    /// The pattern of the folders when none is given.
    fn pattern(self) -> &'static str {
        match self {
            Self::Year => "'year'=yyyy",
            Self::Month => "'month'=yyyy-MM",
            Self::Day => "'dt'=yyyy-MM-dd",
            Self::Hour => "'dt'=yyyy-MM-dd/'hour'=HH",
            Self::Span(span) => {
                let is_whole = |unit: i64| {
                    let unit = u128::try_from(unit).unwrap_or(1);
                    span.as_millis().is_multiple_of(unit)
                };
                match () {
                    () if is_whole(DAY_MS) => "'dt'=yyyy-MM-dd",
                    () if is_whole(HOUR_MS) => "'dt'=yyyy-MM-dd/'hour'=HH",
                    () if is_whole(MINUTE_MS) => "'dt'=yyyy-MM-dd/'hour'=HH/'minute'=mm",
                    () => "'dt'=yyyy-MM-dd/'hour'=HH/'minute'=mm/'second'=ss",
                }
            }
        }
    }

    fn of(finest: Finest) -> Self {
        match finest {
            Finest::Millisecond => Self::Span(Duration::from_millis(1)),
            Finest::Second => Self::Span(Duration::from_secs(1)),
            Finest::Minute => Self::Span(Duration::from_mins(1)),
            Finest::Hour => Self::Hour,
            Finest::Day => Self::Day,
            Finest::Month => Self::Month,
            Finest::Year => Self::Year,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Year => f.write_str("year"),
            Self::Month => f.write_str("month"),
            Self::Day => f.write_str("day"),
            Self::Hour => f.write_str("hour"),
            Self::Span(span) => write!(f, "{} ms", span.as_millis()),
        }
    }
}

/// Partitions by time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimePart {
    unit: Unit,
    zone: Zone,
    pattern: Pattern,
    field: Option<FieldPath>,
    columns: Vec<(String, Pattern)>,
}

impl TimePart {
    /// Stretches of `unit`, or as fine as `pattern` shows; in folders as `pattern` names them, or
    /// as is usual for the unit. The time is that of the record, or of the payload's `field`.
    ///
    /// # Errors
    /// `Invalid` when there is neither unit nor pattern, for a pattern that names no columns, and
    /// for a span of less than a second.
    pub fn new(
        unit: Option<Unit>,
        zone: Zone,
        pattern: Option<Pattern>,
        field: Option<FieldPath>,
    ) -> Result<Self> {
        if let Some(Unit::Span(span)) = unit
            && span < Duration::from_secs(1)
        {
            return Err(Error::invalid(
                "a partition's time span is at least a second",
            ));
        }
        let shown = pattern.as_ref().and_then(Pattern::finest);
        let Some(unit) = unit.or(shown.map(Unit::of)) else {
            return Err(Error::invalid(
                "a partition by time needs a unit, or a pattern that shows one",
            ));
        };
        let pattern = match pattern {
            Some(pattern) => pattern,
            None => Pattern::parse(unit.pattern())?,
        };
        Self::stored(unit, zone, pattern, field)
    }

    /// By the day in UTC.
    pub(super) fn day() -> Self {
        let (pattern, column) = Pattern::day();
        Self {
            unit: Unit::Day,
            zone: Zone::UTC,
            pattern,
            field: None,
            columns: vec![(DAY_COLUMN.to_owned(), column)],
        }
    }

    /// As it is known of a table.
    pub(super) fn stored(
        unit: Unit,
        zone: Zone,
        pattern: Pattern,
        field: Option<FieldPath>,
    ) -> Result<Self> {
        Ok(Self {
            columns: pattern.columns()?,
            unit,
            zone,
            pattern,
            field,
        })
    }

    /// How long a stretch is.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// Whose local time counts.
    pub fn zone(&self) -> Zone {
        self.zone
    }

    /// The pattern of the folders.
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// The field that says the time; `None`: the record does.
    pub fn field(&self) -> Option<&FieldPath> {
        self.field.as_ref()
    }

    /// The names of the columns.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    /// Texts by stretches.
    pub(super) fn stretches(&self) -> Stretches<'_> {
        Stretches {
            part: self,
            last: None,
            offset: None,
            known: HashMap::new(),
            values: Vec::new(),
        }
    }
}

/// The stretches of time that a batch's rows fall into, each with its texts made once.
pub(super) struct Stretches<'a> {
    part: &'a TimePart,
    /// The stretch of the row before, most likely this row's too.
    last: Option<(i64, u32)>,
    /// The minute whose offset is known. Offsets change at full minutes only, in this century.
    offset: Option<(i64, i64)>,
    known: HashMap<i64, u32>,
    pub(super) values: Vec<Vec<Option<String>>>,
}

impl Stretches<'_> {
    /// The number of the stretch of a time in microseconds since the Unix epoch.
    pub(super) fn at(&mut self, time_us: i64) -> u32 {
        let utc_ms = time_us.div_euclid(1_000);
        let minute = utc_ms.div_euclid(MINUTE_MS);
        let offset = match self.offset {
            Some((of, offset)) if of == minute => offset,
            _ => self.part.zone.offset_ms(utc_ms),
        };
        self.offset = Some((minute, offset));
        let begins = self.part.unit.floor(utc_ms.saturating_add(offset));
        if let Some((last, number)) = self.last
            && last == begins
        {
            return number;
        }
        let next = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        let number = *self.known.entry(begins).or_insert(next);
        if number == next {
            let time = date_time(begins);
            let columns = self.part.columns.iter();
            let texts = columns.map(|(_, pattern)| pattern.format(time));
            let texts = texts.map(|text| (!text.is_empty()).then_some(text));
            self.values.push(texts.collect());
        }
        self.last = Some((begins, number));
        number
    }
}

/// The first of `times` that can be meant, else the arrival.
pub(super) fn meant(times: [Option<i64>; 2], arrival_us: i64) -> i64 {
    let mut times = times.into_iter().flatten();
    times
        .find(|time| is_meant(*time, arrival_us))
        .unwrap_or(arrival_us)
}

/// Whether a time is not before 2000, and not more than a day after the record's arrival; both in
/// microseconds since the Unix epoch.
pub(crate) fn is_meant(time_us: i64, arrival_us: i64) -> bool {
    (FIRST_US..=arrival_us.saturating_add(DAY_US)).contains(&time_us)
}

/// Of milliseconds since the Unix epoch; the epoch itself for what no calendar has.
pub(crate) fn date_time(ms: i64) -> NaiveDateTime {
    DateTime::from_timestamp_millis(ms)
        .unwrap_or_default()
        .naive_utc()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn texts(part: &TimePart, times: &[&str]) -> Vec<String> {
        let mut stretches = part.stretches();
        let mut numbers = Vec::new();
        for time in times {
            let time = DateTime::parse_from_rfc3339(time).unwrap();
            numbers.push(stretches.at(time.timestamp_micros()));
        }
        let text = |number: u32| {
            let values = &stretches.values[usize::try_from(number).unwrap()];
            values
                .iter()
                .flatten()
                .cloned()
                .collect::<Vec<_>>()
                .join("/")
        };
        numbers.into_iter().map(text).collect()
    }

    fn part(unit: Unit, zone: &str) -> TimePart {
        TimePart::new(Some(unit), Zone::parse(zone).unwrap(), None, None).unwrap()
    }

    #[test]
    fn a_time_falls_into_the_stretch_of_its_zones_local_time() {
        let span = |ms| Unit::Span(Duration::from_millis(ms));
        let time = ["2026-12-31T23:47:31Z"];
        for (unit, utc, berlin, kathmandu) in [
            (Unit::Year, "2026", "2027", "2027"),
            (Unit::Month, "2026-12", "2027-01", "2027-01"),
            (Unit::Day, "2026-12-31", "2027-01-01", "2027-01-01"),
            (
                Unit::Hour,
                "2026-12-31/23",
                "2027-01-01/00",
                "2027-01-01/05",
            ),
            (
                span(900_000),
                "2026-12-31/23/45",
                "2027-01-01/00/45",
                "2027-01-01/05/30",
            ),
            (
                span(7_200_000),
                "2026-12-31/22",
                "2027-01-01/00",
                "2027-01-01/04",
            ),
            (
                span(10_000),
                "2026-12-31/23/47/30",
                "2027-01-01/00/47/30",
                "2027-01-01/05/32/30",
            ),
            (
                span(2 * 86_400_000),
                "2026-12-31",
                "2026-12-31",
                "2026-12-31",
            ),
        ] {
            assert_eq!(texts(&part(unit, "UTC"), &time), [utc], "{unit}");
            assert_eq!(
                texts(&part(unit, "Europe/Berlin"), &time),
                [berlin],
                "{unit}"
            );
            assert_eq!(
                texts(&part(unit, "Asia/Kathmandu"), &time),
                [kathmandu],
                "{unit}"
            );
        }
    }

    #[test]
    fn the_hour_that_comes_twice_is_one_and_the_one_that_is_left_out_is_none() {
        let berlin = part(Unit::Hour, "Europe/Berlin");
        let autumn = [
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-25T02:30:00Z",
        ];
        assert_eq!(
            texts(&berlin, &autumn),
            ["2026-10-25/02", "2026-10-25/02", "2026-10-25/03"]
        );
        let spring = ["2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z"];
        assert_eq!(texts(&berlin, &spring), ["2026-03-29/01", "2026-03-29/03"]);
        // A day that begins at one o'clock.
        let sao_paulo = part(Unit::Day, "America/Sao_Paulo");
        let spring = ["2017-10-15T02:59:59Z", "2017-10-15T03:00:00Z"];
        assert_eq!(texts(&sao_paulo, &spring), ["2017-10-14", "2017-10-15"]);
    }

    #[test]
    fn without_a_unit_a_stretch_is_as_fine_as_the_pattern_shows() {
        let pattern = |text| Some(Pattern::parse(text).unwrap());
        let new = |text| TimePart::new(None, Zone::UTC, pattern(text), None);
        let half_days = new("'day'=yyyy-MM-dd/'half'=a").unwrap();
        assert_eq!(half_days.unit(), Unit::Hour);
        assert_eq!(
            texts(
                &half_days,
                &["2026-11-23T15:04:05Z", "2026-11-23T16:00:00Z"]
            ),
            ["2026-11-23/PM", "2026-11-23/PM"]
        );
        assert!(new("'x'='y'").is_err());
        assert!(TimePart::new(None, Zone::UTC, None, None).is_err());
        let short = Some(Unit::Span(Duration::from_millis(999)));
        assert!(TimePart::new(short, Zone::UTC, None, None).is_err());
        assert!(Zone::parse("Europe/Atlantis").is_err());
    }

    #[test]
    fn a_time_that_cannot_be_meant_counts_as_the_next_best() {
        let (now, old) = (FIRST_US + 1_000 * DAY_US, FIRST_US - 1);
        for (times, counts) in [
            ([Some(now - 5), Some(now - 9)], now - 5),
            ([None, Some(now - 9)], now - 9),
            ([Some(old), Some(now - 9)], now - 9),
            ([Some(now + DAY_US), None], now + DAY_US),
            ([Some(now + DAY_US + 1), Some(FIRST_US)], FIRST_US),
            ([Some(i64::MAX), Some(i64::MIN)], now),
            ([None, None], now),
        ] {
            assert_eq!(meant(times, now), counts, "{times:?}");
        }
    }
}
