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
pub use crate::flat::{Flat, Part};
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
    /// What lies beside each of them.
    pub sides: Vec<Side>,
    /// What the store is told of each object.
    pub tags: Option<Tags>,
}

/// An object beside each file, of the same records in the same order: their keys, or their headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// What it holds.
    pub holds: Holds,
    /// What stands in its name where the file's has its extension: `.keys.avro`.
    pub extension: String,
}

/// What an object beside a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    /// Records one behind the other.
    Flat(Flat),
    /// A column of Parquet; its pages compressed so.
    Column(Part, Codec),
}

/// What the store is told of each object besides its bytes: its first and last offset, how many
/// records it holds, and what else is to be said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tags {
    /// Further names and values.
    pub more: Vec<(String, String)>,
    /// A store that takes no tags gets objects without them; else it is an error.
    pub may_miss: bool,
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

    /// What lies beside each file.
    pub fn sides(&self) -> &[Side] {
        self.foreign().map_or(&[], |foreign| &foreign.sides)
    }

    /// Whether something is written that no file of the table is.
    pub(crate) fn has_objects(&self) -> bool {
        self.flat().is_some() || !self.sides().is_empty()
    }

    /// Whether Avro is written, so that records had better come with the schemas that they have.
    pub fn is_avro(&self) -> bool {
        let sides = self.sides().iter().filter_map(|side| match &side.holds {
            Holds::Flat(flat) => Some(flat),
            Holds::Column(..) => None,
        });
        sides.chain(self.flat()).any(Flat::is_avro)
    }

    /// How records stand one behind the other, where they do.
    pub fn flat(&self) -> Option<&Flat> {
        match &self.foreign()?.format {
            Format::Parquet(_) => None,
            Format::Flat(flat) => Some(flat),
        }
    }
}
