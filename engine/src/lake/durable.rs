//! The local file system as a store whose answers survive a power cut.
//!
//! object_store's local store neither syncs what it writes nor the folders that it makes. Here an
//! object's bytes are on disk before its name exists, and its name is on disk before the put is
//! answered. Everything that Eddy writes to a local lake passes through here, so nobody else needs
//! to know.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    Result, UploadPart,
};

/// The names of unfinished files of this process never meet.
static STAGED: AtomicU64 = AtomicU64::new(0);

/// A [`LocalFileSystem`] that syncs files and folders.
#[derive(Debug, Clone)]
pub(crate) struct DurableLocal {
    files: Arc<LocalFileSystem>,
    /// Folders whose own name is known to be on disk.
    synced: Arc<Mutex<HashSet<PathBuf>>>,
}

impl DurableLocal {
    /// The whole file system.
    pub(crate) fn new() -> Self {
        Self {
            files: Arc::new(LocalFileSystem::new()),
            synced: Arc::default(),
        }
    }

    fn write(&self, location: &Path, payload: &PutPayload, create: bool) -> Result<()> {
        let target = self.files.path_to_filesystem(location)?;
        let staged = staged_name(&target);
        let written = self.write_staged(&staged, payload).and_then(|()| {
            if create {
                // Unlike a rename, a link fails when the name is taken, atomically.
                fs::hard_link(&staged, &target)?;
                fs::remove_file(&staged)
            } else {
                fs::rename(&staged, &target)
            }
        });
        written
            .and_then(|()| self.sync_folder_of(&target))
            .map_err(|error| {
                // Best effort: a stray staged file is never listed, and costs only space.
                drop(fs::remove_file(&staged));
                if error.kind() == io::ErrorKind::AlreadyExists {
                    Error::AlreadyExists {
                        path: target.display().to_string(),
                        source: error.into(),
                    }
                } else {
                    generic(error)
                }
            })
    }

    fn write_staged(&self, staged: &FilePath, payload: &PutPayload) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        let mut file = match options.open(staged) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(folder) = staged.parent() {
                    fs::create_dir_all(folder)?;
                }
                options.open(staged)?
            }
            opened => opened?,
        };
        for chunk in payload {
            file.write_all(chunk)?;
        }
        file.sync_all()
    }

    /// Makes the names of `file` and of the folders above it durable.
    fn sync_folder_of(&self, file: &FilePath) -> io::Result<()> {
        let Some(folder) = file.parent() else {
            return Ok(());
        };
        File::open(folder)?.sync_all()?;
        for folder in folder.ancestors() {
            let known = |set: &HashSet<PathBuf>| set.contains(folder);
            if known(&self.synced.lock().unwrap_or_else(PoisonError::into_inner)) {
                break;
            }
            match folder.parent().map(File::open) {
                // A folder that we may not read was not made by us.
                Some(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => {}
                Some(above) => above?.sync_all()?,
                None => {}
            }
            let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
            synced.insert(folder.to_owned());
        }
        Ok(())
    }

    /// Makes an object durable that the wrapped store has written.
    fn sync(&self, location: &Path) -> Result<()> {
        let target = self.files.path_to_filesystem(location)?;
        File::open(&target)
            .and_then(|file| file.sync_all())
            .and_then(|()| self.sync_folder_of(&target))
            .map_err(generic)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || work(&this))
            .await
            .map_err(|error| Error::JoinError { source: error })?
    }
}

/// Hidden from listings: object_store leaves out names that end in `#` and digits.
fn staged_name(target: &FilePath) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    let number = STAGED.fetch_add(1, Ordering::Relaxed);
    name.push(format!("#{}{number:06}", std::process::id()));
    PathBuf::from(name)
}

fn generic(error: io::Error) -> Error {
    Error::Generic {
        store: "DurableLocal",
        source: error.into(),
    }
}

impl fmt::Display for DurableLocal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Durable{}", self.files)
    }
}

#[async_trait]
impl ObjectStore for DurableLocal {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let create = match opts.mode {
            PutMode::Create => true,
            PutMode::Overwrite => false,
            PutMode::Update(_) => {
                return Err(Error::NotImplemented {
                    operation: "`put_opts` with mode `PutMode::Update`".into(),
                    implementer: self.to_string(),
                });
            }
        };
        let location = location.clone();
        self.blocking(move |this| this.write(&location, &payload, create))
            .await?;
        Ok(PutResult {
            e_tag: None,
            version: None,
        })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(DurableUpload {
            upload: self.files.put_multipart_opts(location, opts).await?,
            store: self.clone(),
            location: location.clone(),
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.files.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.files.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.files.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.files.copy_opts(from, to, options).await?;
        let to = to.clone();
        self.blocking(move |this| this.sync(&to)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.files.rename_opts(from, to, options).await?;
        let to = to.clone();
        self.blocking(move |this| this.sync(&to)).await
    }
}

/// An upload in parts that is durable once `complete` has answered.
#[derive(Debug)]
struct DurableUpload {
    upload: Box<dyn MultipartUpload>,
    store: DurableLocal,
    location: Path,
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.upload.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let result = self.upload.complete().await?;
        let location = self.location.clone();
        self.store
            .blocking(move |store| store.sync(&location))
            .await?;
        Ok(result)
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use object_store::ObjectStoreExt;

    use super::*;

    #[tokio::test]
    async fn an_upload_in_parts_is_there_once_it_is_complete_and_a_create_never_overwrites() {
        let folder = tempfile::tempdir().unwrap();
        let store = DurableLocal::new();
        let location = Path::from_absolute_path(folder.path().join("a/b")).unwrap();
        let mut upload = store.put_multipart(&location).await.unwrap();
        upload.put_part(vec![1; 10].into()).await.unwrap();
        assert!(store.head(&location).await.is_err());
        upload.put_part(vec![2; 5].into()).await.unwrap();
        upload.complete().await.unwrap();
        assert_eq!(store.head(&location).await.unwrap().size, 15);
        let create = PutOptions::from(PutMode::Create);
        let taken = store.put_opts(&location, vec![3].into(), create).await;
        assert!(matches!(taken, Err(Error::AlreadyExists { .. })));
        store.put(&location, vec![4].into()).await.unwrap();
        assert_eq!(store.head(&location).await.unwrap().size, 1);
        // Nothing is left of what was staged.
        assert_eq!(fs::read_dir(folder.path().join("a")).unwrap().count(), 1);
    }
}
