//! A comparison of a column with a number that is written in the query, made exact for the
//! column's type: so that it stays a plain comparison, which statistics and page indexes know.

use super::number::Number;

/// What a numeric column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Integers of 64 bits.
    Long,
    /// Integers of up to 38 digits.
    Decimal,
    /// Doubles.
    Double,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    /// The same with the sides changed.
    pub(crate) fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }
}

/// A value of exactly the column's type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    Long(i64),
    Decimal(i128),
    Double(f64),
}

/// What to ask of a column's values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Test {
    /// This comparison.
    Compare(Order, Bound),
    /// True of every value.
    Always,
    /// False of every value.
    Never,
}

/// What `column order number` means for a column that holds `holds`.
pub(crate) fn test(holds: Holds, order: Order, number: Number) -> Test {
    match holds {
        Holds::Double => doubles(order, number),
        Holds::Long => integers(order, number, i64::MIN.into(), i64::MAX.into(), |integer| {
            Some(Bound::Long(i64::try_from(integer).ok()?))
        }),
        Holds::Decimal => {
            let most = 10_i128.pow(38) - 1;
            integers(order, number, -most, most, |integer| {
                Some(Bound::Decimal(integer))
            })
        }
    }
}

fn integers(
    order: Order,
    number: Number,
    lowest: i128,
    highest: i128,
    bound: fn(i128) -> Option<Bound>,
) -> Test {
    let (below, equal, above) = match number {
        Number::Integer(integer) => (
            integer.checked_sub(1),
            Some(integer),
            integer.checked_add(1),
        ),
        // Saturating: an integer beyond all integers of the column is found out below.
        Number::Double(value) => (
            Some(value.floor() as i128),
            None,
            Some(value.ceil() as i128),
        ),
    };
    let inside = |integer: &i128| (lowest..=highest).contains(integer);
    let compare = |order, integer: Option<i128>| {
        integer
            .filter(inside)
            .and_then(bound)
            .map(|bound| Test::Compare(order, bound))
    };
    let low = |integer: Option<i128>| integer.is_some_and(|integer| integer < lowest);
    match (order, equal) {
        (Order::Equal, _) => compare(order, equal).unwrap_or(Test::Never),
        (Order::NotEqual, _) => compare(order, equal).unwrap_or(Test::Always),
        (Order::Less | Order::LessOrEqual, None) => {
            compare(Order::LessOrEqual, below).unwrap_or(if low(below) {
                Test::Never
            } else {
                Test::Always
            })
        }
        (Order::Greater | Order::GreaterOrEqual, None) => compare(Order::GreaterOrEqual, above)
            .unwrap_or(if low(above) {
                Test::Always
            } else {
                Test::Never
            }),
        (Order::Less | Order::LessOrEqual, Some(_)) => {
            compare(order, equal).unwrap_or(if low(equal) {
                Test::Never
            } else {
                Test::Always
            })
        }
        (Order::Greater | Order::GreaterOrEqual, Some(_)) => {
            compare(order, equal).unwrap_or(if low(equal) {
                Test::Always
            } else {
                Test::Never
            })
        }
    }
}

fn doubles(order: Order, number: Number) -> Test {
    let integer = match number {
        Number::Double(value) => return Test::Compare(order, Bound::Double(value)),
        Number::Integer(integer) => integer,
    };
    let nearest = integer as f64;
    let (below, above) = match (nearest as i128).cmp(&integer) {
        std::cmp::Ordering::Equal => return Test::Compare(order, Bound::Double(nearest)),
        std::cmp::Ordering::Less => (nearest, nearest.next_up()),
        std::cmp::Ordering::Greater => (nearest.next_down(), nearest),
    };
    match order {
        Order::Equal => Test::Never,
        Order::NotEqual => Test::Always,
        Order::Less | Order::LessOrEqual => Test::Compare(Order::LessOrEqual, Bound::Double(below)),
        Order::Greater | Order::GreaterOrEqual => {
            Test::Compare(Order::GreaterOrEqual, Bound::Double(above))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cmp::Ordering;

    use super::*;

    const ORDERS: [Order; 6] = [
        Order::Equal,
        Order::NotEqual,
        Order::Less,
        Order::LessOrEqual,
        Order::Greater,
        Order::GreaterOrEqual,
    ];

    fn holds(order: Order, found: Ordering) -> bool {
        match order {
            Order::Equal => found.is_eq(),
            Order::NotEqual => found.is_ne(),
            Order::Less => found.is_lt(),
            Order::LessOrEqual => found.is_le(),
            Order::Greater => found.is_gt(),
            Order::GreaterOrEqual => found.is_ge(),
        }
    }

    /// What the test answers for a stored value.
    fn answer(test: Test, stored: Bound) -> bool {
        let (order, bound) = match test {
            Test::Always => return true,
            Test::Never => return false,
            Test::Compare(order, bound) => (order, bound),
        };
        let found = match (stored, bound) {
            (Bound::Long(stored), Bound::Long(bound)) => stored.cmp(&bound),
            (Bound::Decimal(stored), Bound::Decimal(bound)) => stored.cmp(&bound),
            (Bound::Double(stored), Bound::Double(bound)) => stored.partial_cmp(&bound).unwrap(),
            other => unreachable!("{other:?} are not of one type"),
        };
        holds(order, found)
    }

    #[test]
    fn p21_comparisons_with_numbers_are_exact_for_each_type() {
        let edge = 1_i128 << 53;
        let mut numbers = vec![0, 1, -1, edge - 1, edge, edge + 1, edge + 2, -edge - 1];
        numbers.extend([i64::MIN, i64::MAX].map(i128::from));
        numbers.extend([i64::MIN, i64::MAX].map(|one| i128::from(one).saturating_mul(3)));
        numbers.extend([10_i128.pow(38) - 1, 1 - 10_i128.pow(38)]);
        let doubles = [
            -1e300,
            -1.5,
            -0.5,
            0.5,
            1.5,
            1e37 + 1.0,
            1e39,
            f64::MAX,
            5e-324,
        ];
        let literals = numbers.iter().copied().map(Number::Integer);
        let literals: Vec<Number> = literals.chain(doubles.map(Number::of_double)).collect();
        let mut stored: Vec<(Holds, Bound, Number)> = Vec::new();
        for integer in numbers {
            if let Ok(long) = i64::try_from(integer) {
                stored.push((Holds::Long, Bound::Long(long), Number::Integer(integer)));
            }
            let decimal = Bound::Decimal(integer);
            stored.push((Holds::Decimal, decimal, Number::Integer(integer)));
            let double = integer as f64;
            stored.push((
                Holds::Double,
                Bound::Double(double),
                Number::of_double(double),
            ));
        }
        for double in doubles {
            stored.push((
                Holds::Double,
                Bound::Double(double),
                Number::of_double(double),
            ));
        }
        for (kind, bound, value) in &stored {
            for literal in &literals {
                for order in ORDERS {
                    let expected = holds(order, value.key().cmp(&literal.key()));
                    let found = answer(test(*kind, order, *literal), *bound);
                    assert_eq!(found, expected, "{kind:?} {value} {order:?} {literal}");
                }
            }
        }
    }
}
