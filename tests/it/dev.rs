//! `eddy dev`, what a new user meets first: the samples land, a record of one's own is seen and
//! played back, a second start in the same folder harms nothing, a kill loses no table, and events
//! come in over HTTP and gRPC.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::collect::grpc::client::{Client, kafka};
use crate::collect::sender::Sender;
use crate::harness::http::Http;
use crate::harness::process::free_port;
use crate::harness::wait::{PATIENCE, wait_equal, wait_for, wait_until};

const BINARY: &str = env!("CARGO_BIN_EXE_eddy");

struct Dev(Child);

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `collector` is where events are taken over HTTP and gRPC.
fn dev(data: &Path, port: u16, collector: [&str; 2]) -> Command {
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
        .args(["--collector-listen", collector[0]])
        .args(["--collector-grpc-listen", collector[1]])
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

/// The token, the body and the address of the line that sends an event, once the guide is printed.
fn printed(guide: &Path) -> Option<[String; 3]> {
    let text = std::fs::read_to_string(guide).ok()?;
    // What it ends with.
    text.contains("Ctrl-C commits").then_some(())?;
    let line = text.lines().find(|line| line.contains("curl "));
    let line = line.expect("a line that sends an event");
    let parts: Vec<&str> = line.split('\'').collect();
    let ["  curl -H ", header, " -d ", body, url] = parts[..] else {
        panic!("another way to send: {line}");
    };
    let token = header.strip_prefix("Batch-Token: ").expect("a token");
    let address = url.strip_prefix(" http://").expect("an address");
    let address = address.strip_suffix("/v1/collection").expect("the path");
    Some([token, body, address].map(str::to_owned))
}

#[test]
fn a_new_users_first_minutes_work_as_the_guide_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let port = free_port();
    let http = Http::new(&format!("http://127.0.0.1:{port}"));
    let first = Dev(dev(&data, port, ["", ""])
        .spawn()
        .expect("`eddy dev` starts"));
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
    let second = dev(&data, port, ["", ""]).status();
    assert!(!second.expect("it ends").success());
    assert_eq!(
        std::fs::read_to_string(data.join("eddy.toml")).expect("it is there"),
        config
    );

    drop(first);
    let mut second = dev(&data, port, ["", ""]);
    let _second = Dev(second.spawn().expect("`eddy dev` starts again"));
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

#[test]
fn an_event_sent_as_the_guide_says_is_a_row_and_so_is_one_of_a_collection_made_since() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, guide) = (folder.path().join("data"), folder.path().join("guide"));
    let port = free_port();
    let [over_http, over_grpc] = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
    let mut command = dev(&data, port, [&over_http, &over_grpc]);
    command.arg("--empty");
    command.stdout(File::create(&guide).expect("a file"));
    let _dev = Dev(command.spawn().expect("`eddy dev` starts"));
    let http = Http::new(&format!("http://127.0.0.1:{port}"));
    let [token, body, address] = wait_for(PATIENCE, "the guide is printed", || printed(&guide));
    assert_eq!(address, over_http);
    let (_, mut sender) = Sender::configured("");
    sender.address = address;
    let answered = sender.with_token(&token).send(&[], body.as_bytes());
    assert_eq!(answered.status, 200, "{answered:?}");
    wait_equal(PATIENCE, "the event", Some(1), || rows(&http, "events"));
    let sql = "SELECT page, visits FROM events";
    let sent = json!({"page": "/pricing", "visits": 12});
    assert_eq!(http.sql(sql), [sent], "the guide's event");

    let (_, mut client) = Client::configured("");
    client.address = over_grpc;
    let record = kafka("orders", 41, "k-1", b"{\"page\": \"/docs\"}");
    let added = client
        .with_token(&token)
        .add("AddKafkaRecord", vec![record]);
    assert_eq!(added.expect("it is taken"), 1);
    wait_equal(PATIENCE, "both events", Some(2), || rows(&http, "events"));

    let asked = json!({"name": "clicks", "topic": "clicks", "partitions": 2});
    let made = http.post("/api/v1/collections", &asked);
    let made = made.expect("a collection is made");
    let sender = sender.with_token(made["token"].as_str().expect("a token"));
    let answered = sender.send(&[], b"{\"n\": 1}");
    assert_eq!(answered.status, 200, "{answered:?}");
    wait_equal(PATIENCE, "the click", Some(1), || rows(&http, "clicks"));
}
