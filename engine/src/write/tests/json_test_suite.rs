//! The cases of JSONTestSuite as records: what must parse fills columns, what must not is a row
//! with `_error` when it is taken for JSON, and none is lost.

use super::*;
use crate::schema::rebuild::{Json, rebuild};
use crate::shred::Converter;

struct Case {
    name: String,
    text: Vec<u8>,
}

impl Case {
    fn must(&self, verdict: &str) -> bool {
        self.name.starts_with(verdict)
    }

    fn begins_object(&self) -> bool {
        self.text.trim_ascii_start().first() == Some(&b'{')
    }
}

/// A line is a name, how often the text is repeated, the text, and what stands behind.
fn cases() -> Vec<Case> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/json-test-suite.tsv"
    );
    let lines = std::fs::read_to_string(path).unwrap();
    let cases = lines.lines().map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        let mut text = unescaped(fields[2]).repeat(fields[1].parse().unwrap());
        text.extend(unescaped(fields[3]));
        let name = fields[0].to_owned();
        Case { name, text }
    });
    cases.collect()
}

/// `\xNN` is a byte, `\\` a backslash.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let (byte, behind) = match behind {
            [b'\\', behind @ ..] if *first == b'\\' => (b'\\', behind),
            [b'x', high, low, behind @ ..] if *first == b'\\' => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).unwrap();
                (u8::from_str_radix(digits, 16).unwrap(), behind)
            }
            behind => (*first, behind),
        };
        bytes.push(byte);
        rest = behind;
    }
    bytes
}

/// Lands all cases in one table; answers for each whether its row has an error, and its value put
/// together again from the columns.
fn land(cases: &[Case], converter: Converter) -> Vec<(bool, Json)> {
    let world = World::in_memory();
    let mut options = world.options();
    options.converter = converter;
    let mut writer = TableWriter::open(&world.lake, options).unwrap();
    assign(&mut writer, &[0]);
    for (offset, case) in cases.iter().enumerate() {
        writer
            .append(&record(0, offset as i64, &case.text))
            .unwrap();
    }
    commit(&mut writer);
    assert_eq!(world.each_offset_once()[&0], cases.len() as i64);
    let rows = world.rows();
    let mut landed: Vec<(i64, bool, Json)> = Vec::new();
    for (row, (_, offset)) in offsets(&rows).into_iter().enumerate() {
        let case = &cases[offset as usize];
        let value = rows["_value"].as_binary::<i32>().value(row);
        assert!(value == case.text, "E7: `{}`", case.name);
        let error = rows["_error"].is_valid(row);
        landed.push((offset, error, rebuild(&rows, row)));
    }
    landed.sort_by_key(|(offset, ..)| *offset);
    landed
        .into_iter()
        .map(|(_, error, value)| (error, value))
        .collect()
}

#[test]
fn every_case_is_a_row_and_what_must_not_parse_has_an_error_where_json_is_configured() {
    let cases = cases();
    let count = |verdict| cases.iter().filter(|case| case.must(verdict)).count();
    assert_eq!((count("y_"), count("n_"), count("i_")), (95, 188, 35));
    for (case, (error, value)) in cases.iter().zip(land(&cases, Converter::Json)) {
        assert!(!(case.must("y_") && error), "`{}` must parse", case.name);
        assert!(!case.must("n_") || error, "`{}` must not parse", case.name);
        check_columns(case, error, value);
    }
}

#[test]
fn without_a_converter_only_what_begins_like_an_object_may_have_an_error() {
    let cases = cases();
    for (case, (error, value)) in cases.iter().zip(land(&cases, Converter::Auto)) {
        if case.must("n_") {
            assert_eq!(error, case.begins_object(), "`{}`", case.name);
        }
        assert!(!(case.must("y_") && error), "`{}` must parse", case.name);
        assert!(!error || case.begins_object(), "`{}`", case.name);
        check_columns(case, error, value);
    }
}

/// An object is in its columns, whole; anything else has none.
fn check_columns(case: &Case, error: bool, value: Json) {
    let wanted = match Json::parse(&case.text) {
        Some(object @ Json::Object(_)) if !error => object.normal(),
        _ => Json::Null,
    };
    assert_eq!(value.normal(), wanted, "`{}`", case.name);
    if case.must("y_object") && case.text.contains(&b':') && case.name != "y_object_simple" {
        assert_ne!(wanted, Json::Null, "`{}` fills columns", case.name);
    }
}
