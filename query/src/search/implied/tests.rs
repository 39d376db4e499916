//! What is implied, asked of values of every type beside the condition itself.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array,
    Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Schema};
use datafusion::common::DFSchema;
use datafusion::logical_expr::{Expr, col, lit};
use datafusion::prelude::SessionContext;

use super::super::{Tree, Where, found_function, parse};
use super::{KELVIN, implied};

const TEXTS: [&str; 24] = [
    "failed",
    "FAILED",
    "fAil",
    "fa\u{212a}ed",
    "k9",
    "K9",
    "\u{212a}9",
    "İx",
    "İ",
    "ix",
    "I",
    "j",
    "",
    "42",
    "42.0",
    "007",
    "-1.5",
    "true",
    "2026-11-23",
    "2026-11-23T10:00:00Z",
    "a-1",
    "été",
    "Été",
    "\u{10ffff}",
];

/// Columns of every type that JSON makes.
fn columns() -> Vec<ArrayRef> {
    let moment = 1_795_428_000_000_000;
    let moments = [
        moment,
        moment + 1,
        moment - 1,
        moment - 36_000_000_000,
        0,
        -1,
    ];
    vec![
        Arc::new(StringArray::from(TEXTS.to_vec())),
        Arc::new(BinaryArray::from(TEXTS.map(str::as_bytes).to_vec())),
        Arc::new(Int64Array::from(vec![42, 41, 43, -1, 0, i64::MAX])),
        Arc::new(Float64Array::from(vec![
            42.0,
            -1.5,
            0.1,
            f64::NAN,
            f64::INFINITY,
            1e300,
        ])),
        Arc::new(
            Decimal128Array::from(vec![4_200, 4_201, -150, 10])
                .with_precision_and_scale(38, 2)
                .unwrap(),
        ),
        Arc::new(BooleanArray::from(vec![true, false])),
        Arc::new(TimestampMicrosecondArray::from(moments.to_vec()).with_timezone("UTC")),
        Arc::new(Date32Array::from(vec![20_780, 20_779, 20_781, 0, -1])),
    ]
}

const SEARCHES: [&str; 44] = [
    "c:failed",
    "c:FAILED",
    "c:=failed",
    "c:fa*",
    "c:f*d",
    "c:fak*",
    "c:fa?l",
    "c:k9",
    "c:k*",
    "c:K9",
    "c:i*",
    "c:ix",
    "c:İ*",
    "c:i\u{307}x",
    "c:*x",
    "c:j",
    "c:a-1",
    "c:é*",
    "c:été",
    "c:\"\"",
    "c:*",
    "c:42",
    "c:42.0",
    "c:=42",
    "c:4*",
    "c:>=42",
    "c:>42",
    "c:<42.5",
    "c:[-2 TO 41.5}",
    "c:-1.5",
    "c:0.1",
    "c:nan",
    "c:inf*",
    "c:infinity",
    "c:true",
    "c:=TRUE",
    "c:t*",
    "c:2026-11-23",
    "c:2026",
    "c:>2026-11-23",
    "c:[2026-11-23T10 TO *]",
    "c:{* TO 2026-11-23T10:00Z}",
    "c:[a TO k]",
    "c:<=fb",
];

#[test]
fn what_is_implied_holds_for_every_value_that_is_wanted() {
    let context = SessionContext::new();
    let mut wanted = 0;
    for column in columns() {
        let field = Field::new("c", column.data_type().clone(), true);
        let schema = Arc::new(Schema::new(vec![field]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(&column)]).unwrap();
        let names = DFSchema::try_from(schema).unwrap();
        let ask = |condition: Expr| {
            let condition = context
                .state()
                .create_physical_expr(condition, &names)
                .unwrap();
            let rows = condition
                .evaluate(&batch)
                .unwrap()
                .into_array(batch.num_rows())
                .unwrap();
            let rows = rows.as_boolean();
            rows.iter()
                .map(|row| row == Some(true))
                .collect::<Vec<bool>>()
        };
        for text in SEARCHES {
            let Ok(Tree::Field(field)) = parse(text) else {
                panic!("{text} is no field");
            };
            let place = Where {
                test: field.test,
                steps: vec![Vec::new()],
            };
            let arguments = vec![lit(place.write()), col("c")];
            let weaker = ask(implied(&arguments, &names).unwrap());
            let found = ask(found_function().call(arguments));
            for (row, (found, weaker)) in found.into_iter().zip(weaker).enumerate() {
                wanted += usize::from(found);
                assert!(
                    weaker || !found,
                    "{text}: row {row} of {}",
                    column.data_type()
                );
            }
        }
    }
    assert!(wanted > 100, "{wanted} values were wanted at all");
}

#[test]
fn no_other_letters_become_small_ones_of_ascii() {
    for letter in '\u{80}'..=char::MAX {
        let small: String = letter.to_lowercase().collect();
        if small.contains(|letter: char| letter.is_ascii()) {
            assert!(letter == KELVIN && small == "k" || letter == 'İ' && small == "i\u{307}");
        }
    }
}
