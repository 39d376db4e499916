//! Rows that a step leaves out because of others: no node has all of those others.

use super::{Process, join_all, processes};
use crate::testing::World;

/// A table of several files that have rows only, each a number.
fn numbers(world: &World, topic: &str, numbers: std::ops::Range<i64>) {
    let mut written = world.writer(topic, 1);
    let (first, count) = (numbers.start, numbers.end - numbers.start);
    for file in 0..count.div_euclid(50).max(1) {
        for n in 0..50.min(count) {
            written.put(0, &format!("{{\"n\": {}}}", first + 50 * file + n));
        }
        written.commit();
    }
}

#[test]
fn a_limit_is_one_of_the_query_and_not_of_each_node() {
    let mut processes = processes(2, |options| options.threads = 1);
    numbers(&processes[0].world, "clean", 0..400);
    join_all(&mut processes, 0, None);
    for sql in [
        "SELECT n + 1 AS a, n + 2 AS b FROM clean WHERE n > 5 LIMIT 3",
        "SELECT * FROM (SELECT n FROM clean WHERE n > 5 LIMIT 3) s ORDER BY n",
    ] {
        assert_eq!(processes[0].world.rows(sql).len(), 3, "{sql}");
    }
}

#[test]
fn what_an_attempt_learnt_leaves_nothing_out_of_the_next_one() {
    let mut processes = processes(2, |_| {});
    let world = &processes[0].world;
    numbers(world, "most", 0..2_000);
    // Read by who is asked, and larger than all others.
    numbers(world, "few", 5_000..5_010);
    let bytes = |topic: &str| {
        let sql = format!("SELECT bytes FROM system.tables WHERE name = '{topic}'");
        world.value(&sql).as_u64().unwrap()
    };
    let least = bytes("few") * 2;
    assert!(least < bytes("most"));
    let of_both = "(SELECT n FROM most UNION ALL SELECT n FROM few) b";
    let asked = [
        format!("SELECT max(n) AS n FROM {of_both}"),
        format!("SELECT n FROM {of_both} ORDER BY n DESC LIMIT 12"),
    ];
    let alone = asked.clone().map(|sql| world.rows(&sql));
    join_all(&mut processes, least, None);
    let together = asked.clone().map(|sql| processes[0].world.rows(&sql));
    assert_eq!(together, alone);
    let mut gone: Process = processes.pop().unwrap();
    drop(gone.stop.take());
    gone.world
        .runtime
        .shutdown_timeout(std::time::Duration::ZERO);
    drop(gone.world.query);
    for (sql, rows) in asked.iter().zip(&alone) {
        assert_eq!(&processes[0].world.rows(sql), rows, "{sql}");
    }
}
