//! A place for a test's tables: a temporary directory, or a fresh bucket on S3.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use eddy_engine::{Clock, Lake, LakeOptions};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::services::{S3, services};
use super::unique;

/// A lake that nobody else uses. A local one is removed on drop.
pub struct TestLake {
    pub url: String,
    /// object_store's keys.
    pub options: BTreeMap<String, String>,
    directory: Option<TempDir>,
}

impl TestLake {
    /// A lake in a temporary directory.
    pub fn local() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        Self {
            url: format!("file://{}/lake", directory.path().display()),
            options: BTreeMap::new(),
            directory: Some(directory),
        }
    }

    /// A lake in a fresh bucket of the shared S3 server.
    pub fn s3() -> Self {
        Self::on(&services().s3)
    }

    /// A lake in a fresh bucket of this S3 server.
    pub fn on(s3: &S3) -> Self {
        // A bucket's name has no underscores.
        let bucket = unique("lake").replace('_', "-");
        s3.create_bucket(&bucket);
        Self::in_bucket(s3, &bucket)
    }

    /// A lake in a bucket that may not exist.
    pub fn in_bucket(s3: &S3, bucket: &str) -> Self {
        let options = [
            ("aws_endpoint", s3.endpoint.as_str()),
            ("aws_access_key_id", &s3.access_key),
            ("aws_secret_access_key", &s3.secret_key),
            ("aws_region", "us-east-1"),
            ("aws_allow_http", "true"),
        ];
        Self {
            url: format!("s3://{bucket}/lake"),
            options: options
                .map(|(key, value)| (key.into(), value.into()))
                .into(),
            directory: None,
        }
    }

    /// The same lake, reached at another endpoint (a proxy).
    pub fn through(&self, endpoint: &str) -> Self {
        let mut options = self.options.clone();
        options.insert("aws_endpoint".into(), endpoint.into());
        Self {
            url: self.url.clone(),
            options,
            directory: None,
        }
    }

    /// Opens it in this process, to look at what is stored.
    pub fn open(&self) -> Lake {
        self.open_at(Clock::system())
    }

    /// Opens it in this process, at another time.
    pub fn open_at(&self, clock: Clock) -> Lake {
        let options = LakeOptions {
            url: self.url.clone(),
            options: self.options.clone(),
        };
        super::block_on(async { Lake::open(&options, clock) }).expect("the test's lake opens")
    }

    /// The `[lake]` part of a configuration file.
    pub fn toml(&self) -> String {
        let mut text = format!("[lake]\nurl = {}\n[lake.options]\n", quoted(&self.url));
        for (key, value) in &self.options {
            writeln!(text, "{key} = {}", quoted(value)).expect("a string takes text");
        }
        text
    }

    /// Where a table is, and how to get there, for the scripts in `tests/it/python/`.
    pub fn python(&self, table: &str) -> Value {
        json!({"table": format!("{}/topics/{table}", self.url), "options": self.options})
    }
}

/// A TOML basic string; JSON's escapes are a subset of TOML's.
pub fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
