//! Pins: a version that someone reads for longer than versions are kept (P16).
//!
//! A pin is written first and the version looked at after: cleaning lists the pins before it
//! removes anything, so either it sees the pin, or the version is found gone and the pin's owner is
//! told so.

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{ObjectStoreExt, PutMode, PutPayload};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::path::{self, TablePath};
use crate::read::Snapshot;

/// A version that stays readable until it is released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    table: TablePath,
    id: Uuid,
}

#[derive(Serialize, Deserialize)]
struct Text {
    version: u64,
    owner: String,
    at_us: i64,
}

impl Pin {
    /// Pins `version` of `table` for `owner`, a name for whoever wonders why it is kept. The same
    /// `id` is the same pin, however often it is made. Synchronous, as all of the log.
    ///
    /// # Errors
    /// `NotFound` when the version can't be read any more; `Unavailable`.
    pub fn make(
        lake: &Lake,
        table: &TablePath,
        version: u64,
        id: Uuid,
        owner: &str,
    ) -> Result<Self> {
        let text = Text {
            version,
            owner: owner.to_owned(),
            at_us: lake.clock().now_us(),
        };
        let text = serde_json::to_vec(&text)
            .map_err(|error| Error::internal("a pin can't be written").with_source(error))?;
        let (store, at) = (Arc::clone(lake.store()), path::pin(lake.root(), table, id));
        let body = PutPayload::from_bytes(Bytes::from(text));
        let put =
            lake.wait(async move { store.put_opts(&at, body, PutMode::Create.into()).await })?;
        match put {
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let pin = Self {
            table: table.clone(),
            id,
        };
        match Snapshot::load(lake, table, Some(version)) {
            Ok(Some(_)) => Ok(pin),
            found => {
                pin.release(lake)?;
                found?;
                Err(Error::not_found(format!(
                    "there is no table `{}`",
                    table.topic()
                )))
            }
        }
    }

    /// Gives the version up. Again is fine.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn release(&self, lake: &Lake) -> Result<()> {
        let at = path::pin(lake.root(), &self.table, self.id);
        super::remove::remove(lake, vec![at]).map(drop)
    }
}

/// The oldest version of `table` that is pinned.
///
/// # Errors
/// `Unavailable`; `Data` for a pin that can't be read, since it may be any version's.
pub(super) fn oldest(lake: &Lake, table: &TablePath) -> Result<Option<u64>> {
    let (store, folder) = (Arc::clone(lake.store()), path::pins(lake.root(), table));
    lake.wait(async move {
        let objects: Vec<_> = store.list(Some(&folder)).try_collect().await?;
        let mut oldest: Option<u64> = None;
        for object in objects {
            let bytes = match store.get(&object.location).await {
                Ok(found) => found.bytes().await?,
                // Released meanwhile.
                Err(object_store::Error::NotFound { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            let text: Text = serde_json::from_slice(&bytes).map_err(|error| {
                Error::data(format!("the pin `{}` can't be read", object.location))
                    .with_source(error)
            })?;
            oldest = Some(oldest.map_or(text.version, |known| known.min(text.version)));
        }
        Ok(oldest)
    })?
}
