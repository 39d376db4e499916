//! Transforms that choose a topic, filters, and predicates.

use super::*;

#[test]
fn a_topic_is_renamed_where_its_whole_name_matches() {
    for (regex, replacement, topic) in [
        ("(.*)", "$1-copy", "orders-copy"),
        ("ord(.*)", "x_$1", "x_ers"),
        ("ord", "x", "orders"),
        ("(?<a>or)(?<b>.*)", "${b}.${a}", "ders.or"),
        (r"\w+", r"\$1", "$1"),
    ] {
        let options = [("regex", regex), ("replacement", replacement)];
        let made = apply("RegexRouter", &options, record("{}"));
        assert_eq!(made.topic, topic, "{regex} {replacement}");
        assert_eq!(made.partition, Some(3));
    }
}

#[test]
fn a_topic_is_chosen_by_time() {
    for (options, topic) in [
        (&[][..], "orders-20240506"),
        (
            &[
                ("topic.format", "${timestamp}/${topic}"),
                ("timestamp.format", "yyyy-MM"),
            ],
            "2024-05/orders",
        ),
        (&[("topic.format", "fixed")], "fixed"),
    ] {
        assert_eq!(apply("TimestampRouter", options, record("{}")).topic, topic);
    }
    let mut timeless = record("{}");
    timeless.timestamp_ms = None;
    assert!(
        failure("TimestampRouter", &[], timeless)
            .failure
            .message()
            .contains("timestamp")
    );
}

fn predicated(predicate: &[(&str, &str)], negate: &str) -> Chain {
    let mut entries = vec![
        ("transforms", "t"),
        ("transforms.t.type", "Filter"),
        ("transforms.t.predicate", "p"),
        ("transforms.t.negate", negate),
        ("predicates", "p"),
    ];
    entries.extend_from_slice(predicate);
    read(&entries).unwrap().unwrap()
}

#[test]
fn a_filter_drops_what_its_predicate_holds_for() {
    let mut with_header = record("{}");
    with_header.headers.push(("h".to_owned(), Datum::null()));
    for (predicate, meant, other) in [
        (
            &[
                ("predicates.p.type", "TopicNameMatches"),
                ("predicates.p.pattern", "ord.*"),
            ][..],
            record("{}"),
            ConnectRecord {
                topic: "x-orders".into(),
                ..record("{}")
            },
        ),
        (
            &[
                ("predicates.p.type", "HasHeaderKey"),
                ("predicates.p.name", "h"),
            ],
            with_header.clone(),
            record("{}"),
        ),
        (
            &[("predicates.p.type", "RecordIsTombstone")],
            record("null"),
            record("{}"),
        ),
    ] {
        assert_eq!(
            predicated(predicate, "false").apply(meant.clone()),
            Ok(None)
        );
        assert_eq!(
            predicated(predicate, "true").apply(meant.clone()),
            Ok(Some(meant))
        );
        assert_eq!(predicated(predicate, "true").apply(other.clone()), Ok(None));
        assert_eq!(
            predicated(predicate, "false").apply(other.clone()),
            Ok(Some(other))
        );
    }
}

#[test]
fn transforms_follow_each_other_and_predicates_see_what_those_before_left() {
    let chain = read(&[
        ("transforms", "route, insert, drop"),
        (
            "transforms.route.type",
            "org.apache.kafka.connect.transforms.RegexRouter",
        ),
        ("transforms.route.regex", "orders"),
        ("transforms.route.replacement", "bills"),
        ("transforms.insert.type", "InsertField$Value"),
        ("transforms.insert.topic.field", "t"),
        ("transforms.insert.predicate", "bills"),
        ("transforms.drop.type", "Filter"),
        ("transforms.drop.predicate", "bills"),
        ("transforms.drop.negate", "true"),
        ("predicates", "bills"),
        ("predicates.bills.type", "TopicNameMatches"),
        ("predicates.bills.pattern", "bills"),
    ])
    .unwrap()
    .unwrap();
    let made = chain.apply(record("{}")).unwrap().unwrap();
    assert_eq!(made.value.value, parsed(r#"{"t":"bills"}"#));
    let mut other = record("{}");
    other.topic = "other".to_owned();
    assert_eq!(chain.apply(other), Ok(None));
}
