//! JSON, values and Arrow batches in one table: through commits, restarts and two writers at once,
//! and back through a plain Parquet reader.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};

use super::*;
use crate::elide::Raw;
use crate::moment;
use crate::redact::{Action, Options as RedactOptions, Redaction, Rule};
use crate::schema::rebuild::{Json, kinds, rebuild};
use crate::schema::{Detect, Kind};
use crate::shred::tests::arrow_batches::random::{Random, batch};
use crate::shred::tests::typed::wanted;
use crate::value::Value;
use crate::write::Payload;

fn typed(id: i128) -> Value {
    let members = [
        ("id", Value::Integer(id)),
        ("at", Value::Timestamp(1_795_428_000_000_001 + id as i64)),
        (
            "price",
            Value::Decimal {
                unscaled: id * 100 + 5,
                scale: 2,
            },
        ),
        ("day", Value::Date(id as i32)),
        ("blob", Value::Binary(vec![id as u8, 0, 255])),
        (
            "list",
            Value::List(vec![Value::Timestamp(id as i64), Value::Null]),
        ),
    ];
    Value::Object(members.map(|(key, value)| (key.to_owned(), value)).into())
}

#[test]
fn json_values_and_batches_share_a_table_through_commits_restarts_and_two_writers() {
    for seed in 0..8 {
        let world = World::in_memory();
        let mut sent: BTreeMap<(i32, i64), Json> = BTreeMap::new();
        let mut random = Random::new(seed);
        let (mut left, _) = world.assigned(&[0]);
        let (mut right, _) = world.assigned(&[1]);
        for round in 0..4_i64 {
            for (partition, writer) in [(0, &mut left), (1, &mut right)] {
                let mut next = writer.assigned()[0].1;
                let json = format!(r#"{{"id":{next},"at":"{round}","a":[{round},"x"]}}"#);
                writer
                    .append(&record(partition, next, json.as_bytes()))
                    .unwrap();
                sent.insert((partition, next), Json::parse(json.as_bytes()).unwrap());
                next += 1;
                let value = typed(next.into());
                let raw = record(partition, next, b"\x00\x00value");
                writer.append_payload(&raw, Payload::Value(&value)).unwrap();
                sent.insert((partition, next), wanted(&value));
                next += 1;
                let (decoded, values) = batch(&mut random);
                let offsets = next..next + decoded.num_rows() as i64;
                let records: Vec<Record<'_>> = offsets
                    .clone()
                    .map(|offset| record(partition, offset, b"\x00avro"))
                    .collect();
                assert_eq!(writer.append_batch(&records, &decoded).unwrap(), 0);
                for (offset, value) in offsets.zip(&values) {
                    sent.insert((partition, offset), wanted(value));
                }
            }
            // Both find new columns at once.
            assert!(left.cut().unwrap());
            assert!(right.cut().unwrap());
            settled(&mut left);
            settled(&mut right);
            if round == 1 {
                drop(left);
                left = world.assigned(&[0]).0;
            }
        }
        world.each_offset_once();
        let rows = world.rows();
        for (row, place) in offsets(&rows).into_iter().enumerate() {
            let wanted = sent.remove(&place).unwrap();
            assert_eq!(rebuild(&rows, row).normal(), wanted.normal(), "{place:?}");
        }
        assert!(sent.is_empty());
        crate::commit::invariants::check(&world.lake, &world.table()).unwrap();
    }
}

#[test]
fn records_of_an_earlier_assignment_are_left_out_of_a_batch_and_the_others_land() {
    use arrow::array::Int64Array;
    let world = World::in_memory();
    let (mut writer, _) = world.assigned(&[0]);
    let column: arrow::array::ArrayRef = Arc::new(Int64Array::from(vec![10, 11, 12, 13]));
    let decoded = RecordBatch::try_from_iter([("n", column)]).unwrap();
    let place = [(0, 0), (9, 1), (0, 0), (0, 2)];
    let records = place.map(|(partition, offset)| record(partition, offset, b"x"));
    assert_eq!(writer.append_batch(&records, &decoded).unwrap(), 2);
    let error = writer.append_batch(&records[1..], &decoded).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Invalid);
    commit(&mut writer);
    let rows = world.rows();
    assert_eq!(offsets(&rows), [(0, 0), (0, 2)]);
    let values: Vec<Option<i64>> = rows["n"].as_primitive::<Int64Type>().iter().collect();
    assert_eq!(values, [Some(10), Some(13)]);
}

/// What a cut's JSON texts became: the kinds of `key` and each row's value.
struct Detecting {
    world: World,
    writer: TableWriter,
    offset: i64,
}

