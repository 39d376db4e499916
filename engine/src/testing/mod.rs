//! What tests of every crate share: lakes in memory and on disk, a store that fails on command,
//! and builders. Only with the feature `testing`.

mod faulty;
mod leaks;
mod originals;
mod packs;
mod rows;

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use url::Url;

use crate::clock::Clock;
use crate::error::Result;
use crate::lake::{Lake, LakeOptions};

pub use faulty::{FaultyStore, Step};
pub use leaks::{leaks, plain_leaks, tells};
pub use originals::{Original, originals};
pub use packs::change_packs;
pub use rows::rows_file;

/// How often something random is tried: `usual` in CI, `soak` in `make soak`.
pub fn scale(usual: usize, soak: usize) -> usize {
    match std::env::var("EDDY_SOAK") {
        Ok(value) if value == "1" => soak,
        _ => usual,
    }
}

/// A lake in memory. Within a Tokio runtime of several threads.
///
/// # Panics
/// Outside of a Tokio runtime.
pub fn memory_lake(clock: Clock) -> Lake {
    store_lake(Arc::new(InMemory::new()), clock)
}

/// A lake over `store`, at the root of it.
///
/// # Panics
/// Outside of a Tokio runtime.
#[expect(
    clippy::expect_used,
    reason = "a test has nothing better to do than to fail"
)]
pub fn store_lake(store: Arc<dyn ObjectStore>, clock: Clock) -> Lake {
    let url = Url::parse("memory:///lake").expect("the URL is fixed");
    Lake::with_store(url, store, clock).expect("the test runs within a runtime")
}

/// A lake on local disk in `folder`.
///
/// # Panics
/// Outside of a Tokio runtime, or when the folder can't be made.
#[expect(
    clippy::expect_used,
    reason = "a test has nothing better to do than to fail"
)]
pub fn disk_lake(folder: &std::path::Path, clock: Clock) -> Lake {
    let url = Url::from_directory_path(folder).expect("the folder's path is absolute");
    let options = LakeOptions {
        url: url.into(),
        ..LakeOptions::default()
    };
    Lake::open(&options, clock).expect("the folder can be made")
}

/// A lake on the S3 server that `make test` started, in a bucket of its own; `None` when there is
/// no such server.
///
/// # Panics
/// Outside of a Tokio runtime, or when the environment is not what `make test` sets.
#[expect(
    clippy::expect_used,
    reason = "a test has nothing better to do than to fail"
)]
pub fn s3_lake(clock: Clock) -> Lake {
    let options = s3_options(&clock);
    Lake::open(&options, clock).expect("the options are right")
}

/// The keys of all objects of Eddy's own state in `lake`.
///
/// # Errors
/// As the store's.
pub async fn state_objects(lake: &Lake) -> Result<Vec<String>> {
    let state = lake.state("");
    let listed: Vec<_> = lake.store().list(Some(&state)).try_collect().await?;
    let keys = listed.into_iter().map(|object| object.location.to_string());
    Ok(keys.collect())
}

/// The options of a lake in a new bucket of the S3 server that `make test` started.
///
/// # Panics
/// When the environment is not what `make test` sets.
#[expect(
    clippy::expect_used,
    reason = "a test has nothing better to do than to fail"
)]
pub fn s3_options(clock: &Clock) -> LakeOptions {
    let key = |name: &str| std::env::var(name).expect("run this through `make test`");
    let endpoint = key("EDDY_TEST_S3_ENDPOINT");
    let (access, secret) = (
        key("EDDY_TEST_S3_ACCESS_KEY"),
        key("EDDY_TEST_S3_SECRET_KEY"),
    );
    let bucket = format!("engine-{}", clock.new_id());
    // Object stores' clients in Rust make no buckets; the tests' services have a command for it.
    let made = std::process::Command::new(key("EDDY_TEST_CONTROL"))
        .arg("bucket")
        .args([&endpoint, &access, &secret, &bucket])
        .status();
    assert!(
        made.is_ok_and(|status| status.success()),
        "the bucket must be made"
    );
    LakeOptions {
        url: format!("s3://{bucket}/lake"),
        options: [
            ("aws_endpoint".to_owned(), endpoint),
            ("aws_region".to_owned(), "us-east-1".to_owned()),
            ("aws_access_key_id".to_owned(), access),
            ("aws_secret_access_key".to_owned(), secret),
        ]
        .into(),
    }
}
