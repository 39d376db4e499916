//! Values nested as deep as a table may ever be told to follow: the schema must still be readable.

use super::super::*;
use super::plain;
use super::values::{Meaning, Member, Record as Sent, Value};
use crate::schema::Limits;

/// `levels` of `around` with `1` inside.
fn nested(levels: usize, around: impl Fn(Value) -> Value) -> Value {
    let one = Value {
        meaning: Meaning::Integer(1),
        text: "1".to_owned(),
    };
    (0..levels).fold(one, |inner, _| around(inner))
}

fn object(value: Value) -> Value {
    let text = format!("{{\"k\":{}}}", value.text);
    let member = Member {
        text: "\"k\"".to_owned(),
        key: Some("k".to_owned()),
        value,
    };
    let meaning = Meaning::Object(vec![member]);
    Value { meaning, text }
}

fn list(elements: Vec<Value>) -> Value {
    let texts: Vec<&str> = elements.iter().map(|value| value.text.as_str()).collect();
    let text = format!("[{}]", texts.join(","));
    let meaning = Meaning::List(elements);
    Value { meaning, text }
}

fn mixed(value: Value) -> Value {
    let yes = Value {
        meaning: Meaning::Boolean(true),
        text: "true".to_owned(),
    };
    list(vec![yes, value])
}

#[test]
fn a_table_stays_readable_however_deep_its_columns_may_go() {
    let around: [fn(Value) -> Value; 5] = [
        object,
        |value| list(vec![value]),
        mixed,
        |value| object(list(vec![value])),
        |value| object(mixed(value)),
    ];
    let world = World::in_memory();
    for around in around {
        for levels in [1, 8, 24, 40, 100] {
            for depth in [16, 64, 1_000] {
                let table = world
                    .lake
                    .table("topics", &format!("deep-{}", world.lake.clock().new_id()));
                let mut options = WriterOptions::new(table, "orders", topic(), "sink");
                options.limits = Limits {
                    depth,
                    ..Limits::default()
                };
                let record = Sent::Object(object(nested(levels, around)));
                for offset in 0..2 {
                    let mut writer = TableWriter::open(&world.lake, options.clone()).unwrap();
                    assign(&mut writer, &[0]);
                    writer
                        .append(&super::super::record(0, offset, record.bytes()))
                        .unwrap();
                    commit(&mut writer);
                }
                let table = plain::table(&world.lake, &options.table);
                table.assert_holds(&world.lake, &options.table, &[vec![&record, &record]]);
            }
        }
    }
}
