//! A pack: the filters of many files in one object, laid out so that one small range of it answers
//! for all of them.
//!
//! ```text
//! magic
//! member "_key"  | section 0: blocks of prefix 0 of file 1, of file 2, ... sum | section 1 ... |
//! member "id"    | ...                                                                         |
//! member words   | ...                                                                         |
//! footer (JSON): files, members, where they begin | its sum | its length | magic
//! ```
//!
//! A value's hash has a prefix, and of each filter only the blocks of that prefix matter. A member
//! is cut into sections by prefixes, so whoever looks for one value in ten thousand row groups
//! reads one section of each pack. Footers are read once and stay in memory.
//!
//! Packs are made under a new name and never changed. Each part has a checksum: a flipped bit would
//! deny a value that is there.

mod build;
mod layout;
mod store;

pub(crate) use build::{build, section};
pub(crate) use layout::{Footer, MAGIC, Member, PackedFile, part};
pub(crate) use store::{Listed, list, put, read_footer};
