//! A needle in a row group of many rows reads few of them.

use super::*;

#[test]
fn a_needle_reads_one_slice_of_a_large_row_group() {
    const ROWS: i64 = 40_000;
    let world = World::new();
    let mut topic = world.writer("t", 1);
    let id = |n: i64| n * 7_919 % ROWS;
    for n in 0..ROWS {
        let value = format!(r#"{{"id":"id-{}","text":"x{} often"}}"#, id(n), id(n));
        topic.put_keyed(TIME_MS, format!("key-{}", id(n)).as_bytes(), &value, &[]);
        if (n + 1) % (ROWS / 2) == 0 {
            topic.commit();
        }
    }
    world.compact("t");
    assert_eq!(world.value("SELECT count(*) FROM system.files"), json!(1));
    // Among the last rows, of which there are the fewest in a slice.
    let wanted = id(ROWS - 1_000);
    for (filter, all) in [
        (format!("id = 'id-{wanted}'"), "max(length(id))"),
        (
            format!("_key_text = 'key-{wanted}'"),
            "max(length(_key_text))",
        ),
        (
            format!("search('x{wanted} often')"),
            "max(length(_key_text)), max(length(_value_text))",
        ),
    ] {
        world.rows(&format!("SELECT {all} FROM t"));
        let all = world.reads();
        assert_eq!(world.offsets(&filter), [ROWS - 1_000], "{filter}");
        let one = world.reads();
        assert_eq!((all.row_groups, one.row_groups), (1, 1), "{filter}");
        assert!(one.bytes * 2 < all.bytes, "{filter}: {one}, {all}");
    }
    let all = world.value("SELECT count(*) FROM t WHERE search('often') OR id = 'none'");
    assert_eq!(all, json!(ROWS));
}
