//! The same questions to Eddy and DuckDB by turns, and one line of figures for each.

use std::time::Duration;

use super::beside::{Asking, DuckDb, Timed, drop_caches, median};
use super::cached::Cached;
use super::services::free_port;
use super::worker::{Worker, wait_until};

/// How long a process has to do nothing until it is at rest.
const REST: Duration = Duration::from_millis(500);

/// Both engines over one lake.
pub(crate) struct Pair {
    worker: Worker,
    pub(crate) eddy: Asking,
    duckdb: DuckDb,
    _state: tempfile::TempDir,
}

/// What both took for one question, in milliseconds: medians, and CPU time of a round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) eddy: f64,
    pub(crate) duckdb: f64,
    eddy_cpu: f64,
    duckdb_cpu: f64,
}

impl Pair {
    /// Starts both.
    pub(crate) fn start(lake: &Cached) -> Self {
        let state = tempfile::tempdir().unwrap();
        let port = free_port();
        let worker = lake.serve(state.path(), port);
        let eddy = Asking::new(port);
        wait_until(Duration::from_secs(60), &worker.log, || eddy.is_up());
        Self {
            worker,
            eddy,
            duckdb: DuckDb::start(),
            _state: state,
        }
    }

    /// Waits until Eddy's process has done what it does at its start.
    #[expect(clippy::disallowed_methods, reason = "a bench waits in real time")]
    fn rest(&self) {
        let mut used = self.worker.used().cpu;
        wait_until(Duration::from_secs(60), &self.worker.log, || {
            std::thread::sleep(REST);
            let now = self.worker.used().cpu;
            // It looks after its listeners and timers at rest, too.
            now - std::mem::replace(&mut used, now) < REST / 20
        });
    }

    /// Asks both once.
    pub(crate) fn once(&mut self, eddy: &str, duckdb: &str) -> [Timed; 2] {
        let before = self.worker.used().cpu;
        let mut ours = self.eddy.ask(eddy);
        ours.cpu_ms = (self.worker.used().cpu - before).as_secs_f64() * 1e3;
        [ours, self.duckdb.ask(duckdb)]
    }

    /// Asks both each question of `rounds`, after the first one once more, whose answers must be
    /// as many rows in both.
    pub(crate) fn hot(&mut self, rounds: &[[String; 2]]) -> Figures {
        let [eddy, duckdb] = &rounds[0];
        let [ours, theirs] = self.once(eddy, duckdb);
        assert_eq!(ours.rows.len(), theirs.rows.len(), "{eddy}");
        let all = rounds.iter().map(|[eddy, duckdb]| self.once(eddy, duckdb));
        let (ours, theirs): (Vec<Timed>, Vec<Timed>) = all.map(|[one, two]| (one, two)).unzip();
        let middle = |all: &[Timed]| median(all.iter().map(|one| one.ms).collect());
        let mean = |all: &[Timed]| all.iter().map(|one| one.cpu_ms).sum::<f64>() / all.len() as f64;
        Figures {
            eddy: middle(&ours),
            duckdb: middle(&theirs),
            eddy_cpu: mean(&ours),
            duckdb_cpu: mean(&theirs),
        }
    }
}

/// One question to each of two processes that started and came to rest, the system's cache of files
/// thrown away before where that is allowed.
pub(crate) fn cold(lake: &Cached, [eddy, duckdb]: &[String; 2]) -> Figures {
    let mut pair = Pair::start(lake);
    pair.rest();
    drop_caches();
    let ours = pair.eddy.ask(eddy);
    drop_caches();
    let theirs = pair.duckdb.ask(duckdb);
    Figures {
        eddy: ours.ms,
        duckdb: theirs.ms,
        eddy_cpu: f64::NAN,
        duckdb_cpu: theirs.cpu_ms,
    }
}

/// The heading of [`print`]'s lines.
pub(crate) fn heading(what: &str) {
    println!(
        "\n{what:<44}{:>9}{:>9}{:>7}{:>9}{:>9}",
        "eddy ms", "duckdb", "ratio", "cpu ms", "duckdb"
    );
}

/// A line of figures.
pub(crate) fn print(name: &str, figures: Figures) {
    let Figures {
        eddy,
        duckdb,
        eddy_cpu,
        duckdb_cpu,
    } = figures;
    let ratio = eddy / duckdb;
    println!("{name:<44}{eddy:>9.1}{duckdb:>9.1}{ratio:>7.2}{eddy_cpu:>9.1}{duckdb_cpu:>9.1}");
}

/// The visible columns of a table, as DuckDB is to select them. Moments come as numbers: their text
/// would be Python's work.
pub(crate) const COLUMNS: &str = "* EXCLUDE (_key, _value, _headers) \
     REPLACE (epoch_us(_timestamp) AS _timestamp, epoch_us(_ingested_at) AS _ingested_at)";
