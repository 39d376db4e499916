//! `[query]`: what queries may use, and when one ends that uses more.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use eddy_query::{NodeOptions, QueryOptions};
use serde::Deserialize;

use super::ByteSize;
use super::cache::CacheSettings;

/// `[query]`. Each limit is named in the error of a query that hits it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct QuerySettings {
    /// Memory of all queries together: 512MiB unless given. It isn't part of `worker.memory`.
    memory: Option<ByteSize>,
    /// Memory of one query, half of it unless given. More lets large sorts, groupings and joins
    /// stay in memory; less leaves more to others.
    memory_per_query: Option<ByteSize>,
    /// Disk for what doesn't fit into memory: 20GiB unless given.
    spill: Option<ByteSize>,
    /// The folder for it, relative to the configuration file; the system's for temporary files
    /// unless given.
    spill_dir: Option<PathBuf>,
    /// Threads that queries run on: as many as there are processors unless given. Fewer leave more
    /// to the sinks.
    threads: Option<usize>,
    /// Queries that run at once: 8 unless given.
    running_max: Option<usize>,
    /// Queries that wait for their turn: 64 unless given; more are refused.
    waiting_max: Option<usize>,
    /// The longest that a query may take: 300 unless given. A request may say less.
    timeout_seconds: Option<u64>,
    /// Memory for the uncommitted rows of other workers: 256MiB unless given. What exceeds it is
    /// missing in answers, which say so.
    live_memory: Option<ByteSize>,
    /// The most rows of an answer: any unless given.
    rows_max: Option<u64>,
    /// The most bytes that a query may read from the lake: any unless given.
    scan_max: Option<ByteSize>,
    /// The Flight listeners of the nodes that answer large queries together, as `host:port`: none
    /// unless given. A host may stand for several addresses; this process may be among them.
    peers: Vec<String>,
    /// Scans of fewer bytes stay on one node: 64MiB unless given. Less divides more queries, each
    /// of which then waits for the network.
    spread_from: Option<ByteSize>,
    /// Whether a process runs a few statements of its own when it starts, so that the first query
    /// is as quick as later ones: `true` unless given. It takes part of a second of a processor.
    warm_up: Option<bool>,
    /// `[query.cache]`: what is kept of remote files.
    cache: CacheSettings,
}

impl QuerySettings {
    /// The same as the query crate takes it. Relative paths start at `folder`.
    ///
    /// # Errors
    /// Names the key whose value can't work.
    pub(crate) fn options(&self, folder: &Path) -> Result<QueryOptions> {
        let defaults = QueryOptions::default();
        let memory_bytes = self.memory.map_or(defaults.memory_bytes, ByteSize::bytes);
        let share = self.memory_per_query.map(ByteSize::bytes);
        if share.is_some_and(|share| share > memory_bytes) {
            bail!("`query.memory_per_query` is more than `query.memory`");
        }
        for (key, value) in [
            ("memory", memory_bytes),
            ("memory_per_query", share.unwrap_or(LEAST)),
        ] {
            if value < LEAST {
                bail!("`query.{key}` is {value} bytes; queries need at least {LEAST}");
            }
        }
        for (key, value) in [("threads", self.threads), ("running_max", self.running_max)] {
            if value == Some(0) {
                bail!("`query.{key}` is 0, so that no query would run");
            }
        }
        if self.timeout_seconds == Some(0) {
            bail!("`query.timeout_seconds` is 0, so that every query would end at once");
        }
        let spill_dir = self.spill_dir.as_ref().map(|given| folder.join(given));
        if let Some(spill_dir) = &spill_dir {
            std::fs::create_dir_all(spill_dir).with_context(|| {
                format!("`query.spill_dir`: `{}` can't be made", spill_dir.display())
            })?;
        }
        Ok(QueryOptions {
            memory_bytes,
            memory_bytes_per_query: share.unwrap_or(memory_bytes / 2),
            spill_bytes: self.spill.map_or(defaults.spill_bytes, bytes),
            spill_dir,
            threads: self.threads.unwrap_or(defaults.threads),
            running_max: self.running_max.unwrap_or(defaults.running_max),
            waiting_max: self.waiting_max.unwrap_or(defaults.waiting_max),
            timeout: self
                .timeout_seconds
                .map_or(defaults.timeout, Duration::from_secs),
            live_bytes: self
                .live_memory
                .map_or(defaults.live_bytes, ByteSize::bytes),
            rows_max: self.rows_max,
            scan_bytes_max: self.scan_max.map(bytes),
            cache: self.cache.options(folder)?,
            ..defaults
        })
    }
}

impl QuerySettings {
    /// Who answers large queries together; `None` where nobody else does.
    pub(crate) fn nodes(&self) -> Option<NodeOptions> {
        (!self.peers.is_empty()).then(|| NodeOptions {
            peers: self.peers.clone(),
            spread_bytes_least: self.spread_from.map_or(SPREAD_FROM, bytes),
        })
    }

    /// Whether the process does before the first query what that would have to do.
    pub(crate) fn warms_up(&self) -> bool {
        self.warm_up.unwrap_or(true)
    }
}

/// What one node reads in the time that it takes to ask others.
const SPREAD_FROM: u64 = 64 << 20;

/// With less, what DataFusion keeps ready for spilling doesn't fit.
const LEAST: usize = 16 << 20;

fn bytes(size: ByteSize) -> u64 {
    u64::try_from(size.bytes()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn options(text: &str) -> Result<QueryOptions> {
        let settings: QuerySettings = toml::from_str(text)?;
        settings.options(Path::new("."))
    }

    #[test]
    fn what_is_not_given_is_the_default() {
        let (given, defaults) = (options("").unwrap(), QueryOptions::default());
        assert_eq!(format!("{given:?}"), format!("{defaults:?}"));
        let given = options("memory = \"2GiB\"\nrows_max = 5\nscan_max = \"1GB\"").unwrap();
        assert_eq!(given.memory_bytes_per_query, 1 << 30);
        assert_eq!(given.rows_max, Some(5));
        assert_eq!(given.scan_bytes_max, Some(1_000_000_000));
    }

    #[test]
    fn peers_are_asked_where_some_are_given() {
        let nodes = |text: &str| toml::from_str::<QuerySettings>(text).unwrap().nodes();
        assert!(nodes("").is_none());
        let given = nodes("peers = [\"a:1\", \"b\"]").unwrap();
        assert_eq!(
            (given.peers.len(), given.spread_bytes_least),
            (2, SPREAD_FROM)
        );
        let given = nodes("peers = [\"a\"]\nspread_from = \"1MiB\"").unwrap();
        assert_eq!(given.spread_bytes_least, 1 << 20);
    }

    #[test]
    fn what_can_not_work_is_refused_by_its_key() {
        for (text, key) in [
            ("memory = \"1MiB\"", "query.memory"),
            ("memory_per_query = \"1GiB\"", "query.memory_per_query"),
            ("memory_per_query = \"1MiB\"", "query.memory_per_query"),
            ("threads = 0", "query.threads"),
            ("running_max = 0", "query.running_max"),
            ("timeout_seconds = 0", "query.timeout_seconds"),
            ("memmory = \"1GiB\"", "memmory"),
        ] {
            let error = format!("{:#}", options(text).unwrap_err());
            assert!(error.contains(key), "{text}: {error}");
        }
    }
}
