//! The management API of the old platform: its clients log in, search, and replay what they found.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::collect::sender::Sender;
use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::Start;
use crate::harness::python;
use crate::harness::services::services;
use crate::harness::wait::PATIENCE;

const ENABLED: &str = "[platform]\nenabled = true\n";

#[test]
fn a_client_of_the_old_platform_logs_in_searches_and_replays() {
    let lake = TestLake::local();
    let source = Topic::create("platform", 1);
    let target = Topic::create("platform_again", 2);
    let (collector, sender) = Sender::configured("headers = \"X-Source\"");
    let settings = [
        ("topics", source.name.as_str()),
        ("flush.interval.ms", "200"),
    ];
    let password = "a-token-of-the-listener";
    let eddy = Start::on(&lake)
        .toml(&collector)
        .toml(ENABLED)
        .token(password)
        .connector(&source.name, &settings)
        .ready();
    let told = python::run(
        "old_platform.py",
        &json!({
            // Its cookies go to names alone.
            "url": eddy.url().replace("127.0.0.1", "localhost"),
            "collector": format!("http://{}", sender.address),
            "kafka": services().kafka,
            "collection": source.name,
            "target": target.name,
            "password": password,
        }),
    );
    let arrived = target.consume();
    assert_eq!(arrived.len(), 11, "each record once");
    let numbers = arrived.iter().map(|record| {
        let value: Value = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
        value["n"].as_u64().unwrap()
    });
    let numbers: BTreeSet<u64> = numbers.collect();
    let expected = (0..5).chain(55..60).chain([1000]);
    assert_eq!(numbers, expected.collect());
    let log = eddy.log();
    let secret = told["token"].as_str().expect("a token");
    assert!(!log.contains(secret) && !log.contains(password), "{log}");
}

#[test]
fn the_old_api_is_off_unless_it_is_asked_for_and_open_to_whom_the_listener_is() {
    let lake = TestLake::local();
    let (collector, _) = Sender::configured("");
    let off = Start::on(&lake).toml(&collector).ready();
    for path in ["/v1/collection", "/v1/account"] {
        let none = off.http().get(path).expect_err("it is off");
        assert_eq!((none.status, none.code()), (404, "not_found"), "{path}");
    }
    drop(off);
    let on = Start::on(&lake).toml(&collector).toml(ENABLED).ready();
    let http = on.http();
    // Without a token anybody is let in, so a login says nothing.
    let account = http.post(
        "/v1/login",
        &json!({"email": "a@b.example", "password": ""}),
    );
    assert_eq!(account.expect("an account")["email"], "a@b.example");
    assert_eq!(http.get("/v1/collection").expect("a list"), json!([]));
    assert!(http.get("/api/v1/collections").is_ok());
    drop(on);
    let mut without = Start::on(&lake).toml(ENABLED).spawn();
    assert!(!without.wait_exit(PATIENCE).success());
    assert!(
        without.log().contains("`platform.enabled` needs"),
        "{}",
        without.log()
    );
}
