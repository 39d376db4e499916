//! Aiven's templates of file names: `{{topic}}-{{partition:padding=true}}-{{start_offset}}`.
//!
//! Rendered for each row but for the start offset, which is known when the file is: rows of one
//! text are rows of one file.

use std::fmt::Write as _;

use arrow::array::{Array, AsArray, RecordBatch};

use crate::error::{Error, Result};
use crate::layout::folder::{Encoded, TimeSource, missing, partitions};
use crate::partition::{Pattern, Zone, date_time};
use crate::path::{START, START_PADDED, foreign_value};

const PARTITION_DIGITS: usize = 10;
const ALLOWED: &str = "`{{topic}}`, `{{partition}}` and `{{start_offset}}` (both with \
                       `:padding=true`), `{{timestamp:unit=yyyy}}` (or `MM`, `dd`, `HH`) and \
                       `{{key}}`";

/// A template, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
    time: TemplateTime,
}

/// Which time a template prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateTime {
    /// `timestamp.timezone`.
    pub zone: Zone,
    /// `timestamp.source`.
    pub source: TimeSource,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Topic,
    Partition { padded: bool },
    Start { padded: bool },
    Time(Pattern),
    Key,
}

impl Template {
    /// Takes a template apart.
    ///
    /// # Errors
    /// `Invalid` for an unknown variable or parameter, for braces that aren't closed, and for a
    /// template in which two topics' or partitions' files would have one name.
    pub fn parse(text: &str, time: TemplateTime) -> Result<Self> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((literal, behind)) = rest.split_once("{{") {
            if !literal.is_empty() {
                pieces.push(Piece::Literal(literal.to_owned()));
            }
            let (variable, behind) = behind.split_once("}}").ok_or_else(|| {
                Error::invalid(format!(
                    "the template `{text}` has a `{{{{` without its `}}}}`"
                ))
            })?;
            pieces.push(Piece::parse(variable)?);
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        let has = |wanted: fn(&Piece) -> bool| pieces.iter().any(wanted);
        let by_offset = has(|piece| *piece == Piece::Topic)
            && has(|piece| matches!(piece, Piece::Partition { .. }))
            && has(|piece| matches!(piece, Piece::Start { .. }));
        if !by_offset && !has(|piece| *piece == Piece::Key) {
            return Err(Error::invalid(format!(
                "the template `{text}` needs `{{{{topic}}}}`, `{{{{partition}}}}` and \
                 `{{{{start_offset}}}}`, or `{{{{key}}}}`"
            )));
        }
        Ok(Self { pieces, time })
    }

    pub(super) fn render(
        &self,
        topic: &str,
        batch: &RecordBatch,
        encoded: &mut Encoded,
    ) -> Result<()> {
        let times = self.time.source.times(batch)?;
        let keys = batch.column_by_name("_key");
        let keys = keys.and_then(|keys| keys.as_binary_opt::<i32>());
        let keys = keys.ok_or_else(|| missing("_key"))?;
        let rows = partitions(batch)?.values().iter().zip(times).enumerate();
        for (row, (partition, time_us)) in rows {
            let mut text = String::new();
            for piece in &self.pieces {
                // Writing to a string can't fail.
                let _ = match piece {
                    Piece::Literal(literal) => text.write_str(literal),
                    Piece::Topic => text.write_str(topic),
                    Piece::Partition { padded: false } => write!(text, "{partition}"),
                    Piece::Partition { padded: true } => {
                        write!(text, "{partition:0PARTITION_DIGITS$}")
                    }
                    Piece::Start { padded: false } => text.write_char(START),
                    Piece::Start { padded: true } => text.write_char(START_PADDED),
                    Piece::Time(pattern) => text.write_str(&self.print(pattern, time_us)),
                    Piece::Key => {
                        let key = keys.is_valid(row).then(|| keys.value(row));
                        text.write_str(&key.map_or("null".to_owned(), key_text))
                    }
                };
            }
            encoded.push(text);
        }
        Ok(())
    }

    fn print(&self, pattern: &Pattern, time_us: i64) -> String {
        let utc_ms = time_us.div_euclid(1_000);
        let offset = self.time.zone.offset_ms(utc_ms);
        pattern.format(date_time(utc_ms.saturating_add(offset)))
    }
}

