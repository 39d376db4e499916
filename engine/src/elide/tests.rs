//! What is elided, what isn't, and that either comes back byte for byte.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;

use super::dumps::dumped;
use super::{Values, elide};
use crate::record::{Record, TimestampType, TopicId};
use crate::schema::{Limits, VALUE, VALUE_SHAPE, decide, envelope_schema};
use crate::shred::Shredder;

fn shred(values: &[String]) -> Vec<RecordBatch> {
    let id = TopicId::new("id");
    let mut shredder = Shredder::new("t", id, &envelope_schema(), Limits::default());
    for (offset, value) in (0..).zip(values) {
        let record = Record {
            partition: 0,
            offset,
            timestamp_ms: Some(offset),
            timestamp_type: TimestampType::Create,
            key: None,
            value: Some(value.as_bytes()),
            headers: &[],
            decoded: Default::default(),
        };
        shredder.append(&record, 7);
    }
    decide(&envelope_schema(), shredder.finish().unwrap()).unwrap()
}

/// The shapes of `values`, which all come back.
fn shapes(values: &[String]) -> Vec<Option<String>> {
    let mut shapes = vec![None; values.len()];
    for batch in elide(shred(values)).unwrap() {
        let offsets = batch.column_by_name("_offset").unwrap();
        let offsets = offsets.as_primitive::<arrow::datatypes::Int64Type>();
        let made = Values::new(batch.schema_ref().fields());
        let made = made.of(batch.columns()).unwrap();
        for (row, offset) in offsets.values().iter().enumerate() {
            let at = usize::try_from(*offset).unwrap();
            assert_eq!(
                String::from_utf8_lossy(made.value(row)),
                values[at],
                "E7: row {row}"
            );
            let stored = batch.column_by_name(VALUE).unwrap().is_valid(row);
            let shape = batch.column_by_name(VALUE_SHAPE);
            let shape = shape.map(|shapes| shapes.as_string::<i32>());
            let shape = shape.filter(|shapes| shapes.is_valid(row));
            assert_eq!(stored, shape.is_none(), "either bytes or a shape");
            shapes[at] = shape.map(|shapes| shapes.value(row).to_owned());
        }
    }
    shapes
}

/// The one shape of texts like this one: `text` many times, so that it pays.
fn shape(text: &str) -> Option<String> {
    let found = shapes(&vec![text.to_owned(); 20]);
    assert!(found.iter().all(|shape| *shape == found[0]), "{found:?}");
    found[0].clone()
}

