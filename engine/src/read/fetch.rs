//! How Parquet's reader gets the bytes of one object.
//!
//! Only what a whole scan of a few columns needs; queries read through DataFusion instead.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use crate::commit::DataFile;
use crate::error::Error;
use crate::lake::Lake;
use crate::path::TablePath;
use crate::seal::{Keys, Opening};

/// An object of known size.
#[derive(Clone)]
pub(crate) struct Fetch {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) path: object_store::path::Path,
    /// Bytes.
    pub(crate) size: u64,
    keys: Keys,
}

impl Fetch {
    /// The bytes of a file of `table`, in plain or sealed with one of the lake's keys.
    pub(crate) fn of(lake: &Lake, table: &TablePath, file: &DataFile) -> Self {
        Self {
            store: Arc::clone(lake.store()),
            path: table.object(&file.path),
            size: file.size,
            keys: lake.keys().clone(),
        }
    }
}

impl AsyncFileReader for Fetch {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move { self.store.get_range(&self.path, range).await.map_err(outer) }.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move {
            self.store
                .get_ranges(&self.path, &ranges)
                .await
                .map_err(outer)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let (size, path) = (self.size, self.path.to_string());
            let opening = Opening::new(&self.keys);
            let properties = opening.properties().map_err(inner)?;
            let reader = ParquetMetaDataReader::new()
                .with_arrow_reader_options(options)
                .with_decryption_properties(Some(properties));
            match reader.load_and_finish(self, size).await {
                Ok(metadata) => Ok(Arc::new(metadata)),
                // What the store said.
                Err(ParquetError::External(error)) => Err(ParquetError::External(error)),
                Err(error) => Err(inner(opening.explain(&path, error))),
            }
        }
        .boxed()
    }
}

fn inner(error: Error) -> ParquetError {
    ParquetError::General(error.to_string())
}

fn outer(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
