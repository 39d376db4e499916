//! Eddy's own state under `_eddy/`: numbered objects that are made once and never changed
//! ([`Register`]), and those that have an id instead of a number (`once`; in a folder that is read
//! as a whole, [`Records`]). What says where workers are is the exception: it is put anew while it
//! holds ([`workers`]).
//!
//! ```text
//! <lake>/_eddy/replays/7f3c/00000000000000000000.json
//! <lake>/_eddy/replays/7f3c/00000000000000000001.json
//! ```
//!
//! A conditional update doesn't exist on local disk, a create-only put does everywhere. So a
//! change is the next number, and the number is the fence: of two that want to change the same
//! thing, one finds its number taken (P23). Objects that newer ones have long replaced go.

pub(crate) mod once;
mod records;
mod register;
pub mod workers;

pub use records::{Listed, Records};
pub use register::Register;
