//! Which tables a lake has: the folders that hold a Delta log.

use std::sync::Arc;

use object_store::path::Path;

use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::path::TablePath;

/// How deep `topics.dir` may nest before a table isn't found any more. A walk without a bound would
/// go through everything else that a bucket may hold.
const DEPTH: usize = 5;

/// The lake's tables in order of their paths. Synchronous, as all of the log.
///
/// # Errors
/// `Unavailable` when the store does not answer.
pub fn tables(lake: &Lake) -> Result<Vec<TablePath>> {
    let mut found = Vec::new();
    let mut level = vec![lake.root().clone()];
    for _ in 0..=DEPTH {
        let mut deeper = Vec::new();
        for folder in level {
            let store = Arc::clone(lake.store());
            let prefix = folder.clone();
            let listed =
                lake.wait(async move { store.list_with_delimiter(Some(&prefix)).await })??;
            let named = |name: &str| {
                listed
                    .common_prefixes
                    .iter()
                    .any(|path| path.filename() == Some(name))
            };
            if named("_delta_log") {
                found.extend(table_at(lake, &folder)?);
                continue;
            }
            deeper.extend(listed.common_prefixes.into_iter().filter(|path| {
                // Eddy's own state, and the partitions of some other lake.
                let name = path.filename().unwrap_or_default();
                !name.starts_with('_') && !name.contains('=')
            }));
        }
        level = deeper;
    }
    found.sort();
    Ok(found)
}

fn table_at(lake: &Lake, folder: &Path) -> Result<Option<TablePath>> {
    if folder == lake.root() {
        return Ok(None);
    }
    TablePath::at(lake.root(), folder)
        .map(Some)
        .ok_or_else(|| Error::internal(format!("`{folder}` is listed but not in the lake")))
}
