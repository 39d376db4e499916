//! `eddy dev`, what a new user meets first: the samples land, a record of one's own is seen and
//! played back, a second start in the same folder harms nothing, and a kill loses no table.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::harness::http::Http;
use crate::harness::process::free_port;
use crate::harness::wait::{PATIENCE, wait_equal, wait_until};

const BINARY: &str = env!("CARGO_BIN_EXE_eddy");

struct Dev(Child);

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn dev(data: &Path, port: u16) -> Command {
    let mut command = Command::new(BINARY);
    command
        .arg("dev")
        .arg("--data")
        .arg(data)
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .args([
            "--connect-listen",
            "",
            "--flight-listen",
            "",
            "--postgres-listen",
            "",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn load(data: &Path, line: &str, topic: &str) -> Output {
    let file = data.join("line.ndjson");
    std::fs::write(&file, line).expect("a file");
    Command::new(BINARY)
        .arg("load")
        .arg(&file)
        .args(["--topic", topic, "--config"])
        .arg(data.join("eddy.toml"))
        .output()
        .expect("`eddy load` runs")
}

fn rows(http: &Http, table: &str) -> Option<i64> {
    let rows = http
        .try_sql(&format!("SELECT count(*) AS n FROM {table}"))
        .ok()?;
    rows.first()?["n"].as_i64()
}

#[test]
fn a_new_users_first_minutes_work_as_the_guide_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let port = free_port();
    let http = Http::new(&format!("http://127.0.0.1:{port}"));
    let first = Dev(dev(&data, port).spawn().expect("`eddy dev` starts"));
    for (table, count) in [
        ("slack_events", 96),
        ("stripe_objects", 176),
        ("saas_audit_logs", 3_053),
    ] {
        wait_equal(PATIENCE, table, Some(count), || rows(&http, table));
    }
    let sql = "SELECT eventName, count(*) AS events FROM saas_audit_logs \
               WHERE eventName IS NOT NULL GROUP BY eventName ORDER BY events DESC LIMIT 5";
    assert_eq!(http.sql(sql).len(), 5, "the guide's first question");
    let loaded = load(&data, "{\"order\": 42, \"status\": \"failed\"}\n", "orders");
    assert!(
        loaded.status.success() && loaded.stderr.is_empty(),
        "{loaded:?}"
    );
    wait_equal(PATIENCE, "the order", Some(1), || rows(&http, "orders"));
    let sql = "SELECT * INTO sandbox FROM orders WHERE status = 'failed'";
    wait_until(PATIENCE, "the order is committed and played back", || {
        http.try_sql(sql).is_ok_and(|rows| rows[0]["records"] == 1)
    });
    wait_until(PATIENCE, "it arrives", || rows(&http, "sandbox") >= Some(1));

    // The port is taken, and the file that the running one wrote stays.
    let config = std::fs::read_to_string(data.join("eddy.toml")).expect("the configuration");
    assert!(!dev(&data, port).status().expect("it ends").success());
    assert_eq!(
        std::fs::read_to_string(data.join("eddy.toml")).expect("it is there"),
        config
    );

    drop(first);
    let _second = Dev(dev(&data, port).spawn().expect("`eddy dev` starts again"));
    wait_equal(PATIENCE, "the tables are still there", Some(1), || {
        rows(&http, "orders")
    });
    assert_eq!(
        rows(&http, "saas_audit_logs"),
        Some(3_053),
        "the samples aren't loaded twice"
    );
    // Its broker is a new one, so the topic is a new incarnation of the table.
    wait_until(PATIENCE, "its own configuration is written", || {
        std::fs::read_to_string(data.join("eddy.toml")).is_ok_and(|text| text != config)
    });
    assert!(load(&data, "{\"order\": 43}\n", "orders").status.success());
    wait_equal(
        PATIENCE + Duration::from_secs(30),
        "both orders",
        Some(2),
        || rows(&http, "orders"),
    );
}
