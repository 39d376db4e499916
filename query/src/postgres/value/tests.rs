//! Values on the wire, as Postgres 16 writes them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
    Float32Array, Float64Array, Int16Array, Int32Array, Int64Array, ListArray, RecordBatch,
    StringArray, StructArray, Time64MicrosecondArray, TimestampMicrosecondArray,
    TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema};
use bytes::{Buf, BytesMut};
use pgwire::api::Type;

use super::kind::columns;
use super::{Encoder, Given, literal, moment, numeric};
use crate::statement::Literal;

/// Each row's only value, as its bytes; and the type that was told.
fn written(array: ArrayRef, binary: bool) -> (Type, Vec<Option<Vec<u8>>>) {
    let field = Field::new("v", array.data_type().clone(), true);
    let schema = Arc::new(Schema::new(vec![field]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![array]).unwrap();
    let told = columns(&schema, &[i16::from(binary)]).unwrap();
    let sql_type = told[0].sql_type();
    let rows = Encoder::new(told).rows(&batch).unwrap();
    let value = |mut data: BytesMut| {
        let length = data.get_i32();
        usize::try_from(length).ok().map(|length| {
            assert_eq!(data.len(), length);
            data.to_vec()
        })
    };
    (
        sql_type,
        rows.into_iter().map(|row| value(row.data)).collect(),
    )
}

fn texts(array: ArrayRef) -> (Type, Vec<Option<String>>) {
    let (sql_type, values) = written(array, false);
    let text = |value: Vec<u8>| String::from_utf8(value).unwrap();
    (
        sql_type,
        values.into_iter().map(|value| value.map(text)).collect(),
    )
}

fn text(array: ArrayRef) -> (Type, String) {
    let (sql_type, mut values) = texts(array);
    (sql_type, values.remove(0).unwrap())
}

fn binary(array: ArrayRef) -> Vec<u8> {
    written(array, true).1.remove(0).unwrap()
}

fn decimal(value: i128, scale: i8) -> ArrayRef {
    let array = Decimal128Array::from(vec![value]);
    Arc::new(array.with_precision_and_scale(38, scale).unwrap())
}

fn moment(us: i64) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(vec![us]).with_timezone("UTC"))
}

#[test]
fn plain_values_are_written_as_postgres_writes_them() {
    let of = |array: ArrayRef| text(array);
    let expect = |sql_type, value: &str| (sql_type, value.to_owned());
    let bool_array = |value| Arc::new(BooleanArray::from(vec![value])) as ArrayRef;
    assert_eq!(of(bool_array(true)), expect(Type::BOOL, "t"));
    assert_eq!(of(bool_array(false)), expect(Type::BOOL, "f"));
    let array = Arc::new(Int16Array::from(vec![-7]));
    assert_eq!(of(array.clone()), expect(Type::INT2, "-7"));
    assert_eq!(binary(array), [0xff, 0xf9]);
    let array = Arc::new(Int32Array::from(vec![70_000]));
    assert_eq!(of(array.clone()), expect(Type::INT4, "70000"));
    assert_eq!(binary(array), [0, 1, 0x11, 0x70]);
    let array = Arc::new(Int64Array::from(vec![i64::MIN]));
    assert_eq!(
        of(array.clone()),
        expect(Type::INT8, "-9223372036854775808")
    );
    assert_eq!(binary(array), [0x80, 0, 0, 0, 0, 0, 0, 0]);
    let array = Arc::new(UInt64Array::from(vec![7]));
    assert_eq!(of(array), expect(Type::INT8, "7"));
    let array = Arc::new(StringArray::from(vec!["é\n"]));
    assert_eq!(of(array), expect(Type::TEXT, "é\n"));
    let array: DictionaryArray<Int32Type> = vec!["a"].into_iter().collect();
    assert_eq!(of(Arc::new(array)), expect(Type::TEXT, "a"));
    let array = Arc::new(BinaryArray::from(vec![&b"\x00k\xff"[..]]));
    assert_eq!(of(array.clone()), expect(Type::BYTEA, "\\x006bff"));
    assert_eq!(binary(array), b"\x00k\xff");
    let none = Arc::new(Int64Array::from(vec![None, Some(1)]));
    assert_eq!(texts(none).1, [None, Some("1".to_owned())]);
}

