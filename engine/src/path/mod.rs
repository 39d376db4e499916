//! Every object key of the lake is made and parsed here, and nowhere else.
//!
//! ```text
//! <lake>/<topics.dir>/<topic>/_delta_log/00000000000000000007.json
//! <lake>/<topics.dir>/<topic>/<partition, such as dt=2026-11-23>/<uuid>.parquet
//! <lake>/<whatever Confluent's or Aiven's S3 sink would have called it>
//! <lake>/_eddy/delta/<topic>/_delta_log/...      (of a topic whose files have no folder of theirs)
//! <lake>/exports/<folder>/<replay>/<topic>/<name>.ndjson
//! <lake>/_eddy/uploads/<commit id>.json
//! <lake>/_eddy/retired/<topics.dir>/<topic>/<commit id>.json
//! <lake>/_eddy/altered/<topics.dir>/<topic>/<commit id>.json
//! <lake>/_eddy/filtered/<topics.dir>/<topic>/<commit id>.json
//! <lake>/_eddy/filters/<topics.dir>/<topic>/<pack id>.filters
//! <lake>/_eddy/pins/<topics.dir>/<topic>/<pin id>.json
//! <lake>/_eddy/workers/<worker id>.json
//! <lake>/_eddy/<register>/00000000000000000003.json
//! ```

mod escape;
mod export;
mod foreign;
mod partition;
mod state;
mod table;
mod uploads;

pub(crate) use escape::{escape, unescape};
pub(crate) use export::export_object;
pub use foreign::{ConfluentNames, ForeignFile, Names};
pub(crate) use foreign::{START, START_PADDED, foreign_value, suffixed};
pub use partition::data_file;
pub(crate) use partition::{partition_folder, partition_value};
pub(crate) use state::{altered_object, altered_objects};
pub(crate) use state::{filter_pack, filter_pack_id, filter_packs};
pub(crate) use state::{filtered_object, filtered_objects, stored_object, stored_objects};
pub(crate) use state::{pin, pins, retired_object, retired_objects};
pub(crate) use state::{worker, workers};
pub use table::{FLAT_TABLES, TablePath};
pub(crate) use table::{LogFile, STATE, below, flat_tables};
pub use uploads::upload_journal;

pub(crate) use uploads::{sibling, upload_journals};
