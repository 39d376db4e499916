//! Many objects of a replay's entries become one.
//!
//! ```text
//! list -> what stands for what -> one is made of many -> the next number says that it stands
//!                                                        for them -> they go
//! ```
//!
//! Up to the next number the old objects count, from it on the new one does, and each reader takes
//! one or the other: what is made but not said yet counts for nobody, and what is said to be gone
//! counts for nobody although it is there. The number is the fence (P23): of two workers that fold
//! at once, as one that stood still and its successor do, one finds it taken, and has done nothing.
//!
//! What such a one made stays behind, and goes with the next fold. Nobody can say any more that it
//! counts: it was listed before the number was taken, so its maker wanted that number or a lower
//! one.

use eddy_engine::Clock;

use super::folder;
use super::folds::replaced;
use super::read::{folds, register, together};
use crate::error::Result;
use crate::store::Store;

/// Folds what is stored of a replay, where that is much; else only removes what others stand for.
///
/// # Errors
/// `Unavailable`, `Fenced` when another worker does it: whatever happened, what is stored says the
/// same. `Internal` for an object that this build can't read.
pub(super) async fn fold(store: &Store, clock: &Clock, replay: &str) -> Result<()> {
    let folder = folder(replay);
    let listed = store.listed(&folder).await?;
    let (number, folds) = folds(store, replay).await?;
    let sorted = folds.sort(&listed);
    if !sorted.is_much() {
        store.remove(&folder, &sorted.left).await;
        return Ok(());
    }
    let new_id = || clock.new_id().to_string();
    let groups = folds.groups(&listed, &sorted, new_id);
    for group in groups.iter().filter(|group| group.of.len() > 1) {
        // As many as fit into one object's bytes.
        let entries = together(store, replay, &group.of, usize::MAX).await?;
        let Some(entries) = entries else {
            // Another worker has folded them meanwhile.
            return Ok(());
        };
        store.record(&folder, &group.name, &entries).await?;
    }
    let next = folds.with(&groups, &sorted.left, new_id());
    store.write(&register(replay), number, &next).await?;
    let mut going = replaced(&groups);
    going.extend(sorted.left);
    going.extend(sorted.stray);
    store.remove(&folder, &going).await;
    Ok(())
}
