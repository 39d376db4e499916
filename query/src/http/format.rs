//! The formats of an answer: ndjson, json, csv, Arrow's stream and Parquet.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::csv;
use arrow::datatypes::{
    DataType, Date32Type, Field, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType,
};
use arrow::ipc::writer::StreamWriter;
use axum::http::{HeaderMap, header};
use eddy_engine::moment;

use super::json;
use super::parquet::ParquetRows;
use crate::error::{Error, Result};

/// How 64-bit integers are written in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Int64 {
    Number,
    String,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Ndjson,
    Json,
    Csv,
    Arrow,
    Parquet,
}

/// What is known, for those who ask for something else.
const KNOWN: &str = "known formats: ndjson, json, csv, arrow, parquet";

impl Format {
    /// The format of this name.
    pub(super) fn of_name(name: &str) -> Result<Self> {
        match name.to_lowercase().as_str() {
            "ndjson" => Ok(Self::Ndjson),
            "json" => Ok(Self::Json),
            "csv" => Ok(Self::Csv),
            "arrow" => Ok(Self::Arrow),
            "parquet" => Ok(Self::Parquet),
            _ => Err(Error::invalid(format!("the format `{name}` is not known")).with_hint(KNOWN)),
        }
    }

    /// The format that `Accept` asks for; ndjson when it says nothing in particular.
    pub(super) fn of_accept(headers: &HeaderMap) -> Result<Self> {
        let Some(accept) = headers.get(header::ACCEPT) else {
            return Ok(Self::Ndjson);
        };
        let accept = accept.to_str().unwrap_or_default();
        let types = accept
            .split(',')
            .map(|one| one.split(';').next().unwrap_or_default().trim());
        for one in types {
            match one {
                "application/x-ndjson"
                | "application/ndjson"
                | "application/jsonl"
                | "*/*"
                | "application/*"
                | "" => return Ok(Self::Ndjson),
                "application/json" => return Ok(Self::Json),
                "text/csv" => return Ok(Self::Csv),
                "application/vnd.apache.arrow.stream" => return Ok(Self::Arrow),
                "application/vnd.apache.parquet" => return Ok(Self::Parquet),
                // A browser asks for pages first; JSON is what it can show.
                "text/html" => return Ok(Self::Json),
                _ => {}
            }
        }
        Err(Error::invalid(format!("no format fits `Accept: {accept}`")).with_hint(KNOWN))
    }

    /// The content type of the answer.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// Whether an error can be told among the rows. Readers of the others see their end missing;
    /// text would be garbage to them.
    pub(super) fn is_text(self) -> bool {
        !matches!(self, Self::Arrow | Self::Parquet)
    }

    /// An encoder for rows of this schema.
    pub(super) fn encoder(self, schema: &SchemaRef, int64: Int64) -> Result<Encoder> {
        let schema = unique_names(schema);
        Ok(match self {
            Self::Ndjson => Encoder::Ndjson { schema, int64 },
            Self::Json => Encoder::Json {
                schema,
                int64,
                rows: 0,
            },
            Self::Csv => Encoder::Csv {
                schema,
                started: false,
            },
            Self::Arrow => Encoder::Arrow {
                writer: Box::new(StreamWriter::try_new(Vec::new(), &schema)?),
                schema,
            },
            Self::Parquet => Encoder::Parquet(Box::new(ParquetRows::new(&schema)?)),
        })
    }
}

/// Batches in, bytes out.
pub(super) enum Encoder {
    Ndjson {
        schema: SchemaRef,
        int64: Int64,
    },
    Json {
        schema: SchemaRef,
        int64: Int64,
        rows: usize,
    },
    Csv {
        schema: SchemaRef,
        started: bool,
    },
    Arrow {
        writer: Box<StreamWriter<Vec<u8>>>,
        schema: SchemaRef,
    },
    Parquet(Box<ParquetRows>),
}

