//! Rows of a select list as the parts of records: a JSON object per row, keys and values as bytes,
//! headers, partitions, timestamps.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, ListArray, RecordBatch, StringArray,
    StructArray, new_null_array,
};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use arrow::util::display::FormatOptions;

use super::COLUMNS;
use super::projection::Part;
use crate::error::{Error, Result};
use crate::logical::{Shape, texts};

/// What becomes of the columns that are read for a select list.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Layout {
    /// The members of the value's object; none if it isn't one.
    pub(super) members: Vec<Member>,
    /// The parts that are set.
    pub(super) settings: Vec<Setting>,
}

/// A member of the value's object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Member {
    /// Its key.
    pub(super) key: String,
    /// Whether null is written: what was named is there in each record, what `*` stands for only
    /// where the record had it.
    pub(super) shows_null: bool,
    /// It is an object with what had no column, whose members stand beside the others.
    pub(super) rescued: bool,
}

impl Member {
    /// A member that the select list names.
    pub(super) fn named(key: String) -> Self {
        Self {
            key,
            shows_null: true,
            rescued: false,
        }
    }

    /// What the column of member `at` is called while it is read.
    pub(super) fn column(at: usize) -> String {
        format!("eddy:{at}")
    }
}

/// A part of the record that is set.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Setting {
    part: Part,
    /// What its column is called while it is read.
    pub(super) column: String,
}

impl Setting {
    pub(super) fn new(part: Part) -> Self {
        Self {
            part,
            column: format!("eddy:{}", part.name()),
        }
    }
}

/// The column of a row source that sets `part` of what goes out.
fn set_column(part: &str) -> String {
    format!("_set{part}")
}

impl Layout {
    /// Refuses columns whose types can't become what they are to set.
    ///
    /// # Errors
    /// `Invalid`, naming the part and what it takes.
    pub(super) fn check(&self, schema: &Schema) -> Result<()> {
        for setting in &self.settings {
            let field = schema.field_with_name(&setting.column)?;
            let data_type = field.data_type();
            let takes = match setting.part {
                Part::Key | Part::Value => continue,
                Part::Headers if is_headers(data_type) => continue,
                Part::Headers => "a list of structs of a text and its bytes or text, as `_headers`",
                Part::Partition if data_type.is_integer() => continue,
                Part::Partition => "an integer",
                Part::Timestamp if matches!(data_type, DataType::Timestamp(_, _)) => continue,
                Part::Timestamp => "a timestamp",
            };
            if *data_type != DataType::Null {
                let name = setting.part.name();
                let text = format!("`{name}` takes {takes}, and this is of type {data_type}");
                return Err(Error::invalid(text));
            }
        }
        Ok(())
    }

    /// The source's columns of a batch, and behind them those that set parts of what goes out.
    pub(super) fn records(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut fields = Vec::new();
        let mut columns: Vec<ArrayRef> = Vec::new();
        let mut add = |name: &str, column: ArrayRef| {
            fields.push(Field::new(name, column.data_type().clone(), true));
            columns.push(column);
        };
        for name in COLUMNS.split(", ") {
            add(name, column(batch, name)?.clone());
        }
        if !self.members.is_empty() {
            let value: ArrayRef = Arc::new(self.objects(batch)?);
            add(&set_column(Part::Value.name()), value);
        }
        for setting in &self.settings {
            let set = of_part(setting.part, column(batch, &setting.column)?)?;
            add(&set_column(setting.part.name()), set);
        }
        Ok(RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            columns,
        )?)
    }

    /// A JSON object for each row.
    fn objects(&self, batch: &RecordBatch) -> Result<BinaryArray> {
        let mut members = Vec::with_capacity(self.members.len());
        for (at, member) in self.members.iter().enumerate() {
            let texts = column(batch, &Member::column(at))?;
            let texts = texts
                .as_string_opt::<i32>()
                .ok_or_else(|| Error::internal("a member of a value is no text"))?;
            // A string always has a JSON text.
            let key = serde_json::to_string(&member.key).unwrap_or_default();
            members.push((key, member, texts));
        }
        let mut objects = BinaryBuilder::with_capacity(batch.num_rows(), batch.num_rows() * 64);
        let mut object = Vec::new();
        for row in 0..batch.num_rows() {
            object.clear();
            object.push(b'{');
            for (key, member, texts) in &members {
                write(&mut object, key, member, texts, row);
            }
            object.push(b'}');
            objects.append_value(&object);
        }
        Ok(objects.finish())
    }
}

