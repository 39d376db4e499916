//! From a URL and options to a store, with waits that end.
//!
//! object_store's own way from a URL retries for three minutes, which would hang a start against a
//! store that isn't there, and passes over options that it doesn't know.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStore, ObjectStoreScheme, RetryConfig};
use url::Url;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::lake::durable::DurableLocal;
use crate::lake::role::Role;
use crate::lake::{encryption, transit};

/// What a lake's URL stands for.
pub(super) struct Opened {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) root: Path,
    pub(super) local: bool,
}

/// Opens the store of `url`. Nothing is sent yet.
pub(super) fn open(url: &Url, options: &BTreeMap<String, String>, clock: &Clock) -> Result<Opened> {
    let (scheme, root) = ObjectStoreScheme::parse(url).map_err(|error| {
        Error::invalid(format!(
            "lake.url `{url}` names no store that Eddy knows; use `file:///dir`, \
             `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`"
        ))
        .with_source(error)
    })?;
    let mut local = false;
    let store: Arc<dyn ObjectStore> = match scheme {
        ObjectStoreScheme::Local => {
            local = true;
            encryption::refuse_on_disk(options)?;
            make_folder(url)?;
            Arc::new(DurableLocal::new())
        }
        ObjectStoreScheme::Memory => {
            encryption::refuse_on_disk(options)?;
            Arc::new(InMemory::new())
        }
        ObjectStoreScheme::AmazonS3 => {
            let mut options = options.clone();
            let role = Role::take(&mut options)?;
            let builder = AmazonS3Builder::from_env()
                .with_url(url.as_str())
                .with_retry(retry());
            let builder = configured(builder, &with_plain_http(&options), |b, key, value| {
                b.with_config(key, value)
            })?;
            encryption::check(&builder)?;
            let mut builder = transit::without_needless_hash(builder, &options);
            if let Some(role) = role {
                builder = role.taken_on(builder, clock.clone())?;
            }
            Arc::new(builder.build().map_err(|error| refused(url, error))?)
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            let builder = GoogleCloudStorageBuilder::from_env()
                .with_url(url.as_str())
                .with_retry(retry());
            let builder = configured(builder, options, |b, key, value| b.with_config(key, value))?;
            Arc::new(builder.build().map_err(|error| refused(url, error))?)
        }
        ObjectStoreScheme::MicrosoftAzure => {
            let builder = MicrosoftAzureBuilder::from_env()
                .with_url(url.as_str())
                .with_retry(retry());
            let builder = configured(builder, options, |b, key, value| b.with_config(key, value))?;
            Arc::new(builder.build().map_err(|error| refused(url, error))?)
        }
        _ => {
            return Err(Error::invalid(format!(
                "a lake can't be kept behind `{url}`; use `file:///dir` or `s3://bucket/prefix`"
            )));
        }
    };
    Ok(Opened { store, root, local })
}

/// A few quick retries: whoever calls the store has a retry of its own that knows what is at stake.
fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        },
        max_retries: 3,
        retry_timeout: Duration::from_secs(10),
    }
}

fn make_folder(url: &Url) -> Result<()> {
    let folder = url
        .to_file_path()
        .map_err(|()| Error::invalid(format!("lake.url `{url}` is not an absolute folder")))?;
    std::fs::create_dir_all(&folder).map_err(|error| {
        Error::invalid(format!(
            "the lake's folder `{}` can't be made; check its path and permissions",
            folder.display()
        ))
        .with_source(error)
    })
}

/// Whoever names an endpoint without TLS means it; object_store wants it said twice.
fn with_plain_http(options: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut options = options.clone();
    let plain = options
        .iter()
        .any(|(key, value)| key.ends_with("endpoint") && value.starts_with("http://"));
    if plain {
        options
            .entry("aws_allow_http".to_owned())
            .or_insert_with(|| "true".to_owned());
    }
    options
}

fn configured<B, K: FromStr>(
    builder: B,
    options: &BTreeMap<String, String>,
    with: impl Fn(B, K, &str) -> B,
) -> Result<B> {
    options.iter().try_fold(builder, |builder, (key, value)| {
        let key = key.to_ascii_lowercase();
        let parsed = key.parse::<K>().map_err(|_| {
            Error::invalid(format!(
                "`{key}` under [lake.options] is not an option of this kind of store"
            ))
        })?;
        Ok(with(builder, parsed, value))
    })
}

fn refused(url: &Url, error: impl Display) -> Error {
    Error::invalid(format!(
        "the store of lake.url `{url}` can't be configured: {error}; check [lake.options]"
    ))
}
