//! A table read as a stranger would: the log's JSON says which files there are and what the
//! columns mean, a plain Parquet reader gives their values. None of our own schema code is used but
//! for the bytes of rows that gave theirs up.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Float64Type, Int32Type, Int64Type};
use futures::StreamExt;
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use serde_json::Value as Json;

use super::values::{Meaning, Member, Record, Value};
use crate::lake::Lake;
use crate::path::TablePath;
use crate::testing::{Original, originals};

/// A column as the log's schema has it.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: String,
    /// The JSON key, `eddy.key`.
    pub(super) key: Option<String>,
    /// What it holds, `eddy.kind`.
    pub(super) kind: Option<String>,
    pub(super) data_type: Type,
}

/// A Delta type.
#[derive(Debug, Clone)]
pub(super) enum Type {
    Leaf(String),
    List(Box<Type>),
    Struct(Vec<Field>),
}

/// What the log says.
pub(super) struct Table {
    pub(super) columns: Vec<Field>,
    files: Vec<String>,
}

/// Reads the log; along the way no name ever changes its meaning (P11).
pub(super) fn table(lake: &Lake, path: &TablePath) -> Table {
    let mut columns = Vec::new();
    let mut names: BTreeMap<Vec<String>, String> = BTreeMap::new();
    let mut files = Vec::new();
    for action in log(lake, path) {
        if let Some(text) = action["metaData"]["schemaString"].as_str() {
            columns = fields(&serde_json::from_str(text).unwrap());
            let mut now = BTreeMap::new();
            remember(&columns, &[], &mut now);
            for (name, meaning) in names {
                assert_eq!(
                    now.get(&name),
                    Some(&meaning),
                    "invariant 7: {name:?} is stable"
                );
            }
            names = now;
        }
        files.extend(action["add"]["path"].as_str().map(str::to_owned));
        assert!(action["remove"].is_null(), "E2: nothing is rewritten here");
    }
    assert_injective(&columns);
    Table { columns, files }
}

