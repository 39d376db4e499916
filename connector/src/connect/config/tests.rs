//! What a connector may say, and how what it says wrongly is told.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::*;

pub(super) fn parse(entries: &[(&str, &str)]) -> Result<ConnectorConfig> {
    let map = entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    ConnectorConfig::parse("orders", &map)
}

#[test]
fn topics_alone_are_enough() {
    let config = parse(&[("topics", "orders, payments.v1")]).unwrap();
    assert!(config.topics.includes("payments.v1") && !config.topics.includes("other"));
    assert_eq!(config.group(), "connect-orders");
    assert_eq!(config.topics_dir, "topics");
    assert_eq!(config.cut, CutPolicy::default());
    assert_eq!(config.start, StartAt::Earliest);
    assert_eq!(config.converter, Converter::Auto);
}

#[test]
fn raw_elision_is_off_unless_it_is_asked_for_by_its_word() {
    let raw = |value| parse(&[("topics", "a"), ("value.raw", value)]);
    assert_eq!(raw("").unwrap().raw, Raw::Keep);
    assert_eq!(raw("keep").unwrap().raw, Raw::Keep);
    assert_eq!(raw("elide").unwrap().raw, Raw::Elide);
    let error = raw("drop").unwrap_err().to_string();
    assert!(error.contains("`value.raw` is `drop`"), "{error}");
    assert!(
        error.contains("`keep`") && error.contains("`elide`"),
        "{error}"
    );
}

#[test]
fn a_java_pattern_with_look_around_matches_whole_names() {
    let config = parse(&[("topics.regex", r"(?!internal\.)[a-z.]+(?<!\.tmp)")]).unwrap();
    assert!(config.topics.includes("orders.v"));
    assert!(!config.topics.includes("internal.audit"));
    assert!(!config.topics.includes("orders.tmp"));
    assert!(!config.topics.includes("orders-1"));
}

#[test]
fn a_pattern_of_topics_is_read_as_java_reads_it() {
    for pattern in [r"\Qorders.\E.*", r"\p{Alnum}+\.x"] {
        let config = parse(&[("topics.regex", pattern)]).unwrap();
        assert!(config.topics.includes("orders.x"), "{pattern}");
        assert!(!config.topics.includes("ordersx"), "{pattern}");
    }
}

#[test]
fn kafkas_own_topics_are_recorded_only_by_name_and_those_named_alike_as_any_other() {
    let pattern = parse(&[("topics.regex", ".*")]).unwrap();
    assert!(pattern.topics.includes("__debezium-heartbeat.shop"));
    assert!(!pattern.topics.includes("__consumer_offsets"));
    let named = parse(&[("topics", "__consumer_offsets")]).unwrap();
    assert!(named.topics.includes("__consumer_offsets"));
}

#[test]
fn a_wrong_value_is_refused_with_key_value_and_what_is_allowed() {
    for (entries, needles) in [
        (
            &[("topics", "a"), ("tasks.max", "0")][..],
            ["`tasks.max`", "`0`", "from 1"],
        ),
        (
            &[("topics", "a"), ("position.reset", "now")],
            ["`position.reset`", "`now`", "`fail`"],
        ),
        (&[("topics", "a b")], ["`topics`", "`a b`", "249"]),
        (
            &[("topics.regex", "(")],
            ["`topics.regex`", "`(`", "Java pattern"],
        ),
        (
            &[
                ("topics", "a"),
                ("consumer.override.auto.offset.reset", "none"),
            ],
            ["auto.offset.reset", "`none`", "`latest`"],
        ),
        (
            &[("topics", "a"), ("topics.dir", "../x")],
            ["`topics.dir`", "`../x`", "relative"],
        ),
    ] {
        let message = parse(entries).unwrap_err().to_string();
        assert!(
            needles.iter().all(|needle| message.contains(needle)),
            "{message}"
        );
    }
    assert!(parse(&[]).is_err());
    assert!(parse(&[("topics", "a"), ("topics.regex", "b")]).is_err());
}

#[test]
fn strings_are_looked_through_for_what_is_asked_for_alone() {
    let detect = |value| parse(&[("topics", "a"), ("value.detect", value)]);
    assert_eq!(detect("").unwrap().detect, Detect::default());
    let both = detect(" timestamps, decimals").unwrap().detect;
    assert!(both.timestamps && both.decimals);
    assert!(!detect("decimals").unwrap().detect.timestamps);
    let error = detect("timestamps, dates").unwrap_err().to_string();
    assert!(error.contains("`value.detect` has `dates`"), "{error}");
}

#[test]
fn upkeep_compacts_by_default_and_keeps_rows_for_good() {
    let upkeep = parse(&[("topics", "a")]).unwrap().upkeep;
    assert_eq!(upkeep.policy, eddy_engine::maintain::Policy::default());
    let upkeep = parse(&[
        ("topics", "a"),
        ("compact", "false"),
        ("retention.ms", "3600000"),
        ("retention.bytes", "-1"),
    ]);
    let policy = upkeep.unwrap().upkeep.policy;
    assert_eq!(policy.compaction, None);
    assert_eq!(policy.retention.age, Some(Duration::from_secs(3_600)));
    assert_eq!(policy.retention.bytes, None);
    assert!(parse(&[("topics", "a"), ("history.ms", "1000")]).is_err());
}

#[test]
fn overrides_lose_their_prefix_and_the_reset_becomes_the_start() {
    let config = parse(&[
        ("topics", "a"),
        ("consumer.override.auto.offset.reset", "latest"),
        ("consumer.override.session.timeout.ms", "6000"),
    ])
    .unwrap();
    assert_eq!(config.start, StartAt::Latest);
    assert_eq!(config.consumer.len(), 1);
}

#[test]
fn no_connector_makes_a_client_load_libraries() {
    for client in ["consumer", "producer"] {
        let key = format!("{client}.override.plugin.library.paths");
        let error = parse(&[("topics", "a"), (&key, "/tmp/hidden.so")]);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("`plugin.library.paths`"), "{error}");
        assert!(!error.contains("hidden"), "{error}");
    }
}
