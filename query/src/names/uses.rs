//! What drifted columns mean where they stand: a number beside numbers, a condition beside
//! conditions, and text anywhere else.

use arrow::datatypes::DataType;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, DataType as SqlType, Expr, Query, Select, UnaryOperator,
};

use super::build::{call, not, text};
use super::columns::Resolver;
use super::contexts::compare;
use super::place::Several;
use super::types::{is_number, literal, of_query, of_sql, type_of};
use super::{calls, json, order, subquery};
use crate::logical::{NUMBER_KEY, Number, Order, SORT_KEY};

/// Rewrites an expression whose paths are resolved and whose parts are rewritten.
pub(super) fn rewrite(resolver: &mut Resolver<'_>, expr: &mut Expr) {
    let replaced = match expr {
        Expr::BinaryOp { left, op, right } => match op {
            BinaryOperator::And | BinaryOperator::Or => {
                as_condition(resolver, left);
                as_condition(resolver, right);
                None
            }
            BinaryOperator::Arrow => Some(json::member(left, right, false)),
            BinaryOperator::LongArrow => Some(json::member(left, right, true)),
            _ => match order_of(op) {
                Some(order) => comparison(resolver, left, order, right),
                None => {
                    arithmetic(resolver, left, op, right);
                    None
                }
            },
        },
        Expr::Between {
            expr,
            negated,
            low,
            high,
        } => between(resolver, expr, *negated, low, high),
        Expr::InList {
            expr,
            list,
            negated,
        } => in_list(resolver, expr, list, *negated),
        Expr::Cast {
            kind,
            expr,
            data_type,
            ..
        } => cast(resolver, kind, expr, data_type),
        Expr::Function(function) => {
            json::as_text(function);
            order::of_function(resolver, function);
            calls::rewrite(resolver, function)
        }
        _ => {
            in_place(resolver, expr);
            None
        }
    };
    if let Some(replaced) = replaced {
        *expr = replaced;
    }
}

/// The expressions that stay what they are, with other parts.
fn in_place(resolver: &Resolver<'_>, expr: &mut Expr) {
    match expr {
        Expr::UnaryOp { op, expr } => match op {
            UnaryOperator::Not => as_condition(resolver, expr),
            UnaryOperator::Minus | UnaryOperator::Plus => as_number(resolver, expr),
            _ => {}
        },
        Expr::Ceil { expr, .. } | Expr::Floor { expr, .. } => as_number(resolver, expr),
        Expr::IsTrue(inside)
        | Expr::IsNotTrue(inside)
        | Expr::IsFalse(inside)
        | Expr::IsNotFalse(inside)
        | Expr::IsUnknown(inside)
        | Expr::IsNotUnknown(inside) => as_condition(resolver, inside),
        Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
            by_number_keys(resolver, left, right);
        }
        Expr::InSubquery { expr, subquery, .. } => in_query(resolver, expr, subquery),
        Expr::Case {
            operand,
            conditions,
            else_result,
            ..
        } => case(resolver, operand, conditions, else_result),
        _ => {}
    }
}

/// A bare column where a `SELECT` wants a condition.
pub(super) fn conditions(resolver: &Resolver<'_>, select: &mut Select) {
    let conditions = [
        &mut select.selection,
        &mut select.having,
        &mut select.qualify,
    ];
    for condition in conditions.into_iter().flatten() {
        as_condition(resolver, condition);
    }
}

fn as_condition(resolver: &Resolver<'_>, expr: &mut Expr) {
    if let Some(several) = resolver.several(expr) {
        *expr = several.condition();
    }
}

fn as_number(resolver: &Resolver<'_>, expr: &mut Expr) {
    if let Some(several) = resolver.several(expr) {
        *expr = several.number();
    }
}

fn arithmetic(resolver: &Resolver<'_>, left: &mut Expr, op: &BinaryOperator, right: &mut Expr) {
    let arithmetic = matches!(
        op,
        BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo
            | BinaryOperator::BitwiseAnd
            | BinaryOperator::BitwiseOr
            | BinaryOperator::BitwiseXor
            | BinaryOperator::PGBitwiseXor
            | BinaryOperator::PGBitwiseShiftLeft
            | BinaryOperator::PGBitwiseShiftRight
    );
    let temporal = |one: &Expr| {
        let data_type = type_of(resolver, one);
        data_type.is_some_and(|data_type| data_type.is_temporal())
    };
    if arithmetic && !temporal(left) && !temporal(right) {
        as_number(resolver, left);
        as_number(resolver, right);
    }
}

/// `left <order> right`, if it is to be written otherwise.
fn comparison(resolver: &Resolver<'_>, left: &Expr, order: Order, right: &Expr) -> Option<Expr> {
    match (resolver.several(left), resolver.several(right)) {
        (None, None) => None,
        (Some(left), None) => against(resolver, &left, order, right),
        (None, Some(right)) => against(resolver, &right, order.turned(), left),
        (Some(left), Some(right)) => match order {
            // Equal values are equal text.
            Order::Equal | Order::NotEqual => None,
            order => {
                let key = |several: Several| call(SORT_KEY, vec![several.text]);
                Some(compare(key(left), order, key(right)))
            }
        },
    }
}

fn against(resolver: &Resolver<'_>, several: &Several, order: Order, other: &Expr) -> Option<Expr> {
    if let Some(literal) = literal(other) {
        return Some(several.compared_with_literal(order, literal));
    }
    let data_type = type_of(resolver, other);
    match &data_type {
        Some(DataType::Boolean) => Some(compare(several.condition(), order, other.clone())),
        Some(number) if number.is_numeric() => {
            Some(several.compared_with_number(order, other.clone(), data_type.as_ref()))
        }
        _ => None,
    }
}

