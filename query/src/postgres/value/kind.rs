//! Which Postgres type stands for which Arrow type.

use arrow::array::{Array, ArrayRef};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::util::display::FormatOptions;
use pgwire::api::Type;
use pgwire::messages::data::FieldDescription;

use crate::error::{Error, ErrorKind, Result};

/// What a value is, and so how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    /// Exact, with digits after the point as many as the type says.
    Numeric,
    Text,
    Bytes,
    Timestamp,
    /// A moment; it is written in UTC.
    TimestampTz,
    Date,
    Time,
    /// What Postgres has no plain type for: objects, and lists of anything but plain values.
    Json,
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::postgres) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// A list of values of that kind.
    pub(super) is_list: bool,
    /// Precision and scale as Postgres packs them, or -1.
    modifier: i32,
    /// Written in binary.
    pub(super) binary: bool,
}

/// The columns of a schema; `formats` as a client's `Bind` has them: none for text, one for all, or
/// one each.
pub(in crate::postgres) fn columns(schema: &Schema, formats: &[i16]) -> Result<Vec<Column>> {
    let fields = schema.fields();
    if i16::try_from(fields.len()).is_err() {
        let text = format!(
            "the answer has {} columns; the wire has 32767",
            fields.len()
        );
        return Err(Error::new(ErrorKind::TooLarge, text).with_hint("name fewer columns"));
    }
    if formats.len() > 1 && formats.len() != fields.len() {
        return Err(Error::invalid(format!(
            "the client names {} formats for {} columns",
            formats.len(),
            fields.len()
        )));
    }
    let format = |at: usize| match formats {
        [] => false,
        [all] => *all == 1,
        each => each.get(at) == Some(&1),
    };
    let columns = fields.iter().enumerate();
    Ok(columns
        .map(|(at, field)| Column::of(field, format(at)))
        .collect())
}

impl Column {
    /// A column of text.
    pub(in crate::postgres) fn text(name: &str) -> Self {
        Self::of(&Field::new(name, DataType::Utf8, true), false)
    }

    pub(super) fn of(field: &Field, binary: bool) -> Self {
        let (kind, is_list) = match field.data_type() {
            DataType::List(element)
            | DataType::LargeList(element)
            | DataType::FixedSizeList(element, _) => match Kind::of(element.data_type()) {
                Kind::Json => (Kind::Json, false),
                kind => (kind, true),
            },
            other => (Kind::of(other), false),
        };
        let modifier = match field.data_type() {
            // `((precision << 16) | scale) + 4`, as `pg_attribute.atttypmod` packs them.
            DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale)
                if *scale >= 0 =>
            {
                ((i32::from(*precision) << 16) | i32::from(*scale)) + 4
            }
            _ => -1,
        };
        Self {
            name: field.name().clone(),
            kind,
            is_list,
            modifier,
            binary,
        }
    }

    /// The type that clients are told.
    pub(in crate::postgres) fn sql_type(&self) -> Type {
        match self.is_list {
            true => self.kind.list_type(),
            false => self.kind.sql_type(),
        }
    }

    /// The column as a `RowDescription` has it.
    pub(in crate::postgres) fn described(&self) -> FieldDescription {
        let size = match self.is_list {
            true => -1,
            false => self.kind.size(),
        };
        FieldDescription::new(
            // A name ends at its first zero byte on this wire.
            self.name.replace('\0', ""),
            0,
            0,
            self.sql_type().oid(),
            size,
            self.modifier,
            i16::from(self.binary),
        )
    }
}

impl Kind {
    pub(super) const ALL: [Self; 14] = [
        Self::Bool,
        Self::Int2,
        Self::Int4,
        Self::Int8,
        Self::Float4,
        Self::Float8,
        Self::Numeric,
        Self::Text,
        Self::Bytes,
        Self::Timestamp,
        Self::TimestampTz,
        Self::Date,
        Self::Time,
        Self::Json,
    ];

