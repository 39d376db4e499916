//! What workers tell each other, as they come and go.

use super::*;

const ME: &str = "a:8083";
const OTHER: &str = "b:8083";

fn said(state: &str, worker: &str) -> Said {
    Said {
        state: state.to_owned(),
        trace: None,
        worker: worker.to_owned(),
    }
}

/// Everything but the connectors' partitions from `from` on.
fn owned(mine: impl Iterator<Item = i32>) -> Owned {
    Owned::Partitions {
        count: 64,
        mine: mine.collect(),
    }
}

fn nothing() -> Owned {
    owned(0..0)
}

fn told(board: &mut Board, local: Option<&Local>, owned: &Owned, me: &str) -> Vec<String> {
    let entries = due(board, "c-1", local, owned, me, (3, 5));
    for entry in &entries {
        board.take(&entry.key, entry.value.as_deref());
    }
    let again = due(board, "c-1", local, owned, me, (4, 6));
    assert_eq!(again, Vec::new(), "what was said once needs no repetition");
    entries.into_iter().map(|entry| entry.key).collect()
}

fn running(worker: &str, tasks: &[usize]) -> Local {
    let tasks = tasks.iter().map(|task| (*task, said("RUNNING", worker)));
    Local {
        settled: true,
        connector: Some(said("RUNNING", worker)),
        tasks: tasks.collect(),
        topics: BTreeSet::from(["t:connector".to_owned()]),
    }
}

#[test]
fn the_entries_are_those_of_connects_status_topic() {
    let mut board = Board::default();
    let local = running(ME, &[0]);
    let entries = due(&board, "c-1", Some(&local), &Owned::Everything, ME, (3, 5));
    let texts: Vec<(&str, Value)> = entries
        .iter()
        .map(|entry| {
            let value = entry.value.as_deref().unwrap_or_default();
            (
                entry.key.as_str(),
                serde_json::from_str(value).unwrap_or_default(),
            )
        })
        .collect();
    let version = env!("CARGO_PKG_VERSION");
    let state = json!({"state": "RUNNING", "trace": null, "worker_id": ME, "generation": 3,
        "version": version});
    let topic = json!({"topic": {"name": "t:connector", "connector": "c-1", "task": 0,
        "discoverTimestamp": 5}});
    let expected = [
        ("status-connector-c-1", state.clone()),
        ("status-task-c-1-0", state),
        ("status-topic-t:connector:connector-c-1", topic),
    ];
    assert_eq!(texts, expected);
    for entry in &entries {
        board.take(&entry.key, entry.value.as_deref());
    }
    let known = board.get("c-1").cloned().unwrap_or_default();
    assert_eq!(known.connector, local.connector);
    assert_eq!((known.tasks, known.topics), (local.tasks, local.topics));
}

#[test]
fn whoever_keeps_a_partition_answers_for_what_falls_on_it() {
    let mut board = Board::default();
    let all = Owned::Everything;
    told(&mut board, Some(&running(OTHER, &[0, 1])), &all, OTHER);
    // The other worker dies; this one has begun with the connector's first task only.
    told(&mut board, Some(&running(ME, &[0, 1])), &all, ME);
    let of = board.get("c-1").cloned().unwrap_or_default();
    assert!(of.tasks.values().all(|said| said.worker == ME));
    // The connector shrinks.
    let told_of = told(&mut board, Some(&running(ME, &[0])), &all, ME);
    assert_eq!(told_of, ["status-task-c-1-1"]);
    // It is deleted.
    let told_of = told(&mut board, None, &all, ME);
    assert_eq!(told_of.len(), 3, "{told_of:?}");
    assert_eq!(board.names().count(), 0);
}

#[test]
fn what_is_given_back_is_unassigned_until_somebody_else_has_it() {
    let mut board = Board::default();
    told(&mut board, Some(&running(ME, &[0])), &Owned::Everything, ME);
    let settled = Local {
        settled: true,
        connector: Some(said("RUNNING", ME)),
        ..Local::default()
    };
    let told_of = told(&mut board, Some(&settled), &nothing(), ME);
    assert_eq!(told_of, ["status-connector-c-1", "status-task-c-1-0"]);
    let of = board.get("c-1").cloned().unwrap_or_default();
    assert!(of.tasks.values().all(|said| said.state == "UNASSIGNED"));
    // Another worker's words aren't taken back.
    told(
        &mut board,
        Some(&running(OTHER, &[0])),
        &Owned::Everything,
        OTHER,
    );
    assert_eq!(told(&mut board, Some(&settled), &nothing(), ME), [""; 0]);
}

#[test]
fn a_worker_that_has_not_begun_takes_nothing_back() {
    let mut board = Board::default();
    told(
        &mut board,
        Some(&running(OTHER, &[0])),
        &Owned::Everything,
        OTHER,
    );
    let begins = Local::default();
    assert_eq!(
        told(&mut board, Some(&begins), &Owned::Everything, ME),
        [""; 0]
    );
    assert_eq!(told(&mut board, Some(&begins), &nothing(), ME), [""; 0]);
}

#[test]
fn a_use_of_a_topic_that_is_forgotten_is_told_once() {
    let mut board = Board::default();
    told(&mut board, Some(&running(ME, &[0])), &Owned::Everything, ME);
    let topics = board.get("c-1").cloned().unwrap_or_default().topics;
    for entry in forgotten("c-1", &topics) {
        let forgotten = board.take(&entry.key, None);
        let expected = ("c-1".to_owned(), "t:connector".to_owned());
        assert_eq!(forgotten, Some(expected));
        assert_eq!(board.take(&entry.key, None), None);
    }
}

#[test]
fn what_is_no_status_is_passed_over() {
    let mut board = Board::default();
    for (key, value) in [
        ("status-task-x", Some("{}")),
        ("status-task-x-y", Some("{\"state\":\"RUNNING\"}")),
        ("status-connector-x", Some("nonsense")),
        ("session-key", Some("{}")),
        ("status-topic-x", None),
    ] {
        assert_eq!(board.take(key, value), None);
    }
    assert_eq!(board.names().count(), 0);
}
