//! A table's columns as a flat list: for SQL's logical columns, `system.columns` and `inspect`.

use arrow::datatypes::{DataType, Field, Fields, Schema};

use super::kind::{Kind, Step, is_members, step};

/// One payload column at any level.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The JSON keys from the root; the step into a list's elements is `[]`.
    pub path: Vec<String>,
    /// What it holds. Columns of one path and several kinds are alternates of each other.
    pub kind: Kind,
    /// The names from the root; the step into a list's elements is `element`.
    pub names: Vec<String>,
    /// The Arrow type.
    pub data_type: DataType,
}

/// Every payload column, parents before their children. A rescued column has its object's path.
pub fn columns(schema: &Schema) -> Vec<Column> {
    let mut found = Vec::new();
    walk(schema.fields(), &[], &[], &mut found);
    found
}

fn walk(fields: &Fields, path: &[String], names: &[String], found: &mut Vec<Column>) {
    for field in fields {
        let (key, kind) = match step(field) {
            Step::Field { key, shape } => (Some(key.to_owned()), shape.kind()),
            Step::Member(shape) => (None, shape.kind()),
            Step::Rescued => (None, Kind::Rescued),
            Step::Named(_) => continue,
        };
        let path: Vec<String> = path.iter().cloned().chain(key).collect();
        let names: Vec<String> = names
            .iter()
            .cloned()
            .chain([field.name().clone()])
            .collect();
        visit(field, kind, path, names, found);
    }
}

fn visit(
    field: &Field,
    kind: Kind,
    path: Vec<String>,
    names: Vec<String>,
    found: &mut Vec<Column>,
) {
    found.push(Column {
        path: path.clone(),
        kind,
        names: names.clone(),
        data_type: field.data_type().clone(),
    });
    match field.data_type() {
        DataType::Struct(fields) => walk(fields, &path, &names, found),
        DataType::List(element) => {
            let path = path
                .into_iter()
                .chain(["[]".to_owned()])
                .collect::<Vec<_>>();
            let names: Vec<String> = names.into_iter().chain([element.name().clone()]).collect();
            match element.data_type() {
                DataType::Struct(members) if is_members(members) => {
                    walk(members, &path, &names, found);
                }
                data_type => visit(element, element_kind(data_type), path, names, found),
            }
        }
        _ => {}
    }
}

/// The kind of a list's element, which has no metadata of its own.
fn element_kind(data_type: &DataType) -> Kind {
    match data_type {
        DataType::Struct(_) => Kind::Object,
        DataType::List(element) => match element.data_type() {
            DataType::Struct(members) if is_members(members) => Kind::Mixed,
            _ => Kind::List,
        },
        leaf => Kind::of_leaf(leaf).unwrap_or(Kind::String),
    }
}
