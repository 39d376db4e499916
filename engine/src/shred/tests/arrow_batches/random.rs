//! Random Arrow batches, and what their rows mean.

use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::*;

use super::times::times;
use crate::value::Value;

/// A xorshift generator.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        for (left, shift) in [(true, 13), (false, 7), (true, 17)] {
            self.0 ^= if left {
                self.0 << shift
            } else {
                self.0 >> shift
            };
        }
        (self.0 % end as u64) as usize
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn some<T>(&mut self, mut make: impl FnMut(&mut Self) -> T) -> Option<T> {
        (self.below(4) > 0).then(|| make(self))
    }

    fn nulls(&mut self, rows: usize) -> Option<NullBuffer> {
        match self.below(2) {
            0 => None,
            _ => Some((0..rows).map(|_| self.below(3) > 0).collect()),
        }
    }
}

/// A column, and what its rows mean.
pub(super) type Column = (Field, ArrayRef, Vec<Value>);

const KEYS: [&str; 9] = ["a", "b", "A", "at", "x y", "_offset", "é", "a.b", "n"];

/// A batch of a few rows, perhaps a slice of another one.
pub(crate) fn batch(random: &mut Random) -> (RecordBatch, Vec<Value>) {
    let rows = 1 + random.below(6);
    let (fields, arrays, mut values) = members(random, rows, 3);
    let mut batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
    if rows > 1 && random.below(3) == 0 {
        batch = batch.slice(1, rows - 1);
        values.remove(0);
    }
    (batch, values)
}

fn members(
    random: &mut Random,
    rows: usize,
    depth: usize,
) -> (Vec<Field>, Vec<ArrayRef>, Vec<Value>) {
    let begin = random.below(KEYS.len());
    let count = 1 + random.below(3);
    let mut values = vec![Vec::new(); rows];
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for key in KEYS.iter().cycle().skip(begin).take(count) {
        let (field, array, column) = column(random, rows, depth);
        for (row, value) in values.iter_mut().zip(column) {
            row.push(((*key).to_owned(), value));
        }
        fields.push(field.with_name(*key));
        arrays.push(array);
    }
    (
        fields,
        arrays,
        values.into_iter().map(Value::Object).collect(),
    )
}

pub(super) fn made(array: impl Array + 'static, values: Vec<Value>) -> Column {
    let field = Field::new("", array.data_type().clone(), true);
    (field, Arc::new(array), values)
}

fn column(random: &mut Random, rows: usize, depth: usize) -> Column {
    match random.below(if depth == 0 { 4 } else { 6 }) {
        0 | 1 => numbers(random, rows),
        2 => texts(random, rows),
        3 => times(random, rows),
        4 => lists(random, rows, depth - 1),
        _ => structs(random, rows, depth - 1),
    }
}

pub(super) fn of<T: Clone>(cells: &[Option<T>], value: impl Fn(T) -> Value) -> Vec<Value> {
    let cells = cells.iter().cloned();
    cells.map(|cell| cell.map_or(Value::Null, &value)).collect()
}

pub(super) fn cells<T>(
    random: &mut Random,
    rows: usize,
    make: impl Fn(&mut Random) -> T,
) -> Vec<Option<T>> {
    (0..rows).map(|_| random.some(&make)).collect()
}

