//! What may happen to filters that lie in a store for years.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStoreExt, PutPayload};

use crate::lake::Lake;
use crate::path::{TablePath, filter_packs};

/// Puts `noise` in the place of every pack of `table`'s filters, or removes them all. Answers how
/// many there were.
///
/// # Panics
/// When the store does not do it.
#[expect(
    clippy::expect_used,
    reason = "a test has nothing better to do than to fail"
)]
pub fn change_packs(lake: &Lake, table: &TablePath, noise: Option<&'static [u8]>) -> usize {
    let (store, folder) = (Arc::clone(lake.store()), filter_packs(lake.root(), table));
    let changed = lake.wait(async move {
        let packs: Vec<ObjectMeta> = store.list(Some(&folder)).try_collect().await?;
        for pack in &packs {
            match noise {
                Some(noise) => {
                    let noise = PutPayload::from_static(noise);
                    store.put(&pack.location, noise).await.map(drop)?;
                }
                None => store.delete(&pack.location).await?,
            }
        }
        Ok::<_, object_store::Error>(packs.len())
    });
    changed
        .expect("the runtime is there")
        .expect("the store takes it")
}
