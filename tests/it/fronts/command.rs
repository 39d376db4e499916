//! `eddy sql` at a terminal and in a pipe, and `eddy tail`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{ENDLESS, orders};
use crate::harness::process::BINARY;
use crate::harness::python;
use crate::harness::wait::{PATIENCE, poll, wait_until};

#[test]
fn the_prompt_answers_completes_cancels_and_remembers() {
    let (eddy, topic, _lake) = orders();
    let home = tempfile::tempdir().expect("a folder");
    let state = home.path().display().to_string();
    let (name, endless) = (&topic.name, format!("{ENDLESS};\r"));
    let beginning = &name[..name.len() - 2];
    let input = json!({
        "command": [BINARY, "sql"],
        "environment": {"EDDY_URL": eddy.url(), "XDG_STATE_HOME": state},
        "steps": [
            ["", "eddy> "],
            ["SELECT 1 + 1 AS two\r", "two"],
            [", 'a;b' AS b;\r", "| a;b |"],
            ["\\d\r", name],
            [format!("\\d {name}\r"), "_value_text"],
            [format!("SELECT count(*) AS n FROM {beginning}<tab>;\r"), "| 5 |"],
            ["SELECT nope;\r", "error: "],
            ["\\timing\r", "timing is on"],
            ["SELECT 7 AS seven;\r", " ms"],
            // The editor lets go of the terminal before anything runs.
            [endless, "generate_series(1, 1000000000) b;\u{1b}[?2004l"],
            // What was given up before it was sent is no query that could be cancelled.
            [{"running": ENDLESS}],
            ["^C", "cancelled"],
            ["SELECT 8 AS eight;\r", "| 8"],
            ["\\q\r", "\\q"],
        ],
    });
    let told = python::run("prompt.py", &input);
    assert_eq!(told["status"], 0, "{told}");
    wait_until(PATIENCE, "what was cancelled has ended", || {
        let sql = format!("SELECT state FROM system.queries WHERE sql = '{ENDLESS}'");
        eddy.http().sql(&sql) == [json!({"state": "cancelled"})]
    });
    let history = home.path().join("eddy/sql-history");
    let history = std::fs::read_to_string(history).expect("a history");
    assert!(history.contains("SELECT 7 AS seven;"), "{history}");
}

#[test]
fn statements_come_by_pipe_where_there_is_no_terminal() {
    let (eddy, _topic, _lake) = orders();
    let mut child = Command::new(BINARY)
        .args(["sql", "--format", "csv"])
        .env("EDDY_URL", eddy.url())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("`eddy sql` runs");
    let mut stdin = child.stdin.take().expect("its input");
    stdin.write_all(b"SELECT 1 AS one").expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("its output");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "one\n1\n");
}

#[test]
fn a_tail_tells_each_new_record_once_over_a_restart_of_the_server() {
    let (mut eddy, topic, _lake) = orders();
    let mut tail = Tail::start(&eddy.url(), &topic.name, "id > 100");
    let mut next = 101;
    let mut send = |count: i64| {
        let values = (next..next + count).map(|id| format!("{{\"id\": {id}}}"));
        topic.produce_values(&values.collect::<Vec<_>>());
        next += count;
        next - 1
    };
    // It follows once it tells the first.
    wait_until(PATIENCE, "the tail follows", || {
        send(1);
        tail.more(Duration::from_millis(500))
    });
    for restarted in [false, true] {
        if restarted {
            eddy.restart();
        }
        let last = send(5);
        wait_until(PATIENCE, "the tail has told the last record", || {
            tail.more(Duration::from_millis(100));
            tail.ids.last() == Some(&last)
        });
    }
    let expected: Vec<i64> = (tail.ids[0]..=send(0)).collect();
    assert_eq!(tail.ids, expected);
}

/// An `eddy tail`, and the ids that it has told.
struct Tail {
    child: Child,
    lines: mpsc::Receiver<String>,
    ids: Vec<i64>,
}

impl Tail {
    fn start(url: &str, table: &str, condition: &str) -> Self {
        let mut child = Command::new(BINARY)
            .args(["tail", table, "--where", condition])
            .env("EDDY_URL", url)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`eddy tail` runs");
        let stdout = BufReader::new(child.stdout.take().expect("its output"));
        let (tx, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if tx.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            lines,
            ids: Vec::new(),
        }
    }

    /// Takes what it has told; false if it tells nothing for so long.
    fn more(&mut self, wait: Duration) -> bool {
        let line = poll(wait, &mut || self.lines.try_recv().ok());
        let Some(line) = line else { return false };
        let row: Value = serde_json::from_str(&line).expect("JSON");
        self.ids.push(row["id"].as_i64().expect("an id"));
        true
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