fn numbers(random: &mut Random, rows: usize) -> Column {
    let integers = [0, 1, -1, 127, 1 << 53, (1 << 53) + 1, i64::MIN, i64::MAX];
    let decimals = [0, 5, -12_345, 99_999_999_999_999_999_999];
    match random.below(10) {
        0 => {
            let found = cells(random, rows, |random| random.below(2) == 0);
            made(
                BooleanArray::from(found.clone()),
                of(&found, Value::Boolean),
            )
        }
        1 => {
            let found = cells(random, rows, |random| random.pick(&[0_i8, 1, -128]));
            let integer = |one: i8| Value::Integer(one.into());
            made(Int8Array::from(found.clone()), of(&found, integer))
        }
        2 => {
            let found = cells(random, rows, |random| random.pick(&[0_u32, 7, u32::MAX]));
            let integer = |one: u32| Value::Integer(one.into());
            made(UInt32Array::from(found.clone()), of(&found, integer))
        }
        3 | 4 => {
            let found = cells(random, rows, |random| random.pick(&integers));
            let integer = |one: i64| Value::Integer(one.into());
            made(Int64Array::from(found.clone()), of(&found, integer))
        }
        5 => {
            let found = cells(random, rows, |random| random.pick(&[1_u64, u64::MAX]));
            let integer = |one: u64| Value::Integer(one.into());
            made(UInt64Array::from(found.clone()), of(&found, integer))
        }
        6 => {
            let found = cells(random, rows, |random| random.pick(&[0.1_f32, 1.0, -7.5e30]));
            let double = |one: f32| Value::Double(one.into());
            made(Float32Array::from(found.clone()), of(&found, double))
        }
        7 => {
            let doubles = [0.5, 1.0, f64::INFINITY, 5e-324, -1e300];
            let found = cells(random, rows, |random| random.pick(&doubles));
            made(Float64Array::from(found.clone()), of(&found, Value::Double))
        }
        8 => {
            let scale = random.pick(&[0, 2, 5]);
            let found = cells(random, rows, |random| random.pick(&decimals));
            let array = Decimal128Array::from(found.clone());
            let array = array.with_precision_and_scale(25, scale).unwrap();
            let decimal = |unscaled| Value::Decimal {
                unscaled,
                scale: scale as u8,
            };
            made(array, of(&found, decimal))
        }
        _ => {
            let wide = [(7, "0.07"), (-1, "-0.01")];
            let found = cells(random, rows, |random| random.pick(&wide));
            let array: Decimal256Array = found
                .iter()
                .map(|cell| cell.map(|(unscaled, _)| i256::from_i128(unscaled)))
                .collect();
            let array = array.with_precision_and_scale(60, 2).unwrap();
            let decimal = |(unscaled, _)| Value::Decimal { unscaled, scale: 2 };
            made(array, of(&found, decimal))
        }
    }
}

fn texts(random: &mut Random, rows: usize) -> Column {
    let texts = ["", "x", "a \"b\"\n", "é😀", "2026-01-01T00:00:00Z", "12.50"];
    let kind = random.below(8);
    if kind < 5 {
        let found = cells(random, rows, |random| random.pick(&texts));
        let values = of(&found, |text| Value::Text(text.to_owned()));
        let plain: ArrayRef = Arc::new(StringArray::from(found));
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let wanted = [
            DataType::Utf8,
            DataType::Utf8,
            DataType::LargeUtf8,
            DataType::Utf8View,
            dictionary,
        ];
        let array = cast(&plain, &wanted[kind]).unwrap();
        return (
            Field::new("", array.data_type().clone(), true),
            array,
            values,
        );
    }
    let found = cells(random, rows, |random| vec![random.below(256) as u8; 16]);
    let slices: Vec<Option<&[u8]>> = found.iter().map(Option::as_deref).collect();
    match kind {
        5 => made(BinaryArray::from(slices), of(&found, Value::Binary)),
        6 => {
            let array =
                FixedSizeBinaryArray::try_from_sparse_iter_with_size(slices.into_iter(), 16);
            made(array.unwrap(), of(&found, Value::Binary))
        }
        _ => {
            let array =
                FixedSizeBinaryArray::try_from_sparse_iter_with_size(slices.into_iter(), 16);
            let text = |id: Vec<u8>| Value::Text(uuid::Uuid::from_slice(&id).unwrap().to_string());
            let (field, array, values) = made(array.unwrap(), of(&found, text));
            let metadata = [("ARROW:extension:name".to_owned(), "arrow.uuid".to_owned())];
            (field.with_metadata(metadata.into()), array, values)
        }
    }
}

/// Lengths of lists, and which of the lists are null; those are empty.
fn lengths(random: &mut Random, rows: usize) -> (Vec<usize>, Option<NullBuffer>) {
    let nulls = random.nulls(rows);
    let length = |row| match &nulls {
        Some(nulls) if nulls.is_null(row) => 0,
        _ => random.below(4),
    };
    ((0..rows).map(length).collect(), nulls)
}

fn grouped(
    lengths: &[usize],
    nulls: Option<&NullBuffer>,
    mut values: Vec<Value>,
    make: impl Fn(Vec<Value>) -> Value,
) -> Vec<Value> {
    let mut rows = Vec::new();
    for (row, length) in lengths.iter().enumerate() {
        let rest = values.split_off(*length);
        let own = std::mem::replace(&mut values, rest);
        rows.push(match nulls {
            Some(nulls) if nulls.is_null(row) => Value::Null,
            _ => make(own),
        });
    }
    rows
}

