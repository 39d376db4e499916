//! One Delta table's log: the commit, and the rules that make it exactly once.
//!
//! A commit is one object, `_delta_log/<version>.json`, put on the condition that no such object
//! exists. It holds the data files *and* the position of each Kafka partition, so both become true
//! in the same instant or not at all. Everything else here is about the ways in which that instant
//! can be unclear.
//!
//! ```text
//! Cut {files, moves}
//!   |  check      backwards? twice? uploaded too long ago?              (E3, P14)   cut
//!   |  fence      is each position where the writer last saw it?        (P8)        transact
//!   |  compose    the kernel's commitInfo and txn + our add lines       (P2, P9)    committer
//!   |  put        create-only; any answer but success: read it back     (P9)        put
//!   |  adopt      the next base, without reading anything               (E4)        transact
//!   v  acknowledge, unless we slept past the log's cleaning             (P10)       transact
//! Committed {version}
//! ```
//!
//! The Delta kernel reads the log, composes each version and writes checkpoints; the bytes of a
//! version are put by our own committer, because only the bytes that were sent can say what became
//! of them. Version 0 is ours altogether: the kernel would make a table that older readers refuse.
//!
//! # The rules
//!
//! Each stands with what happens without it, and the test that plays it.
//!
//! - **P1** A record is (topic id, partition, offset). *Else* a topic is deleted and made again, we
//!   seek to the old position in the new one and lose what is below. Here: positions are keyed by
//!   topic id; asking the broker is the connector's.
//! - **P2** The position belongs to the table: `txn` `eddy/<topic id>/<partition>` is the next
//!   offset, `.../epoch` rises whenever it moves other than forward by a commit, `.../leader` is
//!   the leader epoch (none where the position was put by hand); `eddy/owner` is the connector.
//!   *Else* a connector under a new name doubles the topic, and an offset that goes 1000, 500, 1000
//!   passes a zombie's fence (`a_position_that_went_away_and_came_back_still_fences`,
//!   `p2_a_zombie_can_not_commit_though_the_position_comes_back_to_where_it_was`).
//! - **P3** The start is stored before the first record: a [`Move`] without `from` and a [`Cut`]
//!   without files. *Else* a crash before the first commit starts somewhere else.
//! - **P4** A cut may move positions without rows: control records and aborted transactions are
//!   progress too.
//! - **P5** A position that is altered by hand takes the rows at or beyond it out in the same
//!   commit, and the epoch rises; what was passed over is recorded before it, and the table points
//!   at the record ([`crate::maintain::alter()`],
//!   `p5_a_rewind_removes_the_rows_beyond_in_the_version_that_moves_the_position`).
//! - **P6** A commit is a cut: every row below it, in every file, goes in together. *Else* one of
//!   two files with offsets 0,2,4 and 1,3 is committed and the other lost or doubled. The writer
//!   owns it; here, a cut is one version.
//! - **P7** What is revoked is committed in time or dropped. The writer's; a commit that lands
//!   after it gave up is harmless by P8.
//! - **P8** (epoch, position) of every partition in the cut equals what the writer last saw,
//!   checked again after each lost race (`commits_are_seen_by_readers_and_other_writers`).
//! - **P9** Each payload has an id, in `commitInfo`. After anything but success that version is
//!   read; while it is unsettled only the identical bytes are sent again. *Else* the delayed first
//!   put lands, the second, larger one is refused, the writer finds "its" commit and acknowledges
//!   rows that were never written (`a_late_first_put_is_not_taken_for_a_larger_second_one`,
//!   `an_unsettled_cut_sends_its_own_bytes_until_another_has_the_version`).
//! - **P10** If what we know of the log is older than an hour when the put is answered, the log is
//!   loaded anew before anything is acknowledged. *Else* the condition holds on a version below a
//!   cleaned log: a commit that nobody will ever see
//!   (`a_commit_below_a_cleaned_log_is_not_acknowledged`).
//! - **P11** Columns are reserved by a commit of their names alone, before the files that need
//!   them ([`TableLog::reserve`]). *Else* two writers give one name to two types
//!   (`the_loser_of_a_reservation_takes_the_winners_names`).
//! - **P12** Live rows bind by identity too. The writer's.
//! - **P13** Every object is create-only, and at start the store is asked whether it knows what
//!   that means (`crate::probe`, `a_store_that_ignores_conditions_is_refused`). *Else* a zombie
//!   overwrites a live file with fewer rows.
//! - **P14** A file whose upload began more than half of [`GRACE`] ago is refused: whoever removes
//!   orphans may be about to (`a_file_whose_upload_began_too_long_ago_is_refused`).
//! - **P15** A rewrite becomes a version only while every file that it removes is still live with
//!   the same add; looked at again after each lost race ([`Rewrite`]). *Else* two that compact the
//!   same files double their rows (`p15_of_two_rewrites_of_one_file_the_second_is_abandoned`).
//! - **P16** A version that someone reads stays readable: `crate::maintain` cleans nothing at or
//!   above a pin.
//! - **P17** Commit small and often: a commit costs the same at any size of the table, thanks to
//!   the base that each commit leaves for the next, and a checkpoint every hundred
//!   ([`TableLog::checkpoint_if_due`]).
//! - **P18** A record that can't be decoded is a row in the same cut. The writer's.
//! - **P20** Positions and files of a [`crate::read::Snapshot`] are of one version (E4), so that
//!   live rows can be clipped by it.
//! - **P22** On each refresh the protocol, the properties and the positions are compared with what
//!   they were (`foreign_commits_that_break_positions_are_refused`).
//!
//! # The crash table
//!
//! What a crash leaves at each fault point (`EDDY_FAULT=<point>:<nth>:kill` in a test build), from
//! the record's arrival to the acknowledgement. In every row the next start reads the table's
//! positions and seeks there; what differs is what lies in the store.
//!
//! | point | what is left | on recovery |
//! |---|---|---|
//! | (a record is appended) | nothing | read from Kafka again |
//! | `before_reserve` | nothing | as above |
//! | `after_reserve` | columns without rows | there for the next cut |
//! | `before_encode` | as above | as above |
//! | `before_upload` | as above | as above |
//! | (the journal is written) | the names of files to come | the journal says what may go |
//! | `after_upload` | files that no version names | as above; the rows are written anew |
//! | `after_filtered` | as above, and what was filtered, named by no version | as above |
//! | `after_stored` | the same of objects beside the table (`crate::flat`) | as above |
//! | `before_commit` | as above | as above |
//! | `before_put` | as above | as above |
//! | (the put is under way) | the row above or the row below | one object decides |
//! | `after_put` | the version, unacknowledged | the position is past its rows |
//! | `after_commit` | as above | as above |
//! | `before_group_commit` | the group's offsets behind | the table's positions win |
//! | `before_checkpoint` | nothing | the next commit finds it due |
//! | (a checkpoint is under way) | part of one, or all but its hint | the log is read instead |
//! | `after_checkpoint` | a checkpoint | used |
//! | `before_altered` | rewritten files that no version names | as above; asked again |
//! | `after_altered` | as above, and a record that nothing points at | as above |
//! | (version 0 is under way) | an owner's name, perhaps a table | opened or made |
//!
//! A commit that was under way when its process died may land minutes later. It finds its version
//! taken by the successor's commit and fails, or it is the version, and the successor's loses the
//! race, refreshes, fails the fence and reads again from there (P8, P9).

mod actions;
mod app;
mod checkpoint;
pub(crate) mod columns;
mod committer;
mod create;
mod cut;
mod history;
#[cfg(any(test, feature = "testing"))]
pub mod invariants;
pub(crate) mod kernel;
mod log;
mod put;
mod reserve;
mod rewrite;
pub(crate) mod since;
mod table_state;
#[cfg(test)]
mod tests;
mod transact;

pub use actions::MovedRange;
pub use cut::{Committed, Cut, DataFile, GRACE, Move, Rewrite};
pub(crate) use history::Commits;
pub use history::Version;
pub use log::TableLog;
pub use since::Since;

pub(crate) use actions::{Actions, Metadata, data_file, read as read_commit};
pub(crate) use app::record_number;
pub(crate) use table_state::{TableState, check_positions, record_batch, strings};

/// How Eddy names itself in a table's history.
const ENGINE: &str = concat!("Eddy/", env!("CARGO_PKG_VERSION"));
