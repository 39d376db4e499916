//! What a drifted column is in a number's, a condition's and a comparison's place.

use arrow::datatypes::DataType;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType as SqlType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Value,
};

use super::build::{call, cast, cast_as, decimal, double, null_of, number, value};
use super::place::{One, Several};
use crate::logical::{
    Bound, EITHER, Holds, NUMBER_KEY, Number, Order, TEXT_NUMBER_KEY, Test, decimal_text, holds,
    test,
};

impl Several {
    /// The columns that hold numbers.
    fn numbers(&self) -> Vec<(&One, Holds)> {
        let holding = |one| Some((one, holds(self::data_type(one)?)?));
        self.alternates.iter().filter_map(holding).collect()
    }

    fn is_only_text(&self) -> bool {
        self.alternates.is_empty()
    }

    /// The lowest or highest of it, if that is what is meant.
    fn read(&self, expr: Expr) -> Expr {
        match &self.extreme {
            None => expr,
            Some(function) => of_function(function, expr),
        }
    }

    /// The first of `columns` that isn't null, of this type.
    fn first(&self, mut columns: Vec<Expr>, data_type: SqlType) -> Expr {
        self.read(match columns.len() {
            0 => null_of(data_type),
            1 => columns.remove(0),
            _ => call("coalesce", columns),
        })
    }

    /// As a number: exact where one type holds all of them, else a double.
    pub(super) fn number(&self) -> Expr {
        if self.is_only_text() {
            return cast_as(CastKind::TryCast, self.text.clone(), double());
        }
        let numbers = self.numbers();
        let wide = match numbers.as_slice() {
            [(_, first), others @ ..] if others.iter().all(|(_, holds)| holds == first) => *first,
            all if all.iter().all(|(_, holds)| is_integer(*holds)) => Holds::Decimal(0),
            _ => Holds::Double,
        };
        let widened = |(one, holds): &(&One, Holds)| {
            let column = one.expr.clone();
            match wide {
                _ if *holds == wide => column,
                Holds::Decimal(scale) => cast(column, decimal(scale)),
                _ => cast(column, double()),
            }
        };
        self.first(numbers.iter().map(widened).collect(), double())
    }

    /// Whether [`Several::number`] is every number's exact value, and nothing but numbers is there.
    pub(super) fn is_exact_number(&self) -> bool {
        let numbers = self.numbers();
        let mut holds = numbers.iter().map(|(_, holds)| *holds);
        let first = numbers.first().map(|(_, holds)| *holds);
        !self.is_only_text()
            && numbers.len() == self.alternates.len()
            && (holds.clone().all(is_integer) || holds.all(|one| Some(one) == first))
    }

    /// Bytes that order as the numbers do.
    pub(super) fn number_key(&self) -> Expr {
        if self.is_only_text() {
            return call(TEXT_NUMBER_KEY, vec![self.text.clone()]);
        }
        let mut columns: Vec<Expr> = Vec::new();
        columns.extend(self.numbers().iter().map(|(one, _)| one.expr.clone()));
        if columns.is_empty() {
            columns.push(null_of(SqlType::BigInt(None)));
        }
        self.read(call(NUMBER_KEY, columns))
    }

    /// Cast to a type of numbers, each column by itself.
    pub(super) fn cast(&self, kind: &CastKind, data_type: &SqlType) -> Expr {
        if self.is_only_text() {
            return cast_as(CastKind::TryCast, self.text.clone(), data_type.clone());
        }
        let casts = self.numbers().into_iter();
        let casts =
            casts.map(|(one, _)| cast_as(kind.clone(), one.expr.clone(), data_type.clone()));
        self.first(casts.collect(), data_type.clone())
    }

    /// As a condition: its booleans.
    pub(super) fn condition(&self) -> Expr {
        if self.is_only_text() {
            return cast_as(CastKind::TryCast, self.text.clone(), SqlType::Boolean);
        }
        let booleans = self.alternates.iter();
        let booleans = booleans.filter(|one| self::data_type(one) == Some(&DataType::Boolean));
        let columns = booleans.map(|one| one.expr.clone()).collect();
        self.first(columns, SqlType::Boolean)
    }

    /// The only list among the columns.
    pub(super) fn list(&self) -> Option<Expr> {
        let is_list = |one: &&One| matches!(one.data_type, Some(DataType::List(_)));
        let mut lists = self.alternates.iter().filter(is_list);
        match (lists.next(), lists.next()) {
            (Some(only), None) => Some(only.expr.clone()),
            _ => None,
        }
    }

