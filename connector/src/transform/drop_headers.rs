//! `DropHeaders`: without the headers of some names.

use std::collections::BTreeSet;

use super::Transform;
use super::failure::Failure;
use super::settings::Settings;
use crate::data::ConnectRecord;
use crate::error::Result;

/// The transform.
#[derive(Debug)]
pub(super) struct DropHeaders(BTreeSet<String>);

impl DropHeaders {
    /// # Errors
    /// `Invalid` without `headers`.
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self> {
        let names = settings
            .required_list("headers")?
            .into_iter()
            .map(str::to_owned);
        Ok(Self(names.collect()))
    }
}

impl Transform for DropHeaders {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        record.headers.retain(|(name, _)| !self.0.contains(name));
        Ok(Some(record))
    }
}
