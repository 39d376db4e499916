//! The types of expressions, as far as they can be told before planning: enough to know whether a
//! drifted column stands beside a number.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};
use datafusion::logical_expr::ReturnFieldArgs;
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType as SqlType, Expr, Function, Query, SelectItem, SetExpr, UnaryOperator,
    Value,
};

use super::build::bare;
use super::calls::arguments;
use super::columns::Resolver;
use crate::logical::Number;

/// The type of an expression whose paths are resolved.
pub(super) fn type_of(resolver: &Resolver<'_>, expr: &Expr) -> Option<DataType> {
    let expr = bare(expr);
    if let Some(data_type) = resolver.types.get(&expr.to_string()) {
        return Some(data_type.clone());
    }
    match expr {
        Expr::Value(value) => of_value(&value.value),
        Expr::Cast { data_type, .. } => of_sql(data_type),
        Expr::TypedString(typed) => of_sql(&typed.data_type),
        Expr::Interval(_) => Some(DataType::Interval(IntervalUnit::MonthDayNano)),
        Expr::Extract { .. } => Some(DataType::Int32),
        Expr::UnaryOp { op, expr } => match op {
            UnaryOperator::Not => Some(DataType::Boolean),
            _ => type_of(resolver, expr),
        },
        Expr::BinaryOp { left, op, right } => of_operator(resolver, left, op, right),
        Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::InList { .. }
        | Expr::InSubquery { .. }
        | Expr::Between { .. }
        | Expr::Like { .. }
        | Expr::ILike { .. }
        | Expr::Exists { .. } => Some(DataType::Boolean),
        Expr::Case {
            conditions,
            else_result,
            ..
        } => {
            let results = conditions.iter().map(|when| &when.result);
            let mut results = results.chain(else_result.as_deref());
            results.find_map(|result| type_of(resolver, result))
        }
        Expr::Ceil { expr, .. } | Expr::Floor { expr, .. } => type_of(resolver, expr),
        Expr::Substring { .. } | Expr::Trim { .. } | Expr::Overlay { .. } => Some(DataType::Utf8),
        Expr::Position { .. } => Some(DataType::Int32),
        Expr::Subquery(query) => of_query(resolver, query),
        Expr::Function(function) => of_function(resolver, function),
        _ => None,
    }
}

/// Whether an expression is a number for sure.
pub(super) fn is_number(resolver: &Resolver<'_>, expr: &Expr) -> bool {
    type_of(resolver, expr).is_some_and(|data_type| data_type.is_numeric())
}