/// Nothing in a key may look like what stands for the start offset.
fn key_text(key: &[u8]) -> String {
    let text = String::from_utf8_lossy(key);
    foreign_value(&text.replace([START, START_PADDED], "_"))
}

impl Piece {
    fn parse(variable: &str) -> Result<Self> {
        let (name, parameter) = match variable.split_once(':') {
            Some((name, parameter)) => (name.trim(), Some(parameter.trim())),
            None => (variable.trim(), None),
        };
        let padded = || match parameter {
            None | Some("padding=false") => Some(false),
            Some("padding=true") => Some(true),
            Some(_) => None,
        };
        let found = match (name, parameter) {
            ("topic", None) => Some(Self::Topic),
            ("key", None) => Some(Self::Key),
            ("partition", _) => padded().map(|padded| Self::Partition { padded }),
            ("start_offset", _) => padded().map(|padded| Self::Start { padded }),
            ("timestamp", Some(unit)) => match unit {
                "unit=yyyy" | "unit=YYYY" => Pattern::parse("yyyy").ok().map(Self::Time),
                "unit=MM" => Pattern::parse("MM").ok().map(Self::Time),
                "unit=dd" | "unit=DD" => Pattern::parse("dd").ok().map(Self::Time),
                "unit=HH" => Pattern::parse("HH").ok().map(Self::Time),
                _ => None,
            },
            _ => None,
        };
        found.ok_or_else(|| {
            Error::invalid(format!(
                "`{{{{{variable}}}}}` is no variable of a template; there are {ALLOWED}"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;
    use arrow::array::{ArrayRef, BinaryArray, Int32Array, TimestampMicrosecondArray};
    use chrono::DateTime;

    fn template(text: &str, zone: &str) -> Result<Template> {
        let zone = Zone::parse(zone).unwrap();
        let source = TimeSource::Record;
        Template::parse(text, TemplateTime { zone, source })
    }

    fn rendered(text: &str, zone: &str) -> Vec<String> {
        let time = DateTime::parse_from_rfc3339("2024-05-01T23:30:00Z").unwrap();
        let times = TimestampMicrosecondArray::from(vec![time.timestamp_micros(); 2]);
        let keys = BinaryArray::from_opt_vec(vec![Some(b"k/1"), None]);
        let columns: [(&str, ArrayRef); 4] = [
            ("_partition", Arc::new(Int32Array::from(vec![7, 7]))),
            ("_timestamp", Arc::new(times.clone())),
            ("_ingested_at", Arc::new(times)),
            ("_key", Arc::new(keys)),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut encoded = Encoded::default();
        let template = template(text, zone).unwrap();
        template.render("t.v1", &batch, &mut encoded).unwrap();
        encoded.texts
    }

    #[test]
    fn a_template_is_rendered_as_aivens_sink_does() {
        let (start, padded) = (START, START_PADDED);
        for (text, zone, expected) in [
            (
                "{{topic}}-{{partition}}-{{start_offset}}.snappy",
                "UTC",
                format!("t.v1-7-{start}.snappy"),
            ),
            (
                "{{ topic }}/{{partition:padding=true}}/{{start_offset:padding=true}}",
                "UTC",
                format!("t.v1/0000000007/{padded}"),
            ),
            (
                "{{timestamp:unit=yyyy}}/{{timestamp:unit=MM}}/{{timestamp:unit=dd}}/\
                 {{timestamp:unit=HH}}/{{topic}}-{{partition:padding=false}}-{{start_offset}}",
                "Europe/Berlin",
                format!("2024/05/02/01/t.v1-7-{start}"),
            ),
        ] {
            assert_eq!(rendered(text, zone), [expected]);
        }
        assert_eq!(
            rendered("{{topic}}/{{key}}", "UTC"),
            ["t.v1/k/1", "t.v1/null"]
        );
    }

    #[test]
    fn a_template_that_cannot_name_files_is_refused() {
        for (text, needle) in [
            ("{{topic}}-{{partition}}", "needs `{{topic}}`"),
            ("{{topic}}-{{offset}}", "`{{offset}}` is no variable"),
            ("{{topic}}-{{timestamp:unit=mm}}-{{key}}", "is no variable"),
            ("{{key:padding=true}}", "is no variable"),
            ("{{topic}}-{{partition", "without its"),
        ] {
            let message = template(text, "UTC").unwrap_err().to_string();
            assert!(message.contains(needle), "{message}");
        }
    }
}
