//! Pins: a version that someone reads for longer than versions are kept (P16).
//!
//! A pin is written first and the version looked at after: cleaning lists the pins before it
//! removes anything, so either it sees the pin, or the version is found gone and the pin's owner is
//! told so. Only a version that nobody pinned and that is older than the history already may still
//! go while its first pin is made; its owner is told when it reads. An owner that dies can't
//! release its pins, so a pin that nobody renewed for a week counts no more: who reads for longer
//! renews it every day ([`Pin::keep`]).

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::path::{self, TablePath};
use crate::read::Snapshot;
use crate::state::once;

/// How long a pin counts without being renewed: what a crash keeps from being removed at most.
/// Long enough for a process to come back after a long weekend.
pub const PIN_LIFE: Duration = Duration::from_hours(7 * 24);

/// A pin is renewed once it is so old.
const RENEW_AFTER: Duration = Duration::from_hours(24);

/// A version that stays readable until it is released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    table: TablePath,
    id: Uuid,
}

/// What is written of a pin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// The version.
    pub version: u64,
    /// For whom: a name for whoever wonders why it is kept.
    pub owner: String,
    /// When it was made or renewed, in microseconds since the Unix epoch.
    pub at_us: i64,
}

impl Pin {
    /// Pins `version` of `table` for `owner`. The same `id` is the same pin, however often it is
    /// made. Synchronous, as all of the log.
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
        let text = Pinned {
            version,
            owner: owner.to_owned(),
            at_us: lake.clock().now_us(),
        };
        let text = serde_json::to_vec(&text)
            .map_err(|error| Error::internal("a pin can't be written").with_source(error))?;
        once::put(lake, path::pin(lake.root(), table, id), text)?;
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

    /// Makes sure that `owner` has a pin of `version` that will count for days: makes one unless
    /// there is a young one, and lets its older ones go only then.
    ///
    /// # Errors
    /// As [`Pin::make`]; `Data` for a pin that can't be read.
    pub fn keep(lake: &Lake, table: &TablePath, version: u64, owner: &str) -> Result<()> {
        let now_us = lake.clock().now_us();
        let of_owner = of_owner(lake, table, version, owner)?;
        let young = |one: &Found| age(now_us, one.pinned.at_us) < RENEW_AFTER;
        if of_owner.iter().any(young) {
            return Ok(());
        }
        Self::make(lake, table, version, lake.clock().new_id(), owner)?;
        let older = of_owner.into_iter().map(|one| one.location).collect();
        super::remove::remove(lake, older).map(drop)
    }

    /// Gives up every pin of `version` that `owner` has. Again is fine.
    ///
    /// # Errors
    /// `Unavailable`; `Data` for a pin that can't be read.
    pub fn release_all(lake: &Lake, table: &TablePath, version: u64, owner: &str) -> Result<()> {
        let of_owner = of_owner(lake, table, version, owner)?;
        let locations = of_owner.into_iter().map(|one| one.location).collect();
        super::remove::remove(lake, locations).map(drop)
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

/// The pins of `table` that count.
///
/// # Errors
/// `Unavailable`; `Data` for a pin that can't be read.
pub fn pins(lake: &Lake, table: &TablePath) -> Result<Vec<Pinned>> {
    let counting = read(lake, table)?.into_iter().filter(|one| !one.expired);
    Ok(counting.map(|one| one.pinned).collect())
}

/// The oldest version of `table` that is pinned; pins that count no more are removed.
///
/// # Errors
/// `Unavailable`; `Data` for a pin that can't be read, since it may be any version's.
pub(super) fn oldest(lake: &Lake, table: &TablePath) -> Result<Option<u64>> {
    let (expired, counting): (Vec<Found>, Vec<Found>) =
        read(lake, table)?.into_iter().partition(|one| one.expired);
    for one in &expired {
        tracing::warn!(
            topic = table.topic(),
            version = one.pinned.version,
            owner = one.pinned.owner,
            "a pin that nobody renewed for a week counts no more"
        );
    }
    super::remove::remove(lake, expired.into_iter().map(|one| one.location).collect())?;
    Ok(counting.iter().map(|one| one.pinned.version).min())
}

/// A pin as it lies in the store.
struct Found {
    location: Path,
    pinned: Pinned,
    expired: bool,
}

fn of_owner(lake: &Lake, table: &TablePath, version: u64, owner: &str) -> Result<Vec<Found>> {
    let mut found = read(lake, table)?;
    found.retain(|one| one.pinned.version == version && one.pinned.owner == owner);
    Ok(found)
}

fn read(lake: &Lake, table: &TablePath) -> Result<Vec<Found>> {
    let now_us = lake.clock().now_us();
    let (store, folder) = (Arc::clone(lake.store()), path::pins(lake.root(), table));
    lake.wait(async move {
        let objects = store.list_with_delimiter(Some(&folder)).await?.objects;
        let mut found = Vec::new();
        for object in objects {
            let bytes = match store.get(&object.location).await {
                Ok(found) => found.bytes().await?,
                // Released meanwhile.
                Err(object_store::Error::NotFound { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            let pinned: Pinned = serde_json::from_slice(&bytes).map_err(|error| {
                Error::new(
                    ErrorKind::Data,
                    format!("the pin `{}` can't be read", object.location),
                )
                .with_source(error)
            })?;
            // By the store's clock and by the maker's: both must say that it is old.
            let written_us = object.last_modified.timestamp_micros();
            let expired = age(now_us, written_us.max(pinned.at_us)) >= PIN_LIFE;
            found.push(Found {
                location: object.location,
                pinned,
                expired,
            });
        }
        Ok(found)
    })?
}

fn age(now_us: i64, then_us: i64) -> Duration {
    Duration::from_micros(u64::try_from(now_us.saturating_sub(then_us)).unwrap_or(0))
}
