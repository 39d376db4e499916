//! A store that fails on command: a script says what happens to the next puts.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    Result,
};

/// What happens to one put whose key holds the script's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Passed on.
    Pass,
    /// Nothing lands, and the caller gets an error.
    FailBefore,
    /// It lands, and the caller gets an error: the answer was lost.
    LoseAnswer,
    /// Nothing lands and the caller gets an error, and the same bytes land later, when
    /// [`FaultyStore::deliver`] is called: a request that was long under way.
    Delay,
    /// Nothing lands, and the caller is told that the object exists: S3's 409.
    FalseConflict,
    /// It lands although something is there: a store that ignores conditions.
    IgnoreCondition,
    /// Nothing lands that has tags: a store that may not set them.
    RefuseTags,
}

/// A store around another one. Clones share the script.
#[derive(Debug, Clone)]
pub struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    script: Arc<Mutex<Script>>,
}

#[derive(Debug, Default)]
struct Script {
    matching: String,
    steps: VecDeque<Step>,
    delayed: Vec<(Path, PutPayload, PutOptions)>,
    reads_fail: bool,
    puts: Vec<Path>,
    tags: Vec<(Path, String)>,
}

impl FaultyStore {
    /// Around `inner`, with nothing to happen yet.
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self {
            inner,
            script: Arc::default(),
        }
    }

    /// What happens to the next puts of keys that hold `matching`; what comes after them passes.
    pub fn script(&self, matching: &str, steps: impl IntoIterator<Item = Step>) {
        let mut script = self.locked();
        script.matching = matching.to_owned();
        script.steps = steps.into_iter().collect();
    }

    /// Whether reads of keys that hold the script's text fail.
    pub fn fail_reads(&self, fail: bool) {
        self.locked().reads_fail = fail;
    }

    /// The keys put so far, in order, whatever became of them.
    pub fn puts(&self) -> Vec<Path> {
        self.locked().puts.clone()
    }

    /// The keys put so far with tags, and the tags, whatever became of them.
    pub fn tags(&self) -> Vec<(Path, String)> {
        self.locked().tags.clone()
    }

    /// Lets the delayed puts arrive; their answers go nowhere.
    pub async fn deliver(&self) -> Vec<Result<PutResult>> {
        let delayed = std::mem::take(&mut self.locked().delayed);
        let mut answers = Vec::new();
        for (path, payload, options) in delayed {
            answers.push(self.inner.put_opts(&path, payload, options).await);
        }
        answers
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, location: &Path) -> Step {
        let mut script = self.locked();
        script.puts.push(location.clone());
        if location.as_ref().contains(&script.matching) {
            script.steps.pop_front().unwrap_or(Step::Pass)
        } else {
            Step::Pass
        }
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Faulty({})", self.inner)
    }
}

fn failed() -> Error {
    Error::Generic {
        store: "Faulty",
        source: "503 Slow Down".into(),
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        mut opts: PutOptions,
    ) -> Result<PutResult> {
        if !opts.tags.encoded().is_empty() {
            let tagged = (location.clone(), opts.tags.encoded().to_owned());
            self.locked().tags.push(tagged);
        }
        match self.next(location) {
            Step::Pass => self.inner.put_opts(location, payload, opts).await,
            Step::FailBefore => Err(failed()),
            Step::LoseAnswer => {
                // Whatever the store said, the caller doesn't hear it.
                drop(self.inner.put_opts(location, payload, opts).await);
                Err(failed())
            }
            Step::Delay => {
                let delayed = (location.clone(), payload, opts);
                self.locked().delayed.push(delayed);
                Err(failed())
            }
            Step::FalseConflict => Err(Error::AlreadyExists {
                path: location.to_string(),
                source: "409 ConditionalRequestConflict".into(),
            }),
            Step::RefuseTags if opts.tags.encoded().is_empty() => {
                self.inner.put_opts(location, payload, opts).await
            }
            Step::RefuseTags => Err(Error::PermissionDenied {
                path: location.to_string(),
                source: "403 AccessDenied".into(),
            }),
            Step::IgnoreCondition => {
                opts.mode = PutMode::Overwrite;
                self.inner.put_opts(location, payload, opts).await
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        match self.next(location) {
            Step::Pass => self.inner.put_multipart_opts(location, opts).await,
            _ => Err(failed()),
        }
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let fails = {
            let script = self.locked();
            script.reads_fail && location.as_ref().contains(&script.matching)
        };
        if fails {
            return Err(failed());
        }
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}
