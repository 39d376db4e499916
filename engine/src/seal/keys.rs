//! Keys and their ids: what a process may seal and open with. A key is never shown.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parquet::encryption::encrypt::FileEncryptionProperties;

use crate::error::{Error, Result};

/// The longest id: files name it, each of them.
const ID_BYTES: usize = 256;

/// A key and its id. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Arc<Inner>);

#[derive(PartialEq, Eq)]
struct Inner {
    id: String,
    bytes: Vec<u8>,
}

impl Key {
    /// The key that `text` is in base64, called `id`.
    ///
    /// # Errors
    /// `Invalid` for anything but 16 or 32 bytes, and for an id that is empty, too long or has
    /// control characters. The error doesn't tell the text.
    pub fn from_base64(id: &str, text: &str) -> Result<Self> {
        if id.is_empty() || id.len() > ID_BYTES || id.chars().any(char::is_control) {
            return Err(Error::invalid(format!(
                "a key's id has 1 to {ID_BYTES} bytes without control characters, and this has {}",
                id.len()
            )));
        }
        let bytes = STANDARD.decode(text.trim()).unwrap_or_default();
        if bytes.len() != 16 && bytes.len() != 32 {
            return Err(Error::invalid(format!(
                "the key `{id}` is not 16 or 32 bytes in base64; make one with \
                 `openssl rand -base64 32`"
            )));
        }
        Ok(Self(Arc::new(Inner {
            id: id.to_owned(),
            bytes,
        })))
    }

    /// Its id, which is no secret.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// How the Parquet crate's own writer seals with it.
    ///
    /// # Errors
    /// `Internal` when the crate refuses it.
    pub(crate) fn properties(&self) -> Result<Arc<FileEncryptionProperties>> {
        let builder = FileEncryptionProperties::builder(self.0.bytes.clone());
        Ok(builder
            .with_footer_key_metadata(self.0.id.clone().into_bytes())
            .build()?)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.0.id)
            .finish_non_exhaustive()
    }
}

/// The keys that a lake's readers and writers have. Clones share them.
#[derive(Clone, Default)]
pub struct Keys(Arc<RwLock<BTreeMap<String, Key>>>);

impl Keys {
    /// Adds a key. It stays as long as the process: files name it long after the last was written.
    ///
    /// # Errors
    /// `Invalid` when its id already stands for another key.
    pub fn add(&self, key: &Key) -> Result<()> {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match keys.get(key.id()) {
            Some(known) if known != key => Err(Error::invalid(format!(
                "`{}` stands for another encryption key already; give each key an id of its own",
                key.id()
            ))),
            Some(_) => Ok(()),
            None => {
                keys.insert(key.id().to_owned(), key.clone());
                Ok(())
            }
        }
    }

    /// Adds all of `others`.
    ///
    /// # Errors
    /// As [`Keys::add`].
    pub fn add_all<'a>(&self, others: impl IntoIterator<Item = &'a Key>) -> Result<()> {
        others.into_iter().try_for_each(|key| self.add(key))
    }

    /// The key called `id`.
    pub fn find(&self, id: &str) -> Option<Key> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(id).cloned()
    }

    /// The key with which the files of a table are to be written; `None` for a table in plain.
    ///
    /// # Errors
    /// `Invalid` when the key isn't here: nothing may be written in plain instead.
    pub(crate) fn of_table(&self, id: Option<&str>, table: &str) -> Result<Option<Key>> {
        let Some(id) = id else {
            return Ok(None);
        };
        let key = self.find(id);
        key.map(Some).ok_or_else(|| {
            Error::invalid(format!(
                "table `{table}` is encrypted with the key `{id}`, which this process doesn't \
                 have: {WHERE}"
            ))
        })
    }
}

/// Where a missing key goes.
pub(super) const WHERE: &str = "give it to its connector as `encryption.key`, or under \
                                [encryption.keys] of the configuration file";

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_set().entries(keys.keys()).finish()
    }
}
