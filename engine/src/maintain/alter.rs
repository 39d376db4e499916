//! Positions altered by hand: back to be recorded again, or forward past what is not wanted (P5).
//!
//! ```text
//! which files hold rows at or beyond the targets -> made anew without them            P14
//!   -> what is altered is recorded -> one version {removes, adds, positions, epochs}  P8, P15, E3
//!      ^ again, if somebody wrote, compacted or altered meanwhile
//! ```
//!
//! The rows go in the same version in which the position does, so each readable version accounts
//! each offset below its positions once (E1). The epoch rises with every alteration: whoever wrote
//! before it can't commit any more, also when the position comes back to where it was (P2). Older
//! versions keep their files until they are cleaned as any others.
//!
//! A table is altered in one commit, several tables aren't: each is whole by itself, and the same
//! request made again finds done what is done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::commit::{Cut, DataFile, Move, Rewrite};
use crate::error::{Error, ErrorKind, Result};
use crate::fault;
use crate::lake::Lake;
use crate::maintain::beyond::{self, Targets, Verdict};
use crate::maintain::compact::commit;
use crate::maintain::output::Made;
use crate::maintain::scan::Scan;
use crate::maintain::without::{check_journals, check_stored, without};
use crate::path::TablePath;
use crate::read::altered;
use crate::read::{Alterations, Altered, Snapshot, alterations};
use crate::record::{Position, TopicId};
use crate::write::forget_journals;
use arrow::array::BooleanArray;

/// How often the table is looked through anew because others changed it meanwhile.
const ROUNDS: u32 = 100;

/// Where the positions of one topic's partitions are put.
#[derive(Debug, Clone)]
pub struct Alteration {
    /// The topic's id (P1).
    pub topic_id: TopicId,
    /// Partitions and where they go. One that the table doesn't know begins there (P3).
    pub targets: BTreeMap<i32, Target>,
    /// Why, for people who read the record.
    pub reason: String,
}

/// Where one partition goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The next offset.
    pub offset: i64,
    /// It is where a new connector would begin, not an offset that somebody named.
    pub reset: bool,
}

/// What an alteration did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// The version that did it; `None` when everything was there already.
    pub version: Option<u64>,
    /// The partitions that moved: from where, to where.
    pub moved: Vec<(i32, Option<i64>, i64)>,
    /// The files that left the table.
    pub files_removed: usize,
    /// The files that hold what is left of them.
    pub files_added: usize,
}

/// Puts positions of `table` where `alteration` says, and removes the rows at or beyond them. What
/// is there already is left as it is, so that a request can be made again. Blocks.
///
/// # Errors
/// `Unavailable` when the store does not answer or others changed the table all the while: what
/// became of it is found out by the next call. `NotFound` when there is no such table; `Invalid`
/// for a negative target, or one that goes back where records are stored beside the table; `Data`
/// for a file or a record that can't be read; `Fenced` when `halt` was set.
pub fn alter(
    lake: &Lake,
    table: &TablePath,
    alteration: &Alteration,
    halt: &AtomicBool,
) -> Result<Moved> {
    if alteration.targets.values().any(|target| target.offset < 0) {
        return Err(Error::invalid("an offset is zero or more"));
    }
    for _ in 0..ROUNDS {
        let snapshot = Snapshot::load(lake, table, None)?
            .ok_or_else(|| Error::not_found(format!("there is no table `{}`", table.topic())))?;
        let before = {
            let (lake, table, snapshot) = (lake.clone(), table.clone(), snapshot.clone());
            let of = lake.clone();
            of.wait(async move { alterations(&lake, &table, &snapshot).await })??
        };
        let moves = moves(&snapshot, alteration, &before);
        if moves.is_empty() {
            return Ok(Moved::default());
        }
        match round(lake, table, alteration, &snapshot, &before, moves, halt) {
            Err(error) if error.kind() == ErrorKind::Fenced && !halt.load(Ordering::Relaxed) => {
                tracing::info!(topic = table.topic(), %error, "positions are altered once more");
            }
            done => return done,
        }
    }
    Err(Error::unavailable(format!(
        "table `{}` changed all the while; call again",
        table.topic()
    )))
}

/// Whether a position is one that nobody has moved or asked for: a partition's beginning as a new
/// connector finds it.
pub fn is_untouched(position: Position, altered: Option<&Altered>) -> bool {
    match altered {
        Some(altered) => altered.reset && altered.to == position.offset,
        None => position.offset == 0 && position.epoch == 0,
    }
}

/// What has to move. Pure.
fn moves(snapshot: &Snapshot, alteration: &Alteration, before: &Alterations) -> Vec<Move> {
    let topic_id = &alteration.topic_id;
    let wanted = alteration.targets.iter().filter(|(partition, target)| {
        let key = (topic_id.clone(), **partition);
        let Some(now) = snapshot.positions.get(&key) else {
            return true;
        };
        now.offset != target.offset || is_untouched(*now, before.get(&key)) != target.reset
    });
    let moves = wanted.map(|(partition, target)| {
        let from = snapshot.position(topic_id, *partition);
        Move {
            topic_id: topic_id.clone(),
            partition: *partition,
            from,
            to: target.offset,
            raise: from.is_some(),
            altered: true,
            leader_epoch: None,
        }
    });
    moves.collect()
}

