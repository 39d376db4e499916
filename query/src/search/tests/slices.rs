//! A needle in a row group of many rows reads few of them.

use super::*;

#[test]
fn a_needle_reads_one_slice_of_a_large_row_group() {
    const ROWS: i64 = 42_000;
    let world = World::new();
    let mut topic = world.writer("t", 1);
    let id = |n: i64| n * 7_919 % ROWS;
    for n in 0..ROWS {
        let value = format!(r#"{{"id":"id-{}","text":"x{} often"}}"#, id(n), id(n));
        topic.put_keyed(TIME_MS, format!("key-{}", id(n)).as_bytes(), &value, &[]);
        // Of two files one would outweigh the other, and stay as it is.
        if (n + 1) % (ROWS / 3) == 0 {
            topic.commit();
        }
    }
    world.compact("t");
    assert_eq!(world.value("SELECT count(*) FROM system.files"), json!(1));
    // Among the last rows, of which there are the fewest in a slice.
    let wanted = id(ROWS - 1_000);
    for filter in [
        format!("id = 'id-{wanted}'"),
        format!("_key_text = 'key-{wanted}'"),
        format!("search('x{wanted} often')"),
    ] {
        assert_eq!(world.offsets(&filter), [ROWS - 1_000], "{filter}");
        assert_eq!(world.reads().row_groups, 1, "{filter}");
    }
    world.rows("SELECT max(length(id)) FROM t");
    let all = world.reads().bytes;
    world.offsets(&format!("id = 'id-{wanted}'"));
    let one = world.reads().bytes;
    assert!(one * 2 < all, "{one} bytes of {all}");
    let all = world.value("SELECT count(*) FROM t WHERE search('often') OR id = 'none'");
    assert_eq!(all, json!(ROWS));
}
