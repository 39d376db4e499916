//! Writes the real names of columns and nested fields into the tree.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::sql::sqlparser::ast::{
    AccessExpr, Expr, Ident, Query, Select, SelectItem, SetExpr, Subscript, TableAlias,
    TableFactor, TableWithJoins, Value, ValueWithSpan, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::scope::{Column, Columns, Meaning, Relation, Scope, field_of, place_of, resolve_fields};
use super::using::resolve_using;
use super::wildcard::{expand_wildcards, last_name, part, visible, wildcard_relation};
use crate::error::{Error, Result};

/// Resolves the columns of a query whose tables are resolved. `tables` holds the columns of each
/// table by the name that it has in the tree.
pub(crate) fn resolve_columns(
    query: &mut Query,
    tables: &HashMap<String, Arc<Columns>>,
) -> Result<()> {
    let mut resolver = Resolver {
        tables,
        scopes: Vec::new(),
        with: Vec::new(),
        done: HashSet::new(),
    };
    match VisitMut::visit(query, &mut resolver) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Resolver<'a> {
    tables: &'a HashMap<String, Arc<Columns>>,
    scopes: Vec<Scope>,
    /// The queries of `WITH` by name, one list for each query around this place.
    with: Vec<Vec<(String, Arc<Columns>)>>,
    /// Names that are fields already, not columns, by where they stand.
    done: HashSet<(u64, u64)>,
}

