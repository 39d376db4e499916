//! Where a topic's table lives within the lake.

use std::fmt;

use object_store::path::{Path, PathPart};
use url::Url;

use super::escape::key_of_url;

/// The folder of one table, relative to the store's root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TablePath {
    prefix: Path,
    topics_dir: String,
    topic: String,
}

impl TablePath {
    /// The table of `topic` under `topics_dir` in the lake whose prefix is `lake`.
    pub fn new(lake: &Path, topics_dir: &str, topic: &str) -> Self {
        let mut prefix = lake.clone();
        for part in topics_dir.split('/').filter(|part| !part.is_empty()) {
            prefix = prefix.join(part);
        }
        Self {
            prefix: prefix.join(topic),
            topics_dir: topics_dir.to_owned(),
            topic: topic.to_owned(),
        }
    }

    /// The table whose folder is `prefix`, in the lake whose prefix is `lake`; `None` when it isn't
    /// in that lake.
    pub(crate) fn at(lake: &Path, prefix: &Path) -> Option<Self> {
        let below = prefix.prefix_match(lake)?;
        let mut parts: Vec<String> = below.map(|part| part.as_ref().to_owned()).collect();
        let topic = parts.pop()?;
        Some(Self::new(lake, &parts.join("/"), &topic))
    }

    /// The folder's path in the store.
    pub fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// The Kafka topic, which is the table's name in SQL.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The folder that holds the lake's topics.
    pub fn topics_dir(&self) -> &str {
        &self.topics_dir
    }

    /// An object of the table, `relative` with `/` between its parts, each as it is: what a folder
    /// has percent-encoded is not encoded again. Only what no object can be called is.
    /// A file that isn't below the table's folder is named by its URL.
    pub fn object(&self, relative: &str) -> Path {
        match key_of_url(relative) {
            Some(key) => below(&Path::default(), key),
            None => below(&self.prefix, relative),
        }
    }

    /// A file at `key` below the lake's root as the log names it: relative where it lies in the
    /// table's folder, else by its URL, which begins with `lake`, the lake's own.
    pub(crate) fn logged(&self, lake: &Url, key: &Path) -> String {
        if let Some(parts) = key.prefix_match(&self.prefix) {
            let parts: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
            return parts.join("/");
        }
        let url = lake.as_str();
        let store = url.strip_suffix(lake.path()).unwrap_or(url);
        format!("{store}/{key}")
    }

    /// The folder of the table's log.
    pub fn log(&self) -> Path {
        self.prefix.clone().join("_delta_log")
    }

    /// The commit file of `version` (Delta protocol, "Delta Log Entries").
    pub fn commit(&self, version: u64) -> Path {
        self.log().join(format!("{version:020}.json"))
    }
}

/// The folder of Eddy's own state in a lake.
pub(crate) const STATE: &str = "_eddy";

/// The folder, as `topics.dir`, of the tables of topics whose files have no folder of theirs.
pub const FLAT_TABLES: &str = "_eddy/delta";

/// That folder in the lake whose prefix is `lake`.
pub(crate) fn flat_tables(lake: &Path) -> Path {
    below(lake, FLAT_TABLES)
}

/// What lies at `relative` below a folder, with `/` between its parts, each as it is.
pub(crate) fn below(folder: &Path, relative: &str) -> Path {
    let parts = relative.split('/').filter(|part| !part.is_empty());
    parts.fold(folder.clone(), |path, part| {
        let part = PathPart::parse(part).unwrap_or_else(|_| PathPart::from(part));
        path.join(part)
    })
}

/// An object of a table's log whose name says its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFile {
    /// A commit.
    Commit(u64),
    /// A checkpoint in one file, the kind that Eddy writes.
    Checkpoint(u64),
}

impl LogFile {
    /// What `path` is; `None` for anything else.
    pub(crate) fn parse(path: &Path) -> Option<Self> {
        let name = path.filename()?;
        let (version, kind) = name.split_once('.')?;
        let digits = version.len() == 20 && version.bytes().all(|byte| byte.is_ascii_digit());
        let version = version.parse().ok().filter(|_| digits)?;
        match kind {
            "json" => Some(Self::Commit(version)),
            "checkpoint.parquet" => Some(Self::Checkpoint(version)),
            _ => None,
        }
    }
}

impl fmt::Display for TablePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.prefix)
    }
}
