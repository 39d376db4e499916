//! Files that are made for others to take: what a replay leaves in the lake. No table knows of
//! them, nothing here reads them, and nothing removes them but who wanted them.

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::path::export_object;
use crate::state::once;

/// Refuses a folder that can't be one below `exports/`: it has up to eight parts of letters,
/// digits, `-`, `_` and `.`, each of which begins with a letter or a digit.
///
/// # Errors
/// `Invalid`.
pub fn check_folder(folder: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let begins = |part: &str| part.starts_with(|c: char| c.is_ascii_alphanumeric());
    let parts: Vec<&str> = folder.split('/').collect();
    if parts.len() <= 8
        && parts
            .iter()
            .all(|part| begins(part) && part.chars().all(fits))
    {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Invalid,
        format!("`{folder}` can't be a folder of exports"),
    ))
}

/// Makes the file `<lake>/exports/<folder>/<parts, with a slash between>`; making it again is
/// harmless. The same name has to stand for the same bytes: what is there isn't replaced.
///
/// # Errors
/// `Invalid` for a folder that can't be one; `Unavailable` when it may not be there: call again.
pub async fn add(lake: &Lake, folder: &str, parts: &[&str], bytes: Bytes) -> Result<()> {
    check_folder(folder)?;
    once::create(lake, &export_object(lake.root(), folder, parts), bytes).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use object_store::path::Path;

    use super::*;
    use crate::clock::Clock;
    use crate::testing::store_lake;

    #[tokio::test]
    async fn a_file_is_made_once_and_stays_as_it_is() {
        let lake = store_lake(Arc::new(InMemory::new()), Clock::manual(0));
        for bytes in ["first", "again"] {
            let parts = ["c", "0-1.ndjson"];
            add(&lake, "a/b", &parts, Bytes::from(bytes)).await.unwrap();
        }
        let path = Path::from(format!("{}/exports/a/b/c/0-1.ndjson", lake.root()));
        let there = lake.store().get(&path).await.unwrap();
        assert_eq!(there.bytes().await.unwrap(), "first");
    }

    #[test]
    fn a_folder_never_leads_elsewhere() {
        for good in ["a", "orders.v1/2026-11-27", "a/b/c/d/e/f/g/h"] {
            assert!(check_folder(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/a",
            "a/",
            "a//b",
            "..",
            "a/../b",
            "_eddy",
            ".a",
            "a b",
            "a/b/c/d/e/f/g/h/i",
        ] {
            assert!(check_folder(bad).is_err(), "{bad}");
        }
    }
}
