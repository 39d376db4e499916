//! The crate's objects under `_eddy/`: JSON in numbered create-only registers of the engine, where
//! the number is the fence (P23).

use std::collections::BTreeMap;
use std::sync::Mutex;

use bytes::Bytes;
use eddy_engine::Lake;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};

/// Access to the registers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    lake: Lake,
}

impl Store {
    pub(crate) fn new(lake: &Lake) -> Self {
        Self { lake: lake.clone() }
    }

    /// The newest object of a register, and its number.
    pub(crate) async fn latest<T: DeserializeOwned>(
        &self,
        register: &str,
    ) -> Result<Option<(u64, T)>> {
        let Some((number, bytes)) = temporary::latest(&self.lake, register) else {
            return Ok(None);
        };
        let object = serde_json::from_slice(&bytes).map_err(|error| {
            Error::internal(format!(
                "object {number} of `_eddy/{register}` can't be read"
            ))
            .with_source(error)
        })?;
        Ok(Some((number, object)))
    }

    /// Writes object `number`.
    ///
    /// # Errors
    /// `Fenced` when the number is taken, `Unavailable` when it may or may not be written.
    pub(crate) async fn put<T: Serialize>(
        &self,
        register: &str,
        number: u64,
        object: &T,
    ) -> Result<()> {
        let bytes = serde_json::to_vec(object).map_err(|error| {
            Error::internal(format!("an object of `_eddy/{register}` can't be written"))
                .with_source(error)
        })?;
        if temporary::put(&self.lake, register, number, bytes.into()) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Fenced,
            format!("number {number} of `{register}` is taken"),
        ))
    }

    /// The names of the registers in a folder.
    pub(crate) async fn names(&self, folder: &str) -> Result<Vec<String>> {
        Ok(temporary::names(&self.lake, folder))
    }
}

/// Stands in for the engine's registers.
mod temporary {
    use super::*;

    type Registers = BTreeMap<(String, String), Vec<Bytes>>;
    static REGISTERS: Mutex<Registers> = Mutex::new(BTreeMap::new());

    pub(super) fn latest(lake: &Lake, register: &str) -> Option<(u64, Bytes)> {
        let registers = REGISTERS.lock().ok()?;
        let key = (lake.url().to_string(), register.to_owned());
        let objects = registers.get(&key)?;
        Some((objects.len() as u64 - 1, objects.last()?.clone()))
    }

    pub(super) fn put(lake: &Lake, register: &str, number: u64, bytes: Bytes) -> bool {
        let Ok(mut registers) = REGISTERS.lock() else {
            return false;
        };
        let key = (lake.url().to_string(), register.to_owned());
        let objects = registers.entry(key).or_default();
        if objects.len() as u64 != number {
            return false;
        }
        objects.push(bytes);
        true
    }

    pub(super) fn names(lake: &Lake, folder: &str) -> Vec<String> {
        let Ok(registers) = REGISTERS.lock() else {
            return Vec::new();
        };
        registers
            .keys()
            .filter(|(url, _)| *url == lake.url().to_string())
            .filter_map(|(_, name)| name.strip_prefix(folder)?.strip_prefix('/'))
            .map(str::to_owned)
            .collect()
    }
}
