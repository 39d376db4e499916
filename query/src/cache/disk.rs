//! Blocks on a local disk.
//!
//! foyer parts a few large files into stretches, fills one after the other, and gives the oldest
//! up; what it can't take in time it leaves out, so writing never holds a query up. It writes whole
//! pages, and what stands behind a block on its last one is what its buffers were made with: memory
//! as it was when the process began, or sealed bytes. No row is in either.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eddy_engine::Clock;
use foyer::{
    BlockEngineConfig, DeviceBuilder, FsDeviceBuilder, HybridCache, HybridCachePolicy, Load,
    PsyncIoEngineConfig, RecoverMode,
};
use std::path::Path;

use super::flights::Key;
use super::measures;
use super::seal::Seals;
use crate::error::{Error, Result};

/// Into so many stretches a disk is parted: each is a file, and given up as a whole.
const STRETCHES: usize = 64;

/// A stretch is at least so large; smaller ones are no faster to write.
const STRETCH_LEAST: usize = 16 << 20;

/// Sealed blocks on disk.
pub(super) struct Disk {
    cache: HybridCache<String, Bytes>,
    seals: Arc<Seals>,
}

impl Disk {
    /// At most `bytes` in `folder`, in files that have no name once this returns.
    ///
    /// # Errors
    /// `Invalid` when the folder can't be used.
    pub(super) async fn open(folder: &Path, bytes: usize, clock: &Clock) -> Result<Self> {
        let own = folder.join(format!("eddy-cache-{}", clock.new_id()));
        let opened = Self::in_folder(&own, bytes, clock).await;
        // The files stay as long as they are open, and no longer, whatever ends this process.
        let unlinked = std::fs::remove_dir_all(&own);
        let disk = opened.map_err(|reason| refused(folder, reason))?;
        unlinked.map_err(|error| refused(folder, error.to_string()))?;
        Ok(disk)
    }

    /// The same in files that keep their names.
    pub(super) async fn in_folder(
        own: &Path,
        bytes: usize,
        clock: &Clock,
    ) -> std::result::Result<Self, String> {
        let text = |error: foyer::Error| error.to_string();
        std::fs::create_dir_all(own).map_err(|error| error.to_string())?;
        let device = FsDeviceBuilder::new(own).with_capacity(bytes);
        let device = device.build().map_err(text)?;
        let stretch = (bytes / STRETCHES).max(STRETCH_LEAST);
        let engine = BlockEngineConfig::new(device).with_block_size(stretch);
        let cache = HybridCache::builder()
            .with_name("eddy_query_cache")
            .with_policy(HybridCachePolicy::WriteOnInsertion)
            .with_flush_on_close(false)
            // Blocks in memory are open, and elsewhere: nothing goes through this one.
            .memory(1)
            .with_shards(1)
            .storage()
            .with_io_engine_config(PsyncIoEngineConfig::new())
            .with_engine_config(engine)
            // Whatever an earlier process left, its key is gone.
            .with_recover_mode(RecoverMode::None)
            .build()
            .await
            .map_err(text)?;
        Ok(Self {
            cache,
            seals: Arc::new(Seals::new(clock)),
        })
    }

    /// A block, if it is there, is whole, and isn't too old.
    pub(super) async fn get(&self, key: &Key) -> Option<Bytes> {
        let name = key.text();
        let sealed = match self.cache.storage().load(&name).await {
            Ok(Load::Entry { value, .. }) => value,
            Ok(Load::Piece { piece, .. }) => piece.value().clone(),
            Ok(Load::Miss | Load::Throttled) => return None,
            Err(error) => {
                measures::broken();
                tracing::debug!(block = name, %error, "a block can't be read from disk");
                return None;
            }
        };
        self.seals.open(&name, &sealed)
    }

    /// Takes a block in, if the disk keeps up.
    pub(super) fn put(&self, key: &Key, block: &[u8]) {
        let name = key.text();
        if let Some(sealed) = self.seals.seal(&name, block) {
            drop(self.cache.storage_writer(name).insert(sealed));
        }
    }

    /// Forgets what is too old, and says how long until there is more to forget.
    pub(super) fn forget(&self) -> Duration {
        self.seals.forget()
    }

    /// Waits until everything that was taken in is on disk.
    #[cfg(test)]
    pub(super) async fn settle(&self) {
        self.cache.storage().wait().await;
    }
}

fn refused(folder: &Path, reason: String) -> Error {
    Error::invalid(format!(
        "the folder `{}` of `query.cache.directory` can't be used: {reason}",
        folder.display()
    ))
}