/// One attempt, on what `snapshot` shows.
fn round(
    lake: &Lake,
    table: &TablePath,
    alteration: &Alteration,
    snapshot: &Snapshot,
    before: &Alterations,
    moves: Vec<Move>,
    halt: &AtomicBool,
) -> Result<Moved> {
    let back = moves.iter().filter(|moved| {
        let from = moved.from.map_or(0, |from| from.offset);
        moved.to < from
    });
    let targets = Targets {
        topic_id: alteration.topic_id.clone(),
        offsets: back.map(|moved| (moved.partition, moved.to)).collect(),
    };
    if !targets.offsets.is_empty() {
        check_stored(
            lake,
            table,
            "which stay: a position can go forward but not back; a connector with another bucket \
             or `topics.dir` begins anew",
        )?;
    }
    let found = look(lake, table, snapshot, &targets, halt)?;
    let leaving: Vec<Arc<DataFile>> = found.leaving().cloned().collect();
    let mut made = Made::default();
    if !leaving.is_empty() {
        let paths = leaving.iter().map(|file| file.path.as_str());
        check_journals(lake, table, snapshot, paths)?;
        made = without(lake, table, snapshot, &found.across)?.made;
    }
    let records = records(alteration, before, &moves);
    let cut = Cut {
        id: lake.clock().new_id(),
        begun_us: lake.clock().now_us(),
        files: made.files,
        apart: Vec::new(),
        moves,
        rewrite: (!leaving.is_empty()).then_some(Rewrite {
            removes: leaving,
            planned_at: snapshot.version,
            data_change: true,
        }),
        operation: "ALTER OFFSETS",
    };
    // What is committed is in the lake; what isn't belongs to a writer that can't commit any more.
    lake.live()
        .forget(table, &targets.topic_id, &targets.offsets);
    let version = commit_altering(lake, table, &cut, &records)?;
    forget_journals(lake, &made.journals);
    let moved = Moved::of(&cut, version);
    tracing::info!(topic = table.topic(), version, reason = %alteration.reason,
        files_removed = moved.files_removed, files_added = moved.files_added,
        partitions = ?moved.moved, "positions were altered");
    Ok(moved)
}

/// Records what `cut` alters, then commits it. A record that no version points at says nothing; it
/// is only untidy.
fn commit_altering(
    lake: &Lake,
    table: &TablePath,
    cut: &Cut,
    records: &Alterations,
) -> Result<u64> {
    fault::point("before_altered");
    altered::record(lake, table, cut.id, records)?;
    fault::point("after_altered");
    let committed = commit(lake, table, cut);
    if let Err(error) = &committed
        && error.kind() == ErrorKind::Fenced
        && let Err(error) = altered::withdraw(lake, table, cut.id)
    {
        tracing::warn!(topic = table.topic(), commit = %cut.id, %error,
            "the record of an alteration that did not happen could not be taken back");
    }
    committed
}

impl Moved {
    fn of(cut: &Cut, version: u64) -> Self {
        let removes = cut.rewrite.iter().flat_map(|rewrite| &rewrite.removes);
        let moved = cut.moves.iter().map(|moved| {
            let from = moved.from.map(|from| from.offset);
            (moved.partition, from, moved.to)
        });
        Self {
            version: Some(version),
            moved: moved.collect(),
            files_removed: removes.count(),
            files_added: cut.files.len(),
        }
    }
}

/// The files with rows that go.
#[derive(Default)]
struct Found {
    /// All of their rows go.
    beyond: Vec<Arc<DataFile>>,
    /// Those rows go that are true.
    across: Vec<(Arc<DataFile>, BooleanArray)>,
}

impl Found {
    fn leaving(&self) -> impl Iterator<Item = &Arc<DataFile>> {
        self.beyond
            .iter()
            .chain(self.across.iter().map(|(file, _)| file))
    }
}

fn look(
    lake: &Lake,
    table: &TablePath,
    snapshot: &Snapshot,
    targets: &Targets,
    halt: &AtomicBool,
) -> Result<Found> {
    let mut found = Found::default();
    if targets.offsets.is_empty() {
        return Ok(found);
    }
    let columns = beyond::COLUMNS.map(str::to_owned);
    for file in snapshot.files.iter() {
        if halt.load(Ordering::Relaxed) {
            return Err(Error::fenced(
                "the positions were left as they are because the process ends",
            ));
        }
        match targets.judge(file) {
            Verdict::Stays => {}
            Verdict::Goes => found.beyond.push(Arc::clone(file)),
            Verdict::Look => {
                let scan = Scan::open(lake, table, snapshot, file)?;
                let Some(rows) = scan.matching(&columns, &|batch| targets.beyond(batch))? else {
                    continue;
                };
                match rows.true_count() == rows.len() {
                    true => found.beyond.push(Arc::clone(file)),
                    false => found.across.push((Arc::clone(file), rows)),
                }
            }
        }
    }
    Ok(found)
}

/// What is recorded of each move: all that was recorded of the partition, and this.
fn records(alteration: &Alteration, before: &Alterations, moves: &[Move]) -> Alterations {
    let records = moves.iter().map(|moved| {
        let key = (moved.topic_id.clone(), moved.partition);
        let reset = alteration.targets.get(&moved.partition);
        let altered = Altered::after(
            before.get(&key),
            moved.from,
            moved.target(),
            reset.is_some_and(|target| target.reset),
            &alteration.reason,
        );
        (key, altered)
    });
    records.collect()
}
