//! Every row comes back: any columns, any nulls, any number of pages and row groups.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Float64Array, Int32Array,
    Int64Array, ListArray, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
    UInt32Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{Field, Int64Type, Schema, SchemaRef};
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use proptest::prelude::*;

use super::{keys, open};
use crate::encode::{Codec, Form, encode};
use crate::schema::bind;
use crate::seal::Key;
use crate::spare::Spare;

/// What the reader makes of a file's rows, under the file's own schema.
fn read(bytes: &bytes::Bytes, selection: Option<RowSelection>) -> RecordBatch {
    let mut builder = open(bytes);
    if let Some(selection) = selection {
        builder = builder.with_row_selection(selection);
    }
    let schema = SchemaRef::clone(builder.schema());
    let batches: Vec<RecordBatch> = builder.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

/// Equal as values: a reader makes its own field metadata and names of list elements.
fn assert_same(found: &RecordBatch, expected: &RecordBatch) {
    assert_eq!(found.num_rows(), expected.num_rows());
    for (field, column) in expected.schema().fields().iter().zip(expected.columns()) {
        let found = found.column_by_name(field.name()).unwrap();
        let cast = arrow::compute::cast(found, column.data_type()).unwrap();
        assert_eq!(&cast, column, "column {}", field.name());
    }
}

fn nullable(name: &str, array: &ArrayRef) -> Field {
    Field::new(name, array.data_type().clone(), true)
}

fn batch_of(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| nullable(name, array))
        .collect();
    let columns = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

/// Makes columns; which values and nulls they have follows from the seed.
#[derive(Clone, Copy)]
struct Columns {
    seed: usize,
    rows: usize,
}

impl Columns {
    fn has(self, row: usize, salt: usize) -> bool {
        let mixed = row * 7 + salt * 13 + self.seed * 31;
        !mixed.is_multiple_of(2 + (self.seed + salt) % 9)
    }

    fn nulls(self, salt: usize) -> NullBuffer {
        let valid = (0..self.rows).map(|row| self.has(row, salt));
        valid.collect::<Vec<_>>().into()
    }

    /// The values of the rows that have one.
    fn of<T>(self, salt: usize, value: impl Fn(usize) -> T) -> impl Iterator<Item = Option<T>> {
        (0..self.rows).map(move |row| self.has(row, salt).then(|| value(row)))
    }

    fn number(self, row: usize) -> i64 {
        (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) as i64 >> (self.seed % 64)
    }

    fn text(self, row: usize, salt: usize) -> String {
        match (self.seed + salt) % 4 {
            0 => "x".repeat(row % 200),
            1 => format!("id-{}", self.number(row)),
            2 => format!("kind-{}", row % 5),
            _ => String::new(),
        }
    }

    fn texts(self, salt: usize) -> ArrayRef {
        let texts = self.of(salt, |row| self.text(row, salt));
        Arc::new(texts.collect::<StringArray>())
    }

    fn numbers(self) -> ArrayRef {
        let numbers = self.of(3, |row| self.number(row));
        Arc::new(numbers.collect::<Int64Array>())
    }

    fn lists(self) -> ArrayRef {
        let items = |row: usize| (0..row % 4).map(|at| Some(at as i64));
        Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(
            self.of(6, items),
        ))
    }

    /// Lists of what `elements` makes; some are empty, and some null ones have elements that nobody
    /// must see.
    fn listed(self, salt: usize, elements: impl Fn(Self) -> ArrayRef) -> ArrayRef {
        let length = |row: usize| (row * 11 + salt + self.seed) % 13 % 5;
        let ends = (0..self.rows).scan(0, |end, row| {
            *end += length(row) as i32;
            Some(*end)
        });
        let offsets: Vec<i32> = std::iter::once(0).chain(ends).collect();
        let rows = offsets.last().map_or(0, |end| *end as usize);
        let values = elements(Self { rows, ..self });
        let element = Field::new("element", values.data_type().clone(), true);
        let offsets = OffsetBuffer::new(offsets.into());
        let nulls = Some(self.nulls(salt)).filter(|_| !salt.is_multiple_of(3));
        Arc::new(ListArray::new(Arc::new(element), offsets, values, nulls))
    }

    /// Lists of objects, in which are lists of lists.
    fn deep(self) -> ArrayRef {
        self.listed(16, |make| {
            let lists = make.listed(17, |make| make.listed(18, |make| make.texts(19)));
            let booleans = make.of(13, |row| make.number(row) % 2 == 0);
            let columns: Vec<(&str, ArrayRef)> = vec![
                ("text", make.texts(20)),
                ("lists", lists),
                ("time", make.times()),
                ("boolean", Arc::new(booleans.collect::<BooleanArray>())),
            ];
            make.object(columns, 21, true)
        })
    }

    fn object(self, columns: Vec<(&str, ArrayRef)>, salt: usize, nulls: bool) -> ArrayRef {
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, array)| nullable(name, array))
            .collect();
        let columns = columns.into_iter().map(|(_, array)| array).collect();
        let nulls = Some(self.nulls(salt)).filter(|_| nulls);
        Arc::new(StructArray::new(fields.into(), columns, nulls))
    }

    fn decimals(self) -> ArrayRef {
        let decimals = self.of(14, |row| i128::from(self.number(row)));
        let decimals = decimals.collect::<Decimal128Array>();
        Arc::new(decimals.with_precision_and_scale(38, 0).unwrap())
    }

    fn times(self) -> ArrayRef {
        let times = self.of(10, |row| self.number(row));
        Arc::new(
            times
                .collect::<TimestampMicrosecondArray>()
                .with_timezone("UTC"),
        )
    }
}

