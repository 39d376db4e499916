//! The crate's objects under `_eddy/`: JSON in numbered create-only registers of the engine, where
//! the number is the fence (P23), and in records under names of their own.

use eddy_engine::Lake;
use eddy_engine::state::{Listed, Records, Register};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

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
    ///
    /// # Errors
    /// `Unavailable`; `Internal` for an object that this build can't read.
    pub(crate) async fn latest<T: DeserializeOwned>(
        &self,
        register: &str,
    ) -> Result<Option<(u64, T)>> {
        let Some((number, bytes)) = Register::new(&self.lake, register).latest().await? else {
            return Ok(None);
        };
        let object = parse(&bytes, || format!("object {number} of `_eddy/{register}`"))?;
        Ok(Some((number, object)))
    }

    /// Writes object `number`.
    ///
    /// # Errors
    /// `Fenced` when the number is taken, `Unavailable` when it may or may not be written.
    pub(crate) async fn write<T: Serialize>(
        &self,
        register: &str,
        number: u64,
        object: &T,
    ) -> Result<()> {
        let bytes = text(object, register)?;
        let register = Register::new(&self.lake, register);
        Ok(register.put(number, bytes.into()).await?)
    }

    /// The names of the registers in a folder, in order.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(crate) async fn names(&self, folder: &str) -> Result<Vec<String>> {
        Ok(Register::list(&self.lake, folder).await?)
    }

    /// Makes the record `name` of a folder, which nobody else makes; again is harmless.
    ///
    /// # Errors
    /// `Unavailable` when it may not be there: call again.
    pub(crate) async fn record<T: Serialize>(
        &self,
        folder: &str,
        name: &str,
        object: &T,
    ) -> Result<()> {
        let bytes = text(object, folder)?;
        Ok(self.records(folder).put(name, bytes.into()).await?)
    }

    /// The records of a folder, by name.
    ///
    /// # Errors
    /// `Unavailable`; `Internal` for an object that is no record.
    pub(crate) async fn listed(&self, folder: &str) -> Result<Vec<Listed>> {
        Ok(self.records(folder).list().await?)
    }

    /// The record `name` of a folder, if it is there.
    ///
    /// # Errors
    /// As [`Store::latest`].
    pub(crate) async fn recorded<T: DeserializeOwned>(
        &self,
        folder: &str,
        name: &str,
    ) -> Result<Option<T>> {
        let Some(bytes) = self.records(folder).get(name).await? else {
            return Ok(None);
        };
        parse(&bytes, || format!("record `{name}` of `_eddy/{folder}`")).map(Some)
    }

    /// Removes records of a folder, as far as that goes now.
    pub(crate) async fn remove(&self, folder: &str, names: &[String]) {
        self.records(folder).remove(names).await;
    }

    fn records(&self, folder: &str) -> Records {
        Records::new(&self.lake, folder)
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8], what: impl FnOnce() -> String) -> Result<T> {
    serde_json::from_slice(bytes)
        .map_err(|error| Error::internal(format!("{} can't be read", what())).with_source(error))
}

fn text<T: Serialize>(object: &T, place: &str) -> Result<Vec<u8>> {
    serde_json::to_vec(object).map_err(|error| {
        Error::internal(format!("an object of `_eddy/{place}` can't be written")).with_source(error)
    })
}
