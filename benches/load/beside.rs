//! Two engines by turns over the same files: Eddy's worker, and DuckDB in a process of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use super::s3::setting;

/// Threads of each engine.
pub(crate) const THREADS: usize = 2;

/// A timed answer.
#[derive(Debug, Clone)]
pub(crate) struct Timed {
    /// From the request to the last row, in milliseconds.
    pub(crate) ms: f64,
    /// Of all threads, in milliseconds, where it is known.
    pub(crate) cpu_ms: f64,
    /// One object a row.
    pub(crate) rows: Vec<Value>,
}

/// DuckDB with [`THREADS`] threads.
pub(crate) struct DuckDb {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl DuckDb {
    /// Starts it in the Python that the tests have.
    pub(crate) fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/load/in_duckdb.py");
        let mut child = Command::new(setting("EDDY_TEST_PYTHON"))
            .arg(script)
            .arg(THREADS.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, answers }
    }

    /// Runs one statement.
    pub(crate) fn ask(&mut self, sql: &str) -> Timed {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{}", json!({ "sql": sql })).unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).expect("DuckDB answers");
        assert_eq!(answer["error"], Value::Null, "{sql}");
        Timed {
            ms: answer["ms"].as_f64().unwrap(),
            cpu_ms: answer["cpu_ms"].as_f64().unwrap(),
            rows: answer["rows"].as_array().unwrap().clone(),
        }
    }
}

impl Drop for DuckDb {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Eddy over HTTP, with one connection that stays open.
pub(crate) struct Asking {
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
    url: String,
}

impl Asking {
    /// The server on `port` of this machine.
    pub(crate) fn new(port: u16) -> Self {
        Self {
            runtime: tokio::runtime::Runtime::new().unwrap(),
            client: reqwest::Client::new(),
            url: format!("http://127.0.0.1:{port}/api/v1"),
        }
    }

    /// Whether it answers yet.
    pub(crate) fn is_up(&self) -> bool {
        self.text("SELECT 1 AS one").is_ok()
    }

    /// Runs one statement; `cpu_ms` is left to who has the process.
    #[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
    pub(crate) fn ask(&self, sql: &str) -> Timed {
        let begun = Instant::now();
        let text = self
            .text(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        let ms = begun.elapsed().as_secs_f64() * 1e3;
        let row = |line| serde_json::from_str(line).unwrap();
        Timed {
            ms,
            cpu_ms: 0.0,
            rows: text.lines().map(row).collect(),
        }
    }

    /// What the server says that the statement read.
    pub(crate) fn reads(&self, sql: &str) -> Value {
        let listed: Value = self.runtime.block_on(async {
            let get = self.client.get(format!("{}/queries", self.url));
            get.send().await.unwrap().json().await.unwrap()
        });
        let queries = listed["queries"].as_array().unwrap();
        let query = queries.iter().find(|query| query["sql"] == json!(sql));
        query.expect("the query is listed")["reads"].clone()
    }

    fn text(&self, sql: &str) -> Result<String, String> {
        self.runtime.block_on(async {
            let post = self.client.post(format!("{}/sql", self.url));
            let answer = post.json(&json!({ "sql": sql })).send().await;
            let answer = answer.map_err(|error| error.to_string())?;
            let is_good = answer.status().is_success();
            let text = answer.text().await.map_err(|error| error.to_string())?;
            if is_good { Ok(text) } else { Err(text) }
        })
    }
}

/// Throws the system's cache of files away, where this process may.
pub(crate) fn drop_caches() -> bool {
    let _ = Command::new("sync").status();
    std::fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}

/// `read_parquet` over `files`, as DuckDB has it.
pub(crate) fn parquet(files: &[PathBuf]) -> String {
    let files: Vec<String> = files
        .iter()
        .map(|file| format!("'{}'", file.display()))
        .collect();
    format!("read_parquet([{}], union_by_name = true)", files.join(", "))
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// DataFusion as it comes: the query crate's example `listing`, since only that crate has it.
pub(crate) struct Listing {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Listing {
    /// Starts it over `files`.
    pub(crate) fn start(files: &[PathBuf]) -> Self {
        let mut child = Command::new(setting("EDDY_LISTING"))
            .arg(THREADS.to_string())
            .args(files)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut started = Self { child, answers };
        started.ask("SELECT 1");
        started
    }

    /// Runs one statement; milliseconds.
    pub(crate) fn ask(&mut self, sql: &str) -> f64 {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{sql}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let ms = line.split('\t').next().and_then(|text| text.parse().ok());
        ms.unwrap_or_else(|| panic!("{sql}: {line}"))
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
