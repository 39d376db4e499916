//! Many records of what is no row become one: a table has one for each of its commits that a filter
//! passed over something for, or that came with objects beside the table.
//!
//! The one is made before the others go, so that whoever looks meanwhile finds each range at least
//! once. It is made before old commits are cleaned, since it is by these that a record is known to
//! have landed. What never landed goes once its commit can't come any more.

use uuid::Uuid;

use crate::commit::{GRACE, TableLog};
use crate::error::Result;
use crate::lake::Lake;
use crate::path::TablePath;
use crate::read::filtered::{self, Kept, Kind, Landed};

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
    let now_us = lake.clock().now_us();
    let grace_us = i64::try_from(GRACE.as_micros()).unwrap_or(i64::MAX);
    // Few ones, too, before the commits are cleaned away by which they are known to have landed.
    let is_due = |one: &Kept| !one.landed && one.at_us < now_us - grace_us;
    if kept.len() < MANY && !kept.iter().any(is_due) {
        return Ok(0);
    }
    // Opened after the records were listed: a commit that landed before is in it.
    let Some(log) = TableLog::open(lake, table)? else {
        return Ok(0);
    };
    let oldest_ms = kept.iter().map(|one| one.at_us / 1_000).min().unwrap_or(0);
    let landed = Landed::of(&log.back_to(oldest_ms)?);
    let (settled, others): (Vec<Kept>, Vec<Kept>) =
        kept.into_iter().partition(|one| landed.has(one));
    let mut going: Vec<Uuid> = settled.iter().map(|one| one.id).collect();
    if settled.len() > 1 || settled.iter().any(is_due) {
        filtered::record_landed(lake, table, kind, &settled)?;
    } else {
        going.clear();
    }
    let long_ago = now_us - 2 * grace_us;
    let never = others.iter().filter(|one| one.at_us < long_ago);
    going.extend(never.map(|one| one.id));
    filtered::remove(lake, table, kind, &going)?;
    Ok(going.len())
}