fn log(lake: &Lake, path: &TablePath) -> Vec<Json> {
    let mut commits: BTreeMap<String, bytes::Bytes> = BTreeMap::new();
    let (store, folder) = (Arc::clone(lake.store()), path.log());
    let read = lake.wait(async move {
        let mut listed = store.list(Some(&folder));
        while let Some(object) = listed.next().await {
            let location = object.unwrap().location;
            if location.as_ref().ends_with(".json") {
                let bytes = store.get(&location).await.unwrap().bytes().await.unwrap();
                commits.insert(location.to_string(), bytes);
            }
        }
        commits
    });
    let commits = read.unwrap();
    let lines = commits
        .values()
        .flat_map(|commit| commit.split(|byte| *byte == b'\n'));
    lines
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

fn fields(schema: &Json) -> Vec<Field> {
    let fields = schema["fields"].as_array().unwrap().iter();
    fields
        .map(|field| Field {
            name: field["name"].as_str().unwrap().to_owned(),
            key: field["metadata"]["eddy.key"].as_str().map(str::to_owned),
            kind: field["metadata"]["eddy.kind"].as_str().map(str::to_owned),
            data_type: data_type(&field["type"]),
        })
        .collect()
}

fn data_type(json: &Json) -> Type {
    match json["type"].as_str() {
        Some("struct") => Type::Struct(fields(json)),
        Some("array") => Type::List(Box::new(data_type(&json["elementType"]))),
        _ => Type::Leaf(json.as_str().unwrap().to_owned()),
    }
}

/// Each name with what it stands for, structs and lists without what is inside of them.
fn remember(fields: &[Field], above: &[String], names: &mut BTreeMap<Vec<String>, String>) {
    for field in fields {
        let path: Vec<String> = above.iter().cloned().chain([field.name.clone()]).collect();
        let mut data_type = &field.data_type;
        let mut outer = String::new();
        while let Type::List(element) = data_type {
            outer.push_str("list of ");
            data_type = element;
        }
        if let Type::Struct(children) = data_type {
            remember(children, &path, names);
            outer.push_str("struct");
        } else {
            outer.push_str(&format!("{data_type:?}"));
        }
        names.insert(path, format!("{:?} {:?} {outer}", field.key, field.kind));
    }
}

/// Names are unique where case is ignored, and hold nothing that Delta forbids.
fn assert_injective(fields: &[Field]) {
    let mut seen = BTreeSet::new();
    for field in fields {
        let name = &field.name;
        assert!(seen.insert(name.to_lowercase()), "`{name}` comes twice");
        assert!(!name.is_empty() && name.len() < 256, "`{name}`");
        assert!(
            !name.contains([' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '=']),
            "`{name}`"
        );
        let mut data_type = &field.data_type;
        while let Type::List(element) = data_type {
            data_type = element;
        }
        if let Type::Struct(children) = data_type {
            assert!(!children.is_empty(), "`{name}` is a struct without fields");
            assert_injective(children);
        }
    }
}

impl Table {
    /// Every record of `sent`, by partition and offset, is one row with its bytes, and every value
    /// of it is where the columns' metadata says, with its type, or in `_rescued` as it stood.
    pub(super) fn assert_holds(&self, lake: &Lake, path: &TablePath, sent: &[Vec<&Record>]) {
        let mut found = BTreeSet::new();
        let originals = originals(lake, path).unwrap();
        for file in &self.files {
            let (store, object) = (Arc::clone(lake.store()), path.object(file));
            let bytes = lake
                .wait(async move { store.get(&object).await.unwrap().bytes().await.unwrap() })
                .unwrap();
            let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
            let reader = lake.keys().reader(bytes, file, options).unwrap();
            for batch in reader.build().unwrap() {
                self.check_batch(&batch.unwrap(), sent, &originals, &mut found);
            }
        }
        let all: BTreeSet<(i32, i64)> = sent
            .iter()
            .enumerate()
            .flat_map(|(partition, records)| {
                (0..records.len()).map(move |offset| (partition as i32, offset as i64))
            })
            .collect();
        assert_eq!(found, all, "E1: each offset exactly once");
    }

    fn check_batch(
        &self,
        batch: &RecordBatch,
        sent: &[Vec<&Record>],
        originals: &BTreeMap<(i32, i64), Original>,
        found: &mut BTreeSet<(i32, i64)>,
    ) {
        let schema = batch.schema();
        for field in schema.fields() {
            let mut columns = self.columns.iter();
            let known = columns.any(|column| column.name == *field.name());
            assert!(known, "invariant 7: `{}` is the table's", field.name());
        }
        let columns: HashMap<&str, &ArrayRef> = schema
            .fields()
            .iter()
            .zip(batch.columns())
            .map(|(field, column)| (field.name().as_str(), column))
            .collect();
        for row in 0..batch.num_rows() {
            let partition = columns["_partition"].as_primitive::<Int32Type>().value(row);
            let offset = columns["_offset"].as_primitive::<Int64Type>().value(row);
            assert!(
                found.insert((partition, offset)),
                "E1: {partition}/{offset} comes twice"
            );
            let record = sent[partition as usize][offset as usize];
            // What isn't stored is what our own reader makes of the row.
            let original = &originals[&(partition, offset)];
            let bytes = record.landed();
            let stored = columns["_value"].as_binary::<i32>();
            let stored = stored.is_valid(row).then(|| stored.value(row));
            assert!(original.value.as_deref() == bytes, "E7: {record:?}");
            assert!(original.elided || stored == bytes, "E7: {record:?}");
            let error = columns["_error"].is_valid(row);
            assert_eq!(
                error,
                matches!(record, Record::Broken(_) | Record::Withheld),
                "P18: {record:?}"
            );
            let members = match record {
                Record::Object(Value {
                    meaning: Meaning::Object(members),
                    ..
                }) => members,
                _ => &Vec::new(),
            };
            check_object(&self.columns, &columns, row, members, record.bytes());
        }
    }
}

/// `record` is only for the message of a failure.
fn check_object(
    fields: &[Field],
    columns: &HashMap<&str, &ArrayRef>,
    row: usize,
    members: &[Member],
    record: &[u8],
) {
    let context = || String::from_utf8_lossy(record).into_owned();
    let mut held: HashMap<&str, (&Field, &ArrayRef)> = HashMap::new();
    let mut rescued = "";
    for field in fields {
        let Some(column) = columns.get(field.name.as_str()) else {
            continue;
        };
        if column.is_null(row) {
            continue;
        }
        match (field.kind.as_deref(), &field.key) {
            (Some("rescued"), None) => rescued = column.as_string::<i32>().value(row),
            (Some(_), Some(key)) => {
                let before = held.insert(key, (field, column));
                assert!(
                    before.is_none(),
                    "two alternates of {key:?} hold {}",
                    context()
                );
            }
            (Some(_), None) => panic!("a member of no list: {field:?}"),
            (None, _) => {}
        }
    }
    let mut rest = rescued;
    for (at, member) in members.iter().enumerate() {
        let last = !members[at + 1..]
            .iter()
            .any(|later| later.key == member.key);
        let column = match &member.key {
            Some(key) if last => held.remove(key.as_str()),
            _ => None,
        };
        if let Some((field, column)) = column {
            let kind = field.kind.as_deref().unwrap_or_default();
            let same = holds(column, row, kind, &field.data_type, &member.value, record);
            assert!(
                same,
                "`{}` does not hold {:?} of {}",
                field.name,
                member.value,
                context()
            );
            continue;
        }
        let text = format!("{}:{}", member.text, member.value.text);
        match rest.get(1..).and_then(|rest| rest.strip_prefix(&text)) {
            Some(behind) => rest = behind,
            None => assert!(
                last && member.key.is_some() && !member.value.decides(),
                "{text} is neither in a column nor in {rescued:?}: {}",
                context()
            ),
        }
    }
    assert!(held.is_empty(), "{held:?} was never said: {}", context());
    assert!(
        rest.is_empty() || rest == "}",
        "{rest} was never said: {}",
        context()
    );
}

fn holds(
    column: &ArrayRef,
    row: usize,
    kind: &str,
    data_type: &Type,
    value: &Value,
    record: &[u8],
) -> bool {
    match (kind, data_type, &value.meaning) {
        ("boolean", Type::Leaf(name), Meaning::Boolean(value)) => {
            name == "boolean" && column.as_boolean().value(row) == *value
        }
        ("long", Type::Leaf(name), Meaning::Integer(value)) => {
            let found = column.as_primitive::<Int64Type>().value(row);
            name == "long" && i128::from(found) == *value
        }
        ("decimal", Type::Leaf(name), Meaning::Integer(value)) => {
            let found = column.as_primitive::<Decimal128Type>().value(row);
            name == "decimal(38,0)" && found == *value && i64::try_from(*value).is_err()
        }
        ("double", Type::Leaf(name), Meaning::Integer(value)) => {
            let found = column.as_primitive::<Float64Type>().value(row);
            name == "double" && found == *value as f64 && found as i128 == *value
        }
        ("double", Type::Leaf(name), Meaning::Double(value)) => {
            let found = column.as_primitive::<Float64Type>().value(row);
            name == "double" && found.to_bits() == value.to_bits()
        }
        ("string", Type::Leaf(name), Meaning::Text(value)) => {
            name == "string" && column.as_string::<i32>().value(row) == value
        }
        ("object", Type::Struct(fields), Meaning::Object(members)) => {
            check_object(fields, &children(column), row, members, record);
            true
        }
        ("list" | "mixed", Type::List(element), Meaning::List(elements)) => {
            let found = column.as_list::<i32>().value(row);
            found.len() == elements.len()
                && elements
                    .iter()
                    .enumerate()
                    .all(|(at, value)| holds_element(&found, at, element, value, record))
        }
        _ => false,
    }
}

fn holds_element(
    found: &ArrayRef,
    at: usize,
    data_type: &Type,
    value: &Value,
    record: &[u8],
) -> bool {
    if found.is_null(at) {
        return !value.decides();
    }
    let kind = match data_type {
        Type::Leaf(name) if name == "decimal(38,0)" => "decimal",
        Type::Leaf(name) => name,
        Type::List(_) => "list",
        // The members of a mixed list have a kind and no key; one of them holds the element.
        Type::Struct(fields) if fields.iter().all(is_member) => {
            let columns = children(found);
            let mut held = fields.iter().filter_map(|field| {
                let column = columns.get(field.name.as_str())?;
                column.is_valid(at).then_some((field, *column))
            });
            let (Some((field, column)), None) = (held.next(), held.next()) else {
                return false;
            };
            let kind = field.kind.as_deref().unwrap_or_default();
            return holds(column, at, kind, &field.data_type, value, record);
        }
        Type::Struct(_) => "object",
    };
    holds(found, at, kind, data_type, value, record)
}

fn is_member(field: &Field) -> bool {
    field.key.is_none() && field.kind.as_deref() != Some("rescued")
}

fn children(column: &ArrayRef) -> HashMap<&str, &ArrayRef> {
    let column = column.as_struct();
    column
        .column_names()
        .into_iter()
        .zip(column.columns())
        .collect()
}
