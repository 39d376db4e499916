//! Tables whose files are encrypted: SQL answers as for any others, and says which key is missing.

use eddy_engine::seal::Key;
use serde_json::json;

use crate::error::ErrorKind;
use crate::query::{Query, QueryOptions, Request};
use crate::testing::{TIME_MS, World};

const DAY_MS: i64 = 86_400_000;

fn key(id: &str) -> Key {
    let text = match id {
        "old" => "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        _ => "ZmVkY2JhOTg3NjU0MzIxMA==",
    };
    Key::from_base64(id, text).unwrap()
}

/// The same rows in plain and sealed, of two days, then live rows.
fn world() -> (World, [crate::testing::Topic; 2]) {
    let world = World::new();
    let topics = [("plain", None), ("sealed", Some("old"))].map(|(name, id)| {
        let mut topic = world.writer_as(name, 1, |options| options.key = id.map(key));
        for day in 0..2 {
            for n in day * 3_000..(day + 1) * 3_000 {
                let value = json!({
                    "n": n, "name": format!("user {}", n % 50), "in": {"list": [n, {"x": n}]},
                });
                let time = TIME_MS + day * DAY_MS;
                topic.put_at(0, time, Some(value.to_string().as_bytes()));
            }
            topic.put_at(0, TIME_MS + day * DAY_MS, Some(b"{broken"));
            topic.commit();
        }
        topic.put(0, r#"{"n": 6000, "name": "user 7"}"#);
        topic.publish();
        topic
    });
    (world, topics)
}

#[test]
fn a_sealed_table_answers_as_one_in_plain() {
    let (world, _topics) = world();
    // The second round goes by footers that were kept.
    for sql in [
        "SELECT * FROM {} ORDER BY n",
        "SELECT count(*), sum(n), max(_value_text) FROM {}",
        "SELECT n FROM {} WHERE name = 'user 7' ORDER BY n",
        "SELECT n, \"in\".list FROM {} WHERE n BETWEEN 2990 AND 3010 ORDER BY n",
        "SELECT _offset FROM {} WHERE _offset IN (0, 2999, 3002, 6001) ORDER BY _offset",
        "SELECT count(*) FROM {} WHERE search('user 7')",
        "SELECT count(*) FROM {} WHERE dt = '2026-11-24' AND n % 7 = 3",
        "SELECT name, count(*) FROM {} GROUP BY name ORDER BY name",
        "SELECT n FROM {} ORDER BY n DESC LIMIT 3",
        "SELECT * FROM {} ORDER BY n",
    ] {
        let ask = |table: &str| {
            let mut rows = world.rows(&sql.replace("{}", table));
            for row in &mut rows {
                row.as_object_mut().unwrap().remove("_ingested_at");
            }
            rows
        };
        let (plain, sealed) = (ask("plain"), ask("sealed"));
        // In the names of columns, too.
        let text = json!(sealed).to_string().replace("sealed", "plain");
        assert!(!plain.is_empty());
        let plain = json!(plain).to_string();
        assert!(plain == text, "{sql}");
    }
    let dead = "SELECT count(*) FROM system.dead_letters WHERE _topic = 'sealed'";
    assert_eq!(world.value(dead), json!(2));
}

#[test]
fn files_of_a_sealed_table_are_left_out_by_position_and_time_alone() {
    let (world, _topics) = world();
    let files = |condition: &str| {
        let plan = world.rows(&format!("EXPLAIN SELECT n FROM sealed WHERE {condition}"));
        json!(plan).to_string().matches(".parquet").count()
    };
    for (condition, read) in [
        ("n < 10", 2),
        ("_offset < 10", 1),
        ("dt = '2026-11-24'", 1),
        ("_timestamp >= TIMESTAMP '2026-11-24T00:00:00Z'", 1),
    ] {
        assert_eq!(files(condition), read, "{condition}");
    }
}

#[test]
fn a_query_without_the_key_says_which_and_one_with_it_goes_on() {
    let (world, topics) = world();
    drop(topics);
    let _guard = world.runtime.enter();
    let clock = eddy_engine::Clock::system();
    let lake = eddy_engine::testing::disk_lake(world.folder.path(), clock);
    let query = Query::new(lake.clone(), QueryOptions::default()).unwrap();
    let ask = || {
        let request = Request::new("SELECT count(n) AS n FROM sealed");
        world.runtime.block_on(async {
            let answer = query.execute(request).await?;
            let batches = futures::TryStreamExt::try_collect::<Vec<_>>(answer.batches).await?;
            Ok::<_, crate::error::Error>(batches)
        })
    };
    let error = ask().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data, "{error}");
    let text = error.to_string();
    for needle in ["`old`", "topics/sealed/", ".parquet", "[encryption.keys]"] {
        assert!(text.contains(needle), "{text}");
    }
    // Another secret of that id.
    let wrong = Key::from_base64("old", "ZmVkY2JhOTg3NjU0MzIxMA==").unwrap();
    let other = eddy_engine::testing::disk_lake(world.folder.path(), lake.clock().clone());
    other.keys().add(&wrong).unwrap();
    lake.keys().add(&key("old")).unwrap();
    assert_eq!(ask().unwrap()[0].num_rows(), 1);
    let query = Query::new(other, QueryOptions::default()).unwrap();
    let refused = world.runtime.block_on(async {
        let request = Request::new("SELECT count(n) AS n FROM sealed");
        let answer = query.execute(request).await?;
        futures::TryStreamExt::try_collect::<Vec<_>>(answer.batches).await
    });
    let text = refused.unwrap_err().to_string();
    assert!(
        text.contains("`old`") && text.contains("decrypted"),
        "{text}"
    );
}
