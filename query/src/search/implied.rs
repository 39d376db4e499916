//! What a search's condition on a field says in terms that statistics, page indexes and filters
//! understand: plain comparisons that hold wherever the condition does.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::{Expr, ExprSchemable, lit};

use super::found::Where;
use super::tree::{Bound, Piece, Test, whole};
use super::wanted::{DAY_US, Span, boolean, is_real, span};
use crate::logical::{Bound as Limit, Number, Order, Test as Compare, holds, test};

/// Letters up to which each way to write them, large and small, is asked for by itself.
const LETTERS_MAX: usize = 4;

/// A condition on the columns of a call that holds wherever the call's does; `None` when there is
/// none to speak of.
pub(crate) fn implied(arguments: &[Expr], schema: &DFSchema) -> Option<Expr> {
    let (Expr::Literal(text, _), columns) = arguments.split_first()? else {
        return None;
    };
    let found = Where::read(text.try_as_str()??)?;
    let mut conditions = Vec::with_capacity(columns.len());
    for (column, steps) in columns.iter().zip(&found.steps) {
        let data_type = column.get_type(schema).ok()?;
        let there = column.clone().is_not_null();
        let nested = !steps.is_empty() || data_type.is_nested();
        conditions.extend(match nested {
            true => Some(there),
            false => of_column(column, &data_type, &found.test)
                .map(|condition| condition.map_or(there.clone(), |one| there.and(one))),
        });
    }
    conditions.into_iter().reduce(Expr::or).or(Some(lit(false)))
}

/// For a column of this type: `None` when no value of it can be wanted, `Some(None)` when any can.
fn of_column(column: &Expr, data_type: &DataType, test: &Test) -> Option<Option<Expr>> {
    let text = match test {
        Test::Exactly(text) => Some(text.as_str()),
        Test::Like(like) => whole(like),
        Test::Exists | Test::Between(..) => None,
    };
    match data_type {
        DataType::Utf8 | DataType::Binary => Some(texts(column, data_type, test)),
        // The text of `true` is one of few.
        DataType::Boolean => Some(
            text.and_then(boolean)
                .map(|value| column.clone().eq(lit(value))),
        ),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let literal = |us| ScalarValue::TimestampMicrosecond(Some(us), zone.clone());
            times(column, test, text, |us| Some(literal(us)))
        }
        DataType::Date32 => times(column, test, text, |us| {
            // The first day that begins there or later.
            let day = us.div_euclid(DAY_US) + i64::from(us.rem_euclid(DAY_US) > 0);
            Some(ScalarValue::Date32(Some(i32::try_from(day).ok()?)))
        }),
        _ => numbers(column, data_type, test, text),
    }
}

fn numbers(
    column: &Expr,
    data_type: &DataType,
    test: &Test,
    text: Option<&str>,
) -> Option<Option<Expr>> {
    let Some(holding) = holds(data_type) else {
        return Some(None);
    };
    let compared = |order, number| match self::test(holding, order, number) {
        Compare::Always => Some(None),
        Compare::Never => None,
        Compare::Compare(order, limit) => Some(Some(compare(column.clone(), order, limit))),
    };
    match (test, text) {
        (Test::Between(low, high), _) => {
            let mut both: Vec<Expr> = Vec::new();
            for (bound, with, without) in [
                (low, Order::GreaterOrEqual, Order::Greater),
                (high, Order::LessOrEqual, Order::Less),
            ] {
                let Some(Bound { text, inclusive }) = bound else {
                    continue;
                };
                let number = Number::read(text).filter(is_real)?;
                let order = if *inclusive { with } else { without };
                both.extend(compared(order, number)?);
            }
            Some(both.into_iter().reduce(Expr::and))
        }
        (_, Some(text)) => match Number::read(text).filter(is_real) {
            Some(number) => compared(Order::Equal, number),
            // `nan` and infinities.
            None if data_type.is_floating() => Some(None),
            None => None,
        },
        // Wildcards, and whatever is there.
        (_, None) => Some(None),
    }
}

