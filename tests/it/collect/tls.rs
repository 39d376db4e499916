//! Events over HTTPS, from a client of another making, which checks the certificate.

use std::path::Path;

use serde_json::json;

use super::sender::Sender;
use super::{TOKEN, collector};
use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::python;

/// `[collector.tls]` with a certificate that is made in the folder.
pub fn settings(folder: &Path) -> String {
    python::run("certificates.py", &json!({"folder": folder}));
    format!(
        "[collector.tls]\n\"ssl.keystore.type\" = \"PEM\"\n\"ssl.keystore.location\" = \"{}\"\n",
        folder.join("server.pem").display()
    )
}

/// Sends the events one by one, and panics unless each is taken.
#[track_caller]
pub fn send(sender: &Sender, folder: &Path, events: &[&str]) {
    let told = python::run(
        "https_collector.py",
        &json!({
            "address": sender.address,
            "certificate": folder.join("ca.pem"),
            "token": TOKEN,
            "events": events,
        }),
    );
    assert_eq!(told["statuses"], json!(vec![200; events.len()]), "{told}");
    assert_eq!(told["protocol"], "http/1.1");
}

#[test]
fn events_come_in_over_https_and_nothing_without_it() {
    let (lake, folder) = (TestLake::local(), tempfile::tempdir().expect("a folder"));
    let topic = Topic::create("https", 1);
    let (start, sender) = collector(&lake, &topic.name, "");
    let _eddy = start.toml(&settings(folder.path())).ready();
    send(&sender, folder.path(), &["{\"n\": 1}", "", "ä"]);
    assert_eq!(sender.send(&[], b"plain").status, 0, "it is no HTTP there");
    let stored = topic.consume();
    let values: Vec<_> = stored
        .iter()
        .filter_map(|one| one.value.as_deref())
        .collect();
    assert_eq!(values, [b"{\"n\": 1}".as_slice(), b"", "ä".as_bytes()]);
}
