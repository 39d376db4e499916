//! The crate's objects under `_eddy/`: JSON in numbered create-only registers of the engine, where
//! the number is the fence (P23).

use eddy_engine::Lake;
use eddy_engine::state::Register;
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
    pub(crate) async fn write<T: Serialize>(
        &self,
        register: &str,
        number: u64,
        object: &T,
    ) -> Result<()> {
        let bytes = serde_json::to_vec(object).map_err(|error| {
            Error::internal(format!("an object of `_eddy/{register}` can't be written"))
                .with_source(error)
        })?;
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
}
