//! Where a table's own records under `_eddy/` live.

use object_store::path::Path;
use uuid::Uuid;

use crate::path::TablePath;

/// The folder of the records of what left `table` for good, in the lake whose prefix is `lake`.
pub(crate) fn retired_objects(lake: &Path, table: &TablePath) -> Path {
    of_table(lake, "retired", table)
}

/// What left with the commit `id`.
pub(crate) fn retired_object(lake: &Path, table: &TablePath, id: Uuid) -> Path {
    retired_objects(lake, table).join(format!("{id}.json"))
}

/// The folder of the records of what was filtered before it could be a row of `table`.
pub(crate) fn filtered_objects(lake: &Path, table: &TablePath) -> Path {
    of_table(lake, "filtered", table)
}

/// What the commit `id` passed over.
pub(crate) fn filtered_object(lake: &Path, table: &TablePath, id: Uuid) -> Path {
    filtered_objects(lake, table).join(format!("{id}.json"))
}

/// The folder of the records of positions of `table` that were altered by hand.
pub(crate) fn altered_objects(lake: &Path, table: &TablePath) -> Path {
    of_table(lake, "altered", table)
}

/// What the commit `id` altered.
pub(crate) fn altered_object(lake: &Path, table: &TablePath, id: Uuid) -> Path {
    altered_objects(lake, table).join(format!("{id}.json"))
}

/// The folder of the records of what is stored beside `table`, in objects that are no files of it.
pub(crate) fn stored_objects(lake: &Path, table: &TablePath) -> Path {
    of_table(lake, "stored", table)
}

/// What the commit `id` came with.
pub(crate) fn stored_object(lake: &Path, table: &TablePath, id: Uuid) -> Path {
    stored_objects(lake, table).join(format!("{id}.json"))
}

/// The folder of the pins of `table`'s versions.
pub(crate) fn pins(lake: &Path, table: &TablePath) -> Path {
    of_table(lake, "pins", table)
}

/// The pin `id`.
pub(crate) fn pin(lake: &Path, table: &TablePath, id: Uuid) -> Path {
    pins(lake, table).join(format!("{id}.json"))
}

/// The folder of the packs of filters of `table`'s files.
pub(crate) fn filter_packs(lake: &Path, table: &TablePath) -> Path {
    of_table(lake, "filters", table)
}

/// The pack `id`.
pub(crate) fn filter_pack(lake: &Path, table: &TablePath, id: Uuid) -> Path {
    filter_packs(lake, table).join(format!("{id}.{FILTERS}"))
}

/// The id of the pack at `path`; `None` for anything else.
pub(crate) fn filter_pack_id(path: &Path) -> Option<Uuid> {
    let (id, kind) = path.filename()?.split_once('.')?;
    id.parse().ok().filter(|_| kind == FILTERS)
}

/// The folder of where workers are reached.
pub(crate) fn workers(lake: &Path) -> Path {
    lake.clone().join("_eddy").join("workers")
}

/// Where the worker `name` is reached.
pub(crate) fn worker(lake: &Path, name: &str) -> Path {
    workers(lake).join(format!("{name}.json"))
}

/// What the names of packs end in.
const FILTERS: &str = "filters";

/// Folders in it are those of tables whose `topics.dir` goes on where this table's name ends: who
/// lists it takes the objects that lie in it and nothing below.
fn of_table(lake: &Path, kind: &str, table: &TablePath) -> Path {
    let folder = lake.clone().join("_eddy").join(kind);
    table
        .topics_dir()
        .split('/')
        .chain([table.topic()])
        .filter(|part| !part.is_empty())
        .fold(folder, |path, part| path.join(part))
}