impl Detecting {
    fn new(detect: Detect, raw: Raw) -> Self {
        let world = World::in_memory();
        let mut options = world.options();
        options.detect = detect;
        options.raw = raw;
        let mut writer = TableWriter::open(&world.lake, options).unwrap();
        assign(&mut writer, &[0]);
        Self {
            world,
            writer,
            offset: 0,
        }
    }

    fn append(&mut self, texts: &[&str]) {
        for text in texts {
            self.writer
                .append(&record(0, self.offset, text.as_bytes()))
                .unwrap();
            self.offset += 1;
        }
    }

    fn commit(&mut self, texts: &[&str]) {
        self.append(texts);
        commit(&mut self.writer);
    }

    /// The members of `key` in the order of the offsets.
    fn members(&self, key: &str) -> Vec<Option<Json>> {
        let rows = self.world.rows();
        let mut found: BTreeMap<i64, Option<Json>> = BTreeMap::new();
        for (row, (_, offset)) in offsets(&rows).into_iter().enumerate() {
            let Json::Object(mut members) = rebuild(&rows, row) else {
                unreachable!()
            };
            found.insert(offset, members.remove(key));
        }
        found.into_values().collect()
    }

    fn kinds(&self, key: &str) -> Vec<Kind> {
        let kinds = kinds(&self.world.rows(), key);
        kinds.into_iter().map(|(_, kind)| kind).collect()
    }
}

const BOTH: Detect = Detect {
    timestamps: true,
    decimals: true,
};

#[test]
fn strings_that_are_all_moments_or_decimals_in_the_first_cut_have_columns_of_these() {
    let mut table = Detecting::new(BOTH, Raw::Keep);
    table.commit(&[
        r#"{"at":"2026-11-23T08:15:30Z","price":"12.50","mixed":"1.5","o":[{"at":"2026-11-23T08:15:30.5+01:00"}]}"#,
        r#"{"at":"2026-11-23T08:15:30.123456Z","price":"-0.125","mixed":"x","o":[{"at":null}]}"#,
    ]);
    assert_eq!(table.kinds("at"), [Kind::Timestamp]);
    assert_eq!(table.kinds("price"), [Kind::Decimal(3)]);
    assert_eq!(table.kinds("mixed"), [Kind::String]);
    let at = moment::parse_rfc3339(b"2026-11-23T08:15:30Z").unwrap();
    let moments = [at, at + 123_456].map(|us| Some(Json::Timestamp(us)));
    assert_eq!(table.members("at"), moments);
    let prices = [12_500, -125].map(|unscaled| Some(Json::Decimal(unscaled, 3)));
    assert_eq!(table.members("price"), prices);
    let inner = Json::Object(
        [(
            "at".to_owned(),
            Json::Timestamp(at - 3_600_000_000 + 500_000),
        )]
        .into(),
    );
    assert_eq!(table.members("o")[0], Some(Json::List(vec![inner])));
    // What came before the commit and what comes behind it: other strings stand beside.
    table.commit(&[
        r#"{"at":"2026-11-23T08:15:30Z","price":"1.2345","mixed":"2.5"}"#,
        r#"{"at":"tomorrow","price":"7.5","mixed":"y"}"#,
        r#"{"at":7,"price":null}"#,
    ]);
    assert_eq!(
        table.kinds("at"),
        [Kind::Timestamp, Kind::String, Kind::Long]
    );
    assert_eq!(table.kinds("price"), [Kind::Decimal(3), Kind::String]);
    assert_eq!(table.kinds("mixed"), [Kind::String]);
    let text = |text: &str| Some(Json::Text(text.to_owned()));
    let found = table.members("at");
    assert_eq!(
        found[2..],
        [
            Some(Json::Timestamp(at)),
            text("tomorrow"),
            Some(Json::Integer(7))
        ]
    );
    let found = table.members("price");
    assert_eq!(
        found[2..],
        [text("1.2345"), Some(Json::Decimal(7_500, 3)), None]
    );
}

