//! What tools ask Postgres' catalog, in words that Eddy's SQL has too.
//!
//! Only statements about the catalog are touched. Their functions and types name its schema, names
//! become numbers by a cast (`'t'::regclass`), operators are written by their own names, and a
//! subquery in the list of columns looks up what there is none of here, such as a default.

use std::borrow::Cow;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, ExactNumberInfo, Expr, Ident, ObjectName, ObjectNamePart, Query,
    Select, SelectItem, SetExpr, Statement, TableFactor, Value, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::statement::escape;
use crate::system::postgres::{SCHEMAS, is_empty};

/// The longest statement that is looked at: what tools ask is a few hundred bytes.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// The statement in Eddy's words, if it is about the catalog.
pub(crate) fn understood(sql: &str) -> Cow<'_, str> {
    let lower = sql.get(..TEXT_BYTES_MAX).unwrap_or(sql).to_lowercase();
    let is_about = lower.contains("pg_") || lower.contains("information_schema");
    // Written anew, a quote behind a backslash would end the name that it is in.
    if !is_about || sql.len() > TEXT_BYTES_MAX || sql.contains("\\\"") {
        return Cow::Borrowed(sql);
    }
    // What can't be read here is refused where every statement is.
    let Ok(mut trees) = Parser::parse_sql(&PostgreSqlDialect {}, sql) else {
        return Cow::Borrowed(sql);
    };
    match trees.as_mut_slice() {
        [tree @ Statement::Query(_)] => {
            let _ = VisitMut::visit(tree, &mut Words);
            if let Statement::Query(query) = tree {
                if let SetExpr::Select(select) = query.body.as_mut() {
                    name_columns(&mut select.projection);
                }
                escape(query);
            }
            Cow::Owned(tree.to_string())
        }
        _ => Cow::Borrowed(sql),
    }
}

/// Postgres lets several columns be called alike, as all are that have no name.
fn name_columns(columns: &mut [SelectItem]) {
    for (at, column) in columns.iter_mut().enumerate() {
        let SelectItem::UnnamedExpr(expr) = column else {
            continue;
        };
        if matches!(
            expr,
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Function(_)
        ) {
            continue;
        }
        *column = SelectItem::ExprWithAlias {
            expr: expr.clone(),
            alias: Ident::with_quote('"', format!("?column?{}", at + 1)),
        };
    }
}

struct Words;

impl VisitorMut for Words {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        // Before its parts are looked at: the query in it goes as a whole.
        if let Expr::Subquery(query) = expr
            && finds_nothing(query)
        {
            *expr = Expr::value(Value::Null);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let instead = match expr {
            Expr::BinaryOp { op, .. } => {
                if let BinaryOperator::PGCustomBinaryOperator(names) = op
                    && let Some(plain) = names.last().and_then(|name| operator(name))
                {
                    *op = plain;
                }
                None
            }
            Expr::Collate { expr, .. } => Some(expr.as_ref().clone()),
            Expr::Cast {
                expr: inner,
                data_type,
                ..
            } => cast(inner, data_type),
            Expr::Function(function) => {
                if let [schema, name] = function.name.0.as_slice()
                    && is_schema(schema)
                {
                    function.name = ObjectName(vec![name.clone()]);
                }
                None
            }
            _ => None,
        };
        if let Some(instead) = instead {
            *expr = instead;
        }
        ControlFlow::Continue(())
    }
}

fn is_schema(part: &ObjectNamePart) -> bool {
    let name = part.to_string().to_lowercase();
    SCHEMAS.contains(&name.trim_matches('"'))
}

fn operator(name: &str) -> Option<BinaryOperator> {
    Some(match name {
        "=" => BinaryOperator::Eq,
        "<>" | "!=" => BinaryOperator::NotEq,
        "~" => BinaryOperator::PGRegexMatch,
        "~*" => BinaryOperator::PGRegexIMatch,
        "!~" => BinaryOperator::PGRegexNotMatch,
        "!~*" => BinaryOperator::PGRegexNotIMatch,
        "~~" => BinaryOperator::PGLikeMatch,
        "!~~" => BinaryOperator::PGNotLikeMatch,
        "||" => BinaryOperator::StringConcat,
        _ => return None,
    })
}

