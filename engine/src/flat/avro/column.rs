//! One part of the records of a file: its schema, and each record's cell by it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::book::Book;
use super::encode::{self, long};
use super::held::{self, Held};
use super::kinds::Kinds;
use super::schema::{Field, Names, Record, Type};
use crate::error::{Error, Result};
use crate::flat::json;
use crate::flat::record::Part;
use crate::flat::rows::Row;
use crate::value::Value;

/// The header that names a key's schema, where its bytes don't.
const KEY_HEADER: &str = "__key_schema_id";
/// What stands before a key's bytes otherwise: a zero and the schema's id.
const KEY_PREFIX: usize = 5;

/// A part of a file's records.
pub(super) enum Column<'a> {
    /// Made of decoded values.
    Made { kind: Type, cells: Vec<Value> },
    /// Avro already; `None` is null.
    Declared {
        schema: Json,
        null: Null,
        cells: Vec<Option<&'a [u8]>>,
    },
}

/// How null is written among values that are Avro already.
#[derive(Clone, Copy)]
pub(super) enum Null {
    /// There is none.
    Never,
    /// As this branch of their own union.
    Branch(i64),
    /// As the other branch of a union with them.
    Beside,
}

/// One record's cell on its way into a column.
enum Cell<'a> {
    Value(Value),
    Declared(Arc<str>, &'a [u8]),
}

impl<'a> Column<'a> {
    /// The part of `rows`; headers are a map, or a list of those in their order.
    ///
    /// # Errors
    /// `Internal` for rows that were not made for such a file.
    pub(super) fn of(
        part: Part,
        rows: &[Row<'a>],
        book: &Book,
        names: &mut Names<'_>,
        is_alone: bool,
    ) -> Result<Self> {
        let integer = |number: i64| Value::Integer(number.into());
        Ok(match part {
            Part::Offset => Self::made(rows.iter().map(|row| integer(row.offset)).collect(), names),
            Part::Timestamp => {
                let times = rows.iter().map(|row| row.time_us);
                let ms = times.map(|us| us.map_or(Value::Null, |us| integer(us.div_euclid(1_000))));
                Self::made(ms.collect(), names)
            }
            Part::Headers if is_alone => Self::Made {
                kind: header_list(names),
                cells: rows.iter().map(headers_in_order).collect(),
            },
            Part::Headers => {
                let (kind, cells) = header_map(rows);
                Self::Made { kind, cells }
            }
            Part::Key | Part::KeyText | Part::KeyBytes => {
                let cells = rows.iter().map(|row| key(row, part, book));
                Self::of_cells(cells.collect(), names)?
            }
            Part::Value => {
                let cells = rows.iter().map(|row| value(row, book));
                Self::of_cells(cells.collect::<Result<_>>()?, names)?
            }
        })
    }

    fn made(cells: Vec<Value>, names: &mut Names<'_>) -> Self {
        let mut kinds = Kinds::default();
        cells.iter().for_each(|cell| kinds.see(cell));
        let kind = Type::of(&kinds, names);
        Self::Made { kind, cells }
    }

    fn of_cells(cells: Vec<Cell<'a>>, names: &mut Names<'_>) -> Result<Self> {
        let declared = cells.iter().find_map(|cell| match cell {
            Cell::Declared(schema, _) => Some(Arc::clone(schema)),
            Cell::Value(_) => None,
        });
        let Some(declared) = declared else {
            let values = cells.into_iter().map(|cell| match cell {
                Cell::Value(value) => value,
                Cell::Declared(..) => Value::Null,
            });
            return Ok(Self::made(values.collect(), names));
        };
        let cells = cells.into_iter().map(|cell| match cell {
            Cell::Declared(schema, bytes) if schema == declared => Ok(Some(bytes)),
            Cell::Value(Value::Null) => Ok(None),
            _ => Err(Error::internal("an Avro file has records of two schemas")),
        });
        let cells: Vec<Option<&[u8]>> = cells.collect::<Result<_>>()?;
        let mut schema: Json = serde_json::from_str(&declared).map_err(|error| {
            Error::internal("an Avro schema that was read is no JSON").with_source(error)
        })?;
        let null = match cells.contains(&None) {
            true => with_null(&mut schema),
            false => Null::Never,
        };
        Ok(Self::Declared {
            schema,
            null,
            cells,
        })
    }

    pub(super) fn schema(&self) -> Json {
        match self {
            Self::Made { kind, .. } => kind.json(),
            Self::Declared { schema, .. } => schema.clone(),
        }
    }

    /// Writes the cell of the row at `at`.
    ///
    /// # Errors
    /// `Internal` when there is none.
    pub(super) fn write(&self, at: usize, out: &mut Vec<u8>) -> Result<()> {
        let missing = || Error::internal("an Avro file lacks a cell");
        match self {
            Self::Made { kind, cells } => {
                encode::value(cells.get(at).ok_or_else(missing)?, kind, out)?;
            }
            Self::Declared { null, cells, .. } => {
                match (cells.get(at).ok_or_else(missing)?, null) {
                    (Some(bytes), Null::Beside) => {
                        long(1, out);
                        out.extend_from_slice(bytes);
                    }
                    (Some(bytes), Null::Never | Null::Branch(_)) => out.extend_from_slice(bytes),
                    (None, Null::Branch(branch)) => long(*branch, out),
                    (None, Null::Beside | Null::Never) => long(0, out),
                }
            }
        }
        Ok(())
    }
}

/// Makes room for null in a schema.
fn with_null(schema: &mut Json) -> Null {
    let Json::Array(branches) = schema else {
        *schema = json!(["null", schema]);
        return Null::Beside;
    };
    let is_null = |branch: &Json| branch == "null" || branch.get("type") == Some(&json!("null"));
    let known = branches.iter().position(is_null);
    let at = known.unwrap_or_else(|| {
        // At the end: the numbers of the others stay.
        branches.push(json!("null"));
        branches.len() - 1
    });
    Null::Branch(at.try_into().unwrap_or_default())
}

fn value<'a>(row: &Row<'a>, book: &Book) -> Result<Cell<'a>> {
    let Some(bytes) = row.value else {
        return Ok(Cell::Value(Value::Null));
    };
    match held::read(bytes) {
        Some(Held::Value(value)) => Ok(Cell::Value(value)),
        Some(Held::Declared(number, bytes)) => {
            let schema = book.schema_of_value(number);
            let schema = schema.ok_or_else(|| Error::internal("a value's schema is unknown"))?;
            Ok(Cell::Declared(schema, bytes))
        }
        // A value that was taken for broken and is a row all the same: better its text than none.
        None => Ok(Cell::Value(plain(bytes))),
    }
}

