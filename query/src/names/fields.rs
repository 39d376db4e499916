//! Which columns the field of a search means: `items.sku` leads through objects and lists, and to
//! each of the columns that a key of several types has.

use arrow::datatypes::{DataType, Field as Column, FieldRef, Fields};
use datafusion::sql::sqlparser::ast::Expr;
use eddy_engine::schema::{is_members, logical};

use super::build::resolved;
use super::scope::Relation;
use super::search::column;
use crate::error::{Error, Result, unknown_column};
use crate::search::{Field, Test, is_time};

/// A column or field, and what leads from there to values.
#[derive(Debug)]
pub(super) struct Target {
    /// The column, or the field of objects that are in no list.
    pub(super) expr: Expr,
    /// The stored names of the fields behind the first list.
    pub(super) steps: Vec<String>,
    /// What its values are, where that is known.
    data_type: Option<DataType>,
}

/// The columns that a field means.
pub(super) fn targets(field: &Field, relation: &Relation) -> Result<Vec<Target>> {
    let Some(columns) = &relation.columns else {
        return Err(
            Error::invalid("the columns of this table are not known before it is read")
                .with_hint("give it a name and its columns with `WITH`, or use `WHERE`"),
        );
    };
    // A column's own name may have dots.
    let found = (1..=field.path.len()).rev().find_map(|taken| {
        let (named, rest) = field.path.split_at_checked(taken)?;
        Some((columns.find(&named.join("."))?, rest))
    });
    let Some((found, rest)) = found else {
        let known = columns.list().iter().map(|one| one.name.as_str());
        let first = field.path.first().map(String::as_str).unwrap_or_default();
        return Err(unknown_column(first, known));
    };
    let alternates: Vec<(&str, Option<DataType>)> = match &found.drift {
        Some(drift) if !drift.alternates.is_empty() => {
            let alternates = drift.alternates.iter();
            alternates
                .map(|one| (one.name.as_str(), Some(one.data_type.clone())))
                .collect()
        }
        Some(_) => vec![(found.name.as_str(), Some(DataType::Utf8))],
        None => vec![(found.name.as_str(), found.data_type.clone())],
    };
    let mut walk = Walk::default();
    for (name, data_type) in alternates {
        let target = Target {
            expr: column(relation, name),
            steps: Vec::new(),
            data_type,
        };
        walk.follow(target, rest, false);
    }
    let Some((first, _)) = rest.split_first().filter(|_| walk.found.is_empty()) else {
        check(field, &walk.found)?;
        return Ok(walk.found);
    };
    // Of nested names the one that isn't there is said.
    let missing = walk.missing.as_deref().unwrap_or(first);
    Err(unknown_column(
        missing,
        walk.known.iter().map(String::as_str),
    ))
}

#[derive(Default)]
struct Walk {
    found: Vec<Target>,
    /// The names beside one that isn't there.
    known: Vec<String>,
    missing: Option<String>,
}

impl Walk {
    /// From a column or field on along `path`.
    fn follow(&mut self, target: Target, path: &[String], in_list: bool) {
        match (&target.data_type, path.split_first()) {
            (Some(DataType::List(element)), _) => {
                let data_type = Some(element.data_type().clone());
                self.follow(
                    Target {
                        data_type,
                        ..target
                    },
                    path,
                    true,
                );
            }
            (Some(DataType::Struct(members)), _) if is_members(members) => {
                for member in members {
                    self.follow(step(&target, member, in_list), path, in_list);
                }
            }
            (Some(DataType::Struct(fields)), Some((name, rest))) => {
                let lower = name.to_lowercase();
                let mut next = fitting(fields, |known| known == name);
                if next.is_empty() {
                    next = fitting(fields, |known| known.to_lowercase() == lower);
                }
                if next.is_empty() {
                    self.missing = Some(name.clone());
                    self.known
                        .extend(fields.iter().map(|field| field.name().clone()));
                }
                for field in next {
                    self.follow(step(&target, &field, in_list), rest, in_list);
                }
            }
            (_, Some((name, _))) => {
                self.missing.get_or_insert_with(|| name.clone());
            }
            (_, None) => self.found.push(target),
        }
    }
}

/// The fields of a name: each of the types that its values came with.
fn fitting(fields: &Fields, fits: impl Fn(&str) -> bool) -> Vec<FieldRef> {
    let drifted = logical(fields);
    if let Some(column) = drifted.iter().find(|column| fits(&column.name)) {
        let alternates = column.alternates.iter();
        return alternates.map(|one| one.field.clone()).collect();
    }
    let mut beside = drifted.iter().flat_map(|column| &column.alternates);
    if let Some(found) = beside.find(|found| fits(&found.name)) {
        return vec![found.field.clone()];
    }
    let field = fields.iter().find(|field| fits(field.name()));
    field.into_iter().cloned().collect()
}

fn step(from: &Target, field: &Column, in_list: bool) -> Target {
    let (mut expr, mut steps) = (from.expr.clone(), from.steps.clone());
    if in_list {
        steps.push(field.name().clone());
    } else {
        let mut path = match expr {
            Expr::Identifier(root) => vec![root],
            Expr::CompoundIdentifier(path) => path,
            _ => Vec::new(),
        };
        path.push(resolved(field.name()));
        expr = Expr::CompoundIdentifier(path);
    }
    Target {
        expr,
        steps,
        data_type: Some(field.data_type().clone()),
    }
}

/// Says of a test that no value can ever meet what is wrong with it.
fn check(field: &Field, found: &[Target]) -> Result<()> {
    let all = |is: fn(&DataType) -> bool| {
        let mut types = found.iter().map(|one| one.data_type.as_ref());
        types.all(|data_type| data_type.is_some_and(is))
    };
    let name = field.path.join(".");
    if field.test != Test::Exists && all(|one| matches!(one, DataType::Struct(_))) {
        let inside = found.iter().find_map(|one| match &one.data_type {
            Some(DataType::Struct(fields)) => fields.first(),
            _ => None,
        });
        let inside = inside.map_or_else(|| "field".to_owned(), |field| field.name().clone());
        return Err(Error::invalid(format!("`{name}` is an object"))
            .with_hint(format!("name one of its fields, as `{name}.{inside}:...`")));
    }
    if all(|one| matches!(one, DataType::Timestamp(..) | DataType::Date32))
        && let Some(text) = field.test.texts().find(|text| !is_time(text))
    {
        return Err(Error::invalid(format!("`{text}` is no time")).with_hint(
            "write `2026-11`, `2026-11-23` or `2026-11-23T10:00:00Z`; for the last hour beside the \
             search `_timestamp > now() - interval '1 hour'`",
        ));
    }
    Ok(())
}
