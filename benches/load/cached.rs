//! Lakes that benches only read: made once in a folder of the developer's cache, used again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use eddy_engine::commit::DataFile;
use eddy_engine::read::Snapshot;
use eddy_engine::{Clock, Lake, LakeOptions};
use tokio::runtime::Runtime;

use super::s3::setting;
use super::worker::{Worker, wait_until};

#[expect(clippy::disallowed_methods, reason = "a bench waits in real time")]
fn pause() {
    std::thread::sleep(LOOK_EVERY);
}

/// A lake on local disk with one table.
pub(crate) struct Cached {
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// Its topic.
    pub(crate) topic: String,
    runtime: Runtime,
}

/// How long a lake may take to be made.
const DEADLINE: Duration = Duration::from_secs(7_200);

/// How often it is looked at: a version of many wide files takes the driver a while to read.
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl Cached {
    /// The lake called `name`, with `topic`. A name that is there already is taken as it is, so a
    /// name must say all that the lake depends on.
    pub(crate) fn open(name: &str, topic: &str) -> Self {
        let cache = std::env::var("EDDY_CACHE").map(PathBuf::from);
        let cache = cache.unwrap_or_else(|_| {
            Path::new(&std::env::var("HOME").expect("HOME is set")).join(".cache/eddy")
        });
        Self {
            folder: cache.join("lakes").join(name),
            topic: topic.to_owned(),
            runtime: Runtime::new().unwrap(),
        }
    }

    /// Whether it was made to its end.
    pub(crate) fn is_made(&self) -> bool {
        self.marker().exists()
    }

    /// Forgets what an attempt before left behind.
    pub(crate) fn begin(&self) {
        let _ = std::fs::remove_dir_all(&self.folder);
        std::fs::create_dir_all(&self.folder).unwrap();
    }

    /// Says that it is made.
    pub(crate) fn end(&self) {
        std::fs::write(self.marker(), "").unwrap();
    }

    fn marker(&self) -> PathBuf {
        self.folder.join("complete")
    }

    /// Lets a worker take the topic until the table has `rows`, with `keys` in its configuration.
    pub(crate) fn sink(&self, rows: u64, keys: &str) {
        let state = tempfile::tempdir().unwrap();
        let worker = Worker::start(state.path(), &self.sinking(keys));
        wait_until(DEADLINE, &worker.log, || {
            pause();
            self.rows() == rows
        });
    }

    /// Lets a worker compact until there are `files`.
    pub(crate) fn compact(&self, files: usize) {
        let keys = "\"compact.after.ms\" = \"0\"\n\"compact.min.files\" = \"2\"\n\
                    \"upkeep.interval.ms\" = \"1000\"\n";
        let state = tempfile::tempdir().unwrap();
        let worker = Worker::start(state.path(), &self.sinking(keys));
        wait_until(DEADLINE, &worker.log, || {
            pause();
            self.files().len() <= files
        });
    }

    /// A server of queries over it, on `port`; `state` is its folder.
    pub(crate) fn serve(&self, state: &Path, port: u16) -> Worker {
        let config = format!(
            "{}[http]\nlisten = \"127.0.0.1:{port}\"\n[connect]\nlisten = \"\"\n[query]\n\
             threads = {}\n",
            self.toml(),
            super::beside::THREADS
        );
        Worker::start(state, &config)
    }

    /// The configuration of a worker that takes the topic. One that is killed is soon forgotten.
    fn sinking(&self, keys: &str) -> String {
        format!(
            "{}[kafka]\n\"bootstrap.servers\" = \"{}\"\n\"session.timeout.ms\" = \"6000\"\n\
             [http]\nlisten = \"\"\n[connect]\nlisten = \"\"\n\
             [connectors.bench]\n\"topics\" = \"{}\"\n{keys}",
            self.toml(),
            setting("EDDY_TEST_KAFKA"),
            self.topic
        )
    }

    fn toml(&self) -> String {
        let lake = self.folder.display();
        format!(
            "[lake]\nurl = \"file://{lake}\"\n[flight]\nlisten = \"\"\n[postgres]\nlisten = \"\"\n\
             [collector]\nhttp_listen = \"\"\ngrpc_listen = \"\"\n"
        )
    }

    fn rows(&self) -> u64 {
        self.newest().iter().map(|file| file.rows).sum()
    }

    /// The files of the newest version.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let table = self.folder.join("topics").join(&self.topic);
        let newest = self.newest();
        newest.iter().map(|file| table.join(&file.path)).collect()
    }

    fn newest(&self) -> Vec<std::sync::Arc<DataFile>> {
        let options = LakeOptions {
            url: format!("file://{}", self.folder.display()),
            options: Default::default(),
        };
        let lake = self
            .runtime
            .block_on(async { Lake::open(&options, Clock::system()).unwrap() });
        let table = lake.table("topics", &self.topic);
        let snapshot = Snapshot::load(&lake, &table, None).unwrap();
        snapshot.map_or_else(Vec::new, |snapshot| snapshot.files.to_vec())
    }
}
