//! A comparison of a column with a number that is written in the query, made exact for the
//! column's type: so that it stays a plain comparison, which statistics and page indexes know.

use std::ops::RangeInclusive;

use super::number::Number;

/// What a numeric column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Integers of 64 bits.
    Long,
    /// Numbers of up to 38 digits, so many of them behind the point.
    Decimal(u8),
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
    /// All digits, and how many of them stand behind the point.
    Decimal(i128, u8),
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
        Holds::Long => {
            let range = i64::MIN.into()..=i64::MAX.into();
            digits(order, number, 0, &range, |integer| {
                Some(Bound::Long(i64::try_from(integer).ok()?))
            })
        }
        Holds::Decimal(scale) => {
            let most = 10_i128.pow(38) - 1;
            digits(order, number, scale, &(-most..=most), |integer| {
                Some(Bound::Decimal(integer, scale))
            })
        }
    }
}

/// For a column of numbers with so many digits behind the point: what they are without it.
fn digits(
    order: Order,
    number: Number,
    scale: u8,
    range: &RangeInclusive<i128>,
    bound: impl Fn(i128) -> Option<Bound>,
) -> Test {
    let (below, equal, above) = around(number, scale);
    let compare = |order, integer: Option<i128>| {
        integer
            .filter(|integer| range.contains(integer))
            .and_then(&bound)
            .map(|bound| Test::Compare(order, bound))
    };
    let low = |integer: Option<i128>| integer.is_some_and(|integer| integer < *range.start());
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

/// A number times ten to the power of `scale`: the integer below, the same, and the one above; of
/// the first and the last only without the second. Those beyond all columns are some beyond.
fn around(number: Number, scale: u8) -> (Option<i128>, Option<i128>, Option<i128>) {
    let Some((unscaled, behind)) = number.digits() else {
        return (None, None, None);
    };
    let more = i32::from(scale) - behind;
    let power = u32::try_from(more.abs()).ok();
    let power = power.and_then(|power| 10_i128.checked_pow(power));
    if more >= 0 {
        let scaled = match power {
            Some(power) => unscaled.saturating_mul(power),
            None => unscaled.signum().saturating_mul(i128::MAX),
        };
        return (None, Some(scaled), None);
    }
    // A power beyond all integers leaves nothing before the point.
    let below = power.map_or_else(
        || unscaled.signum().min(0),
        |power| unscaled.div_euclid(power),
    );
    let exact = power.is_some_and(|power| unscaled.rem_euclid(power) == 0);
    match exact {
        true => (None, Some(below), None),
        false => (Some(below), None, Some(below.saturating_add(1))),
    }
}

fn doubles(order: Order, number: Number) -> Test {
    if let Number::Double(value) = number {
        return Test::Compare(order, Bound::Double(value));
    }
    let nearest = number.nearest();
    let (below, above) = match Number::of_double(nearest).key().cmp(&number.key()) {
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
            (Bound::Decimal(stored, scale), Bound::Decimal(bound, same)) if scale == same => {
                stored.cmp(&bound)
            }
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
            0.1,
            1.234_567_890_123_456_7e-30,
        ];
        let decimals = ["0.1", "0.15", "0.10000000000000001", "-12.75", "0.0000001"];
        let decimals = decimals.into_iter().filter_map(Number::read);
        let literals = numbers.iter().copied().map(Number::Integer).chain(decimals);
        let literals: Vec<Number> = literals.chain(doubles.map(Number::of_double)).collect();
        let mut stored: Vec<(Holds, Bound, Number)> = Vec::new();
        for integer in numbers {
            if let Ok(long) = i64::try_from(integer) {
                stored.push((Holds::Long, Bound::Long(long), Number::Integer(integer)));
            }
            let decimal = Bound::Decimal(integer, 0);
            stored.push((Holds::Decimal(0), decimal, Number::Integer(integer)));
            for scale in [1, 2, 37, 38] {
                let decimal = Bound::Decimal(integer, scale);
                let value = Number::of_decimal(integer, scale);
                stored.push((Holds::Decimal(scale), decimal, value));
            }
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