/// `IS [NOT] DISTINCT FROM` a number.
fn by_number_keys(resolver: &Resolver<'_>, left: &mut Expr, right: &mut Expr) {
    let number = |one: &Expr| resolver.several(one).is_none() && is_number(resolver, one);
    let key = |one: &Expr| call(NUMBER_KEY, vec![one.clone()]);
    let (of_left, of_right) = (resolver.several(left), resolver.several(right));
    match (of_left, of_right) {
        (Some(several), None) if number(right) => {
            (*left, *right) = (several.number_key(), key(right));
        }
        (None, Some(several)) if number(left) => {
            (*left, *right) = (key(left), several.number_key());
        }
        _ => {}
    }
}

fn between(
    resolver: &Resolver<'_>,
    expr: &Expr,
    negated: bool,
    low: &Expr,
    high: &Expr,
) -> Option<Expr> {
    let plain = |order, bound: &Expr| compare(expr.clone(), order, bound.clone());
    let from = comparison(resolver, expr, Order::GreaterOrEqual, low);
    let to = comparison(resolver, expr, Order::LessOrEqual, high);
    if from.is_none() && to.is_none() {
        return None;
    }
    let both = Expr::Nested(Box::new(Expr::BinaryOp {
        left: Box::new(from.unwrap_or_else(|| plain(Order::GreaterOrEqual, low))),
        op: BinaryOperator::And,
        right: Box::new(to.unwrap_or_else(|| plain(Order::LessOrEqual, high))),
    }));
    Some(if negated { not(both) } else { both })
}

fn in_list(resolver: &Resolver<'_>, expr: &Expr, list: &mut [Expr], negated: bool) -> Option<Expr> {
    let Some(several) = resolver.several(expr) else {
        // A number among drifted columns: `5 IN (a, b)`.
        if is_number(resolver, expr) && list.iter().any(|one| resolver.several(one).is_some()) {
            for one in list.iter_mut() {
                *one = match resolver.several(one) {
                    Some(several) => several.number_key(),
                    None => call(NUMBER_KEY, vec![one.clone()]),
                };
            }
            return Some(Expr::InList {
                expr: Box::new(call(NUMBER_KEY, vec![expr.clone()])),
                list: list.to_vec(),
                negated,
            });
        }
        return None;
    };
    let numbers: Option<Vec<Number>> = list.iter().map(literal).collect();
    if let Some(numbers) = numbers {
        let among = several.among(&numbers);
        return Some(if negated { not(among) } else { among });
    }
    // Among other values a number is its text.
    for one in list {
        if let Some(number) = literal(one) {
            *one = text(number.to_string());
        }
    }
    None
}

fn in_query(resolver: &Resolver<'_>, expr: &mut Expr, query: &mut Query) {
    let number = of_query(resolver, query).is_some_and(|data_type| data_type.is_numeric());
    match resolver.several(expr) {
        Some(several) if number => {
            subquery::by_number_keys(query);
            *expr = several.number_key();
        }
        _ => {}
    }
}

fn case(
    resolver: &Resolver<'_>,
    operand: &mut Option<Box<Expr>>,
    conditions: &mut [CaseWhen],
    otherwise: &mut Option<Box<Expr>>,
) {
    match operand
        .as_deref()
        .filter(|operand| resolver.several(operand).is_some())
    {
        Some(compared) => {
            for when in conditions.iter_mut() {
                let condition = comparison(resolver, compared, Order::Equal, &when.condition);
                when.condition = condition.unwrap_or_else(|| {
                    compare(compared.clone(), Order::Equal, when.condition.clone())
                });
            }
            *operand = None;
        }
        None if operand.is_none() => {
            for when in conditions.iter_mut() {
                as_condition(resolver, &mut when.condition);
            }
        }
        None => {}
    }
    let results = conditions.iter_mut().map(|when| &mut when.result);
    let mut results: Vec<&mut Expr> = results.chain(otherwise.as_deref_mut()).collect();
    let beside = results
        .iter()
        .filter(|result| resolver.several(result).is_none());
    let mut types = beside.filter_map(|result| type_of(resolver, result));
    let numbers = types.find(|data_type| *data_type != DataType::Null);
    if numbers.is_some_and(|data_type| data_type.is_numeric()) {
        for result in &mut results {
            as_number(resolver, result);
        }
    }
}

/// A cast to a type of numbers reads the numbers; to boolean, the booleans.
fn cast(
    resolver: &Resolver<'_>,
    kind: &CastKind,
    expr: &mut Expr,
    data_type: &SqlType,
) -> Option<Expr> {
    let several = resolver.several(expr)?;
    match of_sql(data_type)? {
        DataType::Boolean => {
            *expr = several.condition();
            None
        }
        number if number.is_numeric() => Some(several.cast(kind, data_type)),
        _ => None,
    }
}

fn order_of(op: &BinaryOperator) -> Option<Order> {
    Some(match op {
        BinaryOperator::Eq => Order::Equal,
        BinaryOperator::NotEq => Order::NotEqual,
        BinaryOperator::Lt => Order::Less,
        BinaryOperator::LtEq => Order::LessOrEqual,
        BinaryOperator::Gt => Order::Greater,
        BinaryOperator::GtEq => Order::GreaterOrEqual,
        _ => return None,
    })
}
