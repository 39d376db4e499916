//! Whose habits a table's files follow: Eddy's own, or those of another sink.
//!
//! ```text
//! native:   dt=2026-11-23/<uuid>.parquet             partition columns, files shared by partitions
//! foreign:  <encoded partition>/<topic>+<partition>+<start offset>.snappy.parquet
//!             a file is of one Kafka partition, one encoded partition and one rotation;
//!             the log beside them has no partition columns
//! ```
//!
//! In a foreign layout a name follows from the records alone, if a rotation does: so many records
//! of a Kafka partition, or so much of their time. The commit then takes whole rotations and leaves
//! the open ones buffered, and a restart makes the same files again. What takes an open rotation
//! along (memory, a revoke, an age) makes a file that ends early; nothing else depends on it.
//!
//! The names are made in `path/`, the rows put into files in `write/`. What is fixed when the table
//! is made is only that it is foreign: how its files are called and cut may change at any time.

mod folder;
mod place;
mod rotation;
mod template;

use std::sync::Arc;

pub use crate::encode::Codec;
pub use crate::flat::Flat;
pub use crate::path::{ConfluentNames, ForeignFile, Names};
pub use folder::{Folders, TimeFolders, TimeSource};
pub use rotation::Rotation;
pub use template::{Template, TemplateTime};

pub(crate) use place::{file_of, place};
pub(crate) use rotation::{Group, Take};

/// The table property that a foreign layout has.
pub(crate) const PROPERTY: &str = "eddy.layout";
/// What the property says.
pub(crate) const FOREIGN: &str = "foreign";

/// Whose habits a table's files follow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Layout {
    /// Eddy's own: by partition columns, named at random.
    #[default]
    Native,
    /// Another sink's.
    Foreign(Arc<Foreign>),
}

/// The habits of another sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// How its objects are called.
    pub names: Names,
    /// Which encoded partition a record belongs to.
    pub folders: Folders,
    /// When its files end.
    pub rotation: Rotation,
    /// What they hold.
    pub format: Format,
}

/// What the files of another sink's layout hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// Parquet, of which the table consists; their pages compressed so.
    Parquet(Codec),
    /// Records one behind the other: objects beside the table, which no reader of it can read.
    Flat(Flat),
}

impl Layout {
    /// The habits, if they are another sink's.
    pub fn foreign(&self) -> Option<&Foreign> {
        match self {
            Self::Native => None,
            Self::Foreign(foreign) => Some(foreign),
        }
    }

    /// How records stand one behind the other, where they do.
    pub fn flat(&self) -> Option<&Flat> {
        match &self.foreign()?.format {
            Format::Parquet(_) => None,
            Format::Flat(flat) => Some(flat),
        }
    }
}
