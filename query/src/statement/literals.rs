//! Values put into a query's tree: parameters for placeholders, and a moment for `now()`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::ControlFlow;

use chrono::DateTime;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArguments, Query, Value, ValueWithSpan, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::check::position;
use super::{Literal, Params};
use crate::error::{Error, Result};

/// Puts `params` in the place of `$1`, `?` and `$name`. Unbound, each `?` becomes the `$1`, `$2`,
/// ... that it stands for.
pub(crate) fn bind_params(query: &mut Query, params: &Params) -> Result<()> {
    let mut marks = Marks(BTreeSet::new());
    let _ = VisitMut::visit(query, &mut marks);
    let numbers = marks.0.into_iter().zip(1..).collect();
    let mut bind = Bind { params, numbers };
    match VisitMut::visit(query, &mut bind) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// The names of a query's placeholders: `$1`, `$name`.
pub(crate) fn placeholders(query: &mut Query) -> BTreeSet<String> {
    let mut names = Names(BTreeSet::new());
    let _ = VisitMut::visit(query, &mut names);
    names.0
}

/// Puts the moment `now_us` (microseconds since the epoch) in the place of `now()` and its kin, so
/// that the text means the same whenever it runs (P23).
pub(crate) fn freeze_time(query: &mut Query, now_us: i64) -> Result<()> {
    let moment = DateTime::from_timestamp_micros(now_us)
        .ok_or_else(|| Error::internal("the clock is out of range"))?;
    let mut freeze = Freeze {
        timestamp: moment.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        date: moment.format("%Y-%m-%d").to_string(),
        time: moment.format("%H:%M:%S%.6f").to_string(),
    };
    match VisitMut::visit(query, &mut freeze) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// The query as text that parses to the same query.
pub(crate) fn render(query: &Query) -> Result<String> {
    let mut escaped = query.clone();
    escape(&mut escaped);
    let text = escaped.to_string();
    let again = super::parse_select(&text)?;
    if again != *query {
        return Err(Error::not_supported(
            "this statement can't be stored as text; write its names and strings more plainly",
        ));
    }
    Ok(text)
}

/// Makes a tree ready to be written as text in which each string and each name of a column ends
/// where it did.
pub(crate) fn escape(query: &mut Query) {
    let _ = VisitMut::visit(query, &mut Escape);
}

/// sqlparser writes quotes that come in pairs or behind a backslash as they are, taking them for
/// escaped ones, and those of `N'...'` always: so all of them are made pairs first.
struct Escape;

impl VisitorMut for Escape {
    type Break = ();

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<()> {
        if let Value::SingleQuotedString(text) | Value::NationalStringLiteral(text) =
            &mut value.value
        {
            *text = text.replace('\'', "''");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let path = match expr {
            Expr::Identifier(ident) => std::slice::from_mut(ident),
            Expr::CompoundIdentifier(path) => path.as_mut_slice(),
            _ => return ControlFlow::Continue(()),
        };
        for ident in path
            .iter_mut()
            .filter(|ident| ident.quote_style == Some('"'))
        {
            ident.value = ident.value.replace('"', "\"\"");
        }
        ControlFlow::Continue(())
    }
}

/// Where something stands in a text.
type Place = (u64, u64);

fn place(span: Span) -> Place {
    (span.start.line, span.start.column)
}

/// Where each `?` stands: a tree isn't walked in the order of its text (`OFFSET ? LIMIT ?`).
struct Marks(BTreeSet<Place>);

impl VisitorMut for Marks {
    type Break = ();

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<()> {
        if matches!(&value.value, Value::Placeholder(name) if name == "?") {
            self.0.insert(place(value.span));
        }
        ControlFlow::Continue(())
    }
}

struct Names(BTreeSet<String>);

impl VisitorMut for Names {
    type Break = ();

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<()> {
        if let Value::Placeholder(name) = &value.value {
            self.0.insert(name.clone());
        }
        ControlFlow::Continue(())
    }
}

struct Bind<'a> {
    params: &'a Params,
    /// Which one each `?` is, from 1.
    numbers: BTreeMap<Place, usize>,
}

impl VisitorMut for Bind<'_> {
    type Break = Error;

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<Error> {
        let Value::Placeholder(name) = &value.value else {
            return ControlFlow::Continue(());
        };
        let number = match name.strip_prefix('$') {
            Some(number) => number.parse().ok(),
            None => self.numbers.get(&place(value.span)).copied(),
        };
        if *self.params == Params::Unbound {
            if let Some(number) = number {
                value.value = Value::Placeholder(format!("${number}"));
            }
            return ControlFlow::Continue(());
        }
        let at = number.and_then(|number| number.checked_sub(1));
        let found = match (self.params, name.strip_prefix('$')) {
            (Params::List(list), _) => at.and_then(|at| list.get(at)),
            (Params::Named(named), Some(name)) => named.get(name),
            _ => None,
        };
        let Some(literal) = found else {
            let error = Error::invalid(format!("there is no value for the parameter `{name}`"))
                .with_hint("give them as `params`: a list for `$1` and `?`, an object for `$name`");
            return ControlFlow::Break(error.with_position(position(value.span)));
        };
        value.value = of_literal(literal);
        ControlFlow::Continue(())
    }
}

fn of_literal(literal: &Literal) -> Value {
    match literal {
        Literal::Null => Value::Null,
        Literal::Boolean(value) => Value::Boolean(*value),
        Literal::Number(digits) => Value::Number(digits.clone(), false),
        Literal::Text(text) => Value::SingleQuotedString(text.clone()),
        Literal::Bytes(bytes) => {
            let mut digits = String::with_capacity(2 * bytes.len());
            for byte in bytes {
                // Writing to a string can't fail.
                let _ = write!(digits, "{byte:02x}");
            }
            Value::HexStringLiteral(digits)
        }
    }
}

struct Freeze {
    timestamp: String,
    date: String,
    time: String,
}

impl VisitorMut for Freeze {
    type Break = Error;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let Expr::Function(function) = expr else {
            return ControlFlow::Continue(());
        };
        let name = function.name.to_string().to_lowercase();
        match name.as_str() {
            "now" | "current_timestamp" if no_arguments(function) => {
                *expr = call("to_timestamp_micros", &self.timestamp);
            }
            "current_date" | "today" if no_arguments(function) => {
                *expr = call("to_date", &self.date);
            }
            "current_time" if no_arguments(function) => {
                *expr = call("to_time", &self.time);
            }
            "random" | "uuid" | "gen_random_uuid" => {
                return ControlFlow::Break(
                    Error::not_supported(format!(
                        "not supported: `{name}()` here: a replay and an erasure must mean the \
                         same rows whenever they go on"
                    ))
                    .with_position(position(
                        datafusion::sql::sqlparser::ast::Spanned::span(&*function),
                    )),
                );
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn no_arguments(function: &Function) -> bool {
    match &function.args {
        FunctionArguments::None => true,
        FunctionArguments::List(list) => list.args.is_empty() && list.clauses.is_empty(),
        FunctionArguments::Subquery(_) => false,
    }
}

/// `CAST('text' AS type)` in the form that renders and parses without loss.
fn call(function: &str, text: &str) -> Expr {
    use datafusion::sql::sqlparser::ast::{CastKind, DataType, TimezoneInfo};
    let data_type = match function {
        "to_date" => DataType::Date,
        "to_time" => DataType::Time(None, TimezoneInfo::None),
        _ => DataType::Timestamp(None, TimezoneInfo::WithTimeZone),
    };
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(text.to_owned()),
            span: Span::empty(),
        })),
        data_type,
        array: false,
        format: None,
    }
}
