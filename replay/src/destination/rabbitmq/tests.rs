//! What the options may be, and what a record becomes. A real broker has the integration tests.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod mapping;

use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;

/// A record that has everything.
fn packed() -> Packed {
    Packed {
        id: "r:id:3:42".to_owned(),
        replay: "r".to_owned(),
        topic: "orders".to_owned(),
        partition: 3,
        offset: 42,
        timestamp_ms: Some(1_500),
        key: Some(Bytes::from_static(b"k")),
        value: Some(Bytes::from_static(b"{\"a\": 1}")),
        headers: Vec::new(),
    }
}

fn settings(options: &[(&str, &str)]) -> Settings {
    of_replay(options, &Options::default())
}

fn of_replay(options: &[(&str, &str)], replay: &Options) -> Settings {
    let base = [("url", "amqp://h/"), ("exchange", "e")];
    let options = base.iter().chain(options);
    let options: BTreeMap<String, String> = options
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    Settings::new(&options, replay).unwrap()
}

#[test]
fn what_can_not_be_right_is_told_by_its_option() {
    for (pairs, told) in [
        (
            &[("url", "")][..],
            "a RabbitMQ destination needs the option `url`",
        ),
        (
            &[("urls", "x")],
            "a RabbitMQ destination has no option `urls`",
        ),
        (
            &[("exchange", "")],
            "needs the option `exchange` or `routing.key`",
        ),
        (
            &[("routing.key", "{kee}")],
            "`routing.key` has a `{...}` that is not known",
        ),
        (
            &[("mandatory", "yes")],
            "`mandatory` has to be `true` or `false`",
        ),
        (
            &[("window", "0")],
            "`window` has to be a number from 1 to 10000",
        ),
        (&[("timeout", "30")], "`timeout` has to be a time"),
        (
            &[("property.message-id", "x")],
            "has no option `property.message-id`",
        ),
        (
            &[("property.priority", "256")],
            "`property.priority` has to be a number",
        ),
        (
            &[("property.expiration", "1s")],
            "`property.expiration` has to be a number",
        ),
        (
            &[("header.eddy-key", "x")],
            "`header.eddy-key` can't be set",
        ),
        (
            &[("url", "http://h/")],
            "`url` has to begin with `amqps://` or `amqp://`",
        ),
    ] {
        let base = [("url", "amqp://h/"), ("exchange", "e")];
        let options = base.iter().chain(pairs);
        let options: BTreeMap<String, String> = options
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let error = settings::validate(&options).err().unwrap();
        assert!(error.to_string().contains(told), "{error} is not: {told}");
    }
}

#[test]
fn an_internal_host_is_refused_and_one_by_reference_is_not_judged_yet() {
    let kind = RabbitMq::new(Clock::manual(0), Reach::default());
    let options = |url: &str| {
        BTreeMap::from([
            ("url".to_owned(), url.to_owned()),
            ("routing.key".to_owned(), "q".to_owned()),
        ])
    };
    let error = kind.validate(&options("amqp://127.0.0.1/")).unwrap_err();
    assert!(error.to_string().contains("internal address"), "{error}");
    assert!(kind.validate(&options("${env:RABBIT}")).is_ok());
}

#[test]
fn what_it_stands_for_has_no_password_in_it() {
    for (url, exchange, told) in [
        (
            "amqp://u:hunter2@h/v",
            "e",
            "rabbitmq exchange `e` at amqp://h/v",
        ),
        ("${env:RABBIT}", "", "rabbitmq queue `q` at ${env:RABBIT}"),
    ] {
        let written = [("url", url), ("exchange", exchange), ("routing.key", "q")];
        let written = written.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let settings = settings(&[("exchange", exchange), ("routing.key", "q")]);
        assert_eq!(target(&written.into(), &settings), told);
    }
}
