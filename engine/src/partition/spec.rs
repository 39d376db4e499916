//! What a table is partitioned by, checked, and the names of the columns.

use std::fmt;

use crate::error::{Error, Result};
use crate::partition::{FieldPath, TimePart};
use crate::schema::Names;

/// More fields make partitions that nobody can list, in folders that no store takes.
const FIELDS_MAX: usize = 4;
/// The bytes of a column's name: it is part of each folder, whose name has 255 on local disk.
const NAME_BYTES: usize = 48;

/// How a table's files are partitioned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partitioning {
    parts: Vec<Part>,
    columns: Vec<String>,
}

/// One of the things that a table is partitioned by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A field of the payload: one column.
    Field(FieldPath),
    /// Time: a column per folder of its pattern.
    Time(TimePart),
}

impl Partitioning {
    /// By `parts`, the outermost folder first; none: all files lie in the table's folder.
    ///
    /// # Errors
    /// `Invalid` for more than one time or four fields, a field that is named twice, and a pattern
    /// whose names readers would not take.
    pub fn new(parts: Vec<Part>) -> Result<Self> {
        let fields: Vec<&FieldPath> = parts
            .iter()
            .filter_map(|part| match part {
                Part::Field(path) => Some(path),
                Part::Time(_) => None,
            })
            .collect();
        if fields.len() > FIELDS_MAX || parts.len() - fields.len() > 1 {
            return Err(Error::invalid(format!(
                "a table is partitioned by at most {FIELDS_MAX} fields and one time"
            )));
        }
        if let Some(twice) = (1..fields.len()).find_map(|at| {
            let (before, from) = fields.split_at(at);
            from.first().filter(|field| before.contains(field))
        }) {
            return Err(Error::invalid(format!(
                "the field `{twice}` is named twice"
            )));
        }
        let columns = columns(&parts)?;
        Ok(Self { parts, columns })
    }

    /// By nothing.
    pub fn none() -> Self {
        Self {
            parts: Vec::new(),
            columns: Vec::new(),
        }
    }

    /// By the day in UTC, in the column `dt`: what a table is partitioned by when nobody says.
    pub fn by_day() -> Self {
        let day = TimePart::day();
        let columns = day.columns().map(str::to_owned).collect();
        Self {
            columns,
            parts: vec![Part::Time(day)],
        }
    }

    /// What it partitions by, the outermost folder first.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The names of the partition columns, the outermost folder first.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }
}

impl Default for Partitioning {
    fn default() -> Self {
        Self::by_day()
    }
}

impl fmt::Display for Partitioning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.parts.is_empty() {
            return f.write_str("nothing");
        }
        for (at, part) in self.parts.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            match part {
                Part::Field(path) => write!(f, "{comma}`{path}`")?,
                Part::Time(time) => {
                    write!(f, "{comma}{} in {}", time.unit(), time.zone())?;
                    write!(f, " as `{}`", time.pattern())?;
                    if let Some(field) = time.field() {
                        write!(f, " of the time in `{field}`")?;
                    }
                }
            }
        }
        let columns = self.columns.join("`, `");
        write!(f, " (in columns `{columns}`)")
    }
}

/// Time first, since its pattern says the names; then the fields, whose names step aside.
fn columns(parts: &[Part]) -> Result<Vec<String>> {
    let mut names = Names::object();
    for part in parts {
        if let Part::Time(time) = part {
            for name in time.columns() {
                check(name)?;
                if names.own(name) != name {
                    return Err(Error::invalid(format!(
                        "the folder `{name}` is in `{}` twice, but for case",
                        time.pattern()
                    )));
                }
            }
        }
    }
    let mut columns = Vec::new();
    for part in parts {
        match part {
            Part::Time(time) => columns.extend(time.columns().map(str::to_owned)),
            Part::Field(path) => columns.push(names.own(&name_of(path))),
        }
    }
    Ok(columns)
}

/// Signs that some reader stumbles over, and a first letter that makes readers skip the folder.
fn check(name: &str) -> Result<()> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty()
        || name.starts_with('_')
        || name.len() > NAME_BYTES
        || !name.chars().all(fits)
    {
        return Err(Error::invalid(format!(
            "`{name}` can't be a partition's name: up to {NAME_BYTES} bytes of letters, digits, \
             `_` and `-`, and no `_` first"
        )));
    }
    Ok(())
}

/// The keys put together, without signs that some reader stumbles over.
fn name_of(path: &FieldPath) -> String {
    let keys = path.keys().join("_");
    let plain = |c: char| {
        if c.is_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    let mut name: String = keys.chars().map(plain).collect();
    // Readers skip folders with an underscore first.
    name = name.trim_start_matches('_').to_owned();
    // A number may follow.
    name.truncate(name.floor_char_boundary(NAME_BYTES - 4));
    if name.is_empty() {
        name.push_str("field");
    }
    name
}