#[test]
fn floats_are_the_shortest_digits_that_read_back() {
    for (value, expected) in [
        (1.0, "1"),
        (-0.5, "-0.5"),
        (123_456.75, "123456.75"),
        (1e14, "100000000000000"),
        (1e15, "1e+15"),
        (0.0001, "0.0001"),
        (0.000_012_5, "1.25e-05"),
        (1e300, "1e+300"),
        (f64::NAN, "NaN"),
        (f64::NEG_INFINITY, "-Infinity"),
    ] {
        let array = Arc::new(Float64Array::from(vec![value]));
        assert_eq!(text(array), (Type::FLOAT8, expected.to_owned()));
    }
    let array = Arc::new(Float32Array::from(vec![0.1]));
    assert_eq!(text(array.clone()), (Type::FLOAT4, "0.1".to_owned()));
    assert_eq!(binary(array), 0.1_f32.to_be_bytes());
}

#[test]
fn moments_and_days_are_counted_from_2000_and_have_years_before_christ() {
    let expect = |sql_type, value: &str| (sql_type, value.to_owned());
    let us = 1_795_428_000_001_000;
    assert_eq!(
        text(moment(us)),
        expect(Type::TIMESTAMPTZ, "2026-11-23 10:00:00.001+00")
    );
    assert_eq!(binary(moment(us)), (us - moment::EPOCH_US).to_be_bytes());
    let far = 253_402_300_800_000_000;
    assert_eq!(text(moment(far)).1, "10000-01-01 00:00:00+00");
    let before = -62_167_219_200_000_000 - 86_400_000_000;
    assert_eq!(text(moment(before)).1, "0002-12-31 00:00:00+00 BC");
    let array = Arc::new(TimestampNanosecondArray::from(vec![1_500_000_000]));
    assert_eq!(
        text(array),
        expect(Type::TIMESTAMP, "1970-01-01 00:00:01.500")
    );
    let array = Arc::new(Date32Array::from(vec![20_780]));
    assert_eq!(text(array.clone()), expect(Type::DATE, "2026-11-23"));
    assert_eq!(binary(array), (20_780 - 10_957_i32).to_be_bytes());
    let array = Arc::new(Time64MicrosecondArray::from(vec![3_723_000_500]));
    assert_eq!(text(array), expect(Type::TIME, "01:02:03.000500"));
}

#[test]
fn exact_numbers_keep_every_digit_in_text_and_binary() {
    assert_eq!(
        text(decimal(-1_250, 2)),
        (Type::NUMERIC, "-12.50".to_owned())
    );
    // 12 | 3450: weight 0, negative, two digits after the point shown as 4.
    let expected = [0, 2, 0, 0, 0x40, 0, 0, 4, 0, 12, 0x0d, 0x7a];
    assert_eq!(binary(decimal(-123_450, 4)), expected);
    assert_eq!(binary(decimal(0, 2)), [0, 0, 0, 0, 0, 0, 0, 2]);
    for digits in [
        "0",
        "0.00",
        "1",
        "-1",
        "10000",
        "9999.9999",
        "0.0001",
        "-0.00010",
        "123456789.012345678",
        "99999999999999999999999999999999999999",
        "-12345678901234567890.10",
        "100000000.5",
    ] {
        let mut out = BytesMut::new();
        numeric::write(digits, &mut out);
        assert_eq!(numeric::read(&out).as_deref(), Some(digits));
    }
    assert_eq!(numeric::read(&[0, 0, 0, 0, 0xc0, 0, 0, 0]), None, "NaN");
    assert_eq!(numeric::read(&[0, 9]), None, "broken");
}

