//! What a replay's select list asks for: the original record, parts of it, or a JSON value of
//! columns.
//!
//! `SELECT *` alone is the original. `_key`, `_value`, `_headers`, `_partition` and `_timestamp`
//! set that part of the record that goes out; every other item becomes a member of a JSON object,
//! which is the value then. What isn't named stays as it was received.

use std::collections::{BTreeMap, HashSet};

use datafusion::sql::sqlparser::ast::{
    AccessExpr, ExcludeSelectItem, Expr, Ident, ObjectName, Query as QueryTree, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, Subscript, Value, WildcardAdditionalOptions,
};
use eddy_engine::schema::{ENVELOPE, KEY, RESCUED};

use super::record::{Layout, Member, Setting};
use super::shape::refused;
use crate::error::{Error, Result};
use crate::logical::JSON;
use crate::names::call;
use crate::table::{HIDDEN, Source, View};

/// What the value of a record that goes out is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// The value as it was received.
    Original,
    /// A JSON object of the selected columns.
    Columns,
}

impl Payload {
    /// What the option `payload` asks for, if it is given.
    ///
    /// # Errors
    /// `Invalid` for a word that isn't known.
    pub(crate) fn asked(options: &BTreeMap<String, String>) -> Result<Option<Self>> {
        let Some(word) = options.get("payload") else {
            return Ok(None);
        };
        match word.trim().to_ascii_lowercase().as_str() {
            "original" => Ok(Some(Self::Original)),
            "columns" => Ok(Some(Self::Columns)),
            _ => Err(Error::invalid(format!("payload = `{word}` is not known"))
                .with_hint("payload may be `original`, `columns`")),
        }
    }
}

/// A part of a record that a select list can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Key,
    Value,
    Headers,
    Partition,
    Timestamp,
}

impl Part {
    /// The part of this name, in any case.
    fn named(name: &str) -> Option<Self> {
        let all = [
            Self::Key,
            Self::Value,
            Self::Headers,
            Self::Partition,
            Self::Timestamp,
        ];
        all.into_iter()
            .find(|part| part.name().eq_ignore_ascii_case(name))
    }

    /// Its name in a select list.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Key => "_key",
            Self::Value => "_value",
            Self::Headers => "_headers",
            Self::Partition => "_partition",
            Self::Timestamp => "_timestamp",
        }
    }
}

/// An item of the select list.
#[derive(Debug, Clone, PartialEq)]
enum Item {
    /// `*` without these columns.
    All(Vec<String>),
    Member(String, Expr),
    Part(Part, Expr),
}

/// A select list that makes something else than the original record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Projection(Vec<Item>);

/// What the select list of `query` makes; `None` for the original record.
///
/// # Errors
/// `NotSupported` for an item that can't become part of a record, or doesn't fit `payload`.
pub(super) fn asked(query: &QueryTree, payload: Option<Payload>) -> Result<Option<Projection>> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return Ok(None);
    };
    if select.exclude.is_some() {
        return Err(refused("`EXCLUDE` behind the select list").with_hint("write `* EXCLUDE (a)`"));
    }
    let items = select.projection.iter().map(item);
    let items: Vec<Item> = items.collect::<Result<_>>()?;
    if let [Item::All(excluded)] = items.as_slice()
        && excluded.is_empty()
        && payload != Some(Payload::Columns)
    {
        return Ok(None);
    }
    let parts: Vec<Part> = items.iter().filter_map(Item::part).collect();
    let members = parts.len() < items.len();
    for (at, part) in parts.iter().enumerate() {
        if parts.iter().take(at).any(|other| other == part) {
            return Err(Error::invalid(format!("`{}` is set twice", part.name())));
        }
    }
    for (at, item) in items.iter().enumerate() {
        if let Item::Member(name, _) = item
            && items.iter().take(at).any(|other| other.is_member(name))
        {
            return Err(twice(name));
        }
    }
    if members && parts.contains(&Part::Value) {
        return Err(refused("`_value` beside other columns").with_hint(
            "`_value` is the whole value; without it the columns become a JSON object",
        ));
    }
    match payload {
        Some(Payload::Original) if members => Err(refused(
            "payload = 'original' with columns, which would have no place",
        )
        .with_hint("select `*` alone, or only parts such as `_key`")),
        Some(Payload::Columns) if !members => Err(refused(
            "payload = 'columns' without columns to make a value of",
        )),
        _ => Ok(Some(Projection(items))),
    }
}

impl Item {
    fn is_member(&self, name: &str) -> bool {
        matches!(self, Self::Member(other, _) if other == name)
    }

    fn part(&self) -> Option<Part> {
        match self {
            Self::Part(part, _) => Some(*part),
            _ => None,
        }
    }
}

fn item(item: &SelectItem) -> Result<Item> {
    let (name, expr) = match item {
        SelectItem::Wildcard(options) => return Ok(Item::All(excluded(options)?)),
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(_), options) => {
            return Ok(Item::All(excluded(options)?));
        }
        SelectItem::ExprWithAlias { expr, alias } => (Some(alias.value.clone()), expr),
        SelectItem::UnnamedExpr(expr) => (name_of(expr), expr),
        _ => return Err(refused("such an item of the select list")),
    };
    let Some(name) = name else {
        return Err(Error::invalid(format!("`{expr}` has no name in the value"))
            .with_hint("name it: `AS name`"));
    };
    Ok(match Part::named(&name) {
        Some(part) => Item::Part(part, expr.clone()),
        None => Item::Member(name, expr.clone()),
    })
}