fn write(object: &mut Vec<u8>, key: &str, member: &Member, texts: &StringArray, row: usize) {
    let text = texts.is_valid(row).then(|| texts.value(row));
    let text = match (text, member.rescued) {
        (Some(rescued), true) => {
            let inside = rescued.trim().strip_prefix('{');
            let inside = inside.and_then(|inside| inside.strip_suffix('}'));
            inside.map(str::trim).filter(|inside| !inside.is_empty())
        }
        (None, false) if member.shows_null => Some("null"),
        (text, _) => text,
    };
    let Some(text) = text else {
        return;
    };
    if object.len() > 1 {
        object.push(b',');
    }
    if !member.rescued {
        object.extend_from_slice(key.as_bytes());
        object.push(b':');
    }
    object.extend_from_slice(text.as_bytes());
}

fn of_part(part: Part, column: &ArrayRef) -> Result<ArrayRef> {
    let rows = column.len();
    let wanted = match part {
        Part::Key | Part::Value => return bytes(column),
        Part::Headers => headers_type(),
        Part::Partition => DataType::Int32,
        Part::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    };
    if *column.data_type() == DataType::Null {
        return Ok(new_null_array(&wanted, rows));
    }
    if part == Part::Headers {
        return headers(column);
    }
    // A number that doesn't fit is told, and doesn't quietly become null.
    let strict = CastOptions {
        safe: false,
        format_options: FormatOptions::default(),
    };
    cast_with_options(column, &wanted, &strict)
        .map_err(|error| Error::invalid(format!("`{}` of a row: {error}", part.name())))
}

/// Bytes as they are; text in UTF-8; anything else as its text.
fn bytes(column: &ArrayRef) -> Result<ArrayRef> {
    let text = match column.data_type() {
        DataType::Null => return Ok(new_null_array(&DataType::Binary, column.len())),
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_)
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View => return Ok(cast(column, &DataType::Binary)?),
        other => {
            let shape = Shape::of(other);
            texts(std::slice::from_ref(column), &[shape], column.len())?
        }
    };
    Ok(cast(&text, &DataType::Binary)?)
}

fn is_headers(data_type: &DataType) -> bool {
    let DataType::List(element) = data_type else {
        return false;
    };
    let text = |one: &DataType| matches!(one, DataType::Utf8 | DataType::Utf8View);
    match element.data_type() {
        DataType::Struct(fields) => match fields.iter().as_slice() {
            [name, value] => {
                let value = value.data_type();
                let bytes = matches!(value, DataType::Binary | DataType::BinaryView);
                text(name.data_type()) && (text(value) || bytes || *value == DataType::Null)
            }
            _ => false,
        },
        _ => false,
    }
}

fn header_fields() -> Fields {
    Fields::from(vec![
        Field::new("key", DataType::Utf8, true),
        Field::new("value", DataType::Binary, true),
    ])
}

fn headers_type() -> DataType {
    let header = DataType::Struct(header_fields());
    DataType::List(Arc::new(Field::new("element", header, true)))
}

/// The same headers under the names that records have them by.
fn headers(column: &ArrayRef) -> Result<ArrayRef> {
    let wrong = || Error::internal("headers of another type than was planned");
    let list = column.as_list_opt::<i32>().ok_or_else(wrong)?;
    let pairs = list.values().as_struct_opt().ok_or_else(wrong)?;
    let [names, values] = pairs.columns() else {
        return Err(wrong());
    };
    let parts = vec![
        cast(names, &DataType::Utf8)?,
        match values.data_type() {
            DataType::Null => new_null_array(&DataType::Binary, values.len()),
            _ => cast(values, &DataType::Binary)?,
        },
    ];
    let pairs = StructArray::try_new(header_fields(), parts, pairs.nulls().cloned())?;
    let element = Arc::new(Field::new("element", pairs.data_type().clone(), true));
    Ok(Arc::new(ListArray::try_new(
        element,
        list.offsets().clone(),
        Arc::new(pairs),
        list.nulls().cloned(),
    )?))
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    batch
        .column_by_name(name)
        .ok_or_else(|| Error::internal(format!("a replay's rows have no column `{name}`")))
}
