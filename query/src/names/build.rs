//! Pieces of a statement's tree.

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, UnaryOperator, Value,
    ValueWithSpan,
};
use datafusion::sql::sqlparser::tokenizer::{Location, Span};

/// Where names stand that are resolved already; no statement is that long.
const RESOLVED: Location = Location {
    line: u64::MAX,
    column: 0,
};

/// A name that stands for exactly what is stored under it.
pub(super) fn resolved(name: &str) -> Ident {
    Ident {
        value: name.to_owned(),
        quote_style: Some('"'),
        span: Span::new(RESOLVED, RESOLVED),
    }
}

/// Whether a name is resolved already.
pub(super) fn is_resolved(ident: &Ident) -> bool {
    ident.span.start.line == RESOLVED.line
}

pub(super) fn value(value: Value) -> Expr {
    Expr::Value(ValueWithSpan {
        value,
        span: Span::empty(),
    })
}

pub(super) fn text(text: impl Into<String>) -> Expr {
    value(Value::SingleQuotedString(text.into()))
}

pub(super) fn number(text: String) -> Expr {
    value(Value::Number(text, false))
}

/// A call of one of our functions.
pub(crate) fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let argument = |expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.into_iter().map(argument).collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

pub(super) fn cast(expr: Expr, data_type: DataType) -> Expr {
    cast_as(CastKind::Cast, expr, data_type)
}

pub(super) fn cast_as(kind: CastKind, expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast {
        kind,
        expr: Box::new(expr),
        data_type,
        array: false,
        format: None,
    }
}

/// The type of numbers of up to 38 digits, so many of them behind the point.
pub(super) fn decimal(scale: u8) -> DataType {
    DataType::Decimal(ExactNumberInfo::PrecisionAndScale(38, scale.into()))
}

pub(super) fn double() -> DataType {
    DataType::Double(ExactNumberInfo::None)
}

/// A null of a type.
pub(super) fn null_of(data_type: DataType) -> Expr {
    cast(value(Value::Null), data_type)
}

pub(super) fn not(expr: Expr) -> Expr {
    Expr::UnaryOp {
        op: UnaryOperator::Not,
        expr: Box::new(Expr::Nested(Box::new(expr))),
    }
}

/// The expression within parentheses.
pub(super) fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inside) => bare(inside),
        other => other,
    }
}