fn times(
    column: &Expr,
    test: &Test,
    text: Option<&str>,
    literal: impl Fn(i64) -> Option<ScalarValue>,
) -> Option<Option<Expr>> {
    let (from, to) = match (test, text) {
        (Test::Between(low, high), _) => {
            let end = |bound: &Option<Bound>, first: fn(Span, bool) -> i64| match bound {
                None => Some(None),
                Some(bound) => span(&bound.text).map(|span| Some(first(span, bound.inclusive))),
            };
            let from = end(low, |(from, to), with| if with { from } else { to })?;
            let to = end(high, |(from, to), with| if with { to } else { from })?;
            (from, to)
        }
        (_, Some(text)) => match span(text) {
            Some((from, to)) => (Some(from), Some(to)),
            // It may be the text of a moment all the same.
            None => (None, None),
        },
        (_, None) => (None, None),
    };
    let from = from.and_then(&literal);
    let to = to.and_then(&literal);
    let from = from.map(|from| column.clone().gt_eq(lit(from)));
    let to = to.map(|to| column.clone().lt(lit(to)));
    Some(from.into_iter().chain(to).reduce(Expr::and))
}

fn texts(column: &Expr, data_type: &DataType, test: &Test) -> Option<Expr> {
    let literal = |text: String| match data_type {
        DataType::Binary => lit(ScalarValue::Binary(Some(text.into_bytes()))),
        _ => lit(text),
    };
    match test {
        Test::Exactly(text) => Some(column.clone().eq(literal(text.clone()))),
        Test::Like(like) => {
            if let Some(ways) = whole(like).and_then(ways) {
                let mut ways: Vec<Expr> = ways.into_iter().map(literal).collect();
                return match ways.len() {
                    1 => ways.pop().map(|only| column.clone().eq(only)),
                    _ => Some(column.clone().in_list(ways, false)),
                };
            }
            let (low, order, high) = bounds(like)?;
            let (low, high) = (literal(low), literal(high));
            let below = match order {
                Order::Less => column.clone().lt(high),
                _ => column.clone().lt_eq(high),
            };
            Some(column.clone().gt_eq(low).and(below))
        }
        Test::Exists | Test::Between(..) => None,
    }
}

/// The small `k` is also that of the sign for kelvins; no other letter of ASCII is that of another.
const KELVIN: char = '\u{212a}';

/// Each way to write a text that is `small` in small letters, where there are few.
fn ways(small: &str) -> Option<Vec<String>> {
    let letters = small.chars().filter(char::is_ascii_alphabetic).count();
    if letters > LETTERS_MAX || !small.is_ascii() || small.contains('k') {
        return None;
    }
    let mut ways = vec![String::new()];
    for letter in small.chars() {
        let large = letter.to_ascii_uppercase();
        let mut others = Vec::new();
        for way in &mut ways {
            if large != letter {
                others.push(format!("{way}{large}"));
            }
            way.push(letter);
        }
        ways.extend(others);
    }
    Some(ways)
}

/// The first text by its bytes that can be like this, and the last or what lies behind it; by what
/// it begins with.
fn bounds(like: &[Piece]) -> Option<(String, Order, String)> {
    let Some(Piece::Text(text)) = like.first() else {
        return None;
    };
    let end = text.find(|letter: char| !letter.is_ascii());
    let beginning = text.get(..end.unwrap_or(text.len()))?;
    let low = beginning.to_ascii_uppercase();
    let largest = |letter| if letter == 'k' { KELVIN } else { letter };
    if end.is_none() && like.len() == 1 {
        return Some((
            low,
            Order::LessOrEqual,
            beginning.chars().map(largest).collect(),
        ));
    }
    let mut letters = beginning.chars();
    let last = letters.next_back()?;
    let mut high: String = letters.map(largest).collect();
    high.push(match last {
        // The small one of `İ` is an `i` and a mark, which may be what follows.
        'i' => '\u{131}',
        last => char::from_u32(u32::from(largest(last)) + 1)?,
    });
    Some((low, Order::Less, high))
}

fn compare(column: Expr, order: Order, limit: Limit) -> Expr {
    let limit = match limit {
        Limit::Long(value) => lit(value),
        Limit::Double(value) => lit(value),
        Limit::Decimal(value, scale) => lit(ScalarValue::Decimal128(
            Some(value),
            38,
            scale.cast_signed(),
        )),
    };
    match order {
        Order::Equal => column.eq(limit),
        Order::NotEqual => column.not_eq(limit),
        Order::Less => column.lt(limit),
        Order::LessOrEqual => column.lt_eq(limit),
        Order::Greater => column.gt(limit),
        Order::GreaterOrEqual => column.gt_eq(limit),
    }
}

#[cfg(test)]
mod tests;
