//! Weaker conditions for the files: true wherever the condition is, and made of plain comparisons
//! of stored columns, which statistics, page indexes and bloom filters understand.
//!
//! Only used to leave rows out early. The condition itself is asked again above the scan, so that
//! an answer with pushdown is the answer without it.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Like, Operator, lit};

use super::functions::{EITHER, TEXT};
use super::literal::{Bound, Holds, Order, Test, test};
use super::number::Number;
use crate::search::{FOUND, implied};

/// A condition over stored columns that holds wherever `condition` does; `None` when there is none
/// to speak of. `condition` names stored columns and the functions of this module; `schema` has
/// the columns.
pub(crate) fn loosen(condition: &Expr, schema: &DFSchema) -> Option<Expr> {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::And => match (loosen(left, schema), loosen(right, schema)) {
                (Some(left), Some(right)) => Some(left.and(right)),
                (left, right) => left.or(right),
            },
            Operator::Or => Some(loosen(left, schema)?.or(loosen(right, schema)?)),
            _ => match (columns(left), columns(right), order(*op)) {
                (Some(columns), None, Some(order)) => compared(columns, order, right, schema),
                (None, Some(columns), Some(order)) => {
                    compared(columns, order.turned(), left, schema)
                }
                _ => unchanged(condition).map(known),
            },
        },
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == EITHER => {
            let args: Option<Vec<Expr>> = args.iter().map(|one| loosen(one, schema)).collect();
            any(args?)
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == FOUND => {
            Some(implied(args, schema)?.and(condition.clone()))
        }
        Expr::IsTrue(inside) => loosen(inside, schema),
        Expr::IsNull(inside) => match columns(inside) {
            Some(columns) => {
                let nulls = columns.iter().map(|column| column.clone().is_null());
                nulls.reduce(Expr::and)
            }
            None => unchanged(condition),
        },
        Expr::IsNotNull(inside) => match columns(inside) {
            Some(columns) => there(columns),
            None => unchanged(condition),
        },
        Expr::InList(InList {
            expr,
            list,
            negated,
        }) => match columns(expr) {
            Some(columns) if *negated => there(columns),
            Some(columns) => {
                let each = list
                    .iter()
                    .map(|text| compared(columns, Order::Equal, text, schema));
                any(each.collect::<Option<Vec<Expr>>>()?)
            }
            None => unchanged(condition).map(known),
        },
        Expr::Like(like) => match columns(&like.expr) {
            Some(columns) => alike(columns, like, schema),
            None => unchanged(condition).map(known),
        },
        _ => unchanged(condition),
    }
}

/// The columns of a use of the text function.
fn columns(expr: &Expr) -> Option<&[Expr]> {
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == TEXT => args.get(1..),
        _ => None,
    }
}

