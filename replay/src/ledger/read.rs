//! What is stored of a replay's entries, whatever stands for what.

use std::collections::BTreeMap;

use futures::StreamExt;

use super::folds::Folds;
use super::{Entries, Failure, folder};
use crate::error::{Error, Result};
use crate::mapping::Joined;
use crate::store::Store;

/// The folder of the registers that say which objects stand for which.
const FOLDS: &str = "replay_folds";

/// How often the objects are listed anew because one went before it was read.
const LOOKS: u32 = 5;

/// Objects that are read at once.
const AT_ONCE: usize = 16;

/// All entries of a replay, in the order in which they were stored; at most `most` of them. Of
/// several failures of one record it is the last, and runs are joined.
///
/// # Errors
/// `Unavailable`; `Invalid` when there are more.
pub(crate) async fn entries(store: &Store, replay: &str, most: usize) -> Result<Entries> {
    let folder = folder(replay);
    for _ in 0..LOOKS {
        let listed = store.listed(&folder).await?;
        let (_, folds) = folds(store, replay).await?;
        let names = folds.names(&folds.sort(&listed));
        if let Some(found) = together(store, replay, &names, most).await? {
            return Ok(found);
        }
    }
    Err(Error::unavailable(format!(
        "the entries of replay `{replay}` change all the while; call again"
    )))
}

/// What stands for what in a replay's folder, and the number of the register's next object.
///
/// # Errors
/// As [`Store::latest`].
pub(super) async fn folds(store: &Store, replay: &str) -> Result<(u64, Folds)> {
    let found = store.latest(&register(replay)).await?;
    Ok(found.map_or((0, Folds::default()), |(number, folds)| (number + 1, folds)))
}

/// The register that says which of a replay's objects stand for which.
pub(super) fn register(replay: &str) -> String {
    format!("{FOLDS}/{replay}")
}

/// What the objects of these names say, one behind the other; `None` where one is gone.
///
/// # Errors
/// `Unavailable`; `Invalid` when there are more than `most` entries.
pub(super) async fn together(
    store: &Store,
    replay: &str,
    names: &[String],
    most: usize,
) -> Result<Option<Entries>> {
    let folder = folder(replay);
    let reads = names.iter();
    let reads: Vec<_> = reads
        .map(|name| store.recorded::<Entries>(&folder, name))
        .collect();
    let mut reads = futures::stream::iter(reads).buffered(AT_ONCE);
    let mut failures: BTreeMap<(String, i32, i64), Failure> = BTreeMap::new();
    let mut runs = Joined::default();
    while let Some(found) = reads.next().await {
        let Some(found) = found? else {
            return Ok(None);
        };
        let placed = found.failures.into_iter().map(|one| (place(&one), one));
        failures.extend(placed);
        found.runs.into_iter().for_each(|run| runs.add(run));
        if failures.len() + runs.len() > most {
            return Err(Error::invalid(format!(
                "replay `{replay}` has more than {most} entries"
            )));
        }
    }
    Ok(Some(Entries {
        failures: failures.into_values().collect(),
        runs: runs.into_runs(),
    }))
}

fn place(one: &Failure) -> (String, i32, i64) {
    (one.topic_id.clone(), one.partition, one.offset)
}
