//! The Delta kernel over a lake's store, and its errors in our words.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use arrow::error::ArrowError;
use delta_kernel::KernelError;
use delta_kernel::snapshot::{Snapshot, SnapshotRef};
use delta_kernel_default_engine::executor::tokio::TokioMultiThreadExecutor;
use delta_kernel_default_engine::{DefaultEngine, DefaultEngineBuilder};
use object_store::Error as StoreError;
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::path::TablePath;

/// The kernel's engine. On the lake's own runtime: on the kernel's default executor, which has one
/// background thread, a checkpoint hangs.
pub(crate) type Engine = DefaultEngine<TokioMultiThreadExecutor>;

/// The engine for one lake.
pub(crate) fn engine(lake: &Lake) -> Engine {
    let executor = TokioMultiThreadExecutor::new(lake.runtime().clone());
    DefaultEngineBuilder::new(Arc::clone(lake.store()))
        .with_task_executor(Arc::new(executor))
        .build()
}

/// The table's URL with the slash that makes it a folder.
pub(crate) fn table_url(lake: &Lake, table: &TablePath) -> Result<Url> {
    let mut url = lake.object_url(table.prefix())?;
    url.path_segments_mut()
        .map_err(|()| Error::internal("the lake's URL can't hold a path"))?
        .push("");
    Ok(url)
}

/// The table's newest version, or the one asked for; `None` when there is no table.
pub(crate) fn load(
    lake: &Lake,
    engine: &Engine,
    table: &TablePath,
    version: Option<u64>,
) -> Result<Option<SnapshotRef>> {
    let mut builder = Snapshot::builder_for(table_url(lake, table)?);
    if let Some(version) = version {
        builder = builder.at_version(version);
    }
    match builder.build(engine) {
        Ok(snapshot) => Ok(Some(snapshot)),
        Err(error) => match (bare(&error), version) {
            // Cleaned away, unless there is no table at all.
            (KernelError::EmptyLog, Some(version)) => match load(lake, engine, table, None)? {
                Some(_) => Err(unreadable(table, version).with_source(error)),
                None => Ok(None),
            },
            (KernelError::EmptyLog, None) => Ok(None),
            // On local disk the kernel wants to resolve the folder before it lists it.
            (KernelError::InvalidTableLocation(_), _)
                if lake.is_local() && !folder_exists(lake, table)? =>
            {
                Ok(None)
            }
            (bare, Some(version)) if !is_transport(bare) => {
                Err(unreadable(table, version).with_source(error))
            }
            _ => Err(translate(error, table)),
        },
    }
}

fn unreadable(table: &TablePath, version: u64) -> Error {
    Error::not_found(format!(
        "table `{}` has no version `{version}` that can still be read",
        table.topic()
    ))
}

fn folder_exists(lake: &Lake, table: &TablePath) -> Result<bool> {
    let folder = table_url(lake, table)?.to_file_path();
    Ok(folder.is_ok_and(|folder| folder.exists()))
}

/// The kernel's error in our words.
pub(crate) fn translate(error: KernelError, table: &TablePath) -> Error {
    let (kind, message) = match bare(&error) {
        KernelError::ObjectStore(
            StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. },
        ) => (
            ErrorKind::Invalid,
            "the store refused the credentials; check the keys under [lake.options]".to_owned(),
        ),
        bare if is_transport(bare) => (
            ErrorKind::Unavailable,
            format!("the log of table `{}` can't be reached", table.topic()),
        ),
        _ => (
            ErrorKind::Data,
            format!("the log of table `{}` can't be read", table.topic()),
        ),
    };
    Error::new(kind, message).with_source(error)
}

/// The error without the backtrace that the kernel may have put around it.
fn bare(error: &KernelError) -> &KernelError {
    match error {
        KernelError::Backtraced { source, .. } => bare(source),
        error => error,
    }
}

/// Whether another try may answer differently: somewhere below it is an error of the store or of
/// the disk. Taking such an error for broken data would fail a task that only had to wait.
fn is_transport(error: &KernelError) -> bool {
    if matches!(
        error,
        // A file that was listed a moment ago and is gone: the log was cleaned meanwhile.
        KernelError::FileNotFound(_) | KernelError::ObjectStore(_) | KernelError::IOError(_)
    ) {
        return true;
    }
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<StoreError>() || error.is::<io::Error>() {
            return true;
        }
        cause = match error.downcast_ref::<ArrowError>() {
            Some(ArrowError::IoError(..)) => return true,
            _ => error.source(),
        };
    }
    false
}
