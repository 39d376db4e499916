//! An answer as a Parquet file, written while it is streamed: a row group at a time.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::error::{Error, Result};

/// Encoded bytes of a row group, which is all that is held of an answer.
const ROW_GROUP_BYTES: usize = 16 << 20;

/// Rows in, the file's bytes out.
pub(super) struct ParquetRows {
    writer: ArrowWriter<Written>,
    written: Written,
    schema: SchemaRef,
}

impl ParquetRows {
    /// A file of this schema.
    pub(super) fn new(schema: &SchemaRef) -> Result<Self> {
        let written = Written::default();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let schema = Arc::clone(schema);
        let writer = ArrowWriter::try_new(written.clone(), Arc::clone(&schema), Some(properties));
        Ok(Self {
            writer: writer.map_err(broken)?,
            written,
            schema,
        })
    }

    /// The columns that batches must have.
    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Some more rows.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<Vec<u8>> {
        self.writer.write(batch).map_err(broken)?;
        if self.writer.in_progress_size() > ROW_GROUP_BYTES {
            self.writer.flush().map_err(broken)?;
        }
        Ok(self.written.take())
    }

    /// The last rows, and the footer.
    pub(super) fn end(&mut self) -> Result<Vec<u8>> {
        self.writer.finish().map_err(broken)?;
        Ok(self.written.take())
    }
}

fn broken(error: ParquetError) -> Error {
    match error {
        ParquetError::NYI(text) => Error::not_supported(format!("not in Parquet: {text}")),
        other => Error::internal(format!("the answer can't be written as Parquet: {other}")),
    }
}

/// What the writer wrote and nobody took yet.
#[derive(Debug, Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