#[test]
fn a_shape_is_the_text_with_marks_for_what_the_columns_hold() {
    let known = [
        (
            r#"{"id": 7, "tags": ["a", "b"], "price": 1.50, "none": null}"#,
            r#"{"id": l, "tags": [*s, *], "price": x2, "none": null}"#,
        ),
        (
            r#"{"a":{"b":true,"c":{}},"d":[],"e":12345678901234567890123}"#,
            r#"{"a":{"b":b,"c":{}},"d":[],"e":w}"#,
        ),
        (r#"{"l":[{"x":1},{"x":2}]}"#, r#"{"l":[*{"x":l},*]}"#),
        (r#"{"l":[[1,2],[3]]}"#, r#"{"l":[*[*l,*],*]}"#),
        (r#"{"l":[{"x":1},{"y":2}]}"#, r#"{"l":[{"x":l},{"y":l}]}"#),
        (
            r#"{"m":[1,"x",null,{"y":[true]}]}"#,
            r#"{"m":[l,s,null,{"y":[*b,*]}]}"#,
        ),
        (r#"{"n":[1,null,3]}"#, r#"{"n":[l,null,l]}"#),
        (
            " {\n \"a\" : 1 ,\t\"b\":\"x\"}\r\n",
            " {\n \"a\" : l ,\t\"b\":s}\r\n",
        ),
        (r#"{"\u0061":"\u00e9"}"#, r#"{"\u0061":a}"#),
        (r#"{"u":"http:\/\/x"}"#, r#"{"u":c}"#),
        (r#"{"f":1e-7,"g":2.0,"h":1e5}"#, r#"{"f":d,"g":p,"h":1e5}"#),
        (r#"{"z":-0,"y":-0.0}"#, r#"{"z":-0,"y":p}"#),
        (
            r#"{"twice":"a" , "x":{"half":"\ud800","y":1}, "twice":null}"#,
            r#"{"twice":~ , "x":{"half":~,"y":l}, "twice":~}"#,
        ),
        (
            r#"{"huge":100000000000000000000000000000000000000000,"\ud800":[{}],"a":{}}"#,
            r#"{"huge":~,"\ud800":~,"a":{}}"#,
        ),
        ("{}", "{}"),
    ];
    for (text, wanted) in known {
        assert_eq!(shape(text).as_deref(), Some(wanted), "{text}");
    }
}

#[test]
fn what_the_columns_do_not_hold_as_it_was_written_keeps_its_bytes() {
    let odd = [
        r#"{"needless":"\u0041\u002f"}"#,
        r#"{"broken":1"#,
        "[1]",
        "17",
        "",
    ];
    for text in odd {
        assert_eq!(shape(text), None, "{text}");
    }
}

#[test]
fn integers_among_decimals_are_written_as_they_came() {
    let texts: Vec<String> = (0..100)
        .map(|n| match n % 3 {
            0 => format!(r#"{{"n":{n}}}"#),
            1 => format!(r#"{{"n":{n}.5}}"#),
            _ => format!(r#"{{"n":{n}.25}}"#),
        })
        .collect();
    let found = shapes(&texts);
    assert!(
        found
            .iter()
            .all(|shape| shape.as_deref() == Some(r#"{"n":d}"#))
    );
}

#[test]
fn lists_of_any_length_have_one_shape() {
    let list = |n: usize| {
        let elements: Vec<String> = (0..n).map(|n| format!(r#"{{"at": {n}}}"#)).collect();
        format!(r#"{{"id": {n}, "list": [{}]}}"#, elements.join(", "))
    };
    let found = shapes(&(1..50).map(list).collect::<Vec<_>>());
    let one = r#"{"id": l, "list": [*{"at": l}, *]}"#;
    assert!(found.iter().all(|shape| shape.as_deref() == Some(one)));
}

#[test]
fn shapes_that_stand_for_too_little_are_not_stored() {
    let texts: Vec<String> = (0..200)
        .map(|n| match n % 10 {
            0 => format!(r#"{{"only here {n}":{n}}}"#),
            _ => format!(r#"{{"everywhere":{n}}}"#),
        })
        .collect();
    for (n, shape) in shapes(&texts).iter().enumerate() {
        assert_eq!(shape.is_none(), n % 10 == 0, "{n}: {shape:?}");
    }
}

/// The value of each line's `event`, as it stands.
fn events(name: &str) -> Vec<String> {
    let path = format!(
        "{}/../tests/fixtures/{name}.ndjson",
        env!("CARGO_MANIFEST_DIR")
    );
    let lines = std::fs::read_to_string(path).unwrap();
    let event = |line: &str| {
        let (_, event) = line.split_once("\"event\":").unwrap();
        event.strip_suffix('}').unwrap().to_owned()
    };
    lines.lines().map(event).collect()
}

#[test]
fn most_real_events_are_elided_compact_and_as_python_dumps_them() {
    for (name, least) in [
        ("slack-events", 0.9),
        ("stripe-objects", 0.9),
        ("saas-audit-logs", 0.9),
    ] {
        let as_sent = events(name);
        let python: Vec<String> = as_sent
            .iter()
            .map(|event| dumped(&serde_json::from_str(event).unwrap()))
            .collect();
        for (how, events) in [("as sent", as_sent), ("dumped", python)] {
            // As long as a topic is, which has the same kinds again and again.
            let many: Vec<String> = (0..4).flat_map(|_| events.clone()).collect();
            let found = shapes(&many);
            let elided = found.iter().filter(|shape| shape.is_some()).count();
            let share = elided as f64 / many.len() as f64;
            println!("{name} {how}: {share:.3} of {} rows", many.len());
            assert!(share >= least, "{name} {how}: {share}");
        }
    }
}

#[test]
fn rows_in_other_batches_keep_their_shape_or_else_their_bytes() {
    let texts: Vec<String> = (0..60)
        .map(|n| format!(r#"{{"a":{n},"b":["{n}"],"c":{{"d":{n}.5}}}}"#))
        .collect();
    let batches = elide(shred(&texts)).unwrap();
    let values = Values::new(batches[0].schema_ref().fields());
    let whole = values.whole(&batches[0]).unwrap();
    assert_eq!(whole.column_by_name(VALUE).unwrap().null_count(), 0);
    let twice = concat_batches(&whole.schema(), [&whole, &whole]).unwrap();
    let settled = values.settled(&twice).unwrap();
    assert_eq!(settled.column_by_name(VALUE).unwrap().null_count(), 120);
    // Another value in a column than the bytes have.
    let other: Vec<String> = texts
        .iter()
        .map(|text| text.replace("\"a\":1", "\"a\":2"))
        .collect();
    let other = shred(&other).remove(0);
    let at = whole.schema_ref().index_of("a").unwrap();
    let wrong = super::value::with_column(&whole, at, other.column_by_name("a").unwrap().clone());
    let settled = values.settled(&wrong.unwrap()).unwrap();
    let kept = settled.column_by_name(VALUE).unwrap();
    let shapes = settled.column_by_name(VALUE_SHAPE).unwrap();
    let changed = texts.iter().filter(|text| text.contains("\"a\":1"));
    assert_eq!(kept.len() - kept.null_count(), changed.clone().count());
    let made = values.of(settled.columns()).unwrap();
    for (row, text) in texts.iter().enumerate() {
        assert_eq!(made.value(row), text.as_bytes());
        assert_eq!(kept.is_valid(row), text.contains("\"a\":1"));
        assert_eq!(shapes.is_null(row), text.contains("\"a\":1"));
    }
}
