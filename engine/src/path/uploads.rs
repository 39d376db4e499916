//! Where a commit's upload journal lives: the names of the files that it is about to upload (P14).

use object_store::path::Path;
use uuid::Uuid;

/// The folder of all journals, in the lake whose prefix is `lake`.
pub(crate) fn upload_journals(lake: &Path) -> Path {
    lake.clone().join("_eddy").join("uploads")
}

/// The journal of the commit `id`, in the lake whose prefix is `lake`.
pub fn upload_journal(lake: &Path, id: Uuid) -> Path {
    upload_journals(lake).join(format!("{id}.json"))
}

/// A new data file in the folder of `path`, both relative to their table.
pub(crate) fn sibling(path: &str, id: Uuid) -> String {
    match path.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{id}.parquet"),
        None => format!("{id}.parquet"),
    }
}