/// Some of the columns `a` to `m` and `_value`, of every type, nested ones too.
fn batch(seed: usize, rows: usize) -> RecordBatch {
    let make = Columns { seed, rows };
    let inner = vec![("text", make.texts(2)), ("number", make.numbers())];
    let inner = make.object(inner, 4, !seed.is_multiple_of(3));
    let outer = vec![("object", inner), ("number", make.numbers())];
    let narrow = make.of(11, |row| make.number(row) as i32);
    let doubles = make.of(12, |row| make.number(row) as f64 / 3.0);
    let booleans = make.of(13, |row| make.number(row) % 2 == 0);
    let bytes = make.of(8, |row| make.text(row, 9).into_bytes());
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("a", make.texts(1)),
        ("b", make.numbers()),
        ("c", Arc::new(narrow.collect::<Int32Array>())),
        ("d", make.object(outer, 5, !seed.is_multiple_of(2))),
        ("e", Arc::new(doubles.collect::<Float64Array>())),
        ("f", Arc::new(booleans.collect::<BooleanArray>())),
        ("g", make.object(vec![("list", make.lists())], 7, true)),
        ("h", make.times()),
        ("i", make.decimals()),
        ("j", make.lists()),
        ("k", make.deep()),
        ("l", make.object(vec![("deep", make.deep())], 22, true)),
        ("m", make.listed(23, |make| make.decimals())),
        ("_value", Arc::new(bytes.collect::<BinaryArray>())),
    ];
    let some = columns.into_iter().enumerate();
    let some = some.filter(|(at, _)| *at == 0 || !(seed >> (at % 7)).is_multiple_of(3));
    batch_of(some.map(|(_, column)| column).collect())
}

/// The schema of a batch that has everything.
fn everything() -> SchemaRef {
    let whole = (0..1_000)
        .map(|seed| batch(seed, 1))
        .max_by_key(RecordBatch::num_columns);
    let whole = whole.unwrap();
    assert_eq!(whole.num_columns(), 14);
    whole.schema()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_row_of_any_batches_comes_back(
        batches in prop::collection::vec((0_usize..1_000_000, 0_usize..400), 1..8),
        skip in 0_usize..500,
        codec in prop::sample::select(Codec::ALL.to_vec()),
        key in 0_usize..3,
    ) {
        let schema = everything();
        let batches: Vec<RecordBatch> =
            batches.into_iter().map(|(seed, rows)| batch(seed, rows + 1)).collect();
        let form = Form { codec, key: keys().get(key).cloned(), ..Form::default() };
        let encoded = encode(&batches, &schema, &form, &Spare::default()).unwrap();
        let bound = batches.iter().map(|batch| bind(batch, &schema).unwrap());
        let expected = concat_batches(&schema, &bound.collect::<Vec<_>>()).unwrap();
        assert_same(&read(&encoded.bytes, None), &expected);
        // By the page index, from the middle.
        let rows = expected.num_rows();
        let skip = skip.min(rows - 1);
        let selectors = vec![RowSelector::skip(skip), RowSelector::select(rows - skip)];
        let selection = RowSelection::from(selectors);
        assert_same(&read(&encoded.bytes, Some(selection)), &expected.slice(skip, rows - skip));
    }
}

#[test]
fn columns_of_many_pages_and_row_groups_come_back() {
    for key in [None].into_iter().chain(keys().map(Some)) {
        comes_back_from_many_pages(key);
    }
}

