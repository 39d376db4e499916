//! A table that two topics are routed to is replayed into two topics again, each partition into the
//! one that a map names.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::kafka::{Produce, Stored, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::services::services;
use crate::harness::unique;
use crate::replay::{wait_done, wait_planned};

/// Where the records of each source partition go.
const PARTITIONS: [(i32, i32); 3] = [(0, 3), (1, 3), (2, 0)];
const MAP: &str = "0:3, 1:3, 2:0";
/// The records of a topic.
const RECORDS: i32 = 60;
/// The timestamp of the first of them; each has one of its own.
const FIRST_MS: i64 = 1_750_000_000_000;

/// Two topics with one table, and where they are replayed to.
struct Shop {
    table: String,
    orders: Topic,
    payments: Topic,
    /// The destination's own.
    main: Topic,
    orders_copy: Topic,
    payments_copy: Topic,
}

impl Shop {
    fn new() -> Self {
        let source = |name: &str| Topic::create(name, 3);
        let target = |name: &str| Topic::create(name, 4);
        Self {
            table: unique("shop"),
            orders: source("shop_orders"),
            payments: source("shop_payments"),
            main: target("shop_main"),
            orders_copy: target("shop_orders_copy"),
            payments_copy: target("shop_payments_copy"),
        }
    }

    /// A process that has recorded both topics in one table, and can send to `main` under the name
    /// `target`.
    fn recorded(&self, lake: &TestLake) -> Eddy {
        for topic in [&self.orders, &self.payments] {
            topic.produce(&records(topic));
        }
        let topics = format!("{},{}", self.orders.name, self.payments.name);
        let keys = [
            ("topics", topics.as_str()),
            ("transforms", "together"),
            (
                "transforms.together.type",
                "org.apache.kafka.connect.transforms.RegexRouter",
            ),
            ("transforms.together.regex", ".*"),
            ("transforms.together.replacement", &self.table),
        ];
        let options = [
            ("bootstrap.servers", services().kafka.as_str()),
            ("topic", self.main.name.as_str()),
        ];
        let eddy = Start::on(lake)
            .connector(&self.table, &keys)
            .destination("target", "kafka", &options)
            .ready();
        let select = format!("SELECT * FROM {}", self.table);
        let both = usize::try_from(2 * RECORDS).expect("a count");
        wait_planned(&eddy.http(), "target", &select, both);
        eddy
    }

    fn replay(&self, eddy: &Eddy, options: &str) -> Value {
        let http = eddy.http();
        http.sql(&format!(
            "SELECT * INTO target FROM {} WITH (name = 'r', {options})",
            self.table
        ));
        let replay = wait_done(&http, "r");
        assert_eq!(replay["acknowledged"], json!(2 * RECORDS), "{replay}");
        assert_eq!(replay["plan"]["headers"], "keep");
        replay
    }
}

/// Records by turns for each partition.
fn records(topic: &Topic) -> Vec<Produce> {
    let header = |value: Option<&[u8]>| ("h".to_owned(), value.map(<[u8]>::to_vec));
    let record = |n: i32| Produce {
        partition: n % topic.partitions,
        key: (n % 4 > 0).then(|| vec![0xff, 0x00, 0xfe]),
        // With blanks that no serialiser writes.
        value: (n % 5 > 0).then(|| format!("{{\"n\" :  {n}}}").into_bytes()),
        headers: vec![header(None), header(Some(&[0xff])), header(Some(b""))],
        timestamp_ms: Some(FIRST_MS + i64::from(n)),
    };
    (0..RECORDS).map(record).collect()
}

/// The source partition of a record, as its time says.
fn partition_of(record: &Stored) -> i32 {
    let n = record.timestamp_ms.expect("a time") - FIRST_MS;
    i32::try_from(n % 3).expect("a partition")
}

/// Everything of `source` is in `target`, byte for byte, where the map says and in the order of its
/// source partition.
fn check(source: &Topic, target: &Topic) {
    let (wanted, there) = (source.consume(), target.consume());
    assert_eq!((there.len(), wanted.len()), (60, 60), "{}", target.name);
    for (from, to) in PARTITIONS {
        let arrived = there.iter().filter(|record| partition_of(record) == from);
        let arrived = arrived.map(|record| Stored {
            offset: 0,
            ..record.clone()
        });
        let sent = wanted.iter().filter(|record| record.partition == from);
        let sent = sent.map(|record| Stored {
            partition: to,
            offset: 0,
            ..record.clone()
        });
        let (arrived, sent): (Vec<Stored>, Vec<Stored>) = (arrived.collect(), sent.collect());
        assert_eq!(arrived, sent, "{} of partition {from}", target.name);
    }
}

