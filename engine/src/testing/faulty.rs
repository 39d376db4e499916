//! A store that fails on command: a script says what happens to the next puts.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    RenameOptions, Result,
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
    cut: Option<Cut>,
}

/// When the network goes.
#[derive(Debug, Clone, Copy)]
struct Cut {
    /// Requests that are still answered.
    left: usize,
    /// Whether the next one reaches the store.
    next_lands: bool,
    /// Whether a request came later.
    was_missed: bool,
}

/// How far a request comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// There and back.
    Answered,
    /// There.
    Unheard,
    /// Nowhere.
    Never,
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

    /// The network goes after `requests` more of any kind. Where `next_lands`, the one after them
    /// still reaches the store, and only its answer gets lost.
    pub fn cut_after(&self, requests: usize, next_lands: bool) {
        self.locked().cut = Some(Cut {
            left: requests,
            next_lands,
            was_missed: false,
        });
    }

    /// The network is back. Answers whether anybody missed it.
    pub fn mend(&self) -> bool {
        self.locked().cut.take().is_some_and(|cut| cut.was_missed)
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

    fn reach(&self) -> Reach {
        let mut script = self.locked();
        let Some(cut) = &mut script.cut else {
            return Reach::Answered;
        };
        if let Some(left) = cut.left.checked_sub(1) {
            cut.left = left;
            return Reach::Answered;
        }
        cut.was_missed = true;
        match std::mem::take(&mut cut.next_lands) {
            true => Reach::Unheard,
            false => Reach::Never,
        }
    }

    /// Whether a request that changes nothing is answered.
    fn is_answered(&self) -> bool {
        self.reach() == Reach::Answered
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
        match self.reach() {
            Reach::Answered => {}
            Reach::Unheard => {
                drop(self.inner.put_opts(location, payload, opts).await);
                return Err(failed());
            }
            Reach::Never => return Err(failed()),
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
        if fails || !self.is_answered() {
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
        if self.locked().cut.is_none() {
            return self.inner.delete_stream(locations);
        }
        let store = self.clone();
        let deleted = locations.then(move |location| {
            let store = store.clone();
            async move {
                let location = location?;
                let reach = store.reach();
                if reach != Reach::Never {
                    store.inner.delete(&location).await?;
                }
                match reach {
                    Reach::Answered => Ok(location),
                    Reach::Unheard | Reach::Never => Err(failed()),
                }
            }
        });
        deleted.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        if !self.is_answered() {
            return stream::once(async { Err(failed()) }).boxed();
        }
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
        if !self.is_answered() {
            return Err(failed());
        }
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}
