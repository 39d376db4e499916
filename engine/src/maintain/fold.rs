//! Many records of what filters passed over become one: a table has one for each of its commits.
//!
//! The one is made before the others go, so that whoever looks meanwhile finds each range at least
//! once. It is made before old commits are cleaned, since it is by these that a record is known to
//! have landed. What never landed goes once its commit can't come any more.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::commit::{GRACE, TableLog, Version};
use crate::error::Result;
use crate::lake::Lake;
use crate::path::TablePath;
use crate::read::filtered::{self, Kept};

/// Fewer are left alone.
const MANY: usize = 64;

/// Commits that are looked at first; twice as many each time until they reach far enough back.
const COMMITS: usize = 512;

/// A committer's clock may be this much behind the one that wrote the record.
const SKEW_MS: i64 = 600_000;

/// Folds the table's records where there are many; answers how many went.
///
/// # Errors
/// `Unavailable`; `Data` for a record or a commit that can't be read.
pub(super) fn fold(lake: &Lake, table: &TablePath) -> Result<usize> {
    let kept = {
        let (lake, table) = (lake.clone(), table.clone());
        lake.clone()
            .wait(async move { filtered::kept(&lake, &table).await })??
    };
    if kept.len() < MANY {
        return Ok(0);
    }
    // Opened after the records were listed: a commit that landed before is in it.
    let Some(log) = TableLog::open(lake, table)? else {
        return Ok(0);
    };
    let oldest_ms = kept.iter().map(|one| one.at_us / 1_000).min().unwrap_or(0);
    let history = back_to(&log, oldest_ms - SKEW_MS)?;
    let landed: BTreeSet<Uuid> = history.iter().filter_map(|version| version.id).collect();
    let long_ago = lake.clock().now_us() - 2 * i64::try_from(GRACE.as_micros()).unwrap_or(i64::MAX);
    let (settled, others): (Vec<Kept>, Vec<Kept>) = kept
        .into_iter()
        .partition(|one| one.landed || landed.contains(&one.id));
    let mut going: Vec<Uuid> = settled.iter().map(|one| one.id).collect();
    if settled.len() > 1 {
        filtered::record_landed(lake, table, &settled)?;
    } else {
        going.clear();
    }
    going.extend(
        others
            .iter()
            .filter(|one| one.at_us < long_ago)
            .map(|one| one.id),
    );
    filtered::remove(lake, table, &going)?;
    Ok(going.len())
}

/// The commits since a moment, as far as the log has them.
fn back_to(log: &TableLog, ms: i64) -> Result<Vec<Version>> {
    let mut most = COMMITS;
    loop {
        let history = log.history(most)?;
        let reached = history.last().and_then(|oldest| oldest.timestamp_ms);
        if history.len() < most || reached.is_some_and(|reached| reached < ms) {
            return Ok(history);
        }
        most *= 2;
    }
}
