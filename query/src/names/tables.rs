//! Which table a name in `FROM` means.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Cte, Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, ObjectNamePart, Query, Spanned,
    TableAlias, TableFactor, Value, ValueWithSpan, Visit, VisitMut, Visitor, VisitorMut,
};

use crate::error::{Error, ErrorKind, Result, TextPosition};
use crate::nearest::nearest;
use crate::session::{PUBLIC, SYSTEM};
use crate::system::postgres::{self, DATABASE, SCHEMAS};
use crate::system::trace::{
    NAME as TRACE, check as check_trace, table_name as trace_name, text_of,
};

/// The names that a lake has.
pub(crate) trait KnownTables {
    /// The tables of topics.
    fn topics(&self) -> &[String];
    /// The tables of the `system` schema.
    fn system(&self) -> &[String];
}

/// A table that a query reads.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum TableName {
    /// A topic's table; with a version only its committed rows of that version. `dead`: its rows
    /// with `_error` instead of the others.
    Topic {
        name: String,
        version: Option<u64>,
        dead: bool,
    },
    /// A table of the `system` schema.
    System(String),
}

impl TableName {
    /// The name that stands in the tree after resolution.
    pub(crate) fn in_tree(&self) -> String {
        match self {
            Self::System(name) => name.clone(),
            Self::Topic {
                name,
                version,
                dead,
            } => {
                let rows = if *dead { DEAD } else { "" };
                let version = version.map_or_else(String::new, |version| format!("@{version}"));
                format!("{name}{rows}{version}")
            }
        }
    }
}

/// What follows the name of a topic's table where its rows with `_error` are meant. No topic's name
/// has an `@`.
pub(crate) const DEAD: &str = "@dead";

/// Writes the real name of every table into the tree and returns them, each once.
pub(crate) fn resolve_tables(query: &mut Query, known: &dyn KnownTables) -> Result<Vec<TableName>> {
    let mut visitor = Tables {
        known,
        with: with_names(query),
        found: Vec::new(),
    };
    match VisitMut::visit(query, &mut visitor) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(visitor.found),
    }
}

/// The names that `WITH` gives to queries, also in subqueries. They hide tables in the whole
/// statement.
pub(crate) fn with_names(query: &Query) -> Vec<String> {
    let mut names = WithNames(Vec::new());
    let _ = Visit::visit(query, &mut names);
    names.0
}

struct WithNames(Vec<String>);

impl Visitor for WithNames {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let all = query.with.iter().flat_map(|with| with.cte_tables.iter());
        self.0
            .extend(all.map(|cte: &Cte| cte.alias.name.value.clone()));
        ControlFlow::Continue(())
    }
}

struct Tables<'a> {
    known: &'a dyn KnownTables,
    with: Vec<String>,
    found: Vec<TableName>,
}

impl VisitorMut for Tables<'_> {
    type Break = Error;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        let TableFactor::Table {
            name, alias, args, ..
        } = factor
        else {
            return ControlFlow::Continue(());
        };
        let found = match args {
            Some(arguments) if is_trace(name) => {
                let found = traced(name, &arguments.args);
                *args = None;
                alias.get_or_insert_with(|| called(TRACE));
                found.map(Some)
            }
            Some(_) => return ControlFlow::Continue(()),
            None => self.resolve(name),
        };
        match found {
            Err(error) => ControlFlow::Break(error),
            Ok(None) => ControlFlow::Continue(()),
            Ok(Some(table)) => {
                rename(name, alias, &table);
                if !self.found.contains(&table) {
                    self.found.push(table);
                }
                ControlFlow::Continue(())
            }
        }
    }
}

impl Tables<'_> {
    /// The table of a name; `None` for a name of `WITH`.
    fn resolve(&self, name: &mut ObjectName) -> Result<Option<TableName>> {
        let span = name.span();
        let place = (span.start.line > 0).then_some(TextPosition {
            line: span.start.line,
            column: span.start.column,
        });
        let parts: Vec<String> = name.0.iter().filter_map(part).map(str::to_owned).collect();
        if parts.len() != name.0.len() {
            return Err(Error::invalid("a table is a name").with_position(place));
        }
        let whole = parts.join(".");
        if let Some(with) = pick(&whole, &self.with) {
            let with = with.to_owned();
            if let [ObjectNamePart::Identifier(ident)] = name.0.as_mut_slice() {
                ident.value = with;
                return Ok(None);
            }
        }
        let found = self.find(&parts);
        let found = match (&found, unqualified(&parts)) {
            (Err(_), Some(parts)) => self.find(parts),
            _ => found,
        };
        found.map(Some).map_err(|error| error.with_position(place))
    }
}

/// A name without what every table is in: tools write it before the name. Topics may be called so
/// too, so this is tried last.
fn unqualified(parts: &[String]) -> Option<&[String]> {
    let is = |part: &String, known: &str| part.eq_ignore_ascii_case(known);
    let within = match parts {
        [catalog, within @ ..] if is(catalog, DATABASE) => within,
        _ => parts,
    };
    match within {
        [schema, name @ ..] if is(schema, PUBLIC) && !name.is_empty() => Some(name),
        // Whether there is such a schema is asked next.
        [_, _] if within.len() < parts.len() => Some(within),
        _ => None,
    }
}