fn lists(random: &mut Random, rows: usize, depth: usize) -> Column {
    let (lengths, nulls) = lengths(random, rows);
    let total = lengths.iter().sum();
    let (field, elements, values) = column(random, total, depth);
    let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
    if random.below(4) > 0 {
        let list = ListArray::new(Arc::new(field.with_name("item")), offsets, elements, nulls);
        let values = grouped(&lengths, list.nulls(), values, Value::List);
        if random.below(3) == 0 {
            let DataType::List(element) = list.data_type().clone() else {
                unreachable!()
            };
            let large = cast(&list, &DataType::LargeList(element)).unwrap();
            return (
                Field::new("", large.data_type().clone(), true),
                large,
                values,
            );
        }
        return made(list, values);
    }
    maps(random, &lengths, nulls, (field, elements, values))
}

fn maps(
    random: &mut Random,
    lengths: &[usize],
    nulls: Option<NullBuffer>,
    (field, elements, values): Column,
) -> Column {
    let total = values.len();
    let texts = random.below(2) == 0;
    let numbers: Vec<i32> = lengths
        .iter()
        .flat_map(|length| 0..*length as i32)
        .collect();
    let keys: ArrayRef = if texts {
        Arc::new(StringArray::from_iter_values(
            numbers.iter().map(|key| format!("k{key}")),
        ))
    } else {
        Arc::new(Int32Array::from(numbers.clone()))
    };
    let fields = Fields::from(vec![
        Field::new("keys", keys.data_type().clone(), false),
        field.with_name("values"),
    ]);
    let entries =
        StructArray::try_new_with_length(fields, vec![keys, elements], None, total).unwrap();
    let entry = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
    let map = MapArray::try_new(entry, offsets, entries, nulls, false).unwrap();
    let pairs: Vec<Value> = numbers
        .iter()
        .zip(values)
        .map(|(key, value)| {
            let key = match texts {
                true => Value::Text(format!("k{key}")),
                false => Value::Integer((*key).into()),
            };
            Value::Object(vec![("key".to_owned(), key), ("value".to_owned(), value)])
        })
        .collect();
    let object = |pairs: Vec<Value>| {
        let pairs = pairs.into_iter().map(|pair| match pair {
            Value::Object(mut pair) => match (pair.remove(0).1, pair.remove(0).1) {
                (Value::Text(key), value) => (key, value),
                _ => unreachable!(),
            },
            _ => unreachable!(),
        });
        Value::Object(pairs.collect())
    };
    let values = match texts {
        true => grouped(lengths, map.nulls(), pairs, object),
        false => grouped(lengths, map.nulls(), pairs, Value::List),
    };
    made(map, values)
}

/// Structs, under whose nulls their fields have values all the same; and unions.
fn structs(random: &mut Random, rows: usize, depth: usize) -> Column {
    if random.below(4) == 0 {
        return unions(random, rows, depth);
    }
    let (fields, arrays, mut values) = members(random, rows, depth);
    let nulls = random.nulls(rows);
    for (row, value) in values.iter_mut().enumerate() {
        if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            *value = Value::Null;
        }
    }
    let array = StructArray::try_new_with_length(fields.into(), arrays, nulls, rows).unwrap();
    made(array, values)
}

fn unions(random: &mut Random, rows: usize, depth: usize) -> Column {
    let sides = [column(random, rows, depth), column(random, rows, depth)];
    let ids: Vec<i8> = (0..rows).map(|_| random.below(2) as i8).collect();
    let values = ids.iter().enumerate();
    let values = values
        .map(|(row, id)| sides[*id as usize].2[row].clone())
        .collect();
    let fields = sides.iter().zip(["left", "right"]);
    let fields = fields.map(|((field, _, _), name)| field.clone().with_name(name));
    let fields = UnionFields::try_new(vec![0, 1], fields.collect::<Vec<_>>()).unwrap();
    let arrays = sides
        .iter()
        .map(|(_, array, _)| ArrayRef::clone(array))
        .collect();
    let union = UnionArray::try_new(fields, ScalarBuffer::from(ids), None, arrays).unwrap();
    made(union, values)
}
