//! Opening one file: with the key that it names, and errors that say which.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::encryption::decrypt::{FileDecryptionProperties, KeyRetriever};
use parquet::errors::ParquetError;

use super::keys::{Keys, WHERE};
use crate::error::{Error, Result};

/// The keys, and the one that a file named.
#[derive(Debug)]
pub struct Opening(Arc<Retriever>);

#[derive(Debug)]
struct Retriever {
    keys: Keys,
    named: Mutex<Named>,
}

#[derive(Debug, Clone, Default)]
enum Named {
    /// The file is in plain, or wasn't read yet.
    #[default]
    None,
    Known(String),
    Missing(String),
}

impl Opening {
    /// The opening of one file.
    pub fn new(keys: &Keys) -> Self {
        Self(Arc::new(Retriever {
            keys: keys.clone(),
            named: Mutex::default(),
        }))
    }

    /// What a reader of the file's footer is given. A file in plain needs nothing of it.
    ///
    /// # Errors
    /// `Internal` when the Parquet crate refuses it.
    pub fn properties(&self) -> Result<Arc<FileDecryptionProperties>> {
        let retriever: Arc<dyn KeyRetriever> = Arc::<Retriever>::clone(&self.0);
        Ok(FileDecryptionProperties::with_key_retriever(retriever).build()?)
    }

    /// The id of the file's key, once its footer was read; `None` for a file in plain.
    pub fn key_id(&self) -> Option<String> {
        match self.named() {
            Named::None => None,
            Named::Known(id) | Named::Missing(id) => Some(id),
        }
    }

    /// What is wrong with the file at `path` whose footer could not be read.
    pub fn explain(&self, path: &str, error: ParquetError) -> Error {
        match self.named() {
            Named::None => {
                Error::data(format!("the footer of `{path}` can't be read")).with_source(error)
            }
            Named::Missing(id) => Error::invalid(format!(
                "`{path}` is encrypted with the key `{id}`, which this process doesn't have: \
                 {WHERE}"
            )),
            Named::Known(id) => Error::data(format!(
                "`{path}` can't be decrypted with the key `{id}`: it was written with another key \
                 of that id, or was changed since"
            ))
            .with_source(error),
        }
    }

    fn named(&self) -> Named {
        let named = self.0.named.lock().unwrap_or_else(PoisonError::into_inner);
        named.clone()
    }
}

impl KeyRetriever for Retriever {
    fn retrieve_key(&self, key_metadata: &[u8]) -> parquet::errors::Result<Vec<u8>> {
        let id = String::from_utf8_lossy(key_metadata).into_owned();
        let key = self.keys.find(&id);
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        *named = match key {
            Some(_) => Named::Known(id),
            None => Named::Missing(id),
        };
        let key = key.map(|key| key.bytes().to_vec());
        key.ok_or_else(|| ParquetError::General("the key isn't known".to_owned()))
    }
}

impl Keys {
    /// A reader over the bytes of the file at `path`, in plain or sealed.
    ///
    /// # Errors
    /// `Invalid` when its key isn't here, `Data` when it can't be read.
    pub fn reader(
        &self,
        bytes: Bytes,
        path: &str,
        options: ArrowReaderOptions,
    ) -> Result<ParquetRecordBatchReaderBuilder<Bytes>> {
        let opening = Opening::new(self);
        let options = options.with_file_decryption_properties(opening.properties()?);
        let metadata = ArrowReaderMetadata::load(&bytes, options)
            .map_err(|error| opening.explain(path, error))?;
        Ok(ParquetRecordBatchReaderBuilder::new_with_metadata(
            bytes, metadata,
        ))
    }
}
