//! How a scan reads the files of its table: what is counted, what is kept, what is decrypted.

use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use eddy_engine::read::CountingStore;

use super::count::ScanCount;
use super::origin::Origin;
use super::sealed::SealedReaders;
use super::view::View;
use crate::cache;

/// What makes the readers of the files of `view`, which are in `lake`.
pub(super) fn readers(
    state: &dyn Session,
    view: &View,
    lake: &Origin,
    count: &ScanCount,
) -> Result<Arc<dyn ParquetFileReaderFactory>> {
    let runtime = state.runtime_env();
    let store = runtime.object_store(&lake.store)?;
    let store = Arc::new(CountingStore::new(store, Arc::clone(&count.reads)));
    let footers = runtime.cache_manager.get_file_metadata_cache();
    // An older version may have files whose rows are erased by now: only the store knows.
    let kept = lake.kept.as_ref().filter(|_| view.is_newest);
    let plain = cache::readers(kept, store, Arc::clone(&footers), &count.kept_bytes);
    Ok(match &view.key_id {
        None => plain,
        Some(_) => Arc::new(SealedReaders {
            plain,
            footers,
            keys: lake.keys.clone(),
        }),
    })
}
