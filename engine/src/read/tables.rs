//! Which tables a lake has: the folders that hold a Delta log.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;

use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::path::{STATE, TablePath, below, flat_tables};

/// How deep `topics.dir` may nest before a table isn't found any more. A walk without a bound would
/// go through everything else that a bucket may hold.
const DEPTH: usize = 5;

/// Requests under way at once.
const AT_ONCE: usize = 16;

/// The lake's tables in order of their paths. Synchronous, as all of the log.
///
/// # Errors
/// `Unavailable` when the store does not answer.
pub fn tables(lake: &Lake) -> Result<Vec<TablePath>> {
    let mut found = Vec::new();
    // The logs of topics whose files have no folder of theirs lie beside Eddy's own state.
    let mut level = vec![lake.root().clone(), flat_tables(lake.root())];
    for _ in 0..=DEPTH {
        let mut deeper = Vec::new();
        for folder in level {
            let store = Arc::clone(lake.store());
            let prefix = folder.clone();
            let listed =
                lake.wait(async move { store.list_with_delimiter(Some(&prefix)).await })??;
            let named = |name: &str| {
                listed
                    .common_prefixes
                    .iter()
                    .any(|path| path.filename() == Some(name))
            };
            if named("_delta_log") {
                found.extend(table_at(lake, &folder)?);
                continue;
            }
            deeper.extend(listed.common_prefixes.into_iter().filter(|path| {
                // Eddy's own state, and the partitions of some other lake. A topic's name may begin
                // as the former's does.
                let name = path.filename().unwrap_or_default();
                name != STATE && !name.contains('=')
            }));
        }
        level = deeper;
    }
    found.sort();
    Ok(found)
}

/// The tables right under `topics_dir`. What else a bucket holds, and be it years of somebody
/// else's files, is not looked through. Synchronous, as all of the log.
///
/// # Errors
/// `Unavailable` when the store does not answer.
pub fn tables_in(lake: &Lake, topics_dir: &str) -> Result<Vec<TablePath>> {
    let (store, folder) = (Arc::clone(lake.store()), below(lake.root(), topics_dir));
    let found: Result<Vec<Path>> = lake.wait(async move {
        let listed = store.list_with_delimiter(Some(&folder)).await?;
        let looks = listed.common_prefixes.into_iter().map(|topic| {
            let store = &store;
            async move {
                let log = topic.clone().join("_delta_log");
                let first = store.list(Some(&log)).try_next().await?;
                Ok::<_, Error>(first.map(|_| topic))
            }
        });
        let looks: Vec<_> = looks.collect();
        let found = futures::stream::iter(looks).buffered(AT_ONCE);
        found
            .try_filter_map(|topic| async { Ok(topic) })
            .try_collect()
            .await
    })?;
    let found = found?.into_iter().map(|folder| table_at(lake, &folder));
    Ok(found
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect())
}

fn table_at(lake: &Lake, folder: &Path) -> Result<Option<TablePath>> {
    if folder == lake.root() {
        return Ok(None);
    }
    TablePath::at(lake.root(), folder)
        .map(Some)
        .ok_or_else(|| Error::internal(format!("`{folder}` is listed but not in the lake")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use tokio::runtime::Runtime;

    use super::*;
    use crate::clock::Clock;
    use crate::testing::store_lake;

    #[test]
    fn a_topic_may_be_called_as_no_state_of_eddys_is() {
        let runtime = Runtime::new().unwrap();
        let guard = runtime.enter();
        let lake = store_lake(Arc::new(InMemory::new()), Clock::manual(0));
        drop(guard);
        for folder in [
            "topics/orders",
            "topics/__debezium-heartbeat.shop",
            "_schemas",
            "_eddy/pins",
            "other/dt=2026-11-23",
        ] {
            let path = below(lake.root(), folder).join("_delta_log").join("0.json");
            let store = Arc::clone(lake.store());
            let put = lake.wait(async move { store.put(&path, "x".into()).await });
            put.unwrap().unwrap();
        }
        let expected = [
            ("", "_schemas"),
            ("topics", "__debezium-heartbeat.shop"),
            ("topics", "orders"),
        ];
        let expected = expected.map(|(folder, topic)| lake.table(folder, topic));
        assert_eq!(tables(&lake).unwrap(), expected);
    }
}