/// Text if it is, else bytes.
pub(super) fn plain(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::Text(text.to_owned()),
        Err(_) => Value::Binary(bytes.to_vec()),
    }
}

/// A key by its registered schema; else what its part says that it is.
fn key<'a>(row: &Row<'a>, part: Part, book: &Book) -> Cell<'a> {
    let Some(bytes) = row.key else {
        return Cell::Value(Value::Null);
    };
    if let Some(schema) = row.key_schema_id.and_then(|id| book.schema_of_key(id)) {
        let is_named = row.headers.iter().any(|(name, _)| *name == KEY_HEADER);
        let from = if is_named { 0 } else { KEY_PREFIX };
        return Cell::Declared(schema, bytes.get(from..).unwrap_or_default());
    }
    let looks_like_json = bytes.starts_with(b"{") || bytes.starts_with(b"[");
    let json = match part {
        Part::Key if looks_like_json => Value::parse(bytes),
        _ => None,
    };
    Cell::Value(json.unwrap_or_else(|| match part {
        Part::KeyBytes => Value::Binary(bytes.to_vec()),
        _ => plain(bytes),
    }))
}

/// Texts, as Confluent's sink has them.
fn header_list(names: &mut Names<'_>) -> Type {
    let field = |name: &str, kind| Field {
        member: name.to_owned(),
        name: name.to_owned(),
        kind,
    };
    let text = Type::Union(vec![Type::Null, Type::Text]);
    Type::List(Box::new(Type::Record(Record {
        name: names.next(),
        fields: vec![field("key", Type::Text), field("value", text)],
    })))
}

fn headers_in_order(row: &Row<'_>) -> Value {
    let headers = row.headers.iter().map(|(name, value)| {
        let value = value.map_or(Value::Null, |value| {
            Value::Text(json::text(value).into_owned())
        });
        Value::Object(vec![
            ("key".to_owned(), Value::Text((*name).to_owned())),
            ("value".to_owned(), value),
        ])
    });
    Value::List(headers.collect())
}

/// Headers by their names, the last of each: texts if all are, else bytes.
fn header_map(rows: &[Row<'_>]) -> (Type, Vec<Value>) {
    let values = || {
        rows.iter()
            .flat_map(|row| row.headers.iter().map(|(_, value)| *value))
    };
    let is_text = values()
        .flatten()
        .all(|value| std::str::from_utf8(value).is_ok());
    let kind = if is_text { Type::Text } else { Type::Bytes };
    let kind = match values().any(|value| value.is_none()) {
        true => Type::Union(vec![Type::Null, kind]),
        false => kind,
    };
    let cell = |value: &[u8]| match std::str::from_utf8(value) {
        Ok(text) if is_text => Value::Text(text.to_owned()),
        _ => Value::Binary(value.to_vec()),
    };
    let maps = rows.iter().map(|row| {
        let mut last = BTreeMap::new();
        for (name, value) in &row.headers {
            last.insert(*name, value.map_or(Value::Null, cell));
        }
        let members = last
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        Value::Object(members.collect())
    });
    (Type::Map(Box::new(kind)), maps.collect())
}
