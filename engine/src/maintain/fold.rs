//! Many records of what is no row become one: a table has one for each of its commits that a filter
//! passed over something for, or that came with objects beside the table.
//!
//! The one is made before the others go, so that whoever looks meanwhile finds each range at least
//! once. It is made before old commits are cleaned, since it is by these that a record is known to
//! have landed. What never landed goes once its commit can't come any more.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::commit::{GRACE, TableLog};
use crate::error::Result;
use crate::lake::Lake;
use crate::path::TablePath;
use crate::read::filtered::{self, Kept, Kind};

/// Fewer are left alone.
const MANY: usize = 64;

/// Folds the table's records where there are many; answers how many went.
///
/// # Errors
/// `Unavailable`; `Data` for a record or a commit that can't be read.
pub(super) fn fold(lake: &Lake, table: &TablePath) -> Result<usize> {
    let folded = Kind::ALL.iter().map(|kind| fold_kind(lake, table, *kind));
    folded.sum()
}

fn fold_kind(lake: &Lake, table: &TablePath, kind: Kind) -> Result<usize> {
    let kept = {
        let (lake, table) = (lake.clone(), table.clone());
        lake.clone()
            .wait(async move { filtered::kept(&lake, &table, kind).await })??
    };
    if kept.len() < MANY {
        return Ok(0);
    }
    // Opened after the records were listed: a commit that landed before is in it.
    let Some(log) = TableLog::open(lake, table)? else {
        return Ok(0);
    };
    let oldest_ms = kept.iter().map(|one| one.at_us / 1_000).min().unwrap_or(0);
    let history = log.back_to(oldest_ms)?;
    let landed: BTreeSet<Uuid> = history.iter().filter_map(|version| version.id).collect();
    let long_ago = lake.clock().now_us() - 2 * i64::try_from(GRACE.as_micros()).unwrap_or(i64::MAX);
    let (settled, others): (Vec<Kept>, Vec<Kept>) = kept
        .into_iter()
        .partition(|one| one.landed || landed.contains(&one.id));
    let mut going: Vec<Uuid> = settled.iter().map(|one| one.id).collect();
    if settled.len() > 1 {
        filtered::record_landed(lake, table, kind, &settled)?;
    } else {
        going.clear();
    }
    going.extend(
        others
            .iter()
            .filter(|one| one.at_us < long_ago)
            .map(|one| one.id),
    );
    filtered::remove(lake, table, kind, &going)?;
    Ok(going.len())
}
