//! Rows without their bytes, moved to other files: they come back byte for byte.

use std::sync::atomic::AtomicBool;

use arrow::array::{AsArray, BooleanArray};

use super::{World, eager};
use crate::elide::Raw;
use crate::filter::Wanted;
use crate::maintain::{Erasure, erase, unfiltered};
use crate::record::TopicId;
use crate::schema::VALUE;
use crate::testing::originals;
use crate::write::{Start, TableWriter, WriterOptions};

/// A row of each kind: compact, as Python dumps it, drifting, partly without a column.
fn value(offset: i64) -> String {
    match offset % 5 {
        0 => format!(r#"{{"n":{offset},"name":"order {offset}"}}"#),
        1 => format!(r#"{{"n": {offset}, "tags": ["caf\u00e9", "{offset}"], "none": null}}"#),
        2 => format!(r#"{{"n":"no {offset}","x":{{"y":{offset}.50}}}}"#),
        3 => format!(r#"{{"n":{offset},"huge":1{offset:045}}}"#),
        _ => format!(r#"{{"only {offset}":{offset}}}"#),
    }
}

impl World {
    fn elider(&self, raw: Raw) -> TableWriter {
        let topic_id = TopicId::new("AAAAAAAAAAAAAAAAAAAAAQ");
        let mut options = WriterOptions::new(self.table(), "orders", topic_id, "sink");
        options.raw = raw;
        let mut writer = TableWriter::open(&self.lake, options).unwrap();
        writer.assign(&[(0, Start::at(0))]).unwrap();
        writer
    }

    fn write_values(&self, writer: &mut TableWriter, offsets: std::ops::Range<i64>) {
        for offset in offsets {
            self.append(writer, 0, offset, &value(offset));
        }
        self.commit(writer);
    }

    /// All rows below `end` but `gone` have their bytes; answers which don't store them.
    fn assert_values(&self, end: i64, gone: impl Fn(i64) -> bool) -> Vec<i64> {
        let found = originals(&self.lake, &self.table()).unwrap();
        let offsets: Vec<i64> = (0..end).filter(|offset| !gone(*offset)).collect();
        let there: Vec<i64> = found.keys().map(|(_, offset)| *offset).collect();
        assert_eq!(there, offsets);
        for ((_, offset), original) in &found {
            let text = original.value.as_deref().map(String::from_utf8_lossy);
            assert_eq!(text.as_deref(), Some(value(*offset).as_str()), "E7");
        }
        let elided = found.iter().filter(|(_, original)| original.elided);
        elided.map(|((_, offset), _)| *offset).collect()
    }
}

#[test]
fn e7_rows_without_their_bytes_come_back_after_compaction_and_erasure() {
    let world = World::in_memory();
    let mut writer = world.elider(Raw::Elide);
    world.write_values(&mut writer, 0..40);
    world.write_values(&mut writer, 40..100);
    drop(writer);
    // One that keeps them beside.
    let mut writer = world.elider(Raw::Keep);
    world.write_values(&mut writer, 100..120);
    let elided = world.assert_values(120, |_| false);
    let wanted: Vec<i64> = (0..100).filter(|offset| offset % 5 < 4).collect();
    assert_eq!(elided, wanted, "all but those whose shape is theirs alone");

    world.pass(&eager()).unwrap();
    assert_eq!(world.check().files, 1);
    assert_eq!(world.assert_values(120, |_| false), wanted);

    // By their bytes, which aren't there.
    let gone = |offset: i64| value(offset).contains("order 5") || offset == 77;
    let (table, halt) = (world.table(), AtomicBool::new(false));
    let erasure = Erasure {
        id: world.lake.clock().new_id(),
        reference: "ticket 7".to_owned(),
        columns: vec![VALUE.to_owned(), "_offset".to_owned()],
        may_match: &|_| true,
        matches: &|batch| {
            let values = batch[VALUE].as_binary::<i32>();
            let offsets = batch["_offset"].as_primitive::<arrow::datatypes::Int64Type>();
            let rows = values.iter().zip(offsets.values());
            let rows = rows.map(|(found, offset)| {
                let text = String::from_utf8_lossy(found.unwrap()).into_owned();
                assert_eq!(text, value(*offset));
                Some(gone(*offset))
            });
            Ok(rows.collect::<BooleanArray>())
        },
    };
    let receipt = erase(&world.lake, &table, &erasure, &halt).unwrap();
    assert_eq!(receipt.rows, (0..120).filter(|n| gone(*n)).count() as u64);
    let left: Vec<i64> = wanted.into_iter().filter(|n| !gone(*n)).collect();
    assert_eq!(world.assert_values(120, gone), left);
    world.check();
}

#[test]
fn no_filter_denies_a_word_that_only_the_columns_hold() {
    let world = World::in_memory();
    let mut writer = world.elider(Raw::Elide);
    world.write_values(&mut writer, 0..40);
    let snapshot = world.snapshot();
    let files: Vec<_> = snapshot.files.iter().collect();
    let halt = AtomicBool::new(false);
    let added = unfiltered::add(&world.lake, &world.table(), &files, &halt).unwrap();
    assert_eq!(added, files.len());
    let words = |word: &str| world.may_hold(&Wanted::words(word));
    assert_eq!(words("order 35"), (added, 0));
    assert_eq!(words("nowhere"), (added, 0), "nothing is known of words");
    world.write_values(&mut writer, 40..60);
    world.write_values(&mut writer, 60..80);
    let kept = world.pass(&eager()).unwrap();
    assert_eq!(kept.compacted.rewrites, 1, "{kept:?}");
    for offset in (0..80).step_by(5) {
        let (may, unknown) = words(&format!("order {offset}"));
        assert!(may > 0 && unknown == 0, "order {offset}");
    }
    assert_eq!(
        words("nowhere"),
        (0, 0),
        "compaction put the texts together"
    );
}

#[test]
fn a_table_whose_records_took_the_name_of_the_shapes_column_keeps_all_bytes() {
    let world = World::in_memory();
    let mut writer = world.elider(Raw::Keep);
    world.append(
        &mut writer,
        0,
        0,
        r#"{"_value_shape":1,"_VALUE_shape":"x"}"#,
    );
    world.commit(&mut writer);
    let schema = world.snapshot().schema;
    assert!(schema.field_with_name("_value_shape").is_err(), "{schema}");
    let mut old = schema.as_ref().clone();
    assert!(crate::elide::is_possible(&old));
    let fields = old.fields().iter().map(|field| {
        let name = match field.name().as_str() {
            "_value_shape_2" => "_Value_Shape",
            name => name,
        };
        field.as_ref().clone().with_name(name)
    });
    old = arrow::datatypes::Schema::new(fields.collect::<Vec<_>>());
    assert!(old.field_with_name("_Value_Shape").is_ok(), "{old}");
    assert!(!crate::elide::is_possible(&old));
}
