//! `[query.cache]`: what is kept of files that were read.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use eddy_query::CacheOptions;
use serde::Deserialize;

use super::ByteSize;
use super::query::part_of;

/// `[query.cache]`. Blocks of data files, none of a lake on local disk; and decoded columns.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CacheSettings {
    /// Memory: 128MiB unless given. More reads less from the store; `0` turns the cache off. It is
    /// part of neither `query.memory` nor `worker.memory`.
    memory: Option<ByteSize>,
    /// Local disk beside it: none unless given. What is on it ends with the process, or a day after
    /// it was read.
    disk: Option<ByteSize>,
    /// The folder on that disk, relative to the configuration file.
    directory: Option<PathBuf>,
    /// Memory for decoded columns of data files, of local lakes too: unless given one part in 32 of
    /// what the machine or the control group has, from 128MiB to 2GiB, and half as much again while
    /// they are read. `0` turns that off. It is part of no other memory either.
    columns: Option<ByteSize>,
}

impl CacheSettings {
    /// The same as the query crate takes it, on a machine that offers so many bytes of memory;
    /// `None`: it doesn't say. Relative paths start at `folder`.
    ///
    /// # Errors
    /// Names the key whose value can't work.
    pub(super) fn options(&self, offered: Option<u64>, folder: &Path) -> Result<CacheOptions> {
        let defaults = CacheOptions::default();
        let memory_bytes = self.memory.map_or(defaults.memory_bytes, ByteSize::bytes);
        let disk_bytes = self.disk.map_or(defaults.disk_bytes, ByteSize::bytes);
        let least = CacheOptions::MEMORY_LEAST;
        if memory_bytes > 0 && memory_bytes < least {
            bail!("`query.cache.memory` is {memory_bytes} bytes; it is 0 or at least {least}");
        }
        let least = CacheOptions::DISK_LEAST;
        if disk_bytes > 0 && disk_bytes < least {
            bail!("`query.cache.disk` is {disk_bytes} bytes; it is 0 or at least {least}");
        }
        if disk_bytes > 0 && memory_bytes == 0 {
            bail!("`query.cache.disk` is of no use while `query.cache.memory` is 0");
        }
        if disk_bytes > 0 && self.directory.is_none() {
            bail!("`query.cache.disk` needs a folder: set `query.cache.directory`");
        }
        let directory = self.directory.as_ref().filter(|_| disk_bytes > 0);
        let directory = directory.map(|given| folder.join(given));
        if let Some(directory) = &directory {
            std::fs::create_dir_all(directory).with_context(|| {
                let shown = directory.display();
                format!("`query.cache.directory`: `{shown}` can't be made")
            })?;
        }
        let part = part_of(offered, COLUMNS_PART, defaults.columns_bytes, COLUMNS_MOST);
        let columns_bytes = self.columns.map_or(part, ByteSize::bytes);
        if columns_bytes > 0 && columns_bytes < CacheOptions::MEMORY_LEAST {
            let least = CacheOptions::MEMORY_LEAST;
            bail!("`query.cache.columns` is {columns_bytes} bytes; it is 0 or at least {least}");
        }
        Ok(CacheOptions {
            memory_bytes,
            disk_bytes,
            directory,
            columns_bytes,
        })
    }
}

/// Kept columns stay where they are, other than what a query takes: so much less of the memory.
const COLUMNS_PART: u64 = 32;

/// More columns than that are worth a setting.
const COLUMNS_MOST: usize = 2 << 30;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn options(text: &str, folder: &Path) -> Result<CacheOptions> {
        let settings: CacheSettings = toml::from_str(text)?;
        settings.options(None, folder)
    }

    #[test]
    fn memory_is_on_and_disk_off_unless_said() {
        let folder = tempfile::tempdir().unwrap();
        let defaults = CacheOptions::default();
        assert_eq!(options("", folder.path()).unwrap(), defaults);
        assert!(defaults.memory_bytes > 0 && defaults.disk_bytes == 0);
        let none = options("columns = \"0\"", folder.path()).unwrap();
        assert_eq!(none.columns_bytes, 0);
        let text = "memory = \"1GiB\"\ndisk = \"2GiB\"\ndirectory = \"blocks\"";
        let given = options(text, folder.path()).unwrap();
        assert_eq!((given.memory_bytes, given.disk_bytes), (1 << 30, 2 << 30));
        assert_eq!(given.directory, Some(folder.path().join("blocks")));
        assert!(folder.path().join("blocks").is_dir());
        assert_eq!(
            options("memory = \"0\"", folder.path())
                .unwrap()
                .memory_bytes,
            0
        );
    }

    #[test]
    fn what_can_not_work_is_refused_by_its_key() {
        for (text, key) in [
            ("memory = \"1MiB\"", "query.cache.memory"),
            ("disk = \"1MiB\"\ndirectory = \"x\"", "query.cache.disk"),
            ("disk = \"1GiB\"", "query.cache.directory"),
            ("disk = \"1GiB\"\nmemory = \"0\"", "query.cache.memory"),
            ("columns = \"1MiB\"", "query.cache.columns"),
            ("disc = \"1GiB\"", "disc"),
        ] {
            let error = format!("{:#}", options(text, Path::new(".")).unwrap_err());
            assert!(error.contains(key), "{text}: {error}");
        }
    }
}
