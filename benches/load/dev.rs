//! `eddy dev`: from the answer to an event's request over HTTP to the event in SQL.
//!
//! Events have numbers, and one client asks without a pause for those that it hasn't seen all of
//! yet: an event is visible when an answer with its number has arrived. The first event, with which
//! the table comes to be, isn't counted.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::load::services::free_port;
use crate::load::worker::{Worker, wait_until};

/// Of the collection `dev`, whose topic is `events`: it stands in the guide.
const TOKEN: &str = "for-trying-things-only";
/// Clients that send by turns, so that an answer that takes its time holds up no other event.
const CLIENTS: u64 = 8;

/// A running one, with a table.
struct Dev {
    process: Worker,
    events: String,
    sql: String,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

/// Sends so many events a second for so long, says so, and answers how long each took from its
/// answer to visible.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
pub(crate) fn measure(seconds: u64, rate: u64) -> Vec<Duration> {
    let folder = tempfile::tempdir().unwrap();
    let dev = &Dev::start(folder.path());
    let total = rate * seconds;
    let start = Instant::now();
    let (answered, seen) = thread::scope(|scope| {
        let clients = (0..CLIENTS)
            .map(|client| scope.spawn(move || dev.send(client, total, rate, start)))
            .collect::<Vec<_>>();
        let seen = dev.watch(total, Duration::from_secs(seconds + 60));
        let answered = clients.into_iter().map(|client| client.join().unwrap());
        (answered.flatten().collect::<Vec<_>>(), seen)
    });
    let last = answered.iter().map(|(_, at)| *at).max().unwrap();
    println!(
        "eddy dev: {total} events over HTTP at {rate}/s for {seconds} s, sent in {:.1} s",
        (last - start).as_secs_f64()
    );
    let delays = answered.iter().map(|(number, at)| {
        let visible = seen[*number as usize].expect("all were seen");
        visible.saturating_duration_since(*at)
    });
    delays.collect()
}

impl Dev {
    /// Starts it and waits until the first event is a row.
    fn start(folder: &Path) -> Self {
        let [http, collector] = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
        let listens = [
            ["--listen", &http],
            ["--collector-listen", &collector],
            ["--collector-grpc-listen", ""],
            ["--connect-listen", ""],
            ["--flight-listen", ""],
            ["--postgres-listen", ""],
        ];
        let dev = Self {
            process: Worker::dev(folder, listens.as_flattened()),
            events: format!("http://{collector}/v1/collection"),
            sql: format!("http://{http}/api/v1/sql"),
            client: reqwest::Client::new(),
            runtime: tokio::runtime::Runtime::new().unwrap(),
        };
        let log = &dev.process.log;
        wait_until(Duration::from_secs(60), log, || dev.post(0));
        wait_until(Duration::from_secs(60), log, || {
            !dev.seen_from(0).is_empty()
        });
        dev
    }

    /// Sends the events that are this client's turn; the answer is when each was answered.
    #[expect(clippy::disallowed_methods, reason = "a bench paces in real time")]
    fn send(&self, client: u64, total: u64, rate: u64, start: Instant) -> Vec<(u64, Instant)> {
        let own = (1..=total).filter(|number| number % CLIENTS == client);
        own.map(|number| {
            let due = Duration::from_micros(number * 1_000_000 / rate);
            thread::sleep(due.saturating_sub(start.elapsed()));
            assert!(self.post(number), "event {number} was not taken");
            (number, Instant::now())
        })
        .collect()
    }

    /// Sends one event; whether it was taken.
    fn post(&self, number: u64) -> bool {
        let session = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let body =
            format!("{{\"number\":{number},\"page\":\"/pricing\",\"session\":\"{session:016x}\"}}");
        let request = self.client.post(&self.events).header("Batch-Token", TOKEN);
        let taken = self.runtime.block_on(async {
            let answer = request.body(body).send().await.ok()?;
            let is_taken = answer.status() == 200;
            answer.bytes().await.ok()?;
            Some(is_taken)
        });
        taken == Some(true)
    }

    /// When an answer first had each event, by its number.
    #[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
    fn watch(&self, total: u64, deadline: Duration) -> Vec<Option<Instant>> {
        let start = Instant::now();
        let mut seen = vec![None; total as usize + 1];
        let mut next = 1;
        while next <= total {
            let log = self.process.log.display();
            assert!(
                start.elapsed() < deadline,
                "event {next} isn't visible; see {log}"
            );
            let numbers = self.seen_from(next);
            let now = Instant::now();
            for number in numbers {
                seen[number as usize].get_or_insert(now);
            }
            while seen.get(next as usize).is_some_and(Option::is_some) {
                next += 1;
            }
        }
        seen
    }

    /// The numbers from `first` on that are visible now.
    fn seen_from(&self, first: u64) -> Vec<u64> {
        let sql = format!("SELECT number FROM events WHERE number >= {first}");
        let body = serde_json::json!({ "sql": sql });
        let request = self.client.post(&self.sql).json(&body);
        let answer = async { request.send().await?.text().await };
        let text = self.runtime.block_on(answer).unwrap_or_default();
        let rows = text
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        rows.filter_map(|row| row.get("number")?.as_u64()).collect()
    }
}