fn comes_back_from_many_pages(key: Option<Key>) {
    let rows = 300_000;
    let texts = |text: fn(usize) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values((0..rows).map(text)))
    };
    let ids = texts(|row| format!("id-{:x}", row * 7_919));
    let kinds = texts(|row| format!("kind-{}", row / 1_000 % 70));
    let rare: ArrayRef = Arc::new(
        (0..rows)
            .map(|row| (row % 1_000 == 7).then_some(row as i64))
            .collect::<Int64Array>(),
    );
    let large: ArrayRef = Arc::new(BinaryArray::from_iter_values(
        (0..rows).map(|row| vec![row as u8; row % 37]),
    ));
    let whole = batch_of(vec![
        ("id", ids),
        ("kind", kinds),
        ("rare", rare),
        ("_value", large),
    ]);
    // Batches as a writer has them, one of them sliced out of another.
    let batches: Vec<RecordBatch> = (0..rows)
        .step_by(8_192)
        .map(|at| whole.slice(at, 8_192.min(rows - at)))
        .collect();
    let form = Form {
        key,
        ..Form::default()
    };
    let encoded = encode(&batches, &whole.schema(), &form, &Spare::default()).unwrap();
    assert_same(&read(&encoded.bytes, None), &whole);
    let reader = open(&encoded.bytes);
    assert_eq!(reader.metadata().num_row_groups(), 2);
    let chunk = |at: usize| reader.metadata().row_group(0).column(at);
    assert!(
        chunk(1).dictionary_page_offset().is_some(),
        "70 kinds are worth a dictionary"
    );
    assert!(
        chunk(0).dictionary_page_offset().is_none(),
        "ids that never come twice are not"
    );
    // Few rows by their numbers: what the page index says of rows is true in every column.
    let wanted = [0, 1, 19_999, 20_000, 262_143, 262_144, 299_999];
    let mut selectors = Vec::new();
    let mut at = 0;
    for row in wanted {
        selectors.extend([RowSelector::skip(row - at), RowSelector::select(1)]);
        at = row + 1;
    }
    let indexes = UInt32Array::from_iter_values(wanted.map(|row| row as u32));
    let expected = take_record_batch(&whole, &indexes).unwrap();
    assert_same(
        &read(&encoded.bytes, Some(RowSelection::from(selectors))),
        &expected,
    );
}

#[test]
fn lists_of_many_pages_come_back_and_pages_begin_with_a_row() {
    let make = Columns {
        seed: 5,
        rows: 50_000,
    };
    // Elements that are more than a page, all of one row.
    let long = [(0_usize, 0), (1, 45_000), (2, 3)];
    let long = (0..make.rows).map(|row| long.iter().find(|(at, _)| *at == row).map(|(_, n)| *n));
    let long = long.map(|count| count.map(|count| (0..count).map(|at| Some(at as i64))));
    let long = ListArray::from_iter_primitive::<Int64Type, _, _>(long);
    let whole = batch_of(vec![
        ("deep", make.deep()),
        ("ids", make.listed(2, |make| make.texts(0))),
        ("kinds", make.listed(4, |make| make.texts(1))),
        ("long", Arc::new(long)),
    ]);
    let batches: Vec<RecordBatch> = (0..make.rows)
        .step_by(8_192)
        .map(|at| whole.slice(at, 8_192.min(make.rows - at)))
        .collect();
    let encoded = encode(
        &batches,
        &whole.schema(),
        &Form::default(),
        &Spare::default(),
    )
    .unwrap();
    assert_same(&read(&encoded.bytes, None), &whole);
    for row in [0, 1, 2, 9_999, 23_456, 49_999] {
        let after = make.rows - row - 1;
        let selectors = [(row, true), (1, false), (after, true)];
        let selectors = selectors.map(|(row_count, skip)| RowSelector { row_count, skip });
        let selection = RowSelection::from(selectors.to_vec());
        assert_same(&read(&encoded.bytes, Some(selection)), &whole.slice(row, 1));
    }
}

#[test]
fn a_null_row_that_has_bytes_of_its_own_is_still_null() {
    let offsets = OffsetBuffer::new(vec![0, 2, 5, 6].into());
    let nulls = NullBuffer::from(vec![true, false, true]);
    let texts: ArrayRef = Arc::new(StringArray::new(
        offsets,
        b"aaXXXb".as_slice().into(),
        Some(nulls),
    ));
    let batch = batch_of(vec![("text", texts)]);
    let encoded = encode(
        std::slice::from_ref(&batch),
        &batch.schema(),
        &Form::default(),
        &Spare::default(),
    )
    .unwrap();
    let found = read(&encoded.bytes, None);
    let expected: ArrayRef = Arc::new(StringArray::from(vec![Some("aa"), None, Some("b")]));
    assert_eq!(found.column(0), &expected);
}

#[test]
fn integers_of_any_distance_can_be_skipped() {
    let steps = |step: i64| -> Vec<i64> {
        let from = i64::MIN / 2;
        (0..70_i64)
            .map(|row| from.wrapping_add(row.wrapping_mul(step)))
            .collect()
    };
    for values in [
        steps(1 << 57),
        steps(1 << 62),
        steps(i64::MAX),
        vec![i64::MIN, i64::MAX, 0],
    ] {
        let narrow = values.iter().map(|&value| (value >> 32) as i32);
        let batch = batch_of(vec![
            ("narrow", Arc::new(narrow.collect::<Int32Array>())),
            ("wide", Arc::new(Int64Array::from(values.clone()))),
        ]);
        let (one, schema) = (std::slice::from_ref(&batch), batch.schema());
        let encoded = encode(one, &schema, &Form::default(), &Spare::default()).unwrap();
        assert_same(&read(&encoded.bytes, None), &batch);
        for skip in 1..batch.num_rows() {
            let left = batch.num_rows() - skip;
            let selectors = vec![RowSelector::skip(skip), RowSelector::select(left)];
            let found = read(&encoded.bytes, Some(RowSelection::from(selectors)));
            assert_same(&found, &batch.slice(skip, left));
        }
    }
}