/// A number that is written as one.
pub(super) fn literal(expr: &Expr) -> Option<Number> {
    match bare(expr) {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => Number::read(text),
            _ => None,
        },
        Expr::UnaryOp { op, expr } => match (op, bare(expr)) {
            (UnaryOperator::Plus, inside) => literal(inside),
            (UnaryOperator::Minus, Expr::Value(value)) => match &value.value {
                // As text, so that the lowest integer is one.
                Value::Number(text, _) => Number::read(&format!("-{text}")),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// The type of a query's only column, where it is written in it. Its paths are resolved.
pub(super) fn of_query(resolver: &Resolver<'_>, query: &Query) -> Option<DataType> {
    match query.body.as_ref() {
        SetExpr::Select(select) => match select.projection.as_slice() {
            [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] => {
                type_of(resolver, expr)
            }
            _ => None,
        },
        SetExpr::Query(query) => of_query(resolver, query),
        _ => None,
    }
}

fn of_value(value: &Value) -> Option<DataType> {
    Some(match value {
        Value::Number(text, _) if text.parse::<i64>().is_ok() => DataType::Int64,
        Value::Number(_, _) => DataType::Float64,
        Value::Boolean(_) => DataType::Boolean,
        Value::Null => DataType::Null,
        Value::SingleQuotedString(_) => DataType::Utf8,
        _ => return None,
    })
}

pub(super) fn of_sql(data_type: &SqlType) -> Option<DataType> {
    Some(match data_type {
        SqlType::TinyInt(_)
        | SqlType::SmallInt(_)
        | SqlType::Int(_)
        | SqlType::Integer(_)
        | SqlType::Int2(_)
        | SqlType::Int4(_) => DataType::Int32,
        SqlType::BigInt(_)
        | SqlType::Int8(_)
        | SqlType::TinyIntUnsigned(_)
        | SqlType::SmallIntUnsigned(_)
        | SqlType::IntUnsigned(_)
        | SqlType::IntegerUnsigned(_)
        | SqlType::BigIntUnsigned(_) => DataType::Int64,
        SqlType::Float(_)
        | SqlType::Float4
        | SqlType::Float8
        | SqlType::Real
        | SqlType::Double(_)
        | SqlType::DoublePrecision => DataType::Float64,
        SqlType::Decimal(_) | SqlType::Numeric(_) | SqlType::Dec(_) => DataType::Decimal128(38, 10),
        SqlType::Boolean | SqlType::Bool => DataType::Boolean,
        SqlType::Text
        | SqlType::String(_)
        | SqlType::Varchar(_)
        | SqlType::Char(_)
        | SqlType::CharVarying(_)
        | SqlType::CharacterVarying(_) => DataType::Utf8,
        SqlType::Date => DataType::Date32,
        SqlType::Timestamp(_, _) | SqlType::Datetime(_) => {
            DataType::Timestamp(TimeUnit::Nanosecond, None)
        }
        _ => return None,
    })
}

fn of_operator(
    resolver: &Resolver<'_>,
    left: &Expr,
    op: &BinaryOperator,
    right: &Expr,
) -> Option<DataType> {
    match op {
        BinaryOperator::Plus
        | BinaryOperator::Minus
        | BinaryOperator::Multiply
        | BinaryOperator::Divide
        | BinaryOperator::Modulo => {
            let (left, right) = (type_of(resolver, left)?, type_of(resolver, right)?);
            match (left.is_numeric(), right.is_numeric()) {
                (true, true) if left.is_floating() || right.is_floating() => {
                    Some(DataType::Float64)
                }
                (true, true) => Some(left),
                // A time and an interval.
                _ => None,
            }
        }
        BinaryOperator::StringConcat => Some(DataType::Utf8),
        BinaryOperator::And
        | BinaryOperator::Or
        | BinaryOperator::Eq
        | BinaryOperator::NotEq
        | BinaryOperator::Lt
        | BinaryOperator::LtEq
        | BinaryOperator::Gt
        | BinaryOperator::GtEq => Some(DataType::Boolean),
        _ => None,
    }
}

fn of_function(resolver: &Resolver<'_>, function: &Function) -> Option<DataType> {
    let name = function.name.to_string().to_lowercase();
    let types = arguments(function).into_iter().map(|argument| {
        argument.map_or(Some(DataType::Int64), |argument| {
            type_of(resolver, argument)
        })
    });
    let fields: Vec<FieldRef> = types
        .map(|data_type| data_type.map(field))
        .collect::<Option<_>>()?;
    let state = resolver.state;
    if let Some(function) = state.scalar_functions().get(&name) {
        let fields = fields_with_udf(&fields, function.as_ref()).ok()?;
        let scalar_arguments = vec![None; fields.len()];
        let arguments = ReturnFieldArgs {
            arg_fields: &fields,
            scalar_arguments: &scalar_arguments,
        };
        let returned = function.return_field_from_args(arguments).ok()?;
        return Some(returned.data_type().clone());
    }
    if let Some(function) = state.aggregate_functions().get(&name) {
        let fields = fields_with_udf(&fields, function.as_ref()).ok()?;
        return Some(function.return_field(&fields).ok()?.data_type().clone());
    }
    match name.as_str() {
        "row_number" | "rank" | "dense_rank" | "ntile" => Some(DataType::UInt64),
        "percent_rank" | "cume_dist" => Some(DataType::Float64),
        _ => None,
    }
}

/// An argument of this type.
pub(super) fn field(data_type: DataType) -> FieldRef {
    Arc::new(Field::new("argument", data_type, true))
}