#[test]
fn topics_of_one_table_go_to_topics_of_their_own_and_partitions_where_a_map_says() {
    let shop = Shop::new();
    let lake = TestLake::local();
    let eddy = shop.recorded(&lake);
    let (orders, payments) = (&shop.orders.name, &shop.payments.name);
    let (orders_copy, payments_copy) = (&shop.orders_copy.name, &shop.payments_copy.name);
    refuses_what_has_no_place(&shop, &eddy);
    let options = format!(
        "partition = '{MAP}', topics = '{orders}:{orders_copy}, {payments}:{payments_copy}'"
    );
    let replay = shop.replay(&eddy, &options);
    check(&shop.orders, &shop.orders_copy);
    check(&shop.payments, &shop.payments_copy);
    assert_eq!(shop.main.consume(), []);
    let parts = replay["plan"]["partitions"].as_array().expect("partitions");
    let topics: BTreeSet<&str> = parts
        .iter()
        .filter_map(|part| part["topic"].as_str())
        .collect();
    let both = BTreeSet::from([orders.as_str(), payments.as_str()]);
    assert_eq!(topics, both);
    let told = eddy.http().sql(
        "SELECT DISTINCT _topic, target_topic FROM system.replay_offsets \
         WHERE replay_id = 'r' ORDER BY _topic",
    );
    assert_eq!(
        told,
        [
            json!({"_topic": orders, "target_topic": orders_copy}),
            json!({"_topic": payments, "target_topic": payments_copy}),
        ]
    );
    a_group_is_translated(&shop, &eddy);
}

fn refuses_what_has_no_place(shop: &Shop, eddy: &Eddy) {
    let (table, orders) = (&shop.table, &shop.orders.name);
    for (options, told) in [
        (
            "partition = '0:3, 1:3'".to_owned(),
            "lacks partitions that rows are of: 2",
        ),
        (
            "partition = '0:3, 1:3, 2:4'".to_owned(),
            "rows of partition 2 are to go to 4",
        ),
        (
            format!("topics = '{orders}:nobody_made_this_one'"),
            "`nobody_made_this_one` does not exist",
        ),
    ] {
        let statement = format!("SELECT * INTO target FROM {table} WITH ({options})");
        let refused = eddy.http().try_sql(&statement).expect_err("no place");
        assert!(refused.message().contains(told), "{refused:?}");
    }
}

/// Of the two topics that the records are of a group has read one.
fn a_group_is_translated(shop: &Shop, eddy: &Eddy) {
    let group = unique("shop_consumers");
    shop.payments
        .commit_group(&group, &[(0, 2), (1, 1), (2, 5)]);
    let arguments = ["replay", "offsets", "r", "--group", group.as_str()];
    let unsaid = eddy.run(&arguments);
    assert!(!unsaid.status.success(), "{unsaid:?}");
    let payments = ["--topic", shop.payments.name.as_str(), "--apply"];
    let applied = eddy.run(&[&arguments[..], &payments[..]].concat());
    assert!(applied.status.success(), "{applied:?}");
    let applied: Value = serde_json::from_slice(&applied.stdout).expect("JSON");
    assert_eq!(applied["target_topic"], json!(shop.payments_copy.name));
    // In partition 3 what is from 0 lies before what is from 1.
    assert_eq!(applied["offsets"], json!({"0": 5, "3": 2}));
    let committed = shop.payments_copy.group_offsets(&group);
    assert_eq!(committed.into_iter().collect::<Vec<_>>(), [(0, 5), (3, 2)]);
    let elsewhere = shop.orders_copy.group_offsets(&group);
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}

#[test]
fn p23_transactions_reach_several_topics_and_keep_their_marks_in_the_destinations_own() {
    let shop = Shop::new();
    let lake = TestLake::local();
    let eddy = shop.recorded(&lake);
    let options = format!(
        "exactly_once = true, partition = '{MAP}', topics = '{}:{}'",
        shop.orders.name, shop.orders_copy.name
    );
    let replay = shop.replay(&eddy, &options);
    check(&shop.orders, &shop.orders_copy);
    // What the map doesn't name goes where the destination says.
    check(&shop.payments, &shop.main);
    let target = replay["target"].as_str().expect("a text");
    let named = format!("`{}` to `{}`", shop.orders.name, shop.orders_copy.name);
    assert!(target.contains(&named), "{target}");
    for topic in [&shop.orders_copy, &shop.main] {
        assert_eq!(topic.stable_watermarks(), topic.watermarks());
    }
}