impl Encoder {
    /// The bytes of some more rows.
    pub(super) fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>> {
        match self {
            Self::Ndjson { schema, int64 } => json::lines(&renamed(batch, schema)?, *int64),
            Self::Json {
                schema,
                int64,
                rows,
            } => {
                let mut bytes = Vec::new();
                json::elements(&renamed(batch, schema)?, *int64, *rows == 0, &mut bytes)?;
                *rows += batch.num_rows();
                Ok(bytes)
            }
            Self::Csv { schema, started } => {
                let header = !std::mem::replace(started, true);
                csv_rows(&renamed(batch, schema)?, header)
            }
            Self::Arrow { writer, schema } => {
                writer.write(&renamed(batch, schema)?)?;
                Ok(std::mem::take(writer.get_mut()))
            }
            Self::Parquet(rows) => rows.write(&renamed(batch, &rows.schema())?),
        }
    }

    /// The bytes after the last row.
    pub(super) fn end(&mut self) -> Result<Vec<u8>> {
        match self {
            Self::Ndjson { .. } => Ok(Vec::new()),
            Self::Json { rows: 0, .. } => Ok(b"[]\n".to_vec()),
            Self::Json { .. } => Ok(b"\n]\n".to_vec()),
            Self::Csv { started: true, .. } => Ok(Vec::new()),
            Self::Csv { schema, .. } => csv_rows(&RecordBatch::new_empty(Arc::clone(schema)), true),
            Self::Arrow { writer, .. } => {
                writer.finish()?;
                Ok(std::mem::take(writer.get_mut()))
            }
            Self::Parquet(rows) => rows.end(),
        }
    }
}

/// JSON has one value for a name: a second column of a name (`a.id`, `b.id`) gets a number.
fn unique_names(schema: &SchemaRef) -> SchemaRef {
    let mut taken: Vec<String> = Vec::with_capacity(schema.fields().len());
    let mut fields = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let mut name = field.name().clone();
        let mut number = 2;
        while taken.contains(&name) {
            name = format!("{}_{number}", field.name());
            number += 1;
        }
        taken.push(name.clone());
        fields.push(Field::new(name, field.data_type().clone(), true));
    }
    Arc::new(Schema::new(fields))
}

fn renamed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        batch.columns().to_vec(),
        &options,
    )?)
}

fn csv_rows(batch: &RecordBatch, header: bool) -> Result<Vec<u8>> {
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let column = flat(field, column)?;
        fields.push(Field::new(field.name(), column.data_type().clone(), true));
        columns.push(column);
    }
    let schema = Arc::new(Schema::new(fields));
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let batch = RecordBatch::try_new_with_options(schema, columns, &options)?;
    let mut bytes = Vec::new();
    let format = "%Y-%m-%dT%H:%M:%S%.fZ".to_owned();
    let mut writer = csv::WriterBuilder::new()
        .with_header(header)
        .with_timestamp_tz_format(format)
        .build(&mut bytes);
    writer.write(&batch)?;
    drop(writer);
    Ok(bytes)
}

/// What CSV can't hold becomes text: nested values as JSON, bytes as base64, and moments and days,
/// of which columns hold some that the writer has no years for.
fn flat(field: &Field, column: &ArrayRef) -> Result<ArrayRef> {
    match column.data_type() {
        DataType::Struct(_)
        | DataType::List(_)
        | DataType::LargeList(_)
        | DataType::FixedSizeList(_, _)
        | DataType::Map(_, _) => {
            let texts = json::values(field, column)?;
            Ok(Arc::new(StringArray::from(texts)))
        }
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => {
            Ok(Arc::new(StringArray::from(json::base64_values(column)?)))
        }
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            let moments = column.as_primitive::<TimestampMicrosecondType>().iter();
            let texts = moments.map(|us| us.map(moment::timestamp));
            Ok(Arc::new(texts.collect::<StringArray>()))
        }
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>().iter();
            let texts = days.map(|day| day.map(moment::date));
            Ok(Arc::new(texts.collect::<StringArray>()))
        }
        _ => json::in_utc(column),
    }
}
