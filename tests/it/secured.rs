//! A broker that wants TLS and a user: recorded from and sent to by what a Java client is
//! configured with; and what happens when it doesn't let us in any more.

use serde_json::json;

use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::Start;
use crate::harness::services::{add_scram_user, remove_scram_user, secured_kafka};
use crate::harness::unique;
use crate::harness::wait::{PATIENCE, wait_equal, wait_for, wait_until};
use crate::replay::{wait_committed_into, wait_done, wait_ended};
use crate::replay_once::{contents, length, produce};

const PASSWORD: &str = "of-a-test-8d1f";
const RECORDS: usize = 1_000;

/// A Java client's properties for a user of the login module `kind`.
fn properties(mechanism: &str, module: &str, user: &str, password: &str) -> Vec<(String, String)> {
    let secured = secured_kafka();
    let login = format!(
        "org.apache.kafka.common.security.{module} required \
         username=\"{user}\" password=\"{password}\";"
    );
    [
        ("bootstrap.servers", secured.bootstrap_servers.as_str()),
        ("security.protocol", "SASL_SSL"),
        ("sasl.mechanism", mechanism),
        ("sasl.jaas.config", &login),
        ("ssl.truststore.type", "PEM"),
        ("ssl.truststore.certificates", &secured.ca),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .to_vec()
}

fn scram(user: &str) -> Vec<(String, String)> {
    properties("SCRAM-SHA-512", "scram.ScramLoginModule", user, PASSWORD)
}

fn with_kafka(start: Start, properties: &[(String, String)]) -> Start {
    let each = properties.iter();
    each.fold(start, |start, (key, value)| start.kafka(key, value))
}

#[test]
fn a_javas_own_properties_record_a_topic_through_tls_and_no_secret_is_logged() {
    let user = unique("reader");
    add_scram_user(&user, PASSWORD);
    let plain = properties("PLAIN", "plain.PlainLoginModule", "plain", "plain-secret");
    for (name, properties) in [("scram", scram(&user)), ("plain", plain)] {
        let lake = TestLake::local();
        let topic = Topic::create(&format!("secured_{name}"), 2);
        produce(&topic, RECORDS);
        let start = Start::on(&lake).connector(&topic.name, &[("topics", &topic.name)]);
        let eddy = with_kafka(start, &properties).ready();
        let counted = format!("SELECT count(*) AS n FROM {}", topic.name);
        wait_equal(PATIENCE, "all is recorded", json!(RECORDS), || {
            let rows = eddy.http().try_sql(&counted);
            rows.map_or(json!(0), |rows| rows[0]["n"].clone())
        });
        let log = eddy.log();
        assert!(!log.contains(PASSWORD) && !log.contains("plain-secret"));
    }
}

#[test]
fn a_reader_that_is_let_in_again_goes_on_where_it_stood() {
    let user = unique("expired_reader");
    add_scram_user(&user, PASSWORD);
    let lake = TestLake::local();
    let topic = Topic::create("expired_reader", 2);
    produce(&topic, RECORDS);
    let start = Start::on(&lake).connector(&topic.name, &[("topics", &topic.name)]);
    let eddy = with_kafka(start, &scram(&user)).ready();
    let count = || {
        let counted = format!("SELECT count(*) AS n FROM {}", topic.name);
        let rows = eddy.http().try_sql(&counted);
        rows.map_or(json!(0), |rows| rows[0]["n"].clone())
    };
    wait_equal(PATIENCE, "all is recorded", json!(RECORDS), count);
    remove_scram_user(&user);
    wait_until(PATIENCE, "it is sent away", || {
        eddy.log().contains("uthentication failed")
    });
    produce(&topic, RECORDS);
    add_scram_user(&user, PASSWORD);
    wait_equal(PATIENCE, "the rest is recorded", json!(2 * RECORDS), count);
}

#[test]
fn an_expired_credential_of_kafka_fails_the_replay_and_no_record() {
    let user = unique("expired_writer");
    add_scram_user(&user, PASSWORD);
    let lake = TestLake::local();
    let source = Topic::create("expired_writer", 1);
    produce(&source, RECORDS);
    let cases = [
        ("usual", ", on_error = 'skip'"),
        ("once", ", exactly_once = true"),
    ];
    let targets = cases.map(|(name, _)| Topic::create(&format!("expired_{name}"), 1));
    let mut start = Start::on(&lake).connector(&source.name, &[("topics", &source.name)]);
    for ((name, _), target) in cases.iter().zip(&targets) {
        let mut options = scram(&user);
        options.push(("topic".to_owned(), target.name.clone()));
        options.push(("delivery.timeout.ms".to_owned(), "6000".to_owned()));
        options.push(("transaction.timeout.ms".to_owned(), "6000".to_owned()));
        let options = options.iter();
        let options: Vec<(&str, &str)> = options
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        start = start.destination(name, "kafka", &options);
    }
    let eddy = start.ready();
    let http = eddy.http();
    wait_committed_into(&http, "usual", &source, RECORDS);
    for (name, options) in cases {
        let from = &source.name;
        http.sql(&format!(
            "SELECT * INTO {name} FROM {from} WITH (name = '{name}', rate = '20/s'{options})"
        ));
    }
    wait_until(PATIENCE, "a part has arrived", || {
        targets.iter().all(|target| length(target) > 10)
    });
    remove_scram_user(&user);
    for (name, _) in cases {
        let replay = wait_ended(&http, name);
        assert_eq!(replay["state"], "failed", "{replay}");
        assert_eq!(replay["failed"], json!(0), "{replay}");
        assert!(replay["acknowledged"].as_u64() < Some(RECORDS as u64));
        let reason = replay["reason"].as_str().expect("a reason");
        assert!(
            reason.contains("mend the destination's credentials"),
            "{reason}"
        );
        assert!(!reason.contains(PASSWORD));
    }
    add_scram_user(&user, PASSWORD);
    let wanted = contents(&source);
    for ((name, _), target) in cases.iter().zip(&targets) {
        let path = format!("/api/v1/replays/{name}");
        let rate = http.post(&format!("{path}/rate"), &json!({"rate": "100000/s"}));
        rate.expect("another rate");
        wait_for(PATIENCE, "it is let in again", || {
            http.post(&format!("{path}/resume"), &json!({})).ok()
        });
        let replay = wait_done(&http, name);
        assert_eq!(replay["acknowledged"], json!(RECORDS), "{replay}");
        let mut there = contents(target);
        if *name == "usual" {
            // What was under way may have come twice.
            there.dedup();
        }
        assert!(there == wanted, "{name}: each record, in order");
    }
    assert!(!eddy.log().contains(PASSWORD));
}