impl VisitorMut for Resolver<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.with.push(Vec::new());
        for cte in query.with.iter().flat_map(|with| with.cte_tables.iter()) {
            let columns = self.output(&cte.query);
            let columns = renamed(columns, &cte.alias);
            let name = cte.alias.name.value.clone();
            if let Some(list) = self.with.last_mut() {
                list.push((name, Arc::new(columns)));
            }
        }
        // `ORDER BY` stands outside of the `SELECT` but sees its tables and names.
        let scope = match first_select(&query.body) {
            Some(select) => self.scope(select),
            None => Scope::default(),
        };
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Error> {
        self.with.pop();
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        let scope = self.scope(select);
        let using = resolve_using(&mut select.from, &scope);
        expand_wildcards(select, &scope, &using);
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _select: &mut Select) -> ControlFlow<Error> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let result = match expr {
            Expr::Identifier(ident) if !self.is_done(ident) => {
                let mut path = vec![ident.clone()];
                let result = self.path(&mut path);
                if let [only] = path.as_slice() {
                    *ident = only.clone();
                }
                result.map(|_| ())
            }
            Expr::CompoundIdentifier(path) => self.path(path).map(|_| ()),
            Expr::CompoundFieldAccess { root, access_chain } => self.access(root, access_chain),
            _ => Ok(()),
        };
        match result {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

impl Resolver<'_> {
    fn is_done(&self, ident: &Ident) -> bool {
        let start = ident.span.start;
        self.done.contains(&(start.line, start.column))
    }

    /// Writes real names into a path of names; the type of what it leads to, where known.
    fn path(&self, path: &mut Vec<Ident>) -> Result<Option<DataType>> {
        let meaning = self
            .scopes
            .iter()
            .rev()
            .find_map(|scope| scope.meaning(path));
        match meaning {
            Some(Meaning::Column {
                real,
                consumed,
                data_type,
            }) => {
                let fields = path.split_off(consumed);
                let named = std::mem::take(path);
                // The last name is the column, so its place is where an error points.
                let last = named.last().cloned();
                for (index, name) in real.iter().enumerate() {
                    let from = if index + 1 == real.len() {
                        last.as_ref()
                    } else {
                        named.first()
                    };
                    if let Some(from) = from {
                        let quote =
                            (real.len() < consumed || from.quote_style.is_some()).then_some('"');
                        path.push(Ident {
                            value: name.clone(),
                            quote_style: quote,
                            span: from.span,
                        });
                    }
                }
                let mut fields = fields;
                let data_type = resolve_fields(&mut fields, data_type)?;
                path.extend(fields);
                Ok(data_type)
            }
            Some(Meaning::Alias(name)) => {
                if let Some(first) = path.first_mut() {
                    first.value = name;
                }
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// `column[1].field['key']`: the names in it are fields, not columns.
    fn access(&mut self, root: &mut Expr, chain: &mut [AccessExpr]) -> Result<()> {
        let mut data_type = match root {
            Expr::Identifier(ident) => {
                let mut path = vec![ident.clone()];
                let found = self.path(&mut path)?;
                if let [only] = path.as_slice() {
                    *ident = only.clone();
                }
                found
            }
            Expr::CompoundIdentifier(path) => self.path(path)?,
            _ => None,
        };
        for step in chain {
            match step {
                AccessExpr::Dot(Expr::Identifier(ident)) => {
                    let start = ident.span.start;
                    self.done.insert((start.line, start.column));
                    let place = place_of(ident);
                    let (name, inner) = field_of(data_type.as_ref(), &ident.value, place)?;
                    let span = ident.span;
                    data_type = inner;
                    *step = AccessExpr::Subscript(Subscript::Index {
                        index: text(name, span),
                    });
                }
                AccessExpr::Subscript(Subscript::Index { index }) => {
                    data_type = self.subscript(index, data_type)?;
                }
                _ => data_type = None,
            }
        }
        Ok(())
    }

    fn subscript(&self, index: &mut Expr, data_type: Option<DataType>) -> Result<Option<DataType>> {
        let Expr::Value(value) = index else {
            return Ok(element(data_type));
        };
        let Value::SingleQuotedString(key) = &value.value else {
            return Ok(element(data_type));
        };
        let (name, inner) = field_of(data_type.as_ref(), key, None)?;
        value.value = Value::SingleQuotedString(name);
        Ok(inner)
    }

    fn scope(&self, select: &Select) -> Scope {
        let mut relations = Vec::new();
        for table in &select.from {
            self.add_table(table, &mut relations);
        }
        let aliases = select
            .projection
            .iter()
            .filter_map(|item| match item {
                SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
                _ => None,
            })
            .collect();
        Scope { relations, aliases }
    }

    fn add_table(&self, table: &TableWithJoins, relations: &mut Vec<Relation>) {
        self.add_factor(&table.relation, relations);
        for join in &table.joins {
            self.add_factor(&join.relation, relations);
        }
    }

    fn add_factor(&self, factor: &TableFactor, relations: &mut Vec<Relation>) {
        match factor {
            TableFactor::Table { name, alias, .. } => {
                let Some(last) = last_name(name) else { return };
                let parts: Vec<&str> = name.0.iter().filter_map(part).collect();
                let columns = self.columns_of(&parts.join("."));
                relations.push(relation(alias.as_ref(), last, columns));
            }
            TableFactor::Derived {
                subquery, alias, ..
            } => {
                let columns = Some(Arc::new(self.output(subquery)));
                relations.push(relation(alias.as_ref(), "", columns));
            }
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => self.add_table(table_with_joins, relations),
            TableFactor::UNNEST { alias, .. } | TableFactor::Function { alias, .. } => {
                relations.push(relation(alias.as_ref(), "", None));
            }
            _ => {}
        }
    }

    fn columns_of(&self, name: &str) -> Option<Arc<Columns>> {
        let with = self.with.iter().rev().flatten();
        with.filter(|(found, _)| found == name)
            .map(|(_, columns)| Arc::clone(columns))
            .next()
            .or_else(|| self.tables.get(name).map(Arc::clone))
    }

    /// The columns that a query gives, as far as their names are written in it.
    fn output(&self, query: &Query) -> Columns {
        let Some(select) = first_select(&query.body) else {
            return Columns::default();
        };
        let scope = self.scope(select);
        let mut list = Vec::new();
        for item in &select.projection {
            match item {
                SelectItem::ExprWithAlias { expr, alias } => list.push(Column {
                    name: alias.value.clone(),
                    data_type: column_of(expr, &scope).and_then(|one| one.data_type),
                    hidden: false,
                }),
                SelectItem::UnnamedExpr(expr) => list.extend(column_of(expr, &scope)),
                SelectItem::Wildcard(options) => {
                    for relation in &scope.relations {
                        list.extend(visible(relation, options));
                    }
                }
                SelectItem::QualifiedWildcard(kind, options) => {
                    let found = wildcard_relation(kind, &scope);
                    list.extend(found.iter().flat_map(|one| visible(one, options)));
                }
                SelectItem::ExprWithAliases { .. } => {}
            }
        }
        Columns::new(list)
    }
}

fn relation(alias: Option<&TableAlias>, name: &str, columns: Option<Arc<Columns>>) -> Relation {
    match alias {
        Some(alias) if alias.columns.is_empty() => Relation {
            name: alias.name.value.clone(),
            columns,
        },
        Some(alias) => Relation {
            name: alias.name.value.clone(),
            columns: columns.map(|columns| {
                let list = Columns::new(columns.list().to_vec());
                Arc::new(renamed(list, alias))
            }),
        },
        None => Relation {
            name: name.to_owned(),
            columns,
        },
    }
}

/// `t (a, b)` gives the first columns new names.
fn renamed(columns: Columns, alias: &TableAlias) -> Columns {
    if alias.columns.is_empty() {
        return columns;
    }
    let mut list: Vec<Column> = columns.list().to_vec();
    for (index, name) in alias.columns.iter().enumerate() {
        let name = name.name.value.clone();
        match list.get_mut(index) {
            Some(column) => column.name = name,
            None => list.push(Column {
                name,
                data_type: None,
                hidden: false,
            }),
        }
    }
    Columns::new(list)
}

fn first_select(body: &SetExpr) -> Option<&Select> {
    let mut body = body;
    loop {
        match body {
            SetExpr::Select(select) => return Some(select),
            SetExpr::SetOperation { left, .. } => body = left,
            SetExpr::Query(query) => body = &query.body,
            _ => return None,
        }
    }
}

fn column_of(expr: &Expr, scope: &Scope) -> Option<Column> {
    let path = match expr {
        Expr::Identifier(ident) => std::slice::from_ref(ident),
        Expr::CompoundIdentifier(path) => path.as_slice(),
        _ => return None,
    };
    match scope.meaning(path)? {
        Meaning::Column {
            real,
            consumed,
            data_type,
        } if consumed == path.len() => Some(Column {
            name: real.last()?.clone(),
            data_type,
            hidden: false,
        }),
        _ => None,
    }
}

fn element(data_type: Option<DataType>) -> Option<DataType> {
    match data_type {
        Some(DataType::List(field)) => Some(field.data_type().clone()),
        _ => None,
    }
}

fn text(value: String, span: Span) -> Expr {
    Expr::Value(ValueWithSpan {
        value: Value::SingleQuotedString(value),
        span,
    })
}