#[test]
fn lists_of_plain_values_are_arrays_and_all_else_is_json() {
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>(vec![
        Some(vec![Some(1), None]),
        Some(vec![]),
        None,
    ]);
    let list: ArrayRef = Arc::new(list);
    let (sql_type, values) = texts(Arc::clone(&list));
    assert_eq!(sql_type, Type::INT8_ARRAY);
    assert_eq!(
        values,
        [Some("{1,NULL}".to_owned()), Some("{}".to_owned()), None]
    );
    let int8 = Type::INT8.oid().to_be_bytes();
    let mut expected = vec![0, 0, 0, 1, 0, 0, 0, 1];
    expected.extend(int8);
    expected.extend([0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1]);
    expected.extend([0xff, 0xff, 0xff, 0xff]);
    assert_eq!(binary(list), expected);
    let mut texts_list = arrow::array::ListBuilder::new(arrow::array::StringBuilder::new());
    for element in ["a", "b c", "", "NULL", "x\"y\\", "{}"] {
        texts_list.values().append_value(element);
    }
    texts_list.append(true);
    let quoted = r#"{a,"b c","","NULL","x\"y\\","{}"}"#;
    assert_eq!(
        text(Arc::new(texts_list.finish())),
        (Type::TEXT_ARRAY, quoted.to_owned())
    );
    let field = Arc::new(Field::new("a", DataType::Int64, true));
    let values: ArrayRef = Arc::new(Int64Array::from(vec![5]));
    let object = StructArray::from(vec![(field, values)]);
    assert_eq!(
        text(Arc::new(object)),
        (Type::JSON, r#"{"a":5}"#.to_owned())
    );
}

#[test]
fn parameters_become_literals_by_their_types() {
    let read = |sql_type, binary, bytes: &[u8]| {
        literal(Given {
            number: 1,
            sql_type: &sql_type,
            binary,
            bytes: Some(bytes),
        })
    };
    let number = |digits: &str| Literal::Number(digits.to_owned());
    let text = |text: &str| Literal::Text(text.to_owned());
    for (sql_type, given, expected) in [
        (Type::BOOL, "t", Literal::Boolean(true)),
        (Type::INT8, " 5", number("5")),
        (Type::NUMERIC, "12.50", number("12.50")),
        (Type::FLOAT8, "1e300", number("1e300")),
        (Type::FLOAT8, "NaN", text("NaN")),
        (Type::BYTEA, "\\x6bff", Literal::Bytes(b"k\xff".to_vec())),
        (Type::TEXT, "it's", text("it's")),
        (
            Type::TIMESTAMPTZ,
            "2026-11-23 10:00:00+01",
            text("2026-11-23 10:00:00+01"),
        ),
    ] {
        let found = read(sql_type, false, given.as_bytes()).unwrap();
        assert_eq!(found, expected, "{given}");
    }
    let us = 1_795_428_000_001_000_i64;
    let from_2000 = (us - moment::EPOCH_US).to_be_bytes();
    for (sql_type, given, expected) in [
        (Type::BOOL, &[1][..], Literal::Boolean(true)),
        (Type::INT2, &[0xff, 0xf9], number("-7")),
        (Type::FLOAT8, &0.5_f64.to_be_bytes(), number("5e-1")),
        (
            Type::TIMESTAMPTZ,
            &from_2000,
            text("2026-11-23T10:00:00.001Z"),
        ),
        (Type::TEXT, b"\xc3\xa9", text("\u{e9}")),
        (Type::JSONB, b"\x01{}", text("{}")),
    ] {
        assert_eq!(read(sql_type, true, given).unwrap(), expected);
    }
    for (sql_type, binary, given) in [
        (Type::INT4, false, &b"five"[..]),
        (Type::INT4, true, &[1]),
        (Type::INT4, true, &[0, 0, 0, 0, 0, 0, 0, 1, 1]),
        (Type::TEXT, true, &[0xff]),
        (Type::INT4_ARRAY, true, &[0; 12]),
        (Type::BYTEA, false, b"\\x6"),
    ] {
        let error = read(sql_type, binary, given).unwrap_err();
        assert!(error.message().contains("`$1`"), "{error}");
    }
}
