//! `/metrics` as dashboards of Kafka Connect read it: what was read, what failed, how far behind.

use std::collections::BTreeMap;

use crate::harness::kafka::{Produce, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::unique;
use crate::harness::wait::{PATIENCE, wait_until};

/// The samples of a scrape, by name and labels as they are written.
fn scrape(eddy: &Eddy) -> BTreeMap<String, f64> {
    let text = eddy.http().get("/metrics").expect("a scrape");
    let text = text.as_str().unwrap_or_default();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        })
        .collect()
}

/// The sum of a metric over the tasks of a connector.
fn sum(samples: &BTreeMap<String, f64>, name: &str, connector: &str) -> f64 {
    let label = format!("connector=\"{connector}\"");
    let of = samples.iter().filter(|(sample, _)| {
        sample.split('{').next() == Some(name) && sample.contains(label.as_str())
    });
    of.map(|(_, value)| value).sum()
}

#[test]
fn lags_fall_to_nothing_and_what_failed_adds_up_by_connects_names() {
    let lake = TestLake::local();
    let topic = Topic::create("metrics", 2);
    let records: Vec<Produce> = (0..200)
        .map(|n| {
            let value = if n % 20 == 7 { "{" } else { "{\"n\": 1}" };
            Produce {
                partition: n % 2,
                value: Some(value.as_bytes().to_vec()),
                ..Produce::default()
            }
        })
        .collect();
    topic.produce(&records);
    let (name, dead) = (topic.name.as_str(), unique("dead"));
    let keys = [
        ("topics", name),
        ("tasks.max", "2"),
        ("flush.interval.ms", "200"),
        ("errors.log.enable", "true"),
        ("errors.deadletterqueue.topic.name", &dead),
        ("errors.deadletterqueue.topic.replication.factor", "1"),
    ];
    let eddy = Start::on(&lake).connector(name, &keys).ready();
    let lag = "kafka_consumer_fetch_manager_records_lag";
    wait_until(PATIENCE, "all is read and committed", || {
        let samples = scrape(&eddy);
        let open = sum(&samples, "eddy_partition_uncommitted_records", name);
        let read = sum(
            &samples,
            "kafka_connect_sink_task_sink_record_read_total",
            name,
        );
        let lags = samples.keys().filter(|sample| sample.starts_with(lag));
        (read, open, lags.count()) == (200.0, 0.0, 2) && sum(&samples, lag, name) == 0.0
    });
    let samples = scrape(&eddy);
    for (metric, value) in [
        ("sink_task_sink_record_send_total", 200.0),
        ("sink_task_partition_count", 2.0),
        ("sink_task_sink_record_lag_max", 0.0),
        ("connector_task_running_ratio", 2.0),
        ("worker_connector_running_task_count", 2.0),
        ("task_error_total_record_failures", 10.0),
        ("task_error_total_record_errors", 10.0),
        ("task_error_total_records_skipped", 10.0),
        ("task_error_total_errors_logged", 10.0),
        ("task_error_total_retries", 0.0),
        ("task_error_deadletterqueue_produce_requests", 10.0),
        ("task_error_deadletterqueue_produce_failures", 0.0),
    ] {
        let metric = format!("kafka_connect_{metric}");
        assert_eq!(sum(&samples, &metric, name), value, "{metric}");
    }
    let commits = "kafka_connect_sink_task_offset_commit_completion_total";
    assert!(sum(&samples, commits, name) >= 1.0);
    // Tables by themselves are beside.
    let written = format!("eddy_records_written_total{{topic=\"{name}\"}}");
    assert_eq!(samples.get(&written), Some(&200.0));
}
