//! What `*` stands for: every column but the record's bytes, relation by relation.

use std::collections::HashSet;

use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Ident, ObjectName, ObjectNamePart, Select, SelectItem,
    SelectItemQualifiedWildcardKind, WildcardAdditionalOptions,
};

use super::scope::{Column, Relation, Scope};

/// Makes `*` leave out what is hidden, and one wildcard for each relation of several. Where drifted
/// columns take their alternates along (`carries`), those are let through.
pub(super) fn expand_wildcards(
    select: &mut Select,
    scope: &Scope,
    using: &HashSet<String>,
    carries: bool,
) {
    let mut projection = Vec::with_capacity(select.projection.len());
    for item in std::mem::take(&mut select.projection) {
        match item {
            SelectItem::Wildcard(options) if scope.relations.len() > 1 && plain(&options) => {
                for (index, relation) in scope.relations.iter().enumerate() {
                    let mut options = options.clone();
                    let skip = if index == 0 { None } else { Some(using) };
                    exclude(&mut options, relation, skip, carries);
                    let name = ObjectName::from(vec![Ident::with_quote('"', &relation.name)]);
                    let kind = SelectItemQualifiedWildcardKind::ObjectName(name);
                    projection.push(SelectItem::QualifiedWildcard(kind, options));
                }
            }
            SelectItem::Wildcard(mut options) => {
                if let [relation] = scope.relations.as_slice() {
                    exclude(&mut options, relation, None, carries);
                }
                projection.push(SelectItem::Wildcard(options));
            }
            SelectItem::QualifiedWildcard(kind, mut options) => {
                match wildcard_relation(&kind, scope) {
                    Some(relation) => {
                        exclude(&mut options, relation, None, carries);
                        let ident = Ident::with_quote('"', &relation.name);
                        let kind =
                            SelectItemQualifiedWildcardKind::ObjectName(ObjectName::from(vec![
                                ident,
                            ]));
                        projection.push(SelectItem::QualifiedWildcard(kind, options));
                    }
                    None => projection.push(SelectItem::QualifiedWildcard(kind, options)),
                }
            }
            other => projection.push(other),
        }
    }
    select.projection = projection;
}

/// Adds what is hidden to a wildcard's `EXCLUDE`, with the real names of what is there.
fn exclude(
    options: &mut WildcardAdditionalOptions,
    relation: &Relation,
    using: Option<&HashSet<String>>,
    carries: bool,
) {
    let carries = carries && !changes_columns(options);
    let Some(columns) = &relation.columns else {
        return;
    };
    let mut names = named_exclusions(options);
    for name in &mut names {
        if let Some(column) = columns.find(name) {
            name.clone_from(&column.name);
        }
    }
    let except = options.opt_except.take().is_some();
    for column in columns.list() {
        let joined = using.is_some_and(|using| using.contains(&column.name));
        let let_through = column.alternate && carries;
        if (column.hidden && !let_through || joined) && !names.contains(&column.name) {
            names.push(column.name.clone());
        }
    }
    if names.is_empty() && !except {
        return;
    }
    let quoted = |name: &String| ObjectName::from(vec![Ident::with_quote('"', name)]);
    options.opt_exclude = Some(ExcludeSelectItem::Multiple(
        names.iter().map(quoted).collect(),
    ));
}

fn named_exclusions(options: &WildcardAdditionalOptions) -> Vec<String> {
    let mut names = Vec::new();
    match &options.opt_exclude {
        Some(ExcludeSelectItem::Single(name)) => names.extend(last_name(name).map(str::to_owned)),
        Some(ExcludeSelectItem::Multiple(all)) => {
            names.extend(all.iter().filter_map(last_name).map(str::to_owned));
        }
        None => {}
    }
    if let Some(except) = &options.opt_except {
        names.push(except.first_element.value.clone());
        names.extend(
            except
                .additional_elements
                .iter()
                .map(|one| one.value.clone()),
        );
    }
    names
}

pub(super) fn visible(relation: &Relation, options: &WildcardAdditionalOptions) -> Vec<Column> {
    let excluded: HashSet<String> = named_exclusions(options)
        .iter()
        .map(|name| name.to_lowercase())
        .collect();
    let columns = relation.columns.iter().flat_map(|columns| columns.list());
    columns
        .filter(|column| !column.hidden && !excluded.contains(&column.name.to_lowercase()))
        .cloned()
        .collect()
}

fn plain(options: &WildcardAdditionalOptions) -> bool {
    options.opt_ilike.is_none() && !changes_columns(options)
}

/// Whether a wildcard gives columns other values or names, or leaves some out.
pub(super) fn changes_columns(options: &WildcardAdditionalOptions) -> bool {
    options.opt_ilike.is_some() || options.opt_replace.is_some() || options.opt_rename.is_some()
}

pub(super) fn wildcard_relation<'a>(
    kind: &SelectItemQualifiedWildcardKind,
    scope: &'a Scope,
) -> Option<&'a Relation> {
    match kind {
        SelectItemQualifiedWildcardKind::ObjectName(name) => {
            let parts: Vec<&str> = name.0.iter().filter_map(part).collect();
            scope
                .relation(&parts.join("."))
                .or_else(|| scope.relation(parts.last()?))
        }
        SelectItemQualifiedWildcardKind::Expr(_) => None,
    }
}

pub(super) fn last_name(name: &ObjectName) -> Option<&str> {
    name.0.last().and_then(part)
}

pub(super) fn part(part: &ObjectNamePart) -> Option<&str> {
    match part {
        ObjectNamePart::Identifier(ident) => Some(&ident.value),
        ObjectNamePart::Function(_) => None,
    }
}
