//! Few rows, whole: found by few columns first, and the same as without.

use std::path::PathBuf;

use serde_json::{Value as Json, json};

use crate::testing::{TIME_MS, Topic, World};

const DAY_MS: i64 = 86_400_000;

/// Three days of four files, an error among them, and live rows behind.
fn events(world: &World) -> Topic {
    let mut topic = world.writer("t", 2);
    let put = |topic: &mut Topic, number: i64| {
        let text = "text ".repeat(usize::try_from(number % 7).unwrap());
        let value = json!({
            "n": number, "level": if number % 11 == 3 { "rare" } else { "info" }, "text": text,
            "a": number % 5, "b": number, "c": number, "d": {"e": number}, "f": [number],
            "x": if number % 2 == 0 { json!(number) } else { json!(format!("{number}")) },
        });
        let partition = i32::try_from(number % 2).unwrap();
        let time_ms = TIME_MS - number % 3 * DAY_MS + number * 37 % 101;
        topic.put_at(partition, time_ms, Some(value.to_string().as_bytes()));
    };
    for commit in 0..4 {
        for number in 0..60 {
            put(&mut topic, commit * 60 + number);
        }
        topic.put_at(0, TIME_MS, Some(b"{not json"));
        topic.commit();
    }
    for number in 240..260 {
        put(&mut topic, number);
    }
    topic.publish();
    topic
}

#[test]
fn few_rows_are_the_same_as_those_of_the_query_as_it_stands() {
    let world = World::new();
    let _topic = events(&world);
    for query in [
        "SELECT * FROM t ORDER BY _timestamp DESC, n LIMIT 10",
        "SELECT * FROM t ORDER BY _timestamp, n LIMIT 10 OFFSET 7",
        "SELECT * FROM t WHERE level = 'rare' ORDER BY _timestamp DESC, n LIMIT 5",
        "SELECT * FROM t WHERE level = 'rare' ORDER BY n LIMIT 1000",
        "SELECT * FROM t WHERE n = 77 LIMIT 1",
        "SELECT * FROM t WHERE n = 250 LIMIT 3",
        "SELECT * FROM t WHERE n > 1000 LIMIT 3",
        "SELECT *, _value_text FROM t AS u WHERE u.d.e > 200 ORDER BY u.d.e DESC LIMIT 4",
        "SELECT * FROM t WHERE x = 44 OR x = '45' ORDER BY n LIMIT 4",
        "SELECT * FROM (SELECT * FROM t WHERE a = 1) WHERE b > 50 ORDER BY c LIMIT 4",
        "SELECT * FROM t WHERE search('rare') ORDER BY text DESC, n DESC LIMIT 6",
        "SELECT * FROM t WHERE n IN (SELECT max(n) FROM t) ORDER BY n LIMIT 2",
        "SELECT n, a, b, c, d, f FROM t WHERE text LIKE '%t%' ORDER BY dt, n LIMIT 8",
        "SELECT n + 1 AS more, a, b, c, d, f FROM t ORDER BY more DESC LIMIT 3",
        "SELECT * FROM t ORDER BY n LIMIT 0",
    ] {
        // A union isn't taken apart.
        let plain = format!("({query}) UNION ALL (SELECT * FROM ({query}) WHERE false)");
        let sorted = |sql: &str| {
            let mut rows: Vec<String> = world.rows(sql).iter().map(Json::to_string).collect();
            rows.sort_unstable();
            rows
        };
        assert_eq!(sorted(query), sorted(&plain), "{query}");
    }
}

#[test]
fn few_rows_come_in_their_order() {
    let world = World::new();
    let _topic = events(&world);
    let rows = world.rows("SELECT * FROM t ORDER BY n DESC LIMIT 30");
    let numbers: Vec<i64> = rows.iter().map(|row| row["n"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (230..260).rev().collect::<Vec<_>>());
}

/// Takes the statistics of the newest files out of the log, as if another writer had made them.
fn forget_statistics(world: &World, topic: &str) {
    let table = world.folder.path().join("topics").join(topic);
    let entries = std::fs::read_dir(table.join("_delta_log")).unwrap();
    let adds = |path: &PathBuf| {
        let is_commit = path
            .extension()
            .is_some_and(|extension| extension == "json");
        is_commit && std::fs::read_to_string(path).unwrap().contains("\"add\"")
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let newest = paths.filter(adds).max().unwrap();
    let without = |line: &str| {
        let mut action: Json = serde_json::from_str(line).unwrap();
        if let Some(add) = action.get_mut("add") {
            add.as_object_mut().unwrap().remove("stats").unwrap();
        }
        format!("{action}\n")
    };
    let text = std::fs::read_to_string(&newest).unwrap();
    let text: String = text.lines().map(without).collect();
    std::fs::write(&newest, text).unwrap();
}

#[test]
fn few_rows_are_found_in_a_file_without_statistics_too() {
    let world = World::new();
    let _topic = events(&world);
    forget_statistics(&world, "t");
    let rows = world.rows("SELECT * FROM t ORDER BY n DESC LIMIT 30");
    let numbers: Vec<i64> = rows.iter().map(|row| row["n"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (230..260).rev().collect::<Vec<_>>());
    let files = "SELECT * FROM t WHERE n = 1000 ORDER BY n LIMIT 3";
    assert_eq!(world.rows(files), Vec::<Json>::new());
}

#[test]
fn the_whole_of_few_rows_is_read_only_where_they_are() {
    let world = World::new();
    let mut topic = world.writer("t", 1);
    let noise = |number: u64| -> String {
        let mut state = number * 7_919 + 1;
        let mut letter = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from(b'a' + u8::try_from((state >> 33) % 26).unwrap())
        };
        (0..20_000).map(|_| letter()).collect()
    };
    for file in 0..4 {
        for row in 0..100 {
            let number = file * 100 + row;
            let value = json!({"n": number, "text": noise(number), "a": 1, "b": 2, "c": 3});
            topic.put(0, &value.to_string());
        }
        topic.commit();
    }
    let query = "SELECT * FROM t ORDER BY n DESC LIMIT 2";
    assert_eq!(world.rows(query).len(), 2);
    let listed = world.query.0.registry.list();
    let reads = listed.last().unwrap().done.reads.unwrap();
    // Of a file's end 512 KiB are read at once.
    let most = reads.bytes_total / 2;
    assert!(reads.bytes > 0 && reads.bytes < most, "{reads}");
    assert!(reads.row_groups > 1, "both plans count: {reads}");
}
