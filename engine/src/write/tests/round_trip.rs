//! Records in, rows out.

use super::*;
use crate::testing::Step;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    partition: i32,
    offset: i64,
    timestamp_us: Option<i64>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

fn row_of(record: &Record<'_>) -> Row {
    Row {
        partition: record.partition,
        offset: record.offset,
        timestamp_us: record.timestamp_ms.map(|ms| ms * 1_000),
        key: record.key.map(<[u8]>::to_vec),
        value: record.value.map(<[u8]>::to_vec),
        headers: record
            .headers
            .iter()
            .map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec)))
            .collect(),
    }
}

fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    let binary = |column: &dyn Array, row: usize| {
        let column = column.as_binary::<i32>();
        column.is_valid(row).then(|| column.value(row).to_vec())
    };
    let times = batch["_timestamp"].as_primitive::<TimestampMicrosecondType>();
    let mut rows: Vec<Row> = offsets(batch)
        .into_iter()
        .enumerate()
        .map(|(row, (partition, offset))| {
            let headers = batch["_headers"].as_list::<i32>().value(row);
            let headers = headers.as_struct();
            Row {
                partition,
                offset,
                timestamp_us: times.is_valid(row).then(|| times.value(row)),
                key: binary(&batch["_key"], row),
                value: binary(&batch["_value"], row),
                headers: (0..headers.len())
                    .map(|at| {
                        let name = headers.column(0).as_string::<i32>().value(at).to_owned();
                        (name, binary(headers.column(1), at))
                    })
                    .collect(),
            }
        })
        .collect();
    rows.sort_by_key(|row| (row.partition, row.offset));
    rows
}

fn header<'a>(name: &'a str, value: Option<&'a [u8]>) -> Header<'a> {
    Header { name, value }
}

fn round_trip(world: &World) {
    let headers = [
        header("a", Some(b"1")),
        header("a", None),
        header("", Some(b"")),
        header("a", Some(b"\xff\xfe")),
    ];
    let values: [Option<&[u8]>; 9] = [
        None,
        Some(b""),
        Some(b"{\"id\": 1, \"tags\": [\"x\"], \"in\": {\"deep\": 1.5}}"),
        Some(b"{\"id\": \"one\"}"),
        Some(b"not json"),
        Some(b"{broken"),
        Some(b"\x00\xff\x80"),
        Some(b"[1, 2]"),
        Some(b"17"),
    ];
    let keys: [Option<&[u8]>; 3] = [None, Some(b""), Some(b"\x00key\xff")];
    let (mut writer, _) = world.assigned(&[0, 1]);
    let mut sent = Vec::new();
    let mut offset = 0;
    for value in values {
        for key in keys {
            for headers in [&headers[..], &[]] {
                let record = Record {
                    partition: i32::from(offset % 2 == 1),
                    offset,
                    timestamp_ms: [None, Some(0), Some(TIME_MS)][sent.len() % 3],
                    timestamp_type: TimestampType::Append,
                    key,
                    value,
                    headers,
                    decoded: Default::default(),
                };
                writer.append(&record).unwrap();
                sent.push(row_of(&record));
                offset += 1;
            }
        }
    }
    commit(&mut writer);
    sent.sort_by_key(|row| (row.partition, row.offset));
    let rows = world.rows();
    assert_eq!(rows_of(&rows), sent);
    // P18: what begins like an object and is none is a row with its error.
    assert_eq!(rows["_error"].len() - rows["_error"].null_count(), 6);
}

#[test]
fn e7_records_come_back_byte_for_byte_in_memory() {
    round_trip(&World::in_memory());
}

#[test]
fn e7_records_come_back_byte_for_byte_on_local_disk() {
    round_trip(&World::on_disk());
}

#[test]
fn p6_one_commit_takes_the_files_of_all_days_and_the_positions_of_all_partitions() {
    let world = World::in_memory();
    let (mut writer, _) = world.assigned(&[0, 1, 2]);
    let before = world.snapshot().version;
    let day_ms = 86_400_000;
    for (partition, days_ago) in [(0, 0), (1, 1), (2, 20_000)] {
        for offset in 0..5 {
            let mut record = record(partition, offset, b"{\"a\":1}");
            record.timestamp_ms = Some(TIME_MS - days_ago * day_ms);
            writer.append(&record).unwrap();
        }
    }
    let committed = commit(&mut writer);
    assert_eq!(committed, [range(0, 5), range(1, 5), range(2, 5)]);
    let snapshot = world.snapshot();
    // One version for the new column, one for the cut.
    assert_eq!(snapshot.version, before + 2);
    let days: Vec<_> = snapshot
        .files
        .iter()
        .map(|file| (file.partition_values["dt"].clone().unwrap(), file.rows))
        .collect();
    // 1972 is no time that a clock was set to: it counts as today.
    let today = chrono::DateTime::from_timestamp_micros(world.lake.clock().now_us()).unwrap();
    let today = today.format("%Y-%m-%d").to_string();
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for day in ["2026-11-22", "2026-11-23", &today] {
        *expected.entry(day.to_owned()).or_default() += 5;
    }
    assert_eq!(days, expected.into_iter().collect::<Vec<_>>());
    world.each_offset_once();
}

