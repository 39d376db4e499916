//! Writes the real names of columns and nested fields into the tree, and what drifted columns mean
//! where they stand.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::execution::session_state::SessionState;
use datafusion::sql::sqlparser::ast::{
    Expr, Query, Select, SelectItem, SetExpr, TableAlias, TableFactor, TableWithJoins, VisitMut,
    VisitorMut,
};

use super::build::bare;
use super::derived::{carries, companions, first_select, is_grouped, output};
use super::header::expand_header;
use super::paths::{Path, follow, is_path};
use super::place::{Place, Several};
use super::scope::{Columns, Relation, Scope, named};
use super::search::expand_search;
use super::selected::{grouped_by, name_fields};
use super::using::resolve_using;
use super::wildcard::{expand_wildcards, last_name, part};
use super::{calls, order, uses};
use crate::error::{Error, Result};

/// Resolves the columns of a query whose tables are resolved. `tables` holds the columns of each
/// table by the name that it has in the tree; `state` knows the functions.
pub(crate) fn resolve_columns(
    query: &mut Query,
    tables: &HashMap<String, Arc<Columns>>,
    state: &SessionState,
) -> Result<()> {
    let mut resolver = Resolver {
        tables,
        state,
        scopes: Vec::new(),
        with: Vec::new(),
        carriers: HashSet::new(),
        after_grouping: HashSet::new(),
        grouped: 0,
        aggregates: 0,
        drifted: HashMap::new(),
        types: HashMap::new(),
    };
    match VisitMut::visit(query, &mut resolver) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// Paths are resolved on the way down, what is done with them on the way up.
pub(super) struct Resolver<'a> {
    tables: &'a HashMap<String, Arc<Columns>>,
    pub(super) state: &'a SessionState,
    scopes: Vec<Scope>,
    /// The queries of `WITH` by name, one list for each query around this place.
    with: Vec<Vec<(String, Arc<Columns>)>>,
    /// Where the queries are that take alternates along.
    carriers: HashSet<usize>,
    /// Where the expressions are that see groups, not rows, and how deep in one of them this is.
    after_grouping: HashSet<usize>,
    grouped: usize,
    /// How deep in the arguments of aggregates this is.
    aggregates: usize,
    /// The nested drifted fields that were resolved, by what they became.
    drifted: HashMap<String, Several>,
    /// The types of resolved paths, by what they became.
    pub(super) types: HashMap<String, DataType>,
}

impl VisitorMut for Resolver<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.with.push(Vec::new());
        let recursive = query.with.as_ref().is_some_and(|with| with.recursive);
        for cte in query.with.iter().flat_map(|with| with.cte_tables.iter()) {
            let carries = carries(&cte.query) && cte.alias.columns.is_empty() && !recursive;
            let columns = renamed(self.output(&cte.query, carries), &cte.alias);
            let name = cte.alias.name.value.clone();
            if carries {
                self.carriers.insert(place(cte.query.as_ref()));
            }
            if let Some(list) = self.with.last_mut() {
                list.push((name, Arc::new(columns)));
            }
        }
        if let SetExpr::Query(inside) = query.body.as_ref()
            && self.carriers.contains(&place(query))
        {
            self.carriers.insert(place(inside.as_ref()));
        }
        if let SetExpr::Select(select) = query.body.as_ref()
            && self.carriers.contains(&place(query))
        {
            self.carriers.insert(place(select.as_ref()));
        }
        // `ORDER BY` stands outside of the `SELECT` but sees its tables and names.
        let scope = match first_select(&query.body) {
            Some(select) => self.scope(select),
            None => Scope::default(),
        };
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.grouped += 1;
        order::of_query(self, query);
        self.grouped -= 1;
        self.with.pop();
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        let scope = self.scope(select);
        let using = resolve_using(&mut select.from, &scope);
        let carries = self.carriers.contains(&place(select));
        expand_wildcards(select, &scope, &using, carries);
        name_fields(select, &scope);
        if carries {
            select.projection.extend(companions(select, &scope));
        }
        if is_grouped(select) {
            for item in &select.projection {
                if let SelectItem::ExprWithAlias { expr, .. } | SelectItem::UnnamedExpr(expr) = item
                {
                    self.after_grouping.insert(place(expr));
                }
            }
            let after = select.having.iter().chain(&select.qualify);
            self.after_grouping.extend(after.map(place));
        }
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        uses::conditions(self, select);
        order::of_windows(self, select);
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        if let TableFactor::Derived {
            subquery, alias, ..
        } = factor
            && carried(subquery, alias.as_ref())
        {
            self.carriers.insert(place(subquery.as_ref()));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let scopes = &self.scopes;
        if let Err(error) = expand_search(expr, scopes).and_then(|()| expand_header(expr, scopes)) {
            return ControlFlow::Break(error);
        }
        if self.after_grouping.contains(&place(expr)) {
            self.grouped += 1;
        }
        if calls::is_aggregate(self, expr) {
            self.aggregates += 1;
        }
        if !is_path(expr) {
            return ControlFlow::Continue(());
        }
        match self.follow(expr) {
            Ok(Some(Path::Place(Place::One(one)))) => {
                *expr = one.expr;
                if let Some(data_type) = one.data_type {
                    self.types.insert(expr.to_string(), data_type);
                }
                ControlFlow::Continue(())
            }
            Ok(Some(Path::Place(Place::Several(several)))) => {
                *expr = several.text.clone();
                if !is_path(expr) {
                    self.drifted.insert(expr.to_string(), several);
                }
                ControlFlow::Continue(())
            }
            Ok(Some(Path::Alias(name))) => {
                *expr = Expr::Identifier(name);
                ControlFlow::Continue(())
            }
            Ok(None) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        if calls::is_aggregate(self, expr) {
            self.aggregates -= 1;
        }
        let here = place(expr);
        uses::rewrite(self, expr);
        if self.after_grouping.contains(&here) {
            self.grouped -= 1;
        }
        ControlFlow::Continue(())
    }
}

