//! Where files lie that are made for others to take.

use object_store::path::Path;

/// The file that the last of `parts` names, below the folders that the others name, below `folder`,
/// whose parts are folders too; in the lake whose prefix is `lake`.
pub(crate) fn export_object(lake: &Path, folder: &str, parts: &[&str]) -> Path {
    let parts = folder.split('/').chain(parts.iter().copied());
    parts.fold(lake.clone().join("exports"), |path, part| path.join(part))
}
