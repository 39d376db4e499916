//! A table's columns as SQL has them, and what each is made of.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use eddy_engine::schema::{VALUE, logical, partition_columns};

use super::original::Original;
use super::view::{FILE, HIDDEN, KEY_TEXT, NUMBER, ROW, VALUE_TEXT};
use crate::logical::{Alternate, Drift, Shape};

/// One column in SQL.
#[derive(Debug, Clone)]
pub(crate) struct SqlColumn {
    /// Its name.
    pub(crate) name: String,
    /// Its type; nested fields carry their identities.
    pub(crate) data_type: DataType,
    /// `*` leaves it out.
    pub(crate) hidden: bool,
    /// It is one of the columns of another one, whose text stands for it in `*`.
    pub(crate) alternate: bool,
    /// What it is made of.
    pub(crate) source: Source,
}

/// What a column in SQL is made of.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// The stored column of this name.
    Stored(String),
    /// The partition column of this name.
    Partition(String),
    /// The file.
    File,
    /// The number of the file.
    Number,
    /// The number of the row in it.
    Row,
    /// The text of a stored column of bytes.
    TextOf(&'static str),
    /// The record's bytes, where rows don't store them.
    Original(Arc<Original>),
    /// Their text.
    OriginalText(Arc<Original>),
    /// The text of several stored columns.
    Drifted(Arc<Drifted>),
}

/// A key's columns.
#[derive(Debug)]
pub(crate) struct Drifted {
    /// The columns under their names in SQL.
    pub(crate) drift: Arc<Drift>,
    /// Their stored names, in the same order.
    pub(crate) stored: Vec<String>,
    /// How their values become text.
    pub(crate) shapes: String,
}

/// All columns of a table.
#[derive(Debug)]
pub(crate) struct SqlColumns {
    list: Vec<SqlColumn>,
    by_name: HashMap<String, usize>,
}

impl SqlColumns {
    /// The columns of a table that stores `schema`.
    pub(crate) fn of(schema: &Schema) -> Self {
        let mut drifted = HashMap::new();
        let mut beside = HashMap::new();
        for column in logical(schema.fields()) {
            let alternates = column.alternates.iter().map(|one| Alternate {
                name: one.name.clone(),
                data_type: one.field.data_type().clone(),
            });
            let drift = Arc::new(Drift {
                alternates: alternates.collect(),
            });
            let stored = column.alternates.iter().map(|one| one.field.name().clone());
            for (stored, one) in stored.clone().zip(&column.alternates) {
                beside.insert(stored, one.name.clone());
            }
            let types = column.alternates.iter().map(|one| one.field.data_type());
            let column_of = Drifted {
                drift,
                shapes: Shape::write(types),
                stored: stored.collect(),
            };
            drifted.insert(column.name, Arc::new(column_of));
        }
        let original = Original::of(schema).map(Arc::new);
        let mut list = Vec::with_capacity(schema.fields().len() + 3);
        for field in schema.fields() {
            let stored = field.name();
            if let Some(found) = drifted.get(stored) {
                let source = Source::Drifted(Arc::clone(found));
                list.push(column(stored, DataType::Utf8, source));
            }
            let source = match &original {
                Some(original) if stored == VALUE => Source::Original(Arc::clone(original)),
                _ => Source::Stored(stored.clone()),
            };
            let data_type = field.data_type().clone();
            match beside.get(stored) {
                Some(name) => list.push(SqlColumn {
                    hidden: true,
                    alternate: true,
                    ..column(name, data_type, source)
                }),
                None => list.push(column(stored, data_type, source)),
            }
        }
        for name in partition_columns(schema) {
            let source = Source::Partition(name.clone());
            list.push(column(&name, DataType::Utf8, source));
        }
        for (text, bytes) in [(KEY_TEXT, "_key"), (VALUE_TEXT, VALUE)] {
            if schema.column_with_name(bytes).is_none() {
                continue;
            }
            let source = match &original {
                Some(original) if bytes == VALUE => Source::OriginalText(Arc::clone(original)),
                _ => Source::TextOf(bytes),
            };
            list.push(column(text, DataType::Utf8, source));
        }
        Self::new(list)
    }

    /// The same with [`FILE`].
    pub(crate) fn with_file(schema: &Schema) -> Self {
        let mut list = Self::of(schema).list;
        list.push(SqlColumn {
            hidden: true,
            ..column(FILE, DataType::Utf8, Source::File)
        });
        Self::new(list)
    }

    /// The same with the addresses of rows.
    pub(super) fn with_addresses(&self) -> Self {
        let mut list = self.list.clone();
        for (name, data_type, source) in [
            (NUMBER, DataType::Int32, Source::Number),
            (ROW, DataType::Int64, Source::Row),
        ] {
            list.push(SqlColumn {
                hidden: true,
                ..column(name, data_type, source)
            });
        }
        Self::new(list)
    }

    fn new(list: Vec<SqlColumn>) -> Self {
        let names = list.iter().enumerate();
        let by_name = names.map(|(at, one)| (one.name.clone(), at)).collect();
        Self { list, by_name }
    }

    /// All of them, in order.
    pub(crate) fn list(&self) -> &[SqlColumn] {
        &self.list
    }

    /// The column of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&SqlColumn> {
        self.by_name.get(name).and_then(|at| self.list.get(*at))
    }

    /// Their names and types, as DataFusion compares them.
    pub(crate) fn schema(&self) -> SchemaRef {
        let fields = self
            .list
            .iter()
            .map(|one| Field::new(&one.name, plain_type(&one.data_type), true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}

fn column(name: &str, data_type: DataType, source: Source) -> SqlColumn {
    SqlColumn {
        name: name.to_owned(),
        data_type,
        hidden: HIDDEN.contains(&name),
        alternate: false,
        source,
    }
}

/// The field without metadata at any level: DataFusion compares schemas with it, and file and
/// live schemas differ there.
fn plain(field: &FieldRef) -> FieldRef {
    Arc::new(Field::new(
        field.name(),
        plain_type(field.data_type()),
        true,
    ))
}

/// A type without metadata at any level.
pub(super) fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain).collect::<Fields>()),
        DataType::List(element) => DataType::List(plain(element)),
        other => other.clone(),
    }
}
