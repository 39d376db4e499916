//! Where a commit's upload journal lives: the names of the files that it is about to upload (P14).

use object_store::path::Path;
use uuid::Uuid;

use super::foreign::rewritten;

/// The folder of all journals, in the lake whose prefix is `lake`.
pub(crate) fn upload_journals(lake: &Path) -> Path {
    lake.clone().join("_eddy").join("uploads")
}

/// The journal of the commit `id`, in the lake whose prefix is `lake`.
pub fn upload_journal(lake: &Path, id: Uuid) -> Path {
    upload_journals(lake).join(format!("{id}.json"))
}

/// A new data file in the folder of `path`, which is named as the log names files. Beside one of a
/// foreign layout it keeps the name's beginning, so that whoever goes by names finds it.
pub(crate) fn sibling(path: &str, id: Uuid) -> String {
    let (folder, name) = match path.rsplit_once('/') {
        Some((folder, name)) => (format!("{folder}/"), name),
        None => (String::new(), path),
    };
    let stem = name.strip_suffix(".parquet").unwrap_or(name);
    match Uuid::try_parse(stem) {
        Ok(_) => format!("{folder}{id}.parquet"),
        Err(_) => format!("{folder}{}", rewritten(name, id)),
    }
}
