//! What is written, and what becomes of a replay when it can't be.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use eddy_engine::Lake;
use serde_json::Value;

use super::*;
use crate::destination::{Definition, Destinations, Kind};
use crate::job::{Job, State};
use crate::jobs::Jobs;
use crate::request::Request;
use crate::testing::{FakeSource, Stored, lake};

/// Longer than anything here takes; a test that waits for it has failed.
const DEADLINE: Duration = Duration::from_secs(60);

/// A pipe that takes so many bytes, is as slow as its reader, and then is closed.
#[derive(Clone)]
struct Pipe {
    taken: Arc<Mutex<Vec<u8>>>,
    most: usize,
}

impl Pipe {
    fn of(most: usize) -> Self {
        let taken = Arc::default();
        Self { taken, most }
    }

    fn lines(&self) -> Vec<Value> {
        let taken = self.taken.lock().unwrap();
        let text = std::str::from_utf8(&taken).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = self.taken.lock().unwrap();
        let room = self.most.saturating_sub(taken.len()).min(bytes.len());
        if room == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        taken.extend_from_slice(&bytes[..room]);
        Ok(room)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Replays these records into `pipe`, until it ends one way or the other.
async fn ends(lake: &Lake, pipe: &Pipe, records: &[Stored]) -> Job {
    let definition = Definition {
        name: "out".to_owned(),
        kind: "stdout".to_owned(),
        options: BTreeMap::new(),
    };
    let stdout = Stdout::writing_to(lake.clock().clone(), pipe.clone());
    let kinds = vec![Kind::Stdout(stdout)];
    let destinations = Destinations::with_kinds(lake, vec![definition], kinds).unwrap();
    let source = Arc::new(FakeSource(records.to_vec()));
    let jobs = Jobs::open(lake.clone(), source, destinations);
    let jobs = jobs.await.unwrap();
    let request = Request {
        select: "SELECT * FROM orders".to_owned(),
        destination: "out".to_owned(),
        options: BTreeMap::from([("name".to_owned(), "r".to_owned())]),
        text: "SELECT * INTO out FROM orders".to_owned(),
    };
    jobs.start(&request).await.unwrap();
    let waiting = async {
        loop {
            let job = jobs.show("r").await.unwrap();
            if !matches!(job.state, State::Planned | State::Running) {
                return job;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_record_is_a_line_of_its_own_in_order() {
    let (_folder, lake) = lake(Clock::system());
    let records: Vec<Stored> = (0..2_500).map(|n| Stored::full(0, n)).collect();
    let pipe = Pipe::of(usize::MAX);
    let job = ends(&lake, &pipe, &records).await;
    assert_eq!((job.state, job.counts.acknowledged), (State::Done, 2_500));
    assert_eq!(job.target, "standard output");
    let lines = pipe.lines();
    let offsets: Vec<i64> = lines
        .iter()
        .map(|line| line["offset"].as_i64().unwrap())
        .collect();
    assert_eq!(offsets, (0..2_500).collect::<Vec<i64>>());
    assert_eq!(lines[7]["value_text"], "0/7");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_pipe_fails_the_replay_and_drops_no_record() {
    let (_folder, lake) = lake(Clock::system());
    let records: Vec<Stored> = (0..5_000).map(|n| Stored::full(0, n)).collect();
    let job = ends(&lake, &Pipe::of(300_000), &records).await;
    assert_eq!(job.state, State::Failed);
    assert!(job.counts.acknowledged < 5_000 && job.counts.failed == 0);
    let reason = job.reason.unwrap();
    assert!(
        reason.contains("standard output can't be written"),
        "{reason}"
    );
}

#[test]
fn it_has_no_options() {
    let options = BTreeMap::from([("format".to_owned(), "csv".to_owned())]);
    let error = Stdout::validate(&options).unwrap_err().to_string();
    assert_eq!(error, "a stdout destination has no option `format`");
}
