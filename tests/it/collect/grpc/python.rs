//! Another gRPC implementation, with stubs made of our `.proto` files, over TLS.

use std::path::Path;

use serde_json::json;

use super::collector;
use crate::collect::TOKEN;
use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::python;

#[test]
fn a_client_of_pythons_relays_over_tls_and_finds_health_and_the_methods() {
    let (lake, folder) = (TestLake::local(), tempfile::tempdir().expect("a folder"));
    python::run("certificates.py", &json!({"folder": folder.path()}));
    let topic = Topic::create("python", 1);
    let (start, client) = collector(&lake, &topic.name, "");
    let tls = format!(
        "[collector.tls]\n\"ssl.keystore.type\" = \"PEM\"\n\"ssl.keystore.location\" = \"{}\"\n",
        folder.path().join("server.pem").display()
    );
    let _eddy = start.toml(&tls).ready();
    let told = python::run(
        "grpc_collector.py",
        &json!({
            "address": client.address,
            "certificate": folder.path().join("ca.pem"),
            "protos": Path::new(env!("CARGO_MANIFEST_DIR")).join("connector/proto"),
            "token": TOKEN,
        }),
    );
    assert_eq!(told["health"], "SERVING");
    assert_eq!(told["methods"], 15);
    assert_eq!(told["processed"], json!([500, 500, 3]));
    let unauthorized = told["unauthorized"].as_str().expect("a text");
    assert!(
        unauthorized.starts_with("UNAUTHENTICATED unauthorized"),
        "{told}"
    );
    let stored = topic.consume();
    let values: Vec<&[u8]> = stored
        .iter()
        .filter_map(|one| one.value.as_deref())
        .collect();
    let relayed = (0..500).map(|number| format!("value {number}"));
    let generic = ["a", "", "a"].map(str::to_owned);
    let expected: Vec<String> = relayed.chain(generic).collect();
    let expected: Vec<&[u8]> = expected.iter().map(String::as_bytes).collect();
    assert_eq!(values, expected);
}