#[test]
fn p4_progress_without_rows_moves_the_position() {
    let world = World::in_memory();
    let (mut writer, _) = world.assigned(&[0, 1]);
    append(&mut writer, 0, 0, 3);
    writer.advance(0, 7, Some(4)).unwrap();
    writer.advance(1, 9, None).unwrap();
    writer.advance(1, 5, None).unwrap();
    assert_eq!(commit(&mut writer), [range(0, 7), range(1, 9)]);
    writer.advance(1, 12, None).unwrap();
    assert_eq!(commit(&mut writer), [range(1, 12)]);
    let snapshot = world.snapshot();
    assert_eq!(snapshot.files.len(), 1);
    let position = snapshot.position(&topic(), 0).unwrap();
    assert_eq!((position.offset, position.leader_epoch), (7, Some(4)));
    assert!(!writer.cut().unwrap(), "nothing is left to commit");
}

#[test]
fn p2_p3_positions_are_the_tables_and_a_start_is_stored_before_the_first_record() {
    let world = World::in_memory();
    let mut writer = world.writer();
    assert_eq!(writer.known(&[4]).unwrap(), [(4, None)]);
    writer.assign(&[(4, Start::at(100))]).unwrap();
    drop(writer);
    let mut successor = world.writer();
    let positions = successor.assign(&[(4, Start::at(0))]).unwrap();
    assert_eq!(positions[0].1.offset, 100);
    assert!(successor.append(&record(4, 99, b"{}")).is_err());
    assert!(successor.append(&record(5, 0, b"{}")).is_err());
    successor.append(&record(4, 100, b"{}")).unwrap();
}

#[test]
fn appending_goes_on_while_a_commit_is_in_flight() {
    let world = World::in_memory();
    let (mut writer, _) = world.assigned(&[0]);
    append(&mut writer, 0, 0, 20_000);
    assert!(writer.cut().unwrap());
    append(&mut writer, 0, 20_000, 30_000);
    assert!(!writer.in_flight() || !writer.cut().unwrap());
    assert_eq!(settled(&mut writer), [range(0, 20_000)]);
    assert_eq!(commit(&mut writer), [range(0, 30_000)]);
    assert_eq!(world.each_offset_once()[&0], 30_000);
}

#[test]
fn p14_the_journal_names_the_files_of_a_commit_until_it_has_landed() {
    let world = World::faulty();
    let (mut writer, _) = world.assigned(&[0]);
    // The columns are reserved before the store begins to fail.
    append(&mut writer, 0, 0, 3);
    commit(&mut writer);
    append(&mut writer, 0, 3, 6);
    let deadline = world.lake.clock().monotonic() + DEADLINE;
    let wait_until = |what: &str, done: &dyn Fn() -> bool| {
        while !done() {
            let late = world.lake.clock().monotonic() > deadline;
            assert!(!late, "not in time: {what}");
            world.lake.clock().block(Duration::from_millis(2));
        }
    };
    wait_until("the first journal goes", &|| journals(&world).is_empty());
    let steps = vec![Step::FailBefore; 10_000];
    world.store().script("_delta_log", steps);
    assert!(writer.cut().unwrap());
    let uploads = || {
        let puts = world.store().puts();
        puts.iter()
            .filter(|put| put.as_ref().contains("/dt="))
            .count()
    };
    wait_until("the file is uploaded", &|| uploads() == 2);
    let journal = journals(&world).remove(0);
    world.store().script("_delta_log", []);
    settled(&mut writer);
    let named = journal["files"].as_array().unwrap();
    assert_eq!(named.len(), 1);
    let snapshot = world.snapshot();
    assert!(
        snapshot
            .files
            .iter()
            .any(|file| named[0] == file.path.as_str())
    );
    wait_until("the journal goes", &|| journals(&world).is_empty());
}

fn journals(world: &World) -> Vec<serde_json::Value> {
    let lake = world.lake.clone();
    let read = world.lake.wait(async move {
        let prefix = lake.root().clone().join("_eddy").join("uploads");
        let list = lake
            .store()
            .list_with_delimiter(Some(&prefix))
            .await
            .unwrap();
        let mut journals = Vec::new();
        for object in list.objects {
            let found = lake.store().get(&object.location).await.unwrap();
            journals.push(found.bytes().await.unwrap());
        }
        journals
    });
    let read = read.unwrap();
    read.iter()
        .map(|text| serde_json::from_slice(text).unwrap())
        .collect()
}
