//! `[query]`: what queries may use, and when one ends that uses more.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use eddy_query::{NodeOptions, QueryOptions};
use serde::Deserialize;

use super::ByteSize;
use super::cache::CacheSettings;
use super::machine;

/// `[query]`. Each limit is named in the error of a query that hits it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct QuerySettings {
    /// Memory of all queries together: unless given a quarter of what the machine or the control
    /// group has, from 512MiB to 16GiB, and at least `memory_per_query`. It isn't part of
    /// `worker.memory`. Where it is given, rows that are made at once may take as much; else
    /// 512MiB.
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
        self.options_where(machine::memory(), folder)
    }

    /// The same on a machine that offers so many bytes of memory; `None`: it doesn't say.
    fn options_where(&self, offered: Option<u64>, folder: &Path) -> Result<QueryOptions> {
        let defaults = QueryOptions::default();
        let share = self.memory_per_query.map(ByteSize::bytes);
        let given = self.memory.map(ByteSize::bytes);
        let memory_bytes = given.unwrap_or_else(|| {
            let part = part_of(offered, MEMORY_PART, defaults.memory_bytes, MEMORY_MOST);
            part.max(share.unwrap_or(0))
        });
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
            // Nobody counts them while they are made, so they don't grow with the machine.
            batch_bytes_max: given.unwrap_or(defaults.batch_bytes_max),
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
            cache: self.cache.options(offered, folder)?,
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

/// All queries together have a quarter of the memory: the sinks need theirs, and not all that
/// queries need is counted.
const MEMORY_PART: u64 = 4;

/// Queries have no more unless told: others on a machine of that size want to live, too.
const MEMORY_MOST: usize = 16 << 30;

/// One part in so many of what a machine offers, in bytes, from `least` to `most`; the least where
/// it doesn't say.
pub(super) fn part_of(offered: Option<u64>, parts: u64, least: usize, most: usize) -> usize {
    let part = offered.and_then(|offered| offered.checked_div(parts));
    let part = usize::try_from(part.unwrap_or(0)).unwrap_or(usize::MAX);
    part.clamp(least, most)
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
        settings.options_where(None, Path::new("."))
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
    fn memory_that_is_not_given_is_a_part_of_the_machines() {
        let on = |gibibytes: u64, text: &str| {
            let settings: QuerySettings = toml::from_str(text).unwrap();
            let offered = Some(gibibytes << 30);
            let options = settings.options_where(offered, Path::new(".")).unwrap();
            let all = options.memory_bytes >> 20;
            let columns = options.cache.columns_bytes >> 20;
            (all, options.memory_bytes_per_query >> 20, columns)
        };
        assert_eq!(on(1, ""), (512, 256, 128), "as where nothing is known");
        assert_eq!(on(24, ""), (6_144, 3_072, 768));
        assert_eq!(on(1_024, ""), (16_384, 8_192, 2_048));
        let given = "memory = \"1GiB\"\ncache.columns = \"64MiB\"";
        assert_eq!(on(24, given), (1_024, 512, 64));
        assert_eq!(on(24, "memory_per_query = \"4GiB\"").1, 4_096);
        assert_eq!(on(1, "memory_per_query = \"4GiB\""), (4_096, 4_096, 128));
    }

    #[test]
    fn rows_that_are_made_at_once_take_no_more_on_a_large_machine() {
        let of = |text: &str| {
            let settings: QuerySettings = toml::from_str(text).unwrap();
            let options = settings.options_where(Some(64 << 30), Path::new("."));
            options.unwrap().batch_bytes_max
        };
        assert_eq!(of(""), 512 << 20);
        assert_eq!(of("memory = \"2GiB\""), 2 << 30);
        assert_eq!(of("memory = \"64MiB\""), 64 << 20);
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
            (
                "memory = \"512MiB\"\nmemory_per_query = \"1GiB\"",
                "query.memory_per_query",
            ),
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
