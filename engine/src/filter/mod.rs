//! Filters: what tells a query which rows can't hold what it looks for, without opening their
//! files. Slices of row groups have filters, some thousand rows each.
//!
//! ```text
//! rows of a file --choose--> id columns --gather--> a bloom per slice and column, one of words
//!                                                      | pack: those of many files in one object
//! WHERE id = 'x' AND search('word') --Wanted--> Filters --a small range of each pack--> rows
//! ```
//!
//! Only compaction and its like write filters (`crate::maintain`): on the hot path they would cost
//! too much. They may say yes to what isn't there, never no to what is, and what has no filter, or
//! a broken one, is read as if there were none: they can only cost or save time. So they are not in
//! the table's log; a pack names the files that it tells of, and files never change (E2).

mod hash;
mod words;

mod bloom;
mod choose;
mod gather;
mod slices;

mod pack;

mod ask;
mod known;
mod sections;
mod wanted;

pub use ask::{Filters, Verdict};
pub use gather::Of;
pub use slices::Allowed;
pub use wanted::{Probe, Wanted};
pub use words::{Texts, each_word};

pub(crate) use bloom::BLOCK_BYTES;
pub(crate) use choose::{Chosen, SAMPLE, choose};
pub(crate) use gather::{FileFilters, Gather};
pub(crate) use pack::{
    Footer, Listed, MAGIC, Member, PackedFile, build, list, part, put as put_pack, read_footer,
    section,
};
pub(crate) use slices::SLICE_ROWS;
