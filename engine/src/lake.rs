//! The lake: one object store, a prefix in it, and the clock, opened once and passed around.
//!
//! What is written where is `path/`'s matter; whether the store keeps its promises is `probe`'s.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreScheme};
use tokio::runtime::Handle;
use url::Url;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::path::TablePath;

/// Where the lake is and how to reach it; the `[lake]` table of the configuration.
#[derive(Clone, Default)]
pub struct LakeOptions {
    /// `file:///dir`, `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`.
    pub url: String,
    /// The store's own keys, as object_store names them (`aws_endpoint`, ...).
    pub options: BTreeMap<String, String>,
}

impl fmt::Debug for LakeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets; the names of the keys are enough to find a mistake.
        f.debug_struct("LakeOptions")
            .field("url", &self.url)
            .field("options", &self.options.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// An opened lake. Cheap to clone.
#[derive(Clone)]
pub struct Lake(Arc<Inner>);

struct Inner {
    url: Url,
    root: Path,
    store: Arc<dyn ObjectStore>,
    local: bool,
    clock: Clock,
    runtime: Handle,
}

impl Lake {
    /// Opens the lake at `options.url`. Must be called within a Tokio runtime of several threads,
    /// whose handle the lake keeps for the work that its synchronous callers need done.
    ///
    /// # Errors
    /// `Invalid` for a URL or option that object_store doesn't know.
    pub fn open(options: &LakeOptions, clock: Clock) -> Result<Self> {
        let url = Url::parse(&options.url).map_err(|error| {
            Error::invalid(format!(
                "lake.url `{}` is not a URL; use `file:///dir` or `s3://bucket/prefix`",
                options.url
            ))
            .with_source(error)
        })?;
        let (scheme, _) = ObjectStoreScheme::parse(&url).map_err(|error| {
            Error::invalid(format!("lake.url `{url}` names no store that Eddy knows"))
                .with_source(error)
        })?;
        let local = scheme == ObjectStoreScheme::Local;
        if local {
            let folder = url.to_file_path().map_err(|()| {
                Error::invalid(format!("lake.url `{url}` is not an absolute folder"))
            })?;
            std::fs::create_dir_all(&folder).map_err(|error| {
                Error::invalid(format!(
                    "the lake's folder `{}` can't be made",
                    folder.display()
                ))
                .with_source(error)
            })?;
        }
        let mut keys = options.options.clone();
        let plain = keys
            .iter()
            .any(|(key, value)| key.ends_with("endpoint") && value.starts_with("http://"));
        if plain {
            // Whoever names an endpoint without TLS means it; object_store wants it said twice.
            keys.entry("aws_allow_http".to_owned())
                .or_insert_with(|| "true".to_owned());
        }
        let (store, root) = object_store::parse_url_opts(&url, &keys).map_err(|error| {
            Error::invalid(format!("the store of lake.url `{url}` can't be configured"))
                .with_source(error)
        })?;
        let runtime = Handle::try_current().map_err(|error| {
            Error::internal("the lake must be opened within a Tokio runtime").with_source(error)
        })?;
        Ok(Self(Arc::new(Inner {
            url,
            root,
            store: Arc::from(store),
            local,
            clock,
            runtime,
        })))
    }

    /// The lake's URL as configured.
    pub fn url(&self) -> &Url {
        &self.0.url
    }

    /// The prefix of every key of the lake within its store.
    pub fn root(&self) -> &Path {
        &self.0.root
    }

    /// The store, addressed from the bucket's (or file system's) root.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.0.store
    }

    /// Whether the lake is on local disk, where durability needs an fsync of our own.
    pub fn is_local(&self) -> bool {
        self.0.local
    }

    /// The lake's clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The runtime that serves synchronous callers.
    pub fn runtime(&self) -> &Handle {
        &self.0.runtime
    }

    /// The table of `topic` under `topics_dir`.
    pub fn table(&self, topics_dir: &str, topic: &str) -> TablePath {
        TablePath::new(&self.0.root, topics_dir, topic)
    }

    /// The URL of an object or folder of this lake, as the Delta kernel wants it.
    ///
    /// # Errors
    /// `Internal` when the path can't be put into the lake's URL.
    pub fn object_url(&self, path: &Path) -> Result<Url> {
        let mut url = self.0.url.clone();
        url.set_query(None);
        url.set_path(&format!("/{path}"));
        Ok(url)
    }
}

impl fmt::Debug for Lake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lake")
            .field("url", &self.0.url.as_str())
            .finish_non_exhaustive()
    }
}