impl Tables<'_> {
    /// The table of a name that none of `WITH` has.
    fn find(&self, parts: &[String]) -> Result<TableName> {
        let whole = parts.join(".");
        if let [schema, table] = parts
            && schema.eq_ignore_ascii_case(SYSTEM)
        {
            if text_of(table).is_some() {
                return Ok(TableName::System(table.clone()));
            }
            return match pick(table, self.known.system()) {
                Some(found) => Ok(TableName::System(found.to_owned())),
                None => Err(unknown(&whole, table, self.known.system(), "system.")),
            };
        }
        if let Some(found) = self.of_postgres(parts) {
            return Ok(TableName::System(found));
        }
        let (rest, version) = match whole.rsplit_once('@') {
            Some((rest, version)) if version.parse::<u64>().is_ok() => (rest, version.parse().ok()),
            _ => (whole.as_str(), None),
        };
        let (base, dead) = match rest.strip_suffix(DEAD) {
            Some(base) => (base, true),
            None => (rest, false),
        };
        if let Some(found) = pick(base, self.known.topics()) {
            return Ok(TableName::Topic {
                name: found.to_owned(),
                version,
                dead,
            });
        }
        let whole = if dead { base } else { &whole };
        Err(unknown(whole, base, self.known.topics(), ""))
    }

    /// A table of Postgres' catalogs, by its schema or, where no topic is called so, without.
    fn of_postgres(&self, parts: &[String]) -> Option<String> {
        let wanted = match parts {
            [schema, table] => {
                let schema = schema.to_lowercase();
                SCHEMAS
                    .contains(&schema.as_str())
                    .then(|| format!("{schema}.{table}"))?
            }
            [table] if pick(table, self.known.topics()).is_none() => {
                let prefix = table
                    .get(..3)
                    .filter(|prefix| prefix.eq_ignore_ascii_case("pg_"));
                prefix.map(|_| format!("pg_catalog.{table}"))?
            }
            _ => return None,
        };
        pick(&wanted, &postgres::names()).map(str::to_owned)
    }
}

fn rename(name: &mut ObjectName, alias: &mut Option<TableAlias>, table: &TableName) {
    let span = name.span();
    let quoted = |value: String| Ident {
        value,
        quote_style: Some('"'),
        span,
    };
    let parts = match table {
        TableName::Topic {
            name,
            version,
            dead,
        } => {
            if (version.is_some() || *dead) && alias.is_none() {
                // `orders@12` is an address; what columns are called by is still `orders`.
                *alias = Some(called(name));
            }
            vec![quoted(table.in_tree())]
        }
        TableName::System(name) => {
            let mut schemas = SCHEMAS.iter();
            if let Some((schema, table)) = name.split_once('.')
                && schemas.any(|known| *known == schema)
                && alias.is_none()
            {
                *alias = Some(called(table));
            }
            vec![Ident::new("system"), quoted(name.clone())]
        }
    };
    *name = ObjectName::from(parts);
}

fn called(name: &str) -> TableAlias {
    TableAlias {
        explicit: true,
        name: Ident::with_quote('"', name),
        columns: Vec::new(),
        at: None,
    }
}

fn is_trace(name: &ObjectName) -> bool {
    match name.0.as_slice() {
        [only] => part(only).is_some_and(|name| name.eq_ignore_ascii_case(TRACE)),
        _ => false,
    }
}

/// `trace('text')` as a table.
fn traced(name: &ObjectName, arguments: &[FunctionArg]) -> Result<TableName> {
    let start = name.span().start;
    let place = (start.line > 0).then_some(TextPosition {
        line: start.line,
        column: start.column,
    });
    let [
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(text),
            ..
        }))),
    ] = arguments
    else {
        return Err(Error::invalid("`trace` takes a constant text")
            .with_hint("write `SELECT * FROM trace('order-42')`")
            .with_position(place));
    };
    check_trace(text).map_err(|error| error.with_position(place))?;
    Ok(TableName::System(trace_name(text)))
}

fn part(part: &ObjectNamePart) -> Option<&str> {
    match part {
        ObjectNamePart::Identifier(ident) => Some(&ident.value),
        ObjectNamePart::Function(_) => None,
    }
}

/// The name in `known` that is `wanted`, exactly or, if only one is, ignoring case.
fn pick<'a>(wanted: &str, known: &'a [String]) -> Option<&'a str> {
    if let Some(exact) = known.iter().find(|name| *name == wanted) {
        return Some(exact);
    }
    let lower = wanted.to_lowercase();
    let mut alike = known.iter().filter(|name| name.to_lowercase() == lower);
    match (alike.next(), alike.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

fn unknown(whole: &str, wanted: &str, known: &[String], prefix: &str) -> Error {
    let error = Error::new(
        ErrorKind::UnknownTable,
        format!("there is no table `{whole}`"),
    );
    match nearest(wanted, known.iter().map(String::as_str)) {
        Some(near) => error.with_hint(format!("did you mean `{prefix}{near}`?")),
        None if prefix.is_empty() => {
            error.with_hint("`SELECT name FROM system.tables` lists the tables")
        }
        None => error.with_hint(format!("known: {}", known.join(", "))),
    }
}
