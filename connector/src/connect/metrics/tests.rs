//! What a scrape of a worker with a busy and a paused connector reads.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::sink::{ErrorCounts, PartitionState, PartitionStatus, TaskMeasures};

fn partition(number: i32, position: i64, end: i64) -> PartitionStatus {
    PartitionStatus {
        topic: "orders".to_owned(),
        topic_id: None,
        partition: number,
        state: PartitionState::Running,
        position: Some(position),
        committed: Some(position - 3),
        end: Some(end),
        others: Vec::new(),
        error: None,
    }
}

fn scraped() -> String {
    let mut measures = TaskMeasures {
        errors: ErrorCounts {
            failures: 7,
            errors: 5,
            skipped: 5,
            retries: 2,
            ..ErrorCounts::default()
        },
        ..TaskMeasures::default()
    };
    let at = Duration::from_secs;
    measures.batch(400, 395, at(1), at(2));
    measures.commit(Some(at(2)), at(4));
    let busy = ConnectorStatus {
        name: "sink".to_owned(),
        group: String::new(),
        topics: Vec::new(),
        waiting_for: Vec::new(),
        error: None,
        tasks: vec![TaskStatus {
            task: 1,
            state: TaskState::Held,
            error: None,
            partitions: vec![partition(0, 10, 10), partition(3, 20, 45)],
            measures,
        }],
    };
    let mut seen = seen(vec![busy]);
    let idle = ("PAUSED".to_owned(), None);
    let paused = Seen {
        state: Some("PAUSED".to_owned()),
        tasks: BTreeMap::from([(0, idle)]),
    };
    seen.insert("id\"le".to_owned(), paused);
    let worker = OfWorker {
        now: at(10),
        memory: (5, 9),
        rebalances: Some(2),
    };
    text(&seen, worker)
}

#[test]
fn a_scrape_has_connects_names_labels_and_values() {
    let text = scraped();
    for line in [
        "kafka_connect_worker_connector_count 2",
        "kafka_connect_worker_task_count 2",
        "kafka_connect_worker_rebalance_completed_rebalances_total 2",
        r#"kafka_connect_worker_connector_running_task_count{connector="sink"} 1"#,
        r#"kafka_connect_worker_connector_paused_task_count{connector="id\"le"} 1"#,
        r#"kafka_connect_connector_status{connector="id\"le",status="paused"} 1"#,
        r#"kafka_connect_connector_task_status{connector="sink",task="1",status="running"} 1"#,
        r#"kafka_connect_connector_task_pause_ratio{connector="id\"le",task="0"} 1"#,
        r#"kafka_connect_connector_task_batch_size_max{connector="sink",task="1"} 400"#,
        r#"kafka_connect_connector_task_offset_commit_avg_time_ms{connector="sink",task="1"} 2000"#,
        r#"kafka_connect_connector_task_offset_commit_success_percentage{connector="sink",task="1"} 1"#,
        r#"kafka_connect_sink_task_sink_record_read_total{connector="sink",task="1"} 400"#,
        r#"kafka_connect_sink_task_sink_record_read_rate{connector="sink",task="1"} 40"#,
        r#"kafka_connect_sink_task_sink_record_send_total{connector="sink",task="1"} 395"#,
        r#"kafka_connect_sink_task_sink_record_lag_max{connector="sink",task="1"} 25"#,
        r#"kafka_connect_sink_task_sink_record_active_count{connector="sink",task="1"} 6"#,
        r#"kafka_connect_sink_task_partition_count{connector="sink",task="1"} 2"#,
        r#"kafka_connect_sink_task_offset_commit_completion_total{connector="sink",task="1"} 1"#,
        r#"kafka_connect_sink_task_put_batch_max_time_ms{connector="sink",task="1"} 1000"#,
        r#"kafka_connect_task_error_total_record_failures{connector="sink",task="1"} 7"#,
        r#"kafka_connect_task_error_total_records_skipped{connector="sink",task="1"} 5"#,
        r#"kafka_connect_task_error_total_retries{connector="sink",task="1"} 2"#,
        r#"kafka_connect_task_error_last_error_timestamp{connector="sink",task="1"} 0"#,
        r#"kafka_consumer_fetch_manager_records_lag{clientid="connector-consumer-sink-1",connector="sink",task="1",topic="orders",partition="3"} 25"#,
        r#"eddy_partition_uncommitted_records{connector="sink",task="1",topic="orders",partition="0"} 3"#,
        "eddy_worker_memory_bytes 5",
    ] {
        assert!(text.lines().any(|seen| seen == line), "{line}\n{text}");
    }
}

#[test]
fn every_family_is_told_once_and_stands_together() {
    let text = scraped();
    let mut families = Vec::new();
    for line in text.lines() {
        if let Some(meaning) = line.strip_prefix("# HELP ") {
            families.push(meaning.split(' ').next().unwrap());
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            assert_eq!(Some(&name), families.last(), "{line}");
        }
    }
    let mut once = families.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), families.len());
}
