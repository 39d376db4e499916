//! Where a commit's upload journal lives: the names of the files that it is about to upload (P14).

use object_store::path::Path;
use uuid::Uuid;

/// The journal of the commit `id`, in the lake whose prefix is `lake`.
pub fn upload_journal(lake: &Path, id: Uuid) -> Path {
    lake.clone()
        .join("_eddy")
        .join("uploads")
        .join(format!("{id}.json"))
}

/// A data file's path relative to its table: `dt=2026-11-23/<uuid>.parquet` (P13).
pub fn data_file(day: &str, id: Uuid) -> String {
    format!("dt={day}/{id}.parquet")
}