#[test]
fn strings_that_were_appended_before_the_column_was_there_go_to_it_all_the_same() {
    let mut table = Detecting::new(BOTH, Raw::Keep);
    table.append(&[r#"{"at":"2026-11-23T08:15:30Z"}"#]);
    assert!(table.writer.cut().unwrap());
    // The commit is in flight: nobody knows yet what its strings are.
    table.append(&[r#"{"at":"2026-11-23T08:15:31Z"}"#, r#"{"at":"later"}"#]);
    table.writer.publish().unwrap();
    settled(&mut table.writer);
    table.commit(&[r#"{"at":"2026-11-23T08:15:32Z"}"#]);
    assert_eq!(table.kinds("at"), [Kind::Timestamp, Kind::String]);
    let at = moment::parse_rfc3339(b"2026-11-23T08:15:30Z").unwrap();
    let moment = |seconds: i64| Some(Json::Timestamp(at + seconds * 1_000_000));
    let later = Some(Json::Text("later".to_owned()));
    assert_eq!(
        table.members("at"),
        [moment(0), moment(1), later, moment(2)]
    );
}

#[test]
fn strings_stay_strings_unless_they_are_to_be_looked_through() {
    let timestamps = Detect {
        timestamps: true,
        decimals: false,
    };
    for (detect, at) in [
        (Detect::default(), Kind::String),
        (timestamps, Kind::Timestamp),
    ] {
        let mut table = Detecting::new(detect, Raw::Keep);
        table.commit(&[r#"{"at":"2026-11-23T08:15:30Z","price":"1.50"}"#]);
        assert_eq!(table.kinds("at"), [at]);
        assert_eq!(table.kinds("price"), [Kind::String]);
    }
}

#[test]
fn detected_values_give_up_their_text_only_where_it_comes_back_as_it_was() {
    let mut table = Detecting::new(BOTH, Raw::Elide);
    let usual: Vec<String> = (10..60)
        .map(|n| {
            format!(
                "{{\"at\": \"2026-11-23T08:15:{n}.5{n}Z\", \"price\": \"{n}.50\", \"n\": {n}, \
                 \"text\": \"a text long enough that its shape pays for itself\"}}"
            )
        })
        .collect();
    let odd = [
        r#"{"at": "2026-11-23T09:15:30+01:00", "price": "1.5", "n": 1, "text": "x"}"#,
        r#"{"at": "2026-11-23T08:15:30.100000Z", "price": "1.50", "n": 2, "text": "x"}"#,
        r#"{"at": "2026-11-23T08:15:3\u0030Z", "price": "-1.5", "n": 3, "text": "x"}"#,
    ];
    let texts: Vec<&str> = usual.iter().map(String::as_str).chain(odd).collect();
    table.commit(&texts);
    table.commit(&texts);
    assert_eq!(table.kinds("price"), [Kind::Decimal(2)]);
    let (lake, path) = (&table.world.lake, table.world.table());
    let snapshot = table.world.snapshot();
    let mut kept = 0;
    let mut found: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
    for file in snapshot.files.iter() {
        for batch in read(table.world.bytes(&file.path)) {
            let stored = batch["_value"].as_binary::<i32>();
            kept += stored.len() - stored.null_count();
            let values = crate::elide::Values::of_file(&batch.schema(), &snapshot.schema).unwrap();
            let whole = values.of(batch.columns()).unwrap();
            for (row, (_, offset)) in offsets(&batch).into_iter().enumerate() {
                found.insert(offset, whole.value(row).to_vec());
            }
        }
    }
    let twice = texts.iter().chain(&texts);
    let wanted: Vec<Vec<u8>> = twice.map(|text| text.as_bytes().to_vec()).collect();
    assert_eq!(found.into_values().collect::<Vec<_>>(), wanted, "E7");
    assert!(
        kept <= 2 * odd.len(),
        "{kept} of {} rows keep their text",
        2 * texts.len()
    );
    crate::commit::invariants::check(lake, &path).unwrap();
}

#[test]
fn what_was_decoded_is_withheld_where_the_table_has_rules_for_values_and_lands_where_it_has_none() {
    let rules = |text: &str| {
        let rules = Rule::parse_list(text, Action::Drop).unwrap();
        Some(Redaction::new(rules, RedactOptions::default()).unwrap())
    };
    for (redaction, lands) in [
        (rules("password"), false),
        (rules("header:token"), true),
        (None, true),
    ] {
        let world = World::in_memory();
        let mut options = world.options();
        options.redaction = redaction;
        let mut writer = TableWriter::open(&world.lake, options).unwrap();
        assign(&mut writer, &[0]);
        let secret = Value::Object(vec![(
            "password".to_owned(),
            Value::Text("s3cret".to_owned()),
        )]);
        let raw = record(0, 0, b"\x00s3cret");
        writer
            .append_payload(&raw, Payload::Value(&secret))
            .unwrap();
        let column: ArrayRef = Arc::new(StringArray::from(vec!["s3cret", "s3cret"]));
        let decoded = RecordBatch::try_from_iter([("password", column)]).unwrap();
        let records = [record(0, 1, b"\x00s3cret"), record(0, 2, b"\x00s3cret")];
        assert_eq!(writer.append_batch(&records, &decoded).unwrap(), 0);
        let failed = Payload::Failed("no s3cret here");
        writer
            .append_payload(&record(0, 3, b"s3cret"), failed)
            .unwrap();
        assert!(writer.cut().unwrap());
        settled(&mut writer);
        world.each_offset_once();
        let rows = world.rows();
        let shown = format!("{:?}", rows.columns());
        assert_eq!(shown.contains("s3cret"), lands, "{shown}");
        let errors = rows.column_by_name("_error").unwrap();
        assert_eq!(errors.null_count(), if lands { 3 } else { 0 });
    }
}
