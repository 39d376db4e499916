//! `InsertHeader`: a header with a fixed value.

use super::Transform;
use super::failure::Failure;
use super::settings::Settings;
use crate::convert::header_text;
use crate::data::{ConnectRecord, Datum};
use crate::error::Result;

/// The transform.
#[derive(Debug)]
pub(super) struct InsertHeader {
    name: String,
    value: Datum,
}

impl InsertHeader {
    /// # Errors
    /// `Invalid` without `header` or `value.literal`.
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self> {
        Ok(Self {
            name: settings.required("header")?.to_owned(),
            value: header_text(settings.required_raw("value.literal")?),
        })
    }
}

impl Transform for InsertHeader {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        record.headers.push((self.name.clone(), self.value.clone()));
        Ok(Some(record))
    }
}