    pub(super) fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Boolean => Self::Bool,
            DataType::Int8 | DataType::Int16 | DataType::UInt8 => Self::Int2,
            DataType::Int32 | DataType::UInt16 => Self::Int4,
            // What has no sign comes from functions that count, such as `row_number()`.
            DataType::Int64 | DataType::UInt32 | DataType::UInt64 => Self::Int8,
            DataType::Float16 | DataType::Float32 => Self::Float4,
            DataType::Float64 => Self::Float8,
            DataType::Decimal32(_, _)
            | DataType::Decimal64(_, _)
            | DataType::Decimal128(_, _)
            | DataType::Decimal256(_, _) => Self::Numeric,
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => Self::Bytes,
            DataType::Timestamp(_, None) => Self::Timestamp,
            DataType::Timestamp(_, Some(_)) => Self::TimestampTz,
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Time32(_) | DataType::Time64(_) => Self::Time,
            DataType::Dictionary(_, values) => Self::of(values),
            DataType::Struct(_)
            | DataType::Map(_, _)
            | DataType::List(_)
            | DataType::LargeList(_)
            | DataType::FixedSizeList(_, _) => Self::Json,
            _ => Self::Text,
        }
    }

    /// The array with the one Arrow type that values of this kind are read from.
    pub(super) fn plain(self, array: &ArrayRef) -> Result<ArrayRef> {
        let target = match self {
            Self::Bool => DataType::Boolean,
            Self::Int2 => DataType::Int16,
            Self::Int4 => DataType::Int32,
            Self::Int8 => DataType::Int64,
            Self::Float4 => DataType::Float32,
            Self::Float8 => DataType::Float64,
            // Digits as text, which is exact.
            Self::Numeric | Self::Text => DataType::Utf8,
            Self::Bytes => DataType::Binary,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            Self::Json => return Ok(ArrayRef::clone(array)),
        };
        if *array.data_type() == target {
            return Ok(ArrayRef::clone(array));
        }
        let options = CastOptions {
            safe: false,
            format_options: FormatOptions::default(),
        };
        Ok(cast_with_options(array, &target, &options)?)
    }

    pub(super) fn sql_type(self) -> Type {
        match self {
            Self::Bool => Type::BOOL,
            Self::Int2 => Type::INT2,
            Self::Int4 => Type::INT4,
            Self::Int8 => Type::INT8,
            Self::Float4 => Type::FLOAT4,
            Self::Float8 => Type::FLOAT8,
            Self::Numeric => Type::NUMERIC,
            Self::Text => Type::TEXT,
            Self::Bytes => Type::BYTEA,
            Self::Timestamp => Type::TIMESTAMP,
            Self::TimestampTz => Type::TIMESTAMPTZ,
            Self::Date => Type::DATE,
            Self::Time => Type::TIME,
            Self::Json => Type::JSON,
        }
    }

    pub(super) fn list_type(self) -> Type {
        match self {
            Self::Bool => Type::BOOL_ARRAY,
            Self::Int2 => Type::INT2_ARRAY,
            Self::Int4 => Type::INT4_ARRAY,
            Self::Int8 => Type::INT8_ARRAY,
            Self::Float4 => Type::FLOAT4_ARRAY,
            Self::Float8 => Type::FLOAT8_ARRAY,
            Self::Numeric => Type::NUMERIC_ARRAY,
            Self::Text => Type::TEXT_ARRAY,
            Self::Bytes => Type::BYTEA_ARRAY,
            Self::Timestamp => Type::TIMESTAMP_ARRAY,
            Self::TimestampTz => Type::TIMESTAMPTZ_ARRAY,
            Self::Date => Type::DATE_ARRAY,
            Self::Time => Type::TIME_ARRAY,
            Self::Json => Type::JSON_ARRAY,
        }
    }

    /// The type's number, as the elements of a binary list name it.
    pub(super) fn oid(self) -> u32 {
        self.sql_type().oid()
    }

    /// Bytes of a value in binary, -1 where they differ.
    pub(super) fn size(self) -> i16 {
        match self {
            Self::Bool => 1,
            Self::Int2 => 2,
            Self::Int4 | Self::Float4 | Self::Date => 4,
            Self::Int8 | Self::Float8 | Self::Timestamp | Self::TimestampTz | Self::Time => 8,
            Self::Numeric | Self::Text | Self::Bytes | Self::Json => -1,
        }
    }
}
