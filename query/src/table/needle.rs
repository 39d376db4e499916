//! What a predicate says that filters can tell of: values of columns and words, joined by AND and
//! OR. What it can't say of a predicate it leaves out, which only costs reading.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use eddy_engine::filter::Wanted;

use super::view::KEY_TEXT;
use crate::{header, search};

/// What every row holds that meets all of `filters`, which are over stored columns.
pub(super) fn wanted(filters: &[Expr]) -> Wanted {
    Wanted::all(filters.iter().map(of).collect())
}

fn of(expr: &Expr) -> Wanted {
    match expr {
        Expr::Alias(alias) => of(&alias.expr),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::And => Wanted::all(vec![of(left), of(right)]),
            Operator::Or => Wanted::any(vec![of(left), of(right)]),
            Operator::Eq => equal(left, right)
                .or_else(|| equal(right, left))
                .unwrap_or(Wanted::Anything),
            _ => Wanted::Anything,
        },
        Expr::InList(list) if !list.negated => {
            let one_of = list.list.iter().map(|value| equal(&list.expr, value));
            match one_of.collect() {
                Some(values) => Wanted::any(values),
                None => Wanted::Anything,
            }
        }
        Expr::ScalarFunction(call) if call.name() == search::NAME => {
            let text = call.args.first().and_then(literal);
            text.and_then(|text| text.try_as_str().flatten())
                .map_or(Wanted::Anything, search::wanted)
        }
        _ => Wanted::Anything,
    }
}

/// `column = value`.
fn equal(column: &Expr, value: &Expr) -> Option<Wanted> {
    if let Expr::ScalarFunction(call) = column
        && call.name() == header::NAME
    {
        // A header's text is text of its record.
        return literal(value)?.try_as_str()?.map(Wanted::words);
    }
    let (path, value) = (path(column)?, literal(value)?);
    match value {
        ScalarValue::Int64(Some(number)) => Some(Wanted::long(&path, *number)),
        ScalarValue::Binary(Some(bytes)) => Some(Wanted::bytes(&path, bytes)),
        text => {
            let text = text.try_as_str()??;
            Some(Wanted::bytes(&path, text.as_bytes()))
        }
    }
}

/// The names from the root of a column or of a field in it.
fn path(expr: &Expr) -> Option<Vec<String>> {
    match expr {
        Expr::Column(column) => Some(vec![column.name.clone()]),
        Expr::ScalarFunction(call) if call.name() == "get_field" => {
            let (root, fields) = call.args.split_first()?;
            let mut path = path(root)?;
            for field in fields {
                path.push(literal(field)?.try_as_str()??.to_owned());
            }
            Some(path)
        }
        _ => None,
    }
}

fn literal(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value),
        _ => None,
    }
}

/// `_key_text = 'text'` as files have it: a condition on the key's bytes that each such row meets.
pub(super) fn on_key_bytes(filter: &Expr) -> Option<Expr> {
    let key = || datafusion::logical_expr::col("_key");
    let bytes = |value: &Expr| {
        let text = literal(value)?.try_as_str()??;
        let bytes = ScalarValue::Binary(Some(text.as_bytes().to_vec()));
        Some(datafusion::logical_expr::lit(bytes))
    };
    let is_text = |expr: &Expr| path(expr).is_some_and(|path| path == [KEY_TEXT]);
    match filter {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) if is_text(left) => Some(key().eq(bytes(right)?)),
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) if is_text(right) => Some(key().eq(bytes(left)?)),
        Expr::InList(list) if !list.negated && is_text(&list.expr) => {
            let list: Option<Vec<Expr>> = list.list.iter().map(bytes).collect();
            Some(key().in_list(list?, false))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::functions::core::expr_ext::FieldAccessor;
    use datafusion::logical_expr::{col, lit};

    use super::*;

    fn names(path: &[&str]) -> Vec<String> {
        path.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn values_and_words_are_what_filters_can_tell_of() {
        let id = |value: i64| Wanted::long(&names(&["id"]), value);
        let text = |value: &str| Wanted::bytes(&names(&["in", "id"]), value.as_bytes());
        let key = Wanted::bytes(&names(&["_key"]), b"k");
        let trace = || header::function().call(vec![lit("trace"), col("_headers")]);
        let word = |text: &str| search::function().call(vec![lit(text), col("_key")]);
        for (expr, expected) in [
            (col("id").eq(lit(7_i64)), id(7)),
            (lit(7_i64).eq(col("id")), id(7)),
            (col("in").field("id").eq(lit("x")), text("x")),
            (
                col("_key").eq(lit(ScalarValue::Binary(Some(b"k".to_vec())))),
                key,
            ),
            (
                col("id").in_list(vec![lit(1_i64), lit(2_i64)], false),
                Wanted::any(vec![id(1), id(2)]),
            ),
            (col("id").in_list(vec![lit(1_i64)], true), Wanted::Anything),
            (
                col("id").in_list(vec![lit(1_i64), col("b")], false),
                Wanted::Anything,
            ),
            (col("id").not_eq(lit(1_i64)), Wanted::Anything),
            (col("id").eq(lit(1_i64)).is_null(), Wanted::Anything),
            (!col("id").eq(lit(1_i64)), Wanted::Anything),
            (
                col("id").eq(lit(ScalarValue::Int64(None))),
                Wanted::Anything,
            ),
            (col("price").eq(lit(1.5)), Wanted::Anything),
            (col("id").eq(lit(1_i64)).and(col("b").gt(lit(3))), id(1)),
            (
                col("id").eq(lit(1_i64)).or(col("b").gt(lit(3))),
                Wanted::Anything,
            ),
            (
                col("id")
                    .eq(lit(1_i64))
                    .or(col("in").field("id").eq(lit("1"))),
                Wanted::any(vec![id(1), text("1")]),
            ),
            (word("Two words"), Wanted::words("two words")),
            (!word("two"), Wanted::Anything),
            (trace().eq(lit("id-7")), Wanted::words("id 7")),
            (trace().not_eq(lit("id-7")), Wanted::Anything),
        ] {
            assert_eq!(of(&expr), expected, "{expr}");
        }
    }

    #[test]
    fn only_conditions_that_key_bytes_can_meet_are_given_to_files() {
        assert!(on_key_bytes(&col(KEY_TEXT).eq(lit("k"))).is_some());
        assert!(on_key_bytes(&lit("k").eq(col(KEY_TEXT))).is_some());
        assert!(on_key_bytes(&col(KEY_TEXT).in_list(vec![lit("k")], false)).is_some());
        assert!(on_key_bytes(&col(KEY_TEXT).in_list(vec![lit("k")], true)).is_none());
        assert!(on_key_bytes(&col(KEY_TEXT).not_eq(lit("k"))).is_none());
        assert!(on_key_bytes(&col(KEY_TEXT).is_null()).is_none());
    }
}