/// The last name of a path.
fn name_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(ident) => Some(ident.value.clone()),
        Expr::CompoundIdentifier(path) => path.last().map(|ident| ident.value.clone()),
        Expr::CompoundFieldAccess { access_chain, .. } => match access_chain.last()? {
            AccessExpr::Dot(name) => name_of(name),
            AccessExpr::Subscript(Subscript::Index {
                index: Expr::Value(value),
            }) => match &value.value {
                Value::SingleQuotedString(name) => Some(name.clone()),
                _ => None,
            },
            AccessExpr::Subscript(_) => None,
        },
        Expr::Nested(inside) => name_of(inside),
        _ => None,
    }
}

/// What a wildcard leaves out by name.
fn excluded(options: &WildcardAdditionalOptions) -> Result<Vec<String>> {
    if options.opt_ilike.is_some()
        || options.opt_replace.is_some()
        || options.opt_rename.is_some()
        || options.opt_alias.is_some()
    {
        return Err(refused("`*` with anything but `EXCLUDE`"));
    }
    let last = |name: &ObjectName| {
        let ident = name.0.last().and_then(|part| part.as_ident());
        ident.map(|ident| ident.value.clone())
    };
    let mut names: Vec<String> = match &options.opt_exclude {
        None => Vec::new(),
        Some(ExcludeSelectItem::Single(name)) => last(name).into_iter().collect(),
        Some(ExcludeSelectItem::Multiple(names)) => names.iter().filter_map(last).collect(),
    };
    if let Some(except) = &options.opt_except {
        names.push(except.first_element.value.clone());
        let others = except.additional_elements.iter();
        names.extend(others.map(|ident| ident.value.clone()));
    }
    Ok(names)
}

impl Projection {
    /// The names of the parts that it sets, as people see them.
    pub(super) fn sets(&self) -> Vec<&'static str> {
        self.0
            .iter()
            .filter_map(|item| item.part().map(Part::name))
            .collect()
    }

    /// Whether the value becomes a JSON object of columns.
    pub(super) fn has_members(&self) -> bool {
        self.0.iter().any(|item| item.part().is_none())
    }

    /// The columns to read, and what becomes of each.
    ///
    /// # Errors
    /// `Invalid` for two members of one name, and for an excluded column that isn't there.
    pub(super) fn laid_out(&self, view: &View) -> Result<(Vec<SelectItem>, Layout)> {
        let mut items = Vec::new();
        let mut layout = Layout::default();
        for item in &self.0 {
            match item {
                Item::All(excluded) => {
                    for (expr, member) in payload(view, excluded)? {
                        items.push(read(layout.members.len(), expr, member.rescued));
                        layout.members.push(member);
                    }
                }
                Item::Member(name, expr) => {
                    let name = match expr {
                        Expr::Identifier(ident) if ident.value == *name => real(view, name),
                        _ => name.clone(),
                    };
                    items.push(read(layout.members.len(), expr.clone(), false));
                    layout.members.push(Member::named(name));
                }
                Item::Part(part, expr) => {
                    let setting = Setting::new(*part);
                    items.push(aliased(expr.clone(), &setting.column));
                    layout.settings.push(setting);
                }
            }
        }
        let mut seen = HashSet::new();
        let again = layout.members.iter().find(|one| !seen.insert(&one.key));
        if let Some(member) = again {
            return Err(twice(&member.key));
        }
        Ok((items, layout))
    }
}

fn twice(key: &str) -> Error {
    Error::invalid(format!("the value would have `{key}` twice"))
        .with_hint("name one of them otherwise, or write `* EXCLUDE (...)`")
}

/// The payload's columns with the keys that they came under.
fn payload(view: &View, excluded: &[String]) -> Result<Vec<(Expr, Member)>> {
    let columns = view.sql_columns();
    let of = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
    let unknown = excluded
        .iter()
        .find(|name| !columns.list().iter().any(|column| of(&column.name, name)));
    if let Some(name) = unknown {
        let known = columns.list().iter().map(|column| column.name.as_str());
        return Err(crate::error::unknown_column(name, known));
    }
    let stored = |name: &str| view.schema.field_with_name(name).ok();
    let mut found = Vec::new();
    for column in columns.list() {
        let name = column.name.as_str();
        let own = ENVELOPE.contains(&name) || HIDDEN.contains(&name) || column.hidden;
        if own || excluded.iter().any(|other| of(name, other)) {
            continue;
        }
        let field = match &column.source {
            Source::Stored(stored_name) => stored(stored_name),
            Source::Drifted(drifted) => drifted.stored.first().and_then(|name| stored(name)),
            _ => continue,
        };
        let key = field.and_then(|field| field.metadata().get(KEY));
        found.push((
            Expr::Identifier(Ident::with_quote('"', name)),
            Member {
                key: key.cloned().unwrap_or_else(|| name.to_owned()),
                shows_null: false,
                rescued: name == RESCUED,
            },
        ));
    }
    Ok(found)
}

/// The column's own name, where the statement has it in another case.
fn real(view: &View, name: &str) -> String {
    let columns = view.sql_columns();
    if columns.get(name).is_some() {
        return name.to_owned();
    }
    let lower = name.to_lowercase();
    let mut alike = columns
        .list()
        .iter()
        .filter(|column| column.name.to_lowercase() == lower);
    match (alike.next(), alike.next()) {
        (Some(only), None) => only.name.clone(),
        _ => name.to_owned(),
    }
}

/// A member's text; what was rescued is JSON already.
fn read(at: usize, expr: Expr, rescued: bool) -> SelectItem {
    let expr = match rescued {
        true => expr,
        false => call(JSON, vec![expr]),
    };
    aliased(expr, &Member::column(at))
}

fn aliased(expr: Expr, column: &str) -> SelectItem {
    SelectItem::ExprWithAlias {
        expr,
        alias: Ident::with_quote('"', column),
    }
}