    /// Compared with a number that is written in the statement.
    pub(super) fn compared_with_literal(&self, order: Order, literal: Number) -> Expr {
        if self.is_only_text() || self.extreme.is_some() {
            let literal = call(NUMBER_KEY, vec![of_number(literal)]);
            return compare(self.number_key(), order, literal);
        }
        let numbers = self.numbers().into_iter();
        let tests = numbers
            .map(|(one, holds)| tested(one.expr.clone(), holds, test(holds, order, literal)));
        either(tests.collect())
    }

    /// One of these numbers.
    pub(super) fn among(&self, numbers: &[Number]) -> Expr {
        let list = |column, list: Vec<Expr>| Expr::InList {
            expr: Box::new(column),
            list,
            negated: false,
        };
        if self.is_only_text() || self.extreme.is_some() {
            let keys = numbers.iter();
            let keys = keys.map(|number| call(NUMBER_KEY, vec![of_number(*number)]));
            return list(self.number_key(), keys.collect());
        }
        let columns = self.numbers().into_iter();
        let each = columns.map(|(one, holds)| {
            let equal = numbers
                .iter()
                .map(|number| test(holds, Order::Equal, *number));
            let equal = equal.filter_map(|test| match test {
                Test::Compare(_, equal) => Some(bound(equal)),
                Test::Always | Test::Never => None,
            });
            let equal: Vec<Expr> = equal.collect();
            match equal.is_empty() {
                true => tested(one.expr.clone(), holds, Test::Never),
                false => list(one.expr.clone(), equal),
            }
        });
        either(each.collect())
    }

    /// Compared with a number that has to be computed, of this type where it is known.
    pub(super) fn compared_with_number(
        &self,
        order: Order,
        other: Expr,
        other_type: Option<&DataType>,
    ) -> Expr {
        match self.numbers().as_slice() {
            [] if !self.is_only_text() => null_of(SqlType::Boolean),
            [(one, _)] if other_type == self::data_type(one) => {
                compare(self.read(one.expr.clone()), order, other)
            }
            _ => compare(self.number_key(), order, call(NUMBER_KEY, vec![other])),
        }
    }
}

/// Without a fraction.
fn is_integer(holds: Holds) -> bool {
    matches!(holds, Holds::Long | Holds::Decimal(0))
}

fn data_type(one: &One) -> Option<&DataType> {
    one.data_type.as_ref()
}

/// A function of one argument, of another one.
pub(super) fn of_function(function: &Function, argument: Expr) -> Expr {
    let mut function = function.clone();
    if let FunctionArguments::List(list) = &mut function.args {
        list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))];
    }
    Expr::Function(function)
}

/// The first of several conditions that isn't null.
pub(super) fn either(mut conditions: Vec<Expr>) -> Expr {
    match conditions.len() {
        0 => null_of(SqlType::Boolean),
        1 => conditions.remove(0),
        _ => call(EITHER, conditions),
    }
}

/// `left <order> right`.
pub(super) fn compare(left: Expr, order: Order, right: Expr) -> Expr {
    let op = match order {
        Order::Equal => BinaryOperator::Eq,
        Order::NotEqual => BinaryOperator::NotEq,
        Order::Less => BinaryOperator::Lt,
        Order::LessOrEqual => BinaryOperator::LtEq,
        Order::Greater => BinaryOperator::Gt,
        Order::GreaterOrEqual => BinaryOperator::GtEq,
    };
    // In parentheses, since it may become part of any expression.
    Expr::Nested(Box::new(Expr::BinaryOp {
        left: Box::new(left),
        op,
        right: Box::new(right),
    }))
}

/// A number as the statement could have it.
fn of_number(literal: Number) -> Expr {
    match literal {
        Number::Integer(integer) => match i64::try_from(integer) {
            Ok(long) => bound(Bound::Long(long)),
            Err(_) => bound(Bound::Decimal(integer, 0)),
        },
        Number::Decimal(unscaled, scale) => bound(Bound::Decimal(unscaled, scale)),
        Number::Double(value) => bound(Bound::Double(value)),
    }
}

fn bound(bound: Bound) -> Expr {
    match bound {
        Bound::Long(long) => number(long.to_string()),
        Bound::Double(double) => number(format!("{double:?}")),
        Bound::Decimal(unscaled, scale) => cast(
            value(Value::SingleQuotedString(decimal_text(unscaled, scale))),
            decimal(scale),
        ),
    }
}

/// A test of a column, null where the column is.
fn tested(column: Expr, holds: Holds, test: Test) -> Expr {
    let lowest = match holds {
        Holds::Long => bound(Bound::Long(i64::MIN)),
        Holds::Decimal(scale) => bound(Bound::Decimal(1 - 10_i128.pow(38), scale)),
        Holds::Double => bound(Bound::Double(f64::MIN)),
    };
    match test {
        Test::Compare(order, with) => compare(column, order, bound(with)),
        Test::Always => compare(column, Order::GreaterOrEqual, lowest),
        Test::Never => compare(column, Order::Less, lowest),
    }
}