impl Resolver<'_> {
    fn follow(&self, expr: &Expr) -> Result<Option<Path>> {
        follow(expr, self.scopes.iter())
    }

    /// The drifted column or field that an expression is, after its paths were resolved.
    pub(super) fn several(&self, expr: &Expr) -> Option<Several> {
        let expr = bare(expr);
        let several = match expr {
            Expr::Function(_) => self.drifted.get(&expr.to_string()).cloned()?,
            _ => match self.follow(expr) {
                Ok(Some(Path::Place(Place::Several(several)))) => several,
                _ => return None,
            },
        };
        // Groups that are made by a text have no more than it.
        let grouped = self.grouped > 0 && self.aggregates == 0 && self.is_grouped_by(&several.text);
        Some(match grouped {
            true => Several::only_text(several.text),
            false => several,
        })
    }

    /// Remembers what an expression is that stands for a drifted column.
    pub(super) fn note(&mut self, expr: &Expr, several: Several) {
        self.drifted.insert(expr.to_string(), several);
    }

    /// What a name of the select list stands for, if it is one; `Some(true)` for a drifted column.
    pub(super) fn is_alias_of_several(&self, expr: &Expr) -> Option<bool> {
        let (Expr::Identifier(ident), Some(scope)) = (bare(expr), self.scopes.last()) else {
            return None;
        };
        let lower = ident.value.to_lowercase();
        let mut aliases = scope.aliases.iter();
        let (_, stands_for) = aliases.find(|(alias, _)| alias.to_lowercase() == lower)?;
        let found = self.follow(stands_for);
        Some(matches!(found, Ok(Some(Path::Place(Place::Several(_))))))
    }

    fn is_grouped_by(&self, text: &Expr) -> bool {
        let Some(scope) = self.scopes.last() else {
            return false;
        };
        scope.grouped.iter().any(|listed| {
            let path = match bare(listed) {
                Expr::Identifier(ident) => {
                    let alias = scope.aliases.iter().find(|(name, _)| *name == ident.value);
                    match self.follow(listed) {
                        Ok(Some(Path::Alias(_))) => {
                            alias.map_or(listed, |(_, stands_for)| stands_for)
                        }
                        _ => listed,
                    }
                }
                _ => listed,
            };
            match self.follow(path) {
                Ok(Some(Path::Place(Place::Several(found)))) => same(&found.text, text),
                _ => false,
            }
        })
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
                SelectItem::ExprWithAlias { alias, expr } => {
                    Some((alias.value.clone(), expr.clone()))
                }
                _ => None,
            })
            .collect();
        Scope {
            relations,
            aliases,
            grouped: grouped_by(select),
        }
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
                let carries = carried(subquery, alias.as_ref());
                let columns = Some(Arc::new(self.output(subquery, carries)));
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
    fn output(&self, query: &Query, carries: bool) -> Columns {
        match first_select(&query.body) {
            Some(select) => output(select, &self.scope(select), carries),
            None => Columns::default(),
        }
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
    let mut list: Vec<_> = columns.list().to_vec();
    for (index, name) in alias.columns.iter().enumerate() {
        let name = name.name.value.clone();
        match list.get_mut(index) {
            Some(column) => column.name = name,
            None => list.push(named(name, None)),
        }
    }
    Columns::new(list)
}

/// Whether a query in `FROM` takes alternates along.
fn carried(query: &Query, alias: Option<&TableAlias>) -> bool {
    carries(query) && alias.is_none_or(|alias| alias.columns.is_empty())
}

/// Whether two expressions read the same, wherever they stand.
fn same(one: &Expr, other: &Expr) -> bool {
    one == other || one.to_string() == other.to_string()
}

/// Where a node is: nodes don't move while they are visited.
fn place<T>(node: &T) -> usize {
    std::ptr::from_ref(node).addr()
}