/// A condition that says nothing about drifted text stays as it is.
fn unchanged(condition: &Expr) -> Option<Expr> {
    let mut drifted = false;
    let _ = condition.apply(|inside| {
        drifted |= columns(inside).is_some();
        Ok(match drifted {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    });
    (!drifted).then(|| condition.clone())
}

/// The same of a column's comparison, which is never true of a null, said so: a file that lacks the
/// column has a literal null there, and nobody folds `x = 1 OR NULL`, but `x = 1 OR false`.
fn known(condition: Expr) -> Expr {
    let column = match &condition {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if order(*op).is_some() => {
            match (left.as_ref(), right.as_ref()) {
                (Expr::Column(_), _) => left,
                _ => right,
            }
        }
        Expr::InList(InList { expr, .. }) | Expr::Like(Like { expr, .. }) => expr,
        _ => return condition,
    };
    match column.as_ref() {
        Expr::Column(_) => column.as_ref().clone().is_not_null().and(condition),
        _ => condition,
    }
}

fn any(conditions: Vec<Expr>) -> Option<Expr> {
    Some(
        conditions
            .into_iter()
            .reduce(Expr::or)
            .unwrap_or_else(|| lit(false)),
    )
}

/// One of the columns has a value: what any comparison needs to be true.
fn there(columns: &[Expr]) -> Option<Expr> {
    any(columns
        .iter()
        .map(|one| one.clone().is_not_null())
        .collect())
}

/// The text of one of the columns compares so with another text.
fn compared(columns: &[Expr], order: Order, with: &Expr, schema: &DFSchema) -> Option<Expr> {
    let Expr::Literal(ScalarValue::Utf8(Some(text)), _) = with else {
        return there(columns);
    };
    let mut conditions = Vec::new();
    for column in columns {
        let Ok(data_type) = column.get_type(schema) else {
            return None;
        };
        let column = column.clone();
        conditions.extend(match (data_type, order) {
            (DataType::Utf8, _) => Some(known(condition(column, order, lit(text.clone())))),
            (DataType::Int64, Order::Equal) => equal(column, Holds::Long, text),
            (DataType::Float64, Order::Equal) => equal(column, Holds::Double, text),
            (DataType::Decimal128(_, scale @ 0..), Order::Equal) => {
                equal(column, Holds::Decimal(scale.unsigned_abs()), text)
            }
            (DataType::Boolean, Order::Equal) => match text.as_str() {
                "true" => Some(known(column.eq(lit(true)))),
                "false" => Some(known(column.eq(lit(false)))),
                _ => None,
            },
            (data_type, Order::Equal) if !may_begin(&data_type, text) => None,
            _ => Some(column.is_not_null()),
        });
    }
    any(conditions)
}

/// A column of numbers whose canonical text is `text`; `None` when none can be.
fn equal(column: Expr, holds: Holds, text: &str) -> Option<Expr> {
    if holds == Holds::Double && text.ends_with(['N', 'y']) {
        // `NaN` and both infinities, which bounds don't know.
        return Some(column.is_not_null());
    }
    let number = Number::of_canonical(text)?;
    let Test::Compare(order, bound) = test(holds, Order::Equal, number) else {
        return None;
    };
    let bound = match bound {
        Bound::Long(value) => lit(value),
        Bound::Double(value) => lit(value),
        Bound::Decimal(value, scale) => lit(ScalarValue::Decimal128(
            Some(value),
            38,
            scale.cast_signed(),
        )),
    };
    Some(known(condition(column, order, bound)))
}

fn condition(column: Expr, order: Order, with: Expr) -> Expr {
    match order {
        Order::Equal => column.eq(with),
        Order::NotEqual => column.not_eq(with),
        Order::Less => column.lt(with),
        Order::LessOrEqual => column.lt_eq(with),
        Order::Greater => column.gt(with),
        Order::GreaterOrEqual => column.gt_eq(with),
    }
}

fn alike(columns: &[Expr], like: &Like, schema: &DFSchema) -> Option<Expr> {
    let mut conditions = Vec::new();
    for column in columns {
        let column = column.clone();
        conditions.extend(match column.get_type(schema).ok()? {
            DataType::Utf8 => Some(known(Expr::Like(Like {
                expr: Box::new(column),
                ..like.clone()
            }))),
            data_type if may_be_like(&data_type, like) => Some(column.is_not_null()),
            _ => None,
        });
    }
    any(conditions)
}

fn may_be_like(data_type: &DataType, like: &Like) -> bool {
    let Expr::Literal(ScalarValue::Utf8(Some(pattern)), _) = like.pattern.as_ref() else {
        return true;
    };
    let open = pattern.is_empty() || pattern.starts_with(['%', '_', '\\']);
    open || like.negated || like.escape_char.is_some() || may_begin(data_type, pattern)
}

/// Whether the text of a value of this type can begin as `text` does.
fn may_begin(data_type: &DataType, text: &str) -> bool {
    let Some(first) = text.chars().next() else {
        return false;
    };
    match data_type {
        DataType::Struct(_) => first == '{',
        DataType::List(_) => first == '[',
        DataType::Boolean => ['t', 'f'].contains(&first.to_ascii_lowercase()),
        DataType::Int64 | DataType::Decimal128(_, _) | DataType::Date32 => {
            ['-', '+'].contains(&first) || first.is_ascii_digit()
        }
        DataType::Float64 => ['-', 'N', 'n', 'I', 'i'].contains(&first) || first.is_ascii_digit(),
        _ => true,
    }
}

fn order(op: Operator) -> Option<Order> {
    Some(match op {
        Operator::Eq => Order::Equal,
        Operator::NotEq => Order::NotEqual,
        Operator::Lt => Order::Less,
        Operator::LtEq => Order::LessOrEqual,
        Operator::Gt => Order::Greater,
        Operator::GtEq => Order::GreaterOrEqual,
        _ => return None,
    })
}