/// A cast to a type that only the catalog has: to the plain one, or none.
fn cast(inner: &Expr, data_type: &mut DataType) -> Option<Expr> {
    let name = match &*data_type {
        DataType::Custom(name, _) => name.0.last()?.to_string().to_lowercase(),
        DataType::Regclass => "regclass".to_owned(),
        _ => return None,
    };
    *data_type = match name.trim_matches('"') {
        "text" | "name" | "char" | "varchar" | "sql_identifier" | "character_data" => {
            DataType::Text
        }
        "oid" | "xid" | "int8" | "cardinal_number" => DataType::BigInt(None),
        "int4" => DataType::Int(None),
        "int2" => DataType::SmallInt(None),
        "bool" => DataType::Boolean,
        "float8" => DataType::Double(ExactNumberInfo::None),
        "regclass" | "regtype" | "regproc" | "regprocedure" | "regnamespace" => {
            return Some(number_of(inner));
        }
        _ => return None,
    };
    None
}

/// The number that a name stands for: that of a table of the catalog is none that a row has.
fn number_of(inner: &Expr) -> Expr {
    match inner {
        Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_)) => {
            Expr::value(Value::Number("0".to_owned(), false))
        }
        other => other.clone(),
    }
}

/// Whether a query joins a table that has no rows, and so finds nothing.
fn finds_nothing(query: &Query) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return false;
    };
    let Select {
        from, projection, ..
    } = select.as_ref();
    let empty = |factor: &TableFactor| match factor {
        TableFactor::Table { name, .. } => {
            let name = name.to_string().to_lowercase();
            is_empty(&name) || is_empty(&format!("pg_catalog.{name}"))
        }
        _ => false,
    };
    // An aggregate finds something in nothing.
    let plain = projection.iter().all(|item| {
        let text = item.to_string().to_lowercase();
        !["count(", "array_agg(", "sum(", "string_agg(", "coalesce("]
            .iter()
            .any(|call| text.contains(call))
    });
    plain
        && from
            .iter()
            .any(|table| table.joins.is_empty() && empty(&table.relation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_statements_about_the_catalog_are_touched() {
        for sql in [
            "SELECT x::text FROM t",
            "SELECT 'a' COLLATE \"C\"",
            "SELECT pg_catalog.",
            "SELECT 1 INTO d FROM pg_class; SELECT 2",
        ] {
            assert_eq!(understood(sql), sql);
        }
    }

    #[test]
    fn a_text_in_a_statement_about_the_catalog_ends_where_it_did() {
        for text in [
            r"'a\'' OR true --'",
            r"'\'''",
            "'it''s'",
            "'it''''s'",
            "''''",
            "N'it''s'",
        ] {
            let sql = format!("SELECT relname FROM pg_class WHERE relname = {text}");
            assert_eq!(understood(&sql), sql);
        }
        let name = r#"SELECT relname::text AS "a\"" FROM pg_class"#;
        assert_eq!(understood(name), name);
    }

    #[test]
    fn what_only_the_catalog_has_becomes_what_there_is() {
        for (asked, expected) in [
            (
                "SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relname \
                 OPERATOR(pg_catalog.~) '^(a)$' COLLATE pg_catalog.default",
                "SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relname ~ '^(a)$'",
            ),
            (
                "SELECT pg_catalog.format_type(1, 2), 'pg_class'::regclass, c.reloftype::\
                 pg_catalog.regtype::pg_catalog.text FROM pg_class c",
                "SELECT format_type(1, 2), 0 AS \"?column?2\", c.reloftype::TEXT AS \"?column?3\" \
                 FROM pg_class c",
            ),
            (
                "SELECT (SELECT d.adbin FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid) \
                 FROM pg_catalog.pg_attribute a",
                "SELECT NULL AS \"?column?1\" FROM pg_catalog.pg_attribute a",
            ),
            (
                "SELECT (SELECT count(*) FROM pg_index i) FROM pg_class",
                "SELECT (SELECT count(*) FROM pg_index i) AS \"?column?1\" FROM pg_class",
            ),
        ] {
            assert_eq!(understood(asked), expected);
        }
    }
}
